"""Forgetting: at once, also for what is being bought; swept afterwards, and only what was meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from hashcache.core.barrier import MOST, Selector
from hashcache.core.entry import Label
from hashcache.core.errors import StoreUnavailable
from hashcache.core.freshness import Cause
from hashcache.core.outcome import Outcome, Status
from hashcache.core.policy import Policy
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Cleared, Invalidations
from tests.engine.conftest import LABEL, key_of
from tests.harness.away import CutOff
from tests.harness.clock import HandClock
from tests.harness.hub import Hub
from tests.harness.loads import Shop
from tests.harness.turns import until, until_waiting

POLICY = Policy(ttl=timedelta(days=7), poll=timedelta(milliseconds=1), longest_poll=timedelta(milliseconds=5))
ALL = Selector(pattern="*")


async def ask(cache: Cache, shop: Shop, number: int = 0, label: Label = LABEL) -> Outcome:
    """One caller's question about the content *number*."""
    return await cache.get_or_load(key_of(number), label, POLICY, shop.load())


async def test_a_clear_forgets_and_counts(cache: Cache, shop: Shop) -> None:
    """What was there is bought again; the number is that of the entries."""
    for number in range(7):
        await ask(cache, shop, number)
    assert await Invalidations(cache).invalidate(ALL, reason="test") == Cleared(1, 7, done=True)
    assert (await ask(cache, shop)).status is Status.MISS


async def test_a_selector_forgets_only_what_it_means(cache: Cache, shop: Shop) -> None:
    """By kind, tenant and provider; the others stay hits."""
    await ask(cache, shop, 1, Label("image", "a", "shop"))
    await ask(cache, shop, 2, Label("video", "a", "shop"))
    await ask(cache, shop, 3, Label("video", "b", "other"))
    cleared = await Invalidations(cache).invalidate(Selector(kind="video", tenant="a"), reason="")
    assert cleared.deleted == 1
    found = [(await cache.look([key_of(number)])).outcome is not None for number in (1, 2, 3)]
    assert found == [True, False, True]


async def test_row_49_what_is_being_bought_is_forgotten_too(cache: Cache, shop: Shop) -> None:
    """Who waits gets the old answer, but it is never served to anybody who asks after the clear returned."""
    shop.gate.clear()
    old = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    await Invalidations(cache).invalidate(ALL, reason="")
    shop.gate.set()
    assert (await old).entry.payload == b'{"bought":1}'
    assert (await ask(cache, shop)).entry.payload == b'{"bought":2}'


async def test_a_caller_after_the_clear_does_not_join_the_old_flight(cache: Cache, shop: Shop) -> None:
    """He starts afresh although the old purchase is still running, and is given an answer of his own."""
    shop.gate.clear()
    old = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    await Invalidations(cache).invalidate(ALL, reason="")
    new = asyncio.create_task(ask(cache, shop))
    shop.gate.set()
    assert (await old).entry.payload == b'{"bought":1}'
    assert (await new).entry.payload == b'{"bought":2}'


async def test_another_process_forgets_at_once(make_cache: Callable[[], Cache], shop: Shop) -> None:
    """The barrier lies in the store: whoever reads there sees it."""
    one, two = make_cache(), make_cache()
    await ask(one, shop)
    assert (await ask(two, shop)).status is Status.HIT
    await Invalidations(one).invalidate(ALL, reason="")
    assert (await ask(two, shop)).status is Status.MISS


async def test_a_key_that_is_forgotten_stays_forgotten(cache: Cache, shop: Shop) -> None:
    """A purchase that was under way when its key was forgotten is not stored."""
    shop.gate.clear()
    old = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    assert await Invalidations(cache).forget([key_of()]) == 0
    shop.gate.set()
    assert (await old).stored is False
    assert (await cache.look([key_of()])).outcome is None
    assert (await ask(cache, shop)).status is Status.MISS
    assert await Invalidations(cache).forget([key_of()]) == 1


async def test_a_raised_epoch_ends_what_lies_in_near_memory_anywhere(
    make_cache: Callable[[], Cache], shop: Shop, hub: Hub
) -> None:
    """When it has returned no process gives what that provider gave before, or joins it; nothing of others is lost."""
    one, two = make_cache(), make_cache()
    other = Label("image", "default", "other")
    for cache in (one, two):
        await ask(cache, shop, 1)
        await ask(cache, shop, 2, other)
        assert (cache.near.get(key_of(1)), cache.near.get(key_of(2))) != (None, None)
    epoch = await Invalidations(one).advance("shop", reason="new model")
    assert (epoch.number, epoch.reason) == (1, "new model")
    for cache in (one, two):
        # Not because the next caller asks the store: nothing is near any more, and the number is known.
        assert cache.near.get(key_of(1)) is None
        assert cache.near.get(key_of(2)) is not None
        assert cache.view.barrier.epoch("shop") == 1
        assert (await cache.look([key_of(1)])).outcome is None
        assert (await cache.look([key_of(2)])).outcome is not None
    told = [notice for notice in hub.sent if notice.kind == "invalidate"]
    assert [(notice.sequence, notice.selector) for notice in told] == [(epoch.sequence, Selector(provider="shop"))]


@pytest.mark.parametrize("by", ["the same process", "another process"])
async def test_what_is_bought_while_an_epoch_is_raised_is_given_to_nobody_who_asks_later(
    make_cache: Callable[[], Cache], shop: Shop, by: str
) -> None:
    """Whoever raises it: who asks afterwards does not join the old call, whose answer is not stored."""
    one, two = make_cache(), make_cache()
    shop.gate.clear()
    old = asyncio.create_task(ask(two, shop))
    await shop.entered.wait()
    await Invalidations(one if by == "another process" else two).advance("shop", reason="")
    new = asyncio.create_task(ask(two, shop))
    shop.gate.set()
    assert ((await old).entry.payload, (await old).stored) == (b'{"bought":1}', False)
    assert ((await new).entry.payload, (await new).stored) == (b'{"bought":2}', True)
    assert (await ask(one, shop)).entry.payload == b'{"bought":2}'


async def test_a_process_that_did_not_hear_of_an_epoch_learns_it_from_the_store(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff
) -> None:
    """It reads what is dead, sees why, and buys; from then on it asks under the new number."""
    one = make_cache()
    await ask(one, shop)
    one.near.clear()
    await store.advance("shop", "by somebody whom nobody hears")
    assert one.view.barrier.epoch("shop") == 0
    assert (await ask(one, shop)).cause is Cause.CLEARED
    assert one.view.barrier.epoch("shop") == 1


async def test_a_process_that_starts_knows_the_epochs_before_it_is_asked(cache: Cache, store: CutOff) -> None:
    """Its first answer is kept under the key where the second caller looks for it."""
    await store.advance("shop", "")
    await Invalidations(cache).resume()
    assert cache.view.barrier.epoch("shop") == 1


async def test_an_epoch_is_not_raised_while_the_store_is_away(cache: Cache, shop: Shop, store: CutOff) -> None:
    """It raises; nothing is claimed, and nothing has changed when the store is back."""
    await ask(cache, shop)
    store.away = True
    with pytest.raises(StoreUnavailable):
        await Invalidations(cache).advance("shop", reason="")
    store.away = False
    assert (await store.barrier()).epoch("shop") == 0
    assert (await ask(cache, shop)).status is Status.HIT


async def test_a_dry_run_forgets_nothing(cache: Cache, shop: Shop) -> None:
    """It counts the living entries that are meant."""
    for number in range(3):
        await ask(cache, shop, number)
    invalidations = Invalidations(cache)
    assert (await invalidations.count(ALL)).entries == 3
    assert (await invalidations.count(Selector(kind="text"))).entries == 0
    assert (await ask(cache, shop)).status is Status.HIT


async def test_row_50_a_clear_without_the_store_claims_nothing(cache: Cache, shop: Shop, store: CutOff) -> None:
    """It raises; this process forgets what it has in near memory."""
    await ask(cache, shop)
    store.away = True
    with pytest.raises(StoreUnavailable):
        await Invalidations(cache).invalidate(ALL, reason="")
    assert (await cache.look([key_of()])).outcome is None
    store.away = False
    assert (await cache.look([key_of()])).outcome is not None


async def test_a_sweep_that_stopped_is_resumed(cache: Cache, shop: Shop, store: CutOff) -> None:
    """A process that ends in the middle leaves a barrier; the next one removes the keys."""
    await ask(cache, shop)
    barrier = await store.forbid(ALL, "test")
    assert not barrier.open[-1].swept
    invalidations = Invalidations(cache)
    await invalidations.resume()
    await invalidations.settled()
    found = await invalidations.find(barrier.sequence)
    assert found is not None
    assert (found.swept, found.deleted) == (True, 1)


async def test_a_slow_sweep_is_told_as_not_done(cache: Cache, shop: Shop, store: CutOff) -> None:
    """Whoever clears is not kept waiting for the keys: he learns that it goes on, and can ask how far it is."""
    await ask(cache, shop)
    go_on = asyncio.Event()

    async def hold() -> None:
        await go_on.wait()

    store.before["remove"] = hold
    invalidations = Invalidations(cache)
    cleared = await invalidations.invalidate(ALL, reason="", within=timedelta(milliseconds=10))
    assert cleared == Cleared(1, 0, done=False)
    assert (await cache.look([key_of()])).outcome is None
    go_on.set()
    await invalidations.settled()
    found = await invalidations.find(1)
    assert found is not None
    assert (found.swept, found.deleted) == (True, 1)


async def test_a_caller_after_a_forget_does_not_join_the_old_flight(cache: Cache, shop: Shop) -> None:
    """One key forgotten is like a clear: whoever asks afterwards is given an answer of his own."""
    shop.gate.clear()
    old = asyncio.create_task(ask(cache, shop))
    await shop.entered.wait()
    await Invalidations(cache).forget([key_of()])
    new = asyncio.create_task(ask(cache, shop))
    await until_waiting([new])
    shop.gate.set()
    assert (await old).entry.payload == b'{"bought":1}'
    assert (await new).entry.payload == b'{"bought":2}'


async def test_near_memory_heeds_a_clear_that_another_process_made(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff
) -> None:
    """A process that has seen the barrier does not serve what it forbids, also once the store is away."""
    one, two = make_cache(), make_cache()
    await ask(two, shop)
    await Invalidations(one).invalidate(ALL, reason="")
    await two.look([key_of(1)])
    store.away = True
    assert (await ask(two, shop)).status is Status.MISS


async def test_near_memory_forgets_what_it_missed(make_cache: Callable[[], Cache], shop: Shop, store: CutOff) -> None:
    """A process that sees a barrier whose selectors were dropped meanwhile drops all that it has near."""
    one, two = make_cache(), make_cache()
    await ask(two, shop)
    invalidations = Invalidations(one)
    for number in range(MOST + 1):
        await invalidations.invalidate(Selector(tag=f"t{number}") if number else ALL, reason="")
    await two.look([key_of(1)])
    assert len(two.near) == 0


async def test_a_sweep_leaves_what_was_bought_after_the_clear(cache: Cache, shop: Shop, store: CutOff) -> None:
    """It is selected as well, but younger."""
    await store.forbid(ALL, "test")
    await ask(cache, shop)
    invalidations = Invalidations(cache)
    await invalidations.resume()
    await invalidations.settled()
    assert (await cache.look([key_of()])).outcome is not None
    assert (await store.scan(None, 10)).heads


async def test_a_sweep_goes_through_all_pages(cache: Cache, shop: Shop) -> None:
    """And counts what it removed on each of them."""
    for number in range(250):
        await ask(cache, shop, number)
    assert (await Invalidations(cache).invalidate(ALL, reason="")).deleted == 250


async def test_what_is_dead_is_not_counted(cache: Cache, shop: Shop, store: CutOff) -> None:
    """A dry run tells what a clear would forget: not what is forbidden already and only not swept yet."""
    await ask(cache, shop)
    await store.forbid(ALL, "test")
    assert (await Invalidations(cache).count(ALL)).entries == 0


async def test_what_is_only_kept_to_be_served_stale_is_not_counted(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """It has expired."""
    policy = replace(POLICY, stale_if_error=timedelta(days=7))
    await cache.get_or_load(key_of(), LABEL, policy, shop.load())
    assert (await Invalidations(cache).count(ALL)).entries == 1
    clock.advance(POLICY.ttl)
    assert (await Invalidations(cache).count(ALL)).entries == 0


async def test_one_sweep_of_a_clear_at_a_time(cache: Cache, shop: Shop, store: CutOff) -> None:
    """Two who resume in one process do not do it twice."""
    await ask(cache, shop)
    await store.forbid(ALL, "test")
    invalidations = Invalidations(cache)
    await invalidations.resume()
    await invalidations.resume()
    await invalidations.settled()
    assert store.calls["scan"] == 1


async def test_a_clear_whose_sweep_loses_the_store_is_a_clear(cache: Cache, shop: Shop, store: CutOff) -> None:
    """It has taken effect, so it does not raise: only its keys are not gone yet."""
    await ask(cache, shop)

    async def cut_off() -> None:
        store.away = True

    store.before["scan"] = cut_off
    assert await Invalidations(cache).invalidate(ALL, reason="") == Cleared(1, 0, done=False)
    store.away = False
    assert (await cache.look([key_of()])).outcome is None


async def test_a_sweep_goes_on_when_the_store_is_back(cache: Cache, shop: Shop, store: CutOff) -> None:
    """A store that is away for a moment does not end a sweep: the keys go in the same process, unasked."""
    await ask(cache, shop)
    invalidations = Invalidations(cache)

    async def cut_off() -> None:
        store.away = True

    store.before["scan"] = cut_off
    cleared = await invalidations.invalidate(ALL, reason="", within=timedelta(0))
    assert not cleared.done
    await until(lambda: store.away)
    store.away = False
    await invalidations.settled()
    found = await invalidations.find(cleared.sequence or 0)
    assert found is not None
    assert (found.deleted, found.swept) == (1, True)


async def test_a_clear_that_outlasts_its_process_is_told_as_not_done(cache: Cache, shop: Shop, store: CutOff) -> None:
    """The sweep is cut short at the end; whoever waits for it is told so, not cancelled."""
    await ask(cache, shop)
    reached, never = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await never.wait()

    store.before["scan"] = hold
    invalidations = Invalidations(cache)
    clearing = asyncio.create_task(invalidations.invalidate(ALL, reason=""))
    await reached.wait()
    await until_waiting([clearing])
    await invalidations.close()
    assert (await clearing).done is False


async def test_a_sweep_whose_place_was_taken_ends(cache: Cache, shop: Shop, store: CutOff) -> None:
    """
    A wider clear removes what is left: who waits for the first is told that it goes on, and who asks how far that is
    hears of the wider one.
    """
    for number in range(25):  # more than a step of a sweep
        await ask(cache, shop, number)
    go_on, entered = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        entered.set()
        await go_on.wait()

    store.before["scan"] = hold
    invalidations = Invalidations(cache)
    first = asyncio.create_task(invalidations.invalidate(Selector(kind="image"), reason="", within=timedelta(hours=1)))
    await entered.wait()
    over = asyncio.Event()

    async def hold_longer() -> None:
        await over.wait()

    store.before["scan"] = hold_longer
    second = asyncio.create_task(invalidations.invalidate(ALL, reason="", within=timedelta(hours=1)))
    await until(lambda: cache.view.barrier.sequence == 2)
    go_on.set()
    left = await first
    over.set()
    assert (left.sequence, left.done) == (1, False)
    assert await second == Cleared(2, 25 - left.deleted, done=True)
    found = await invalidations.find(1)
    assert found is not None
    assert (found.sequence, found.swept) == (2, True)


async def test_what_was_merged_is_swept_with_the_newest(cache: Cache, shop: Shop, store: CutOff) -> None:
    """Room had to be made: nothing that is open stays unswept."""
    await ask(cache, shop)
    for number in range(MOST):
        await store.forbid(Selector(kind="image", tag=f"t{number}"), "of a process that has ended")
    invalidations = Invalidations(cache)
    await invalidations.invalidate(Selector(kind="video"), reason="")
    await invalidations.settled()
    barrier = await store.barrier()
    assert [(one.selector, one.swept, one.deleted) for one in barrier.open] == [
        (Selector(kind="image"), True, 1),
        (Selector(kind="video"), True, 0),
    ]
