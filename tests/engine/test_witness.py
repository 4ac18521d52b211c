"""A store that loses the record of what was cleared, and processes that remember it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hashcache.core.barrier import NONE, Barrier, Selector
from hashcache.core.freshness import Cause
from hashcache.core.outcome import Status
from hashcache.core.policy import Policy
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations
from tests.engine.conftest import LABEL, key_of
from tests.engine.machine import QUESTIONS, Fleet, Member
from tests.harness.away import CutOff, Fault
from tests.harness.hub import Hub
from tests.harness.loads import Shop

POLICY = Policy(ttl=timedelta(hours=1))
IMAGES = Selector(kind="image")


def fall_back(store: CutOff, barrier: Barrier = NONE) -> None:
    """Let the store hold this older barrier."""
    store._store._shared.barrier = barrier  # type: ignore[attr-defined]  # as no verb can


@pytest.mark.parametrize("again", [False, True])
async def test_what_was_cleared_stays_cleared_when_the_store_loses_the_barrier(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff, hub: Hub, *, again: bool
) -> None:
    """
    One process has read the barrier; the store loses it and goes back to the entry of before, and may have been cleared
    *again* meanwhile by a process that remembers nothing: whoever remembers serves nothing, and neither does anybody
    after that.
    """
    old, young = make_cache(), make_cache()
    hub.ends[0].alive = hub.ends[1].alive = False
    await old.get_or_load(key_of(), LABEL, POLICY, shop.load())
    entry = (await store.read([key_of()])).slots[0].entry
    assert entry is not None
    await store.forbid(IMAGES, "test")
    assert (await old.get_or_load(key_of(), LABEL, POLICY, shop.load())).cause is Cause.CLEARED
    claim = (await store.claim(key_of(), "backup", POLICY.lease)).claim
    fall_back(store)
    assert await store.commit(claim, entry)
    if again:
        await store.forbid(Selector(kind="video"), "by who remembers nothing")
    assert (await old.look([key_of()])).outcome is None
    assert (await young.look([key_of()])).outcome is None
    bought = await old.get_or_load(key_of(), LABEL, POLICY, shop.load())
    assert (bought.status, bought.stored, shop.paid) == (Status.MISS, True, 3)
    assert (await young.get_or_load(key_of(), LABEL, POLICY, shop.load())).status is Status.HIT


async def test_what_was_bought_above_a_lost_barrier_is_served_by_nobody(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff
) -> None:
    """A process that remembers nothing cannot tell whether it was cleared since: it buys again."""
    await store.forbid(Selector(kind="video"), "test")
    await make_cache().get_or_load(key_of(), LABEL, POLICY, shop.load())
    fall_back(store)
    missed = await make_cache().get_or_load(key_of(), LABEL, POLICY, shop.load())
    assert (missed.status, missed.stored, shop.paid) == (Status.MISS, True, 2)


async def test_a_call_under_way_when_the_barrier_is_lost_is_kept(cache: Cache, shop: Shop, store: CutOff) -> None:
    """Its answer was paid for, and nothing that is known forbids it: the barrier is put back, and it is stored."""
    barrier = await store.forbid(Selector(kind="video"), "test")
    shop.gate.clear()
    store.before["commit"] = lambda: _lose(store)
    shop.gate.set()
    bought = await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    assert bought.stored
    assert await store.barrier() == barrier


async def test_a_clear_counts_on_from_what_is_remembered(cache: Cache, shop: Shop, store: CutOff) -> None:
    """After the store has lost the barrier the next clear forbids what this one and the lost one mean, no more."""
    lost = await Invalidations(cache).invalidate(IMAGES, reason="lost")
    fall_back(store)
    cleared = await Invalidations(cache).invalidate(Selector(kind="video"), reason="next")
    barrier = await store.barrier()
    assert (lost.sequence, cleared.sequence) == (1, 2)
    assert [one.selector for one in barrier.open] == [IMAGES, Selector(kind="video")]
    await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())


async def test_a_clear_in_the_moment_of_the_loss_clears_everything(cache: Cache, shop: Shop, store: CutOff) -> None:
    """Raised on an empty record it would count for too little: what was bought under the lost one is dead too."""
    await Invalidations(cache).invalidate(Selector(kind="video"), reason="lost")
    await cache.get_or_load(key_of(), LABEL, POLICY, shop.load())
    store.before["forbid"] = lambda: _lose(store)
    cleared = await Invalidations(cache).invalidate(IMAGES, reason="next")
    assert (cleared.sequence, cleared.deleted) == (2, 1)
    assert (await store.barrier()).open[-1].selector == Selector()
    assert (await cache.look([key_of()])).outcome is None


def test_an_owed_answer_is_brought_to_a_store_that_came_back_empty(fleet: Fleet, one: Member) -> None:
    """It was bought under a barrier that the store has lost; that is put back first."""
    fleet.clear(one, Selector(kind="video"))
    fleet.look(one, [QUESTIONS[0]])
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, QUESTIONS[0])
    fleet.end(0, "ok")
    fleet.lose_everything()
    fleet.heal_store(one)
    fleet.pass_time(timedelta(seconds=31))
    assert (len(one.cache.owed), one.cache.owed.given_up) == (0, 0)
    assert fleet.stored(QUESTIONS[0])


async def _lose(store: CutOff) -> None:
    fall_back(store)
