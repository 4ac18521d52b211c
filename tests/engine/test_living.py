"""How answers live when a policy asks for more than a ttl: stale, refreshed, prolonged, and failures remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from hashcache.core.freshness import Cause
from hashcache.core.outcome import Outcome, Status
from hashcache.core.policy import Policy, Remembered
from hashcache.engine.cache import Cache
from hashcache.engine.load import LoadFailed
from tests.engine.conftest import LABEL, key_of
from tests.harness.away import CutOff
from tests.harness.clock import HandClock
from tests.harness.hub import Hub
from tests.harness.loads import Shop
from tests.harness.turns import until

HOUR = timedelta(hours=1)
POLICY = Policy(ttl=HOUR, poll=timedelta(milliseconds=1), longest_poll=timedelta(milliseconds=5))
DOWN = LoadFailed("failed", b"down")


async def ask(cache: Cache, shop: Shop, policy: Policy, **wishes: bool) -> Outcome:
    """One caller's question."""
    return await cache.get_or_load(key_of(), LABEL, policy, shop.load(), **wishes)


@pytest.mark.parametrize("near", [True, False])
async def test_a_stale_answer_is_served_while_a_new_one_is_bought(
    cache: Cache, shop: Shop, clock: HandClock, hub: Hub, *, near: bool
) -> None:
    """Whoever asks in the window waits for nobody; sixty callers cause one refresh."""
    hub.ends[0].alive = near
    policy = replace(POLICY, stale_while_revalidate=HOUR)
    await ask(cache, shop, policy)
    clock.advance(HOUR)
    shop.gate.clear()
    stale = await asyncio.gather(*(ask(cache, shop, policy) for _ in range(60)))
    assert {(one.status, one.entry.payload) for one in stale} == {(Status.STALE, b'{"bought":1}')}
    shop.gate.set()
    await until(lambda: shop.open_loads == 0)
    assert shop.paid == 2
    fresh = await ask(cache, shop, policy)
    assert (fresh.status, fresh.entry.payload) == (Status.HIT, b'{"bought":2}')


async def test_beyond_its_window_a_stale_answer_is_a_miss(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """The window is bounded, to the millisecond."""
    policy = replace(POLICY, stale_while_revalidate=HOUR)
    await ask(cache, shop, policy)
    clock.advance(2 * HOUR)
    missed = await ask(cache, shop, policy)
    assert (missed.status, missed.entry.payload) == (Status.MISS, b'{"bought":2}')


async def test_a_stale_answer_is_better_than_an_error(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """While buying fails, what expired is served, within its window; then the error is."""
    policy = replace(POLICY, stale_if_error=HOUR)
    await ask(cache, shop, policy)
    shop.failing = DOWN
    clock.advance(HOUR)
    stale = await ask(cache, shop, policy)
    assert (stale.status, stale.cause, stale.spent) == (Status.STALE, Cause.EXPIRED, 0)
    clock.advance(HOUR)
    with pytest.raises(LoadFailed):
        await ask(cache, shop, policy)


async def test_what_was_cleared_is_never_served_stale(
    cache: Cache, shop: Shop, clock: HandClock, store: CutOff
) -> None:
    """An invalidation is stronger than any window."""
    from hashcache.core.barrier import Selector

    policy = replace(POLICY, stale_if_error=HOUR, stale_while_revalidate=HOUR)
    await ask(cache, shop, policy)
    clock.advance(HOUR)
    await store.forbid(Selector(), "test")
    cache.view.gap()
    shop.failing = DOWN
    with pytest.raises(LoadFailed):
        await ask(cache, shop, policy)


async def test_an_answer_is_refreshed_ahead_of_its_end(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """With a beta so large that the next read refreshes: it is a hit, and a new answer follows."""
    policy = replace(POLICY, refresh_ahead=1e12)
    first = await ask(cache, shop, policy)
    cache.near.put(structs.replace(first.entry, took=0))  # bought at once: XFetch never refreshes what costs no time
    assert (await ask(cache, shop, policy)).status is Status.HIT
    assert shop.paid == 1
    slow = structs.replace(first.entry, took=10)
    cache.near.put(slow)
    clock.advance(timedelta(seconds=1))
    hit = await ask(cache, shop, policy)
    assert (hit.status, hit.entry.payload) == (Status.HIT, b'{"bought":1}')
    await until(lambda: shop.open_loads == 0)
    assert shop.paid == 2


async def test_nothing_is_refreshed_for_a_paid_analysis(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """The policy's own fields are all off: up to its last millisecond an answer is a hit and buys nothing."""
    await ask(cache, shop, POLICY)
    clock.advance(HOUR - timedelta(milliseconds=1))
    assert (await ask(cache, shop, POLICY)).status is Status.HIT
    clock.advance(timedelta(milliseconds=1))
    assert (await ask(cache, shop, POLICY)).status is Status.MISS
    assert (shop.paid, len(cache.revival._tasks)) == (2, 0)


async def test_a_failure_is_remembered_and_backs_off(
    make_cache: Callable[[], Cache], shop: Shop, clock: HandClock
) -> None:
    """Within its time nobody pays again, in no process; each failure in a row doubles it; success ends it."""
    policy = replace(POLICY, negatives={"failed": Remembered(timedelta(seconds=1), timedelta(seconds=3))})
    shop.failing = DOWN
    paid = []
    for wait in (1, 2, 3, 3):
        for cache in (make_cache(), make_cache()):
            with pytest.raises(LoadFailed) as raised:
                await ask(cache, shop, policy)
            assert raised.value.payload == b"down"
        assert raised.value.remembered
        assert raised.value.retry_after == wait
        paid.append(shop.paid)
        clock.advance(timedelta(seconds=wait))
    assert paid == [1, 2, 3, 4]
    shop.failing = None
    assert (await ask(make_cache(), shop, policy)).status is Status.MISS


async def test_only_the_classes_of_the_policy_are_remembered(cache: Cache, shop: Shop) -> None:
    """Any other failure is tried again by the next caller."""
    policy = replace(POLICY, negatives={"other": Remembered(HOUR, HOUR)})
    shop.failing = DOWN
    for _ in range(2):
        with pytest.raises(LoadFailed) as raised:
            await ask(cache, shop, policy)
        assert not raised.value.remembered
    assert shop.paid == 2


async def test_a_forced_refresh_does_not_mind_a_remembered_failure(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """Whoever insists buys again."""
    policy = replace(POLICY, negatives={"failed": Remembered(HOUR, HOUR)})
    shop.failing = DOWN
    with pytest.raises(LoadFailed):
        await ask(cache, shop, policy)
    shop.failing = None
    clock.advance(timedelta(milliseconds=1))
    assert (await ask(cache, shop, policy, refresh=True)).status is Status.MISS


async def test_a_failed_refresh_leaves_the_positive_answer(
    make_cache: Callable[[], Cache], shop: Shop, clock: HandClock
) -> None:
    """A negative never replaces a positive."""
    policy = replace(POLICY, negatives={"failed": Remembered(HOUR, HOUR)})
    await ask(make_cache(), shop, policy)
    clock.advance(timedelta(seconds=1))
    shop.failing = DOWN
    with pytest.raises(LoadFailed):
        await ask(make_cache(), shop, policy, refresh=True)
    assert (await ask(make_cache(), shop, policy)).status is Status.HIT


async def test_a_look_tells_what_failed(cache: Cache, shop: Shop) -> None:
    """By its digest alone a content's remembered failure is found."""
    policy = replace(POLICY, negatives={"failed": Remembered(HOUR, HOUR)})
    shop.failing = DOWN
    with pytest.raises(LoadFailed):
        await ask(cache, shop, policy)
    found = await cache.look([key_of()])
    assert (found.outcome, found.pending) == (None, False)
    assert found.failure is not None
    assert (found.failure.kind, found.failure.payload) == ("failed", b"down")


async def test_an_answer_read_late_lives_on(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """Read in the last half of its life it gets its whole ttl again, in the store as well; read early it does not."""
    policy = replace(POLICY, late=0.5)
    await ask(cache, shop, policy)
    await ask(cache, shop, policy)
    clock.advance(HOUR * 0.75)
    await ask(cache, shop, policy)
    await until(lambda: not cache.revival._tasks)
    clock.advance(HOUR * 0.75)
    assert (await ask(cache, shop, policy)).status is Status.HIT
    assert shop.paid == 1


async def test_the_ttl_follows_how_often_answers_change(cache: Cache, shop: Shop, clock: HandClock) -> None:
    """It halves when a refreshed answer differs and doubles when it does not, between its bounds."""
    policy = replace(POLICY, shortest=HOUR / 4, longest=HOUR * 2)
    lives = []
    for payload in (b"a", b"b", b"c", b"d", b"d", b"d", b"d", b"d"):
        load = shop.load(lambda _, payload=payload: payload)
        outcome = await cache.get_or_load(key_of(), LABEL, policy, load, refresh=bool(lives))
        lives.append((outcome.entry.expires - outcome.entry.created) / 3_600_000)
        clock.advance(timedelta(seconds=1))
    assert lives == [1, 0.5, 0.25, 0.25, 0.5, 1, 2, 2]
