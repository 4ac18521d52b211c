"""The stores that the contract suite runs on, each with a way to let time pass and to look at the bytes it holds."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from redis import Redis, RedisCluster
from redis.cluster import ClusterNode

from hashcache.core.barrier import NONE
from hashcache.core.envelope import Envelope
from hashcache.core.key import Names
from hashcache.ports import Accounts, Channel, Ledger, Outbox, Sessions, Store
from hashcache.stores.hearing import PACE, Pace
from hashcache.stores.memory import MemoryStore
from hashcache.stores.memory.shelf import Sealed
from hashcache.stores.redis import RedisStore
from hashcache.stores.redis.cluster import ClusterStore
from hashcache.stores.sqlite import SqliteStore
from tests.harness.clock import START, HandClock
from tests.harness.cluster import ValkeyCluster

MOST = 1_000_000
_PATIENT = timedelta(seconds=20)


class Both(Store, Protocol):
    """What each store implements, with the ledger, the accounts and the channel that lie in the same place."""

    @property
    def channel(self) -> Channel:
        """How it hears of other instances."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The books."""
        ...

    @property
    def accounts(self) -> Accounts:
        """The money."""
        ...

    @property
    def outbox(self) -> Outbox:
        """What is to be sent."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Who has signed in."""
        ...


class Backend(Protocol):
    """One place where entries live, and instances of the store on it."""

    names: Names

    async def instance(self, environment: str | None = None, *, pace: Pace = PACE) -> Both:
        """An open store, as another process has it; in another *environment* if one is named. Its channel is not."""
        ...

    async def elapse(self, duration: timedelta) -> None:
        """Let a little more than *duration* pass on the store's clock."""
        ...

    def leap(self, duration: timedelta) -> None:
        """Let the clocks of all instances leap ahead by *duration*, however long."""
        ...

    def stored(self, name: str) -> bytes | None:
        """The bytes under a physical *name*."""
        ...

    def overwrite(self, name: str, stored: bytes) -> None:
        """Put other bytes there, as an accident or an enemy would."""
        ...

    def lose_barrier(self) -> None:
        """Let the record of what was cleared vanish, as a server does that comes back empty."""
        ...

    async def inject(self, messages: list[bytes]) -> None:
        """Put raw *messages* on the channel, as an accident or an enemy would; somebody must listen."""
        ...


class _Backend:
    def __init__(self) -> None:
        self.environment = f"test-{uuid4().hex}"
        self.names = Names(self.environment)
        self.clock = HandClock()
        self.opened: list[Both] = []

    async def _kept(self, store: Both) -> Both:
        await store.open()
        self.opened.append(store)
        return store

    def _names(self, environment: str | None) -> Names:
        return Names(environment) if environment else self.names

    async def elapse(self, duration: timedelta) -> None:
        self.clock.advance(duration + timedelta(milliseconds=1))

    def leap(self, duration: timedelta) -> None:
        self.clock.advance(duration)


class MemoryBackend(_Backend):
    """The instances of an environment are ends of one store."""

    def __init__(self) -> None:
        super().__init__()
        self.stores: dict[str, MemoryStore] = {}

    async def instance(self, environment: str | None = None, *, pace: Pace = PACE) -> Both:
        names = self._names(environment)
        first = self.stores.get(names.prefix)
        store = first.join() if first else MemoryStore(names, Envelope(most=MOST), self.clock, MOST, pace=pace)
        self.stores.setdefault(names.prefix, store)
        return await self._kept(store)

    def stored(self, name: str) -> bytes | None:
        kept = self._first._shelf.find(name)
        return kept.raw if kept else None

    def overwrite(self, name: str, stored: bytes) -> None:
        self._first._shelf.put(name, Sealed(stored, "image", START * 2))

    def lose_barrier(self) -> None:
        self._first._shared.barrier = NONE

    async def inject(self, messages: list[bytes]) -> None:
        for message in messages:
            self._first._shared.hub.send(message, None)

    @property
    def _first(self) -> MemoryStore:
        return next(iter(self.stores.values()))


class SqliteBackend(_Backend):
    """One file; each instance has a connection and a thread of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "store.sqlite3"

    async def instance(self, environment: str | None = None, *, pace: Pace = PACE) -> Both:
        names, envelope = self._names(environment), Envelope(most=MOST)
        return await self._kept(SqliteStore(self.path, names, envelope, self.clock, deadline=_PATIENT, pace=pace))

    def stored(self, name: str) -> bytes | None:
        row = self._execute("SELECT sealed FROM entries WHERE name = ?", (name,))
        return row[0] if row else None

    def overwrite(self, name: str, stored: bytes) -> None:
        sql = "INSERT OR REPLACE INTO entries (name, kind, expires, sealed) VALUES (?, ?, ?, ?)"
        self._execute(sql, (name, "image", START * 2, stored))

    def lose_barrier(self) -> None:
        self._execute("DELETE FROM barriers", ())

    async def inject(self, messages: list[bytes]) -> None:
        sql = "INSERT INTO notices (channel, at, origin, body) VALUES (?, ?, 'somebody', ?)"
        at = int(time.monotonic() * 1000)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.executemany(sql, [(f"{self.names.prefix}channel", at, message) for message in messages])

    def _execute(self, sql: str, row: tuple[object, ...]) -> tuple[bytes] | None:
        connection = sqlite3.connect(self.path)
        try:
            with connection:
                return connection.execute(sql, row).fetchone()
        finally:
            connection.close()


class RedisBackend(_Backend):
    """A real server, whose clock nobody moves: a short time is really waited for."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.client: Any = Redis.from_url(url)

    async def instance(self, environment: str | None = None, *, pace: Pace = PACE) -> Both:
        return await self._kept(self._store(self._names(environment), pace))

    def _store(self, names: Names, pace: Pace) -> RedisStore:
        return RedisStore(
            self.url,
            names=names,
            envelope=Envelope(most=MOST),
            clock=self.clock,
            connections=8,
            deadline=_PATIENT,
            patience=_PATIENT,
            pace=pace,
        )

    async def elapse(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds() + 0.005)  # a real server's clock cannot be moved

    def leap(self, duration: timedelta) -> None:
        """As if the server had told so; what it keeps for a while, it keeps as long as ever."""
        for store in self.opened:
            clock = store._clock
            clock.sampled(clock.now() + duration / timedelta(milliseconds=1), at := time.monotonic(), at)

    def stored(self, name: str) -> bytes | None:
        return self.client.get(name)

    def overwrite(self, name: str, stored: bytes) -> None:
        self.client.set(name, stored, px=600_000)

    def lose_barrier(self) -> None:
        self.client.delete(self.names.barrier)

    async def inject(self, messages: list[bytes]) -> None:
        with self.client.pipeline(transaction=False) as pipeline:
            for message in messages:
                pipeline.publish(f"{self.names.prefix}channel", message)
            pipeline.execute()


class ClusterBackend(RedisBackend):
    """A real cluster of three masters and a replica. Each instance knows all nodes."""

    def __init__(self, cluster: ValkeyCluster) -> None:
        _Backend.__init__(self)
        self.cluster = cluster
        self.url = cluster.url
        nodes = [ClusterNode("127.0.0.1", node.port) for node in cluster.masters]
        self.client = RedisCluster(startup_nodes=nodes)

    def _store(self, names: Names, pace: Pace) -> RedisStore:
        return ClusterStore(
            self.url,
            names=names,
            envelope=Envelope(most=MOST),
            clock=self.clock,
            connections=24,
            deadline=_PATIENT,
            patience=_PATIENT,
            pace=pace,
        )

    async def inject(self, messages: list[bytes]) -> None:
        with self.cluster.node_of(self.names.barrier).client() as client, client.pipeline(transaction=False) as sent:
            for message in messages:
                sent.publish(f"{self.names.prefix}channel", message)
            sent.execute()


@asynccontextmanager
async def backend_of(kind: str, folder: Path, server: Callable[[str], Any]) -> AsyncIterator[Backend]:
    """The backend called *kind*; closes all its instances. *server* gives the fixture of a name: only those needed."""
    backend: MemoryBackend | SqliteBackend | RedisBackend
    if kind == "memory":
        backend = MemoryBackend()
    elif kind == "sqlite":
        backend = SqliteBackend(folder)
    elif kind == "redis":
        backend = RedisBackend(server("redis_url"))
    else:
        backend = ClusterBackend(server("cluster"))
    try:
        yield backend
    finally:
        for store in backend.opened:
            await store.close()
        if isinstance(backend, RedisBackend):
            backend.client.close()


KINDS = ["memory", "sqlite", "redis", "cluster"]
