"""The path of an answer under forced schedules: who pays how often, who is given what, who is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from hashcache.core.barrier import NONE, Selector
from hashcache.core.entry import Instant
from hashcache.core.errors import Stopping
from hashcache.core.freshness import Cause
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.core.policy import Policy
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations
from tests.engine.conftest import LABEL, Heard, key_of
from tests.harness.away import CutOff
from tests.harness.clock import HandClock
from tests.harness.hub import Hub
from tests.harness.loads import Shop
from tests.harness.turns import until, until_waiting

POLICY = Policy(ttl=timedelta(days=7), poll=timedelta(milliseconds=1), longest_poll=timedelta(milliseconds=5))
KEY = key_of()


async def ask(cache: Cache, shop: Shop, **wishes: bool) -> Outcome:
    """One caller's question."""
    return await cache.get_or_load(KEY, LABEL, POLICY, shop.load(), **wishes)


async def test_a_miss_is_bought_stored_and_then_hit(make_cache: Callable[[], Cache], shop: Shop) -> None:
    """The first caller pays; another process is given the same bytes from the store."""
    first, second = await ask(make_cache(), shop), await ask(make_cache(), shop)
    assert (first.status, first.level, first.cause, first.stored) == (Status.MISS, Level.SOURCE, Cause.NEW, True)
    assert (second.status, second.level) == (Status.HIT, Level.STORE)
    assert first.entry.payload == second.entry.payload == b'{"bought":1}'
    assert (first.spent, first.saved, second.spent, second.saved) == (10_000, 0, 0, 10_000)
    assert (shop.paid, shop.open_loads, shop.closed_twice) == (1, 0, 0)


async def test_a_hundred_callers_pay_once(cache: Cache, shop: Shop) -> None:
    """Whoever joins a flight is collapsed, spends nothing and saves the price; his load is closed at once."""
    shop.gate.clear()
    leader = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    others = [asyncio.create_task(ask(cache, shop)) for _ in range(99)]
    await until(lambda: shop.open_loads == 1)
    shop.gate.set()
    outcomes = await asyncio.gather(leader, *others)
    assert shop.paid == 1
    assert [outcome.collapsed for outcome in outcomes] == [False] + [True] * 99
    assert sum(outcome.spent for outcome in outcomes) == 10_000
    assert sum(outcome.saved for outcome in outcomes) == 99 * 10_000
    assert (shop.open_loads, shop.closed_twice) == (0, 0)


async def test_row_40_the_first_caller_leaves_and_the_others_are_answered(cache: Cache, shop: Shop) -> None:
    """A caller who is cancelled cancels nothing: 99 answers, one purchase."""
    shop.gate.clear()
    leader = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    others = [asyncio.create_task(ask(cache, shop)) for _ in range(99)]
    await until(lambda: shop.open_loads == 1)
    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)
    shop.gate.set()
    outcomes = await asyncio.gather(*others)
    assert len(outcomes) == 99
    assert shop.paid == 1


async def test_row_41_the_last_caller_leaves_and_the_answer_is_kept(cache: Cache, shop: Shop) -> None:
    """Nobody waits any more: the paid answer is stored all the same, and the load is closed."""
    shop.gate.clear()
    only = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    shop.gate.set()
    assert await cache.flights.drain(timedelta(seconds=5)) == 0
    assert (await ask(cache, shop)).status is Status.HIT
    assert (shop.paid, shop.open_loads) == (1, 0)


async def test_a_failure_reaches_everybody_and_is_not_kept(cache: Cache, shop: Shop) -> None:
    """All who joined get the error; the claim is given back, so the next caller buys at once."""
    shop.gate.clear()
    shop.failing = RuntimeError("the vendor is down")
    callers = [asyncio.create_task(ask(cache, shop))]
    await shop.entered.wait()
    callers += [asyncio.create_task(ask(cache, shop)) for _ in range(9)]
    await until(lambda: shop.open_loads == 1)
    shop.gate.set()
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert [str(error) for error in errors] == ["the vendor is down"] * 10
    shop.failing = None
    assert (await ask(cache, shop)).status is Status.MISS
    assert (shop.paid, shop.open_loads) == (2, 0)


async def test_a_refresh_buys_again_and_replaces(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """A forced refresh is answered as a miss, and what it bought is what others get afterwards."""
    await ask(cache, shop)
    clock.advance(timedelta(seconds=1))
    refreshed = await ask(cache, shop, refresh=True)
    assert (refreshed.status, refreshed.cause, refreshed.entry.payload) == (Status.MISS, Cause.REFRESH, b'{"bought":2}')
    assert (await ask(cache, shop)).entry.payload == b'{"bought":2}'


async def test_a_refresh_is_not_content_with_what_was_kept_a_moment_ago(
    make_cache: Callable[[], Cache], shop: Shop
) -> None:
    """The clock stands still: what another process has kept in the same millisecond was bought before the question."""
    one, two = make_cache(), make_cache()
    await ask(one, shop)
    refreshed = await ask(two, shop, refresh=True)
    assert (refreshed.status, refreshed.cause, refreshed.entry.payload) == (Status.MISS, Cause.REFRESH, b'{"bought":2}')
    assert (await ask(two, shop, refresh=True)).entry.payload == b'{"bought":3}'


async def test_refreshes_of_two_processes_collapse_in_one_millisecond(
    make_cache: Callable[[], Cache], shop: Shop
) -> None:
    """Who has seen a purchase under way is content with it, although it ended in the very millisecond of asking."""
    one, two = make_cache(), make_cache()
    shop.gate.clear()
    first = asyncio.create_task(ask(one, shop, refresh=True))
    await shop.entered.wait()
    second = asyncio.create_task(ask(two, shop, refresh=True))
    await until_waiting([second])
    shop.gate.set()
    outcomes = await asyncio.gather(first, second)
    assert [outcome.status for outcome in outcomes] == [Status.MISS, Status.MISS]
    assert shop.paid == 1


async def test_a_refresh_joins_a_purchase_under_way(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """Parallel refreshes collapse, and join a miss that is being bought: one purchase."""
    shop.gate.clear()
    miss = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    refreshes = [asyncio.create_task(ask(cache, shop, refresh=True)) for _ in range(5)]
    await until_waiting(refreshes)
    shop.gate.set()
    outcomes = await asyncio.gather(miss, *refreshes)
    assert shop.paid == 1
    assert all(outcome.status is Status.MISS for outcome in outcomes)
    assert shop.open_loads == 0


async def test_a_refresh_is_not_content_with_a_hit(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff, clock: HandClock
) -> None:
    """A refresh that finds another caller's look-up under way does not take its old answer for a new one."""
    await ask(make_cache(), shop)
    cache = make_cache()
    clock.advance(timedelta(seconds=1))
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await go_on.wait()

    store.before["read"] = hold
    looking = asyncio.create_task(ask(cache, shop))
    await reached.wait()
    refresh = asyncio.create_task(ask(cache, shop, refresh=True))
    await until_waiting([refresh])
    go_on.set()
    assert (await looking).entry.payload == b'{"bought":1}'
    assert (await refresh).entry.payload == b'{"bought":2}'


async def test_a_failed_refresh_keeps_the_old_entry(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """The error is the refresher's; everybody else still has the answer that was paid for."""
    await ask(cache, shop)
    clock.advance(timedelta(seconds=1))
    shop.failing = RuntimeError("down")
    with pytest.raises(RuntimeError, match="down"):
        await ask(cache, shop, refresh=True)
    assert (await ask(cache, shop)).entry.payload == b'{"bought":1}'


async def test_no_store_keeps_nothing_it_buys(cache: Cache, shop: Shop) -> None:
    """Its answer is given once and bought again by the next; one that is there is a hit."""
    bypass = await ask(cache, shop, keep=False)
    assert (bypass.status, bypass.stored, bypass.spent) == (Status.BYPASS, False, 10_000)
    assert (await ask(cache, shop)).status is Status.MISS
    assert (await ask(cache, shop, keep=False)).status is Status.HIT


async def test_somebody_who_wants_it_kept_joins_no_store(cache: Cache, shop: Shop) -> None:
    """When another caller of the same flight wants the answer kept, it is."""
    shop.gate.clear()
    bypass = asyncio.create_task(ask(cache, shop, keep=False))
    await shop.entered.wait()
    keeper = asyncio.create_task(ask(cache, shop))
    await until(lambda: shop.open_loads == 1)
    shop.gate.set()
    assert (await bypass).status is Status.BYPASS
    assert (await keeper).collapsed
    assert (await ask(cache, shop)).status is Status.HIT


async def test_two_processes_pay_once(make_cache: Callable[[], Cache], shop: Shop) -> None:
    """The process that does not hold the claim waits, and is given what the other bought: collapsed."""
    one, two = make_cache(), make_cache()
    shop.gate.clear()
    first = asyncio.create_task(ask(one, shop))
    await shop.entered.wait()
    second = asyncio.create_task(ask(two, shop))
    await until_waiting([second])
    shop.gate.set()
    bought, joined = await asyncio.gather(first, second)
    assert shop.paid == 1
    assert (joined.status, joined.collapsed, joined.spent, joined.saved) == (Status.MISS, True, 0, 10_000)
    assert joined.entry == bought.entry
    assert shop.open_loads == 0


async def test_a_dead_holder_is_replaced(make_cache: Callable[[], Cache], shop: Shop, clock: HandClock) -> None:
    """A claim whose holder does not renew ends with its lease; whoever waits takes over and buys."""
    one, two = make_cache(), make_cache()
    shop.gate.clear()
    dead = asyncio.create_task(ask(one, shop))
    await shop.entered.wait()
    shop.entered.clear()
    waiting = asyncio.create_task(ask(two, shop))
    await until_waiting([waiting])
    clock.advance(POLICY.lease)  # nothing renewed in the meantime: the clock jumped
    await asyncio.wait_for(shop.entered.wait(), 5)
    shop.gate.set()
    outcomes = await asyncio.gather(dead, waiting)
    assert shop.paid == 2
    assert all(outcome.status is Status.MISS for outcome in outcomes)


async def test_a_running_call_renews_its_claim(cache: Cache, shop: Shop, store: CutOff) -> None:
    """While the load runs its claim is renewed, and no longer once it is done."""
    renewed = asyncio.Event()

    async def note() -> None:
        renewed.set()

    store.before["renew"] = note
    shop.gate.clear()
    policy = replace(POLICY, lease=timedelta(milliseconds=40), renewal=timedelta(milliseconds=10))
    asked = asyncio.create_task(cache.get_or_load(KEY, LABEL, policy, shop.load()))
    await asyncio.wait_for(renewed.wait(), 5)
    shop.gate.set()
    await asked
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("renew ")]


async def test_a_caller_without_patience_leaves_the_purchase_alone(cache: Cache, shop: Shop) -> None:
    """TimeoutError is the caller's; the purchase goes on and its answer is kept."""
    shop.gate.clear()
    with pytest.raises(TimeoutError):
        await cache.get_or_load(KEY, LABEL, replace(POLICY, patience=timedelta(milliseconds=10)), shop.load())
    shop.gate.set()
    await cache.flights.drain(timedelta(seconds=5))
    assert (await ask(cache, shop)).status is Status.HIT


async def test_a_store_that_is_away_fails_no_request(cache: Cache, shop: Shop, store: CutOff, heard: Heard) -> None:
    """Away from the start: the answer is bought once, kept near, and given from there; the observer hears it once."""
    store.away = True
    first, second = await ask(cache, shop), await ask(cache, shop)
    assert (first.status, first.stored, first.store_away) == (Status.MISS, False, True)
    assert (second.status, second.level, second.store_away) == (Status.HIT, Level.NEAR, True)
    assert "detail=store-away" in first.cache_status
    assert heard.changes == [False]
    assert shop.paid == 1


async def test_what_was_bought_while_the_store_was_away_is_brought_to_it(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff, heard: Heard
) -> None:
    """Back again, it gets the answer it is owed, as soon as somebody asks it for anything."""
    one, two = make_cache(), make_cache()
    store.away = True
    await ask(one, shop)
    store.away = False
    await one.look([key_of(1)])
    await until(lambda: not one.owed)
    assert heard.changes == [False, True]
    assert (await ask(two, shop)).level is Level.STORE
    assert shop.paid == 1


async def test_an_answer_that_is_owed_and_was_cleared_is_not_brought_back(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff
) -> None:
    """The barrier refuses it like any late commit."""
    one, two = make_cache(), make_cache()
    store.away = True
    await ask(one, shop)
    store.away = False
    await Invalidations(two).invalidate(Selector(), reason="")
    await one.look([key_of(1)])
    await until(lambda: not one.owed)
    assert (await two.look([KEY])).outcome is None


async def test_a_near_hit_asks_nobody(cache: Cache, shop: Shop, store: CutOff) -> None:
    """No command to the store, no task, and the load is closed unused."""
    await ask(cache, shop)
    await cache.flights.told()
    store.calls.clear()
    hit = await ask(cache, shop)
    assert (hit.status, hit.level, hit.spent, hit.saved) == (Status.HIT, Level.NEAR, 0, 10_000)
    assert store.calls == {}
    assert len(cache.flights) == 0
    assert (shop.open_loads, shop.closed_twice) == (0, 0)


async def test_near_memory_is_not_trusted_while_the_channel_is_silent(cache: Cache, shop: Shop, hub: Hub) -> None:
    """Invalidations may have been lost: the store is asked."""
    await ask(cache, shop)
    hub.ends[0].alive = False
    assert (await ask(cache, shop)).level is Level.STORE
    hub.ends[0].alive = True
    assert (await ask(cache, shop)).level is Level.NEAR


async def test_a_process_that_ends_buys_nothing_new(cache: Cache, shop: Shop) -> None:
    """What is known is still served, what is under way ends, what would have to be bought is left to others."""
    await ask(cache, shop)
    shop.gate.clear()
    shop.entered.clear()
    under_way = asyncio.create_task(cache.get_or_load(key_of(1), LABEL, POLICY, shop.load()))
    await shop.entered.wait()
    cache.stop()
    assert (await ask(cache, shop)).status is Status.HIT
    with pytest.raises(Stopping):
        await cache.get_or_load(key_of(2), LABEL, POLICY, shop.load())
    shop.gate.set()
    assert (await under_way).stored
    assert shop.open_loads == 0


async def test_a_store_that_is_lost_after_the_purchase_loses_nothing(cache: Cache, shop: Shop, store: CutOff) -> None:
    """The commit fails: the caller has his answer, and near memory has it while the store is away."""
    shop.gate.clear()
    asked = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    store.away = True
    shop.gate.set()
    assert (await asked).stored is False
    assert (await ask(cache, shop)).level is Level.NEAR
    assert shop.paid == 1


async def test_an_expired_answer_is_bought_again(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """Fresh until its last millisecond; one later it is a miss."""
    await ask(cache, shop)
    clock.advance(POLICY.ttl - timedelta(milliseconds=1))
    assert (await ask(cache, shop)).status is Status.HIT
    clock.advance(timedelta(milliseconds=1))
    assert (await ask(cache, shop)).status is Status.MISS


async def test_a_look_buys_nothing_and_tells_what_is_being_bought(
    cache: Cache, shop: Shop, store: CutOff, hub: Hub
) -> None:
    """Unknown, pending and known, each with one read of all candidates."""
    keys = [key_of(1), KEY, key_of(2)]
    found = await cache.look(keys)
    assert (found.outcome, found.pending) == (None, False)
    shop.gate.clear()
    asked = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    assert (await cache.look(keys)).pending
    shop.gate.set()
    await asked
    store.calls.clear()
    near = await cache.look(keys)
    hub.ends[0].alive = False
    found = await cache.look(keys)
    assert near.outcome is not None
    assert found.outcome is not None
    assert near.outcome.entry == found.outcome.entry
    assert found.outcome.entry.key == KEY
    assert store.calls == {"read": 1}


async def test_another_process_sees_that_it_is_being_bought(make_cache: Callable[[], Cache], shop: Shop) -> None:
    """The claim in the store tells other processes."""
    one, two = make_cache(), make_cache()
    shop.gate.clear()
    asked = asyncio.create_task(ask(one, shop))
    await shop.entered.wait()
    assert (await two.look([KEY])).pending
    shop.gate.set()
    await asked


async def test_a_drain_cancels_what_outlasts_its_grace(cache: Cache, shop: Shop) -> None:
    """A load that does not end in time is cancelled, closed, and its claim given back."""
    shop.gate.clear()
    asked = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    assert await cache.flights.drain(timedelta(milliseconds=10)) == 1
    await asyncio.gather(asked, return_exceptions=True)
    assert (shop.open_loads, len(cache.flights)) == (0, 0)
    assert not (await cache.look([KEY])).pending


async def test_a_second_look_finds_what_was_bought_meanwhile(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff
) -> None:
    """Stored by somebody else between our look and our claim: it is a hit, and our claim is given back."""
    one, two = make_cache(), make_cache()

    async def meanwhile() -> None:
        await ask(two, shop)

    store.before["claim"] = meanwhile
    outcome = await ask(one, shop)
    assert (outcome.status, outcome.collapsed, shop.paid) == (Status.HIT, False, 1)
    assert not (await store.read([KEY])).slots[0].claimed


async def test_a_glance_sees_near_memory_alone(cache: Cache, shop: Shop) -> None:
    """The near answer, without a task, a load or a flight; nothing where there is none, or where it was cleared."""
    assert cache.glance([KEY]) is None
    bought = await ask(cache, shop)
    await cache.flights.told()
    seen = cache.glance([key_of(1), KEY])
    assert seen is not None
    assert (seen.status, seen.level, seen.entry) == (Status.HIT, Level.NEAR, bought.entry)
    assert (shop.paid, len(cache.flights)) == (1, 0)
    await Invalidations(cache).invalidate(Selector(), reason="")
    assert cache.glance([KEY]) is None


async def test_what_is_at_hand_is_what_a_glance_would_serve(
    cache: Cache, shop: Shop, clock: HandClock, hub: Hub
) -> None:
    """The entry itself; nothing of what is unknown, has expired, was forbidden, or while the channel is silent."""
    assert cache.at_hand(KEY) is None
    bought = await ask(cache, shop)
    assert cache.at_hand(KEY) == bought.entry
    hub.ends[0].alive = False
    assert cache.at_hand(KEY) is None
    hub.ends[0].alive = True
    cache.view.barrier = cache.view.barrier.raised(Selector(), now=Instant(clock()), reason="not heard yet")
    assert cache.at_hand(KEY) is None
    cache.view.barrier = NONE
    clock.advance(timedelta(days=8))
    assert cache.at_hand(KEY) is None


async def test_a_glance_trusts_no_silent_channel(cache: Cache, shop: Shop, hub: Hub) -> None:
    """What was invalidated elsewhere could be served: then the store is asked."""
    await ask(cache, shop)
    hub.ends[0].alive = False
    assert cache.glance([KEY]) is None
