"""Several processes over one store and one channel: what one clears nobody is given any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.core.notice import Notice
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.core.policy import Policy
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations
from tests.engine.conftest import LABEL, key_of
from tests.harness.away import CutOff
from tests.harness.hub import Hub
from tests.harness.loads import Shop
from tests.harness.turns import until, until_waiting

POLICY = Policy(ttl=timedelta(days=7), poll=timedelta(seconds=30), longest_poll=timedelta(seconds=30))
ALL = Selector(pattern="*")


async def ask(cache: Cache, shop: Shop, number: int = 0) -> Outcome:
    """One caller's question about the content *number*."""
    return await cache.get_or_load(key_of(number), LABEL, POLICY, shop.load())


async def test_a_clear_reaches_the_near_memory_of_all(make_cache: Callable[[], Cache], shop: Shop) -> None:
    """When the clear has returned no process serves what it has near."""
    one, two = make_cache(), make_cache()
    await ask(one, shop)
    await ask(two, shop)
    assert (await ask(two, shop)).level is Level.NEAR
    await Invalidations(one).invalidate(ALL, reason="")
    assert (await ask(two, shop)).status is Status.MISS


async def test_when_a_clear_returns_everybody_knows_what_it_forbids(
    make_cache: Callable[[], Cache], store: CutOff
) -> None:
    """Not only who cleared: also who has asked the store for nothing since; and nobody reads it twice."""
    one, *others = make_cache(), make_cache(), make_cache()
    cleared = await Invalidations(one).invalidate(ALL, reason="")
    assert [cache.view.barrier.sequence for cache in others] == [cleared.sequence] * 2
    assert store.calls["barrier"] == 2


async def test_who_cannot_ask_what_a_clear_forbids_acknowledges_it(
    make_cache: Callable[[], Cache], store: CutOff, hub: Hub
) -> None:
    """A store that is lost between the clear and its notice does not keep the clear waiting for the window."""
    one, two = make_cache(), make_cache()

    async def cut_off() -> None:
        store.away = True

    store.before["barrier"] = cut_off
    assert (await Invalidations(one).invalidate(ALL, reason="", within=timedelta(0))).sequence
    assert [notice.origin for notice in hub.sent if notice.kind == "acknowledge"] == ["process-1"]
    assert two.view.store_away


async def test_a_key_forgotten_here_is_forgotten_there(make_cache: Callable[[], Cache], shop: Shop) -> None:
    """One key is announced like a clear, and its neighbours stay."""
    one, two = make_cache(), make_cache()
    for cache in (one, two):
        for number in (0, 1):
            await ask(cache, shop, number)
    assert await Invalidations(one).forget([key_of(0)]) == 1
    assert (await ask(two, shop, 0)).status is Status.MISS
    assert (await ask(two, shop, 1)).level is Level.NEAR


async def test_a_clear_waits_for_everybody_who_listens(make_cache: Callable[[], Cache], shop: Shop, hub: Hub) -> None:
    """It returns when the last one has acknowledged, not before."""
    one, two, three = make_cache(), make_cache(), make_cache()
    await ask(three, shop)
    hub.holding = True
    clearing = asyncio.create_task(Invalidations(one).invalidate(ALL, reason="", within=timedelta(0)))
    await until(lambda: len(hub.held) == 2)
    assert not clearing.done()
    hub.holding = False
    hub.deliver()
    await clearing
    assert {notice.origin for notice in hub.sent if notice.kind == "acknowledge"} == {"process-1", "process-2"}
    assert len(two.near) == len(three.near) == 0


async def test_a_clear_waits_no_longer_than_a_silent_channel_is_trusted(
    make_cache: Callable[[], Cache], shop: Shop, hub: Hub
) -> None:
    """A process that does not answer must have noticed by then that it cannot trust its near memory."""
    one, two = make_cache(), make_cache()
    await ask(two, shop)
    hub.losing = True
    hub.ends[1].alive = False
    loop = asyncio.get_running_loop()
    began = loop.time()
    await Invalidations(one).invalidate(ALL, reason="")
    assert loop.time() - began >= 0.2
    assert (await ask(two, shop)).status is Status.MISS


async def test_a_clear_that_nobody_can_be_told_of_claims_nothing(
    make_cache: Callable[[], Cache], shop: Shop, hub: Hub
) -> None:
    """Only our own line is cut: others hear each other and go on to trust what they have near. Told again, it holds."""
    one, two = make_cache(), make_cache()
    await ask(two, shop)
    hub.ends[0].away = True
    with pytest.raises(StoreUnavailable):
        await Invalidations(one).invalidate(ALL, reason="")
    with pytest.raises(StoreUnavailable):
        await Invalidations(one).forget([key_of()])
    assert (await ask(two, shop)).level is Level.NEAR
    hub.ends[0].away = False
    await Invalidations(one).forget([key_of()])
    assert (await ask(two, shop)).status is Status.MISS


async def test_a_flight_elsewhere_is_not_joined_after_the_clear(make_cache: Callable[[], Cache], shop: Shop) -> None:
    """What another process was buying when it was cleared is given only to those who asked before."""
    one, two = make_cache(), make_cache()
    shop.gate.clear()
    old = asyncio.create_task(ask(two, shop))
    await shop.entered.wait()
    await Invalidations(one).invalidate(ALL, reason="")
    new = asyncio.create_task(ask(two, shop))
    shop.gate.set()
    assert (await old).entry.payload == b'{"bought":1}'
    assert (await new).entry.payload == b'{"bought":2}'


async def test_with_a_silent_channel_a_joined_answer_is_verified(
    make_cache: Callable[[], Cache], shop: Shop, hub: Hub
) -> None:
    """Cut off from the channel a process cannot know that its flight is too old; whoever joins asks the store."""
    one, two = make_cache(), make_cache()
    hub.losing = True
    hub.ends[1].alive = False
    shop.gate.clear()
    old = asyncio.create_task(ask(two, shop))
    await shop.entered.wait()
    await Invalidations(one).invalidate(ALL, reason="")
    new = asyncio.create_task(ask(two, shop))
    await until_waiting([new])
    shop.gate.set()
    assert (await old).entry.payload == b'{"bought":1}'
    assert (await new).entry.payload == b'{"bought":2}'


@pytest.mark.parametrize("by", ["clear", "delete"])
async def test_a_channel_that_comes_back_meanwhile_proves_nothing_of_before(
    make_cache: Callable[[], Cache], shop: Shop, hub: Hub, by: str
) -> None:
    """Who joined a flight while the channel was silent asks the store, also if the channel is back when it lands."""
    one, two = make_cache(), make_cache()
    hub.losing = True
    hub.ends[1].alive = False
    shop.gate.clear()
    old = asyncio.create_task(ask(two, shop))
    await shop.entered.wait()
    await (Invalidations(one).forget([key_of()]) if by == "delete" else Invalidations(one).invalidate(ALL, reason=""))
    new = asyncio.create_task(ask(two, shop))
    await until_waiting([new])
    hub.losing = False
    hub.ends[1].alive = True
    shop.gate.set()
    assert (await old).entry.payload == b'{"bought":1}'
    assert (await new).entry.payload == b'{"bought":2}'


async def test_what_was_read_before_a_clear_is_not_kept_after_it(
    make_cache: Callable[[], Cache], shop: Shop, store: CutOff
) -> None:
    """A look-up that was under way when the clear was heard does not put its old answer into near memory."""
    one, two = make_cache(), make_cache()
    await ask(one, shop)
    bought = await store.read([key_of()])
    assert bought.slots[0].entry is not None

    async def clear() -> None:
        await Invalidations(one).invalidate(ALL, reason="")

    generation = two.view.generation
    await clear()
    two.view.keep(bought.slots[0].entry, generation)
    assert len(two.near) == 0


async def test_whoever_waits_is_woken(make_cache: Callable[[], Cache], shop: Shop, hub: Hub, store: CutOff) -> None:
    """The notice `done` makes a waiting process look again, long before its poll is due."""
    one, two = make_cache(), make_cache()
    shop.gate.clear()
    first = asyncio.create_task(ask(one, shop))
    await shop.entered.wait()
    second = asyncio.create_task(ask(two, shop))
    await until(lambda: store.calls.get("claim") == 2)
    shop.gate.set()
    await first
    await hub.ends[0].publish(Notice(kind="done", origin="process-0", timestamp=0, keys=(key_of().logical,)))
    assert (await asyncio.wait_for(second, 5)).collapsed


async def test_a_gap_empties_near_memory_and_wakes_everybody(
    make_cache: Callable[[], Cache], shop: Shop, hub: Hub, store: CutOff
) -> None:
    """What was missed is unknown: everything is asked anew."""
    one, two = make_cache(), make_cache()
    await ask(two, shop, 1)
    shop.gate.clear()
    shop.entered.clear()
    first = asyncio.create_task(ask(one, shop))
    await shop.entered.wait()
    claims = store.calls["claim"]
    second = asyncio.create_task(ask(two, shop))
    await until(lambda: store.calls["claim"] == claims + 1)
    hub.ends[1].gap()
    assert len(two.near) == 0
    await until(lambda: store.calls["claim"] == claims + 2)
    shop.gate.set()
    await first
    hub.ends[1].gap()
    assert (await second).collapsed


async def test_notices_twice_late_and_unknown_do_no_harm(make_cache: Callable[[], Cache], shop: Shop, hub: Hub) -> None:
    """Old and odd notices only ever forget."""
    one = make_cache()
    end = hub.ends[0]
    await ask(one, shop)
    assert end._heard is not None
    for notice in (
        Notice(kind="forget", origin="x", timestamp=0, keys=("", "a:b", "{}", "no key at all", "a:*:b")),
        Notice(kind="acknowledge", origin="x", timestamp=0, id="never sent"),
        Notice(kind="done", origin="x", timestamp=0, keys=("unknown",)),
        Notice(kind="invalidate", origin="x", timestamp=0, sequence=5, pattern="text:*"),
    ):
        end._heard(notice)
        end._heard(notice)
    assert (await ask(one, shop)).level is Level.NEAR
    end._heard(Notice(kind="invalidate", origin="x", timestamp=0, sequence=0, pattern="analysis"))
    assert len(one.near) == 0
    assert one.store.now() >= Instant(0)


async def test_many_keys_are_forgotten_in_several_notices(
    make_cache: Callable[[], Cache], shop: Shop, hub: Hub
) -> None:
    """None is too long to be sent, and each key is in one of them."""
    one, two = make_cache(), make_cache()
    for number in (0, 500):
        await ask(two, shop, number)
    await Invalidations(one).forget([key_of(number) for number in range(501)])
    assert len(two.near) == 0
    told = [notice for notice in hub.sent if notice.kind == "forget"]
    assert [len(notice.keys) for notice in told] == [200, 200, 101]


async def test_a_notice_of_whom_does_not_wait_is_not_acknowledged(
    make_cache: Callable[[], Cache], shop: Shop, hub: Hub
) -> None:
    """A service in another language clears: it is heeded, and not answered."""
    one = make_cache()
    await ask(one, shop)
    assert hub.ends[0]._heard is not None
    hub.ends[0]._heard(Notice(kind="invalidate", origin="x", timestamp=0, pattern="*"))
    assert len(one.near) == 0
    await one.coherence.close()
    assert hub.sent == []
