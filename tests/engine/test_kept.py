"""A load that gave an answer is told once what became of it: money is booked by that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.errors import Stopping
from hashcache.core.outcome import Status
from hashcache.core.policy import Policy
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations
from hashcache.engine.load import Kept, LoadFailed
from hashcache.engine.near import Near
from hashcache.stores.off import OffStore
from tests.engine.conftest import LABEL, Heard, key_of
from tests.harness.away import CutOff
from tests.harness.clock import HandClock
from tests.harness.loads import Shop
from tests.harness.service import until

POLICY = Policy(ttl=timedelta(days=7), poll=timedelta(milliseconds=5))


async def test_stored(cache: Cache, shop: Shop) -> None:
    """An answer that the store keeps."""
    await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    await cache.flights.told()
    assert shop.kept == [(Kept.STORED, False)]


async def test_by_request_it_is_not_kept(cache: Cache, shop: Shop) -> None:
    """`no-store` keeps nothing."""
    await cache.get_or_load(key_of(), LABEL, POLICY, shop.load(), keep=False)
    await cache.flights.told()
    assert shop.kept == [(Kept.UNKEPT, False)]


async def test_where_nothing_is_kept(clock: HandClock, shop: Shop) -> None:
    """With the store turned off an answer that is not kept was not cleared."""
    off = OffStore(clock)
    cache = Cache(off, off.channel, Near(1_000_000), token=lambda: "token", chance=lambda: 0.5, observer=Heard())
    await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    await cache.close(timedelta(seconds=1))
    assert shop.kept == [(Kept.UNKEPT, False)]


async def test_cleared_meanwhile(cache: Cache, shop: Shop) -> None:
    """A clear that came while the call ran refuses its answer."""
    shop.gate.clear()
    asking = asyncio.create_task(cache.get_or_load(key_of(), LABEL, POLICY, shop.load()))
    await shop.entered.wait()
    await Invalidations(cache).invalidate(Selector(), reason="test")
    shop.gate.set()
    await asking
    await cache.flights.told()
    assert shop.kept == [(Kept.FENCED, False)]


async def test_nobody_waits_for_it(cache: Cache, shop: Shop) -> None:
    """
    Whoever asks has the answer while what it cost is still being booked, and who asks next has it from the cache; a
    process that ends books it first.
    """
    shop.booked.clear()
    bought = await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    again = await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    assert (bought.status, again.status, shop.paid) == (Status.MISS, Status.HIT, 1)
    assert (len(cache.flights), shop.kept) == (1, [])
    told, closing = asyncio.create_task(cache.flights.told()), asyncio.create_task(cache.close(timedelta(seconds=5)))
    await until(lambda: shop.booking)
    assert not told.done()
    assert not closing.done()
    shop.booked.set()
    await told
    assert shop.kept == [(Kept.STORED, False)]
    assert await closing == 0


async def test_a_flight_that_never_began_keeps_nobody_waiting(cache: Cache, shop: Shop) -> None:
    """A process that ends in the same moment says so to who asks."""
    asking = asyncio.create_task(cache.get_or_load(key_of(), LABEL, POLICY, shop.load()))
    await asyncio.sleep(0)  # the question has its turn, the flight has not
    flight = cache.flights.find(key_of())
    assert flight is not None
    assert flight.task is not None
    assert flight.task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(Stopping):
            await asking
    assert shop.paid == 0


async def test_a_failure_keeps_nothing(cache: Cache, shop: Shop) -> None:
    """Who gave no answer is told nothing."""
    shop.failing = LoadFailed("down", b"")
    with pytest.raises(LoadFailed):
        await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    assert not shop.kept


async def test_with_the_store_away_it_is_told_later(make_cache: Callable[[], Cache], shop: Shop, store: CutOff) -> None:
    """Told when the answer has been brought to the store, not before."""
    cache = make_cache()
    store.away = True
    await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    assert not shop.kept
    store.away = False
    await cache.look([key_of(1)])
    await until(lambda: shop.kept)
    assert shop.kept == [(Kept.STORED, False)]
