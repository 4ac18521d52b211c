"""A store on a Redis server as its tests use it: opened, bought into, asked while the server is at fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.stores.redis import RedisStore
from tests.harness.clock import HandClock

NAMES = Names("test")
LEASE = timedelta(seconds=30)
#: Far more than a healthy server on this machine needs, and far less than these tests would notice.
DEADLINE = timedelta(milliseconds=400)
PATIENT = timedelta(seconds=20)
#: How much later than its deadline a verb may come back on a busy machine.
MARGIN = 0.6
PASSWORD = "pass/word@of:the#operator"
QUOTED = "pass%2Fword%40of%3Athe%23operator"


def key(number: int = 1) -> Key:
    """One of many keys."""
    return Key("analysis", f"{number:064x}", "variant")


def store_on(
    url: str, *, names: Names = NAMES, deadline: timedelta = PATIENT, patience: timedelta = PATIENT, **more: Any
) -> RedisStore:
    """A store on *url*, not open."""
    envelope = Envelope(most=1_000_000)
    return RedisStore(
        url, names=names, envelope=envelope, clock=HandClock(), deadline=deadline, patience=patience, **more
    )


@asynccontextmanager
async def connected(
    url: str,
    *,
    deadline: timedelta = PATIENT,
    patience: timedelta = PATIENT,
    monotonic: Callable[[], float] = time.monotonic,
    ca_file: str | None = None,
    connections: int = 20,
    names: Names = NAMES,
) -> AsyncIterator[RedisStore]:
    """A store on *url*, opened and closed."""
    store = store_on(
        url,
        names=names,
        connections=connections,
        deadline=deadline,
        patience=patience,
        ca_file=ca_file,
        monotonic=monotonic,
    )
    try:
        await store.open()
        yield store
    finally:
        await store.close()


async def buy(store: RedisStore, of: Key, payload: bytes = b"answer") -> bool:
    """Claim and commit an entry; whether it was kept."""
    bid = await store.claim(of, "token", LEASE)
    assert bid.claim is not None
    entry = Entry(of, Label("image", "default", "p"), payload, 0, store.now(), Instant(store.now() + 600_000))
    return await store.commit(bid.claim, entry)


async def failure(store: RedisStore, of: Key | None = None) -> StoreUnavailable:
    """How reading fails, and that it does so in time."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await store.read([of or key()])
    assert time.monotonic() - began < DEADLINE.total_seconds() + MARGIN
    return caught.value


async def answers(store: RedisStore) -> bool:
    """Whether the server is asked again, and answers."""
    try:
        await store.read([key()])
    except StoreUnavailable:
        return False
    return True


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server of a few lines; its port. Waits at the end until each connection is closed."""
    writers: list[asyncio.StreamWriter] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError):
            await serve(reader, writer)

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


@pytest.fixture
def steady() -> HandClock:
    """A monotonic clock that the test moves: breakers and samples happen only when it says so."""
    return HandClock()
