"""A server that has answered in time is not taken for one that did not because our own event loop was busy."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import uvloop

from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.stores.redis import RedisStore
from hashcache.stores.redis.deadline import BUSY, GRACE, deadline
from tests.harness.busy import keep_busy
from tests.harness.clock import HandClock, turns
from tests.harness.loop import HandLoop
from tests.harness.valkey import Valkey

KEY = Key("analysis", "0" * 64, "variant")
DEADLINE = timedelta(milliseconds=250)
#: How much later than its deadline a verb may come back on a busy machine.
MARGIN = 0.5


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """The loops that the service runs on: one looks at sockets before timers, one after."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisStore]:
    """A store that has a connection open."""
    names, envelope = Names(f"busy-{secrets.token_hex(4)}"), Envelope(most=1000)
    store = RedisStore(url, names=names, envelope=envelope, clock=HandClock(), deadline=DEADLINE)
    await store.open()
    try:
        await store.read([KEY])
        yield store
    finally:
        await store.close()


def test_an_answer_that_waits_for_a_busy_loop_is_in_time(runner: asyncio.Runner, valkey: Valkey) -> None:
    """The loop is blocked past the deadline while the answer lies in the socket: it counts, whichever verb it is of."""

    async def busy() -> None:
        async with connected(valkey.url) as store:
            for _ in range(3):
                reading = asyncio.create_task(store.read([KEY]))
                await turns(4)  # it is sent
                keep_busy(0.4)
                await reading
                claiming = asyncio.create_task(store.claim(KEY, "token", DEADLINE))
                keep_busy(0.4)
                assert (await claiming).claim is not None

    runner.run(busy())


def test_a_frozen_server_costs_a_busy_loop_little_more(runner: asyncio.Runner, valkey: Valkey) -> None:
    """It is given up soon after the loop is no longer busy."""

    async def busy() -> None:
        async with connected(valkey.url) as store:
            valkey.freeze()
            try:
                reading = asyncio.create_task(store.read([KEY]))
                await turns(4)
                began = time.monotonic()
                keep_busy(0.3, times=2)
                with pytest.raises(StoreUnavailable):
                    await reading
                assert time.monotonic() - began < 2 * 0.3 + GRACE.total_seconds() + MARGIN
            finally:
                valkey.thaw()

    runner.run(busy())


@pytest.fixture
def loop() -> Iterator[HandLoop]:
    """A loop whose time is in our hand."""
    loop = HandLoop()
    yield loop
    loop.close()


async def _wait_for_nobody(loop: HandLoop) -> float:
    """When whoever waits for an answer that never comes gives up."""
    with pytest.raises(TimeoutError):
        async with deadline(DEADLINE):
            await loop.create_future()
    return loop.time()


def test_a_deadline_on_an_idle_loop_is_kept(loop: HandLoop) -> None:
    """Not a moment more is granted."""
    waiting = loop.create_task(_wait_for_nobody(loop))
    loop.pass_time(DEADLINE)
    assert waiting.result() == DEADLINE.total_seconds()


def test_one_moment_is_granted_once(loop: HandLoop) -> None:
    """Late again when that is over: no more."""
    waiting = loop.create_task(_wait_for_nobody(loop))
    loop.settle()
    loop.leap(DEADLINE + BUSY)
    loop.pass_time(GRACE - timedelta(milliseconds=1))
    assert not waiting.done()
    loop.leap(DEADLINE)
    loop.settle()
    assert waiting.result() == (2 * DEADLINE + BUSY + GRACE).total_seconds() - 0.001


def test_who_is_done_in_time_is_left_alone(loop: HandLoop) -> None:
    """No timer is left behind, and an error of its own is its own."""

    async def work() -> str:
        async with deadline(DEADLINE):
            await asyncio.sleep(0)
        return "done"

    assert loop.run_until_complete(work()) == "done"
    assert not [handle for handle in loop._scheduled if not handle.cancelled()]
