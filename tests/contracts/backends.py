"""The stores that the contract suite runs on, each with a way to let time pass and to look at the bytes it holds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from redis import Redis

from hashcache.core.envelope import Envelope
from hashcache.core.key import Names
from hashcache.ports import Ledger, Store
from hashcache.stores.memory import MemoryStore
from hashcache.stores.redis import RedisStore
from hashcache.stores.sqlite import SqliteStore
from tests.harness.clock import START, HandClock

MOST = 1_000_000
_PATIENT = timedelta(seconds=20)


class Both(Store, Ledger, Protocol):
    """What each store implements."""


class Backend(Protocol):
    """One place where entries live, and instances of the store on it."""

    names: Names

    async def instance(self, environment: str | None = None) -> Both:
        """An open store, as another process has it; in another *environment* if one is named."""
        ...

    async def elapse(self, duration: timedelta) -> None:
        """Let a little more than *duration* pass on the store's clock."""
        ...

    def stored(self, name: str) -> bytes | None:
        """The bytes under a physical *name*."""
        ...

    def overwrite(self, name: str, stored: bytes) -> None:
        """Put other bytes there, as an accident or an enemy would."""
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


class MemoryBackend(_Backend):
    """Memory is one process's own, so all instances of an environment are one."""

    def __init__(self) -> None:
        super().__init__()
        self.stores: dict[str, MemoryStore] = {}

    async def instance(self, environment: str | None = None) -> Both:
        names = self._names(environment)
        if names.prefix not in self.stores:
            self.stores[names.prefix] = MemoryStore(names, Envelope(most=MOST), self.clock, most=MOST)
        return await self._kept(self.stores[names.prefix])

    def stored(self, name: str) -> bytes | None:
        kept = next(iter(self.stores.values()))._entries.get(name)
        return kept.raw if kept else None

    def overwrite(self, name: str, stored: bytes) -> None:
        entries = next(iter(self.stores.values()))._entries
        entries[name] = type(next(iter(entries.values())))(stored, "image", START * 2)


class SqliteBackend(_Backend):
    """One file; each instance has a connection and a thread of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "store.sqlite3"

    async def instance(self, environment: str | None = None) -> Both:
        names, envelope = self._names(environment), Envelope(most=MOST)
        return await self._kept(SqliteStore(self.path, names, envelope, self.clock, deadline=_PATIENT))

    def stored(self, name: str) -> bytes | None:
        row = self._execute("SELECT sealed FROM entries WHERE name = ?", (name,))
        return row[0] if row else None

    def overwrite(self, name: str, stored: bytes) -> None:
        sql = "INSERT OR REPLACE INTO entries (name, kind, expires, sealed) VALUES (?, ?, ?, ?)"
        self._execute(sql, (name, "image", START * 2, stored))

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
        self.client = Redis.from_url(url)

    async def instance(self, environment: str | None = None) -> Both:
        names, envelope = self._names(environment), Envelope(most=MOST)
        return await self._kept(
            RedisStore(
                self.url,
                names=names,
                envelope=envelope,
                clock=self.clock,
                connections=8,
                deadline=_PATIENT,
                patience=_PATIENT,
            )
        )

    async def elapse(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds() + 0.005)

    def stored(self, name: str) -> bytes | None:
        return self.client.get(name)

    def overwrite(self, name: str, stored: bytes) -> None:
        self.client.set(name, stored, px=600_000)


@asynccontextmanager
async def backend_of(kind: str, folder: Path, url: str) -> AsyncIterator[Backend]:
    """The backend called *kind*; closes all its instances."""
    backend: MemoryBackend | SqliteBackend | RedisBackend
    if kind == "memory":
        backend = MemoryBackend()
    elif kind == "sqlite":
        backend = SqliteBackend(folder)
    else:
        backend = RedisBackend(url)
    try:
        yield backend
    finally:
        for store in backend.opened:
            await store.close()
        if isinstance(backend, RedisBackend):
            backend.client.close()
