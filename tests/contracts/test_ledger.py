"""
What every ledger promises, on each of them: the SQLite file and the Redis server are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.entry import EPOCH, Instant
from hashcache.core.key import Key
from hashcache.ports import Ledger
from hashcache.ports.ledger import Batch, Minute, Process
from tests.contracts.backends import KINDS, Backend, Both, backend_of

MINUTE = 60_000
HOUR = 60 * MINUTE
SHORT = timedelta(milliseconds=60)
LONG = timedelta(minutes=5)


@pytest.fixture(params=KINDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    """Each store in turn. Servers are started only when their turn comes."""
    async with backend_of(request.param, tmp_path, request.getfixturevalue) as backend:
        yield backend


@pytest.fixture
async def store(backend: Backend) -> Both:
    """One instance."""
    return await backend.instance()


@pytest.fixture
def ledger(store: Both) -> Ledger:
    """Its ledger."""
    return store.ledger


@pytest.fixture
def now(store: Both) -> Instant:
    """The first moment of the present minute."""
    return Instant(store.now() // MINUTE * MINUTE)


def key(number: int) -> Key:
    """One of many keys."""
    return Key("analysis", f"{number:064x}", f"{number:032x}")


def process(store: Both, name: str = "a", **more: int) -> Process:
    """A process that started now."""
    return Process(name, "host", 42, "serve", "1.2.3", store.now(), store.now(), more)


async def test_an_empty_ledger_is_empty(ledger: Ledger, now: Instant) -> None:
    """Before anything happened there is nothing, and no key was hit."""
    assert await ledger.totals() == {}
    assert await ledger.minutes(EPOCH) == []
    assert await ledger.minutes(Instant(now + 10 * HOUR)) == []
    assert await ledger.hits([]) == []
    assert await ledger.hits([key(1), key(2)]) == [0, 0]
    assert await ledger.processes() == []


async def test_what_all_processes_count_adds_up(backend: Backend, now: Instant) -> None:
    """A hundred batches at the same time from ten processes, each with a ledger of its own, none lost."""
    ledgers = [(await backend.instance()).ledger for _ in range(10)]

    async def work(ledger: Ledger, sender: str) -> None:
        for number in range(1, 11):
            counts = {"hits": 1, "spent": number, "refunds": -1}
            assert await ledger.book(Batch(sender, number, now, counts, {"hits": 1}, {key(number): 1, key(99): 2}))

    await asyncio.gather(*(work(ledger, f"process {at}") for at, ledger in enumerate(ledgers)))
    assert await ledgers[0].totals() == {"hits": 100, "spent": 550, "refunds": -100}
    assert await ledgers[1].minutes(now) == [Minute(now, {"hits": 100})]
    assert await ledgers[2].hits([key(1), key(99), key(100)]) == [10, 200, 0]


async def test_large_sums_are_exact(ledger: Ledger, now: Instant) -> None:
    """Billions of dollars in millionths, to the last one."""
    for number in range(1, 4):
        await ledger.book(Batch("a", number, now, {"spent.x": 2_000_000_000_000_001}, {"spent": 1_000_000_000_000_001}))
    assert await ledger.totals() == {"spent.x": 6_000_000_000_000_003}
    assert await ledger.minutes(now) == [Minute(now, {"spent": 3_000_000_000_000_003})]


async def test_a_batch_that_is_sent_again_is_added_once(backend: Backend, now: Instant) -> None:
    """Over whichever connection, however often, also at the same time: True once, False ever after."""
    ledgers = [(await backend.instance()).ledger for _ in range(5)]
    batch = Batch("a", 1, now, {"hits": 1}, {"hits": 1}, {key(1): 1})
    added = await asyncio.gather(*(ledger.book(batch) for ledger in ledgers * 2))
    assert sorted(added) == [False] * 9 + [True]
    assert not await ledgers[0].book(batch)
    assert await ledgers[0].totals() == {"hits": 1}
    assert await ledgers[0].minutes(now) == [Minute(now, {"hits": 1})]
    assert await ledgers[0].hits([key(1)]) == [1]


async def test_batches_are_told_apart_by_sender_and_number(ledger: Ledger, now: Instant) -> None:
    """The next batch, and another process's batch of the same number, are other batches, in any minute."""
    first = Batch("a", 1, now, {"hits": 1})
    others = [replace(first, sender="b"), replace(first, number=2), replace(first, number=3, at=Instant(now + HOUR))]
    for batch in (first, *others):
        assert await ledger.book(batch)
    for batch in (others[0], others[2]):
        assert not await ledger.book(batch)
    assert await ledger.totals() == {"hits": 4}


async def test_a_batch_without_a_minute_is_remembered_too(ledger: Ledger, now: Instant) -> None:
    """What only counts, or only tells hits, is added once as well."""
    for batch in (Batch("a", 1, now, {"commands": 5}), Batch("a", 2, now, hits={key(1): 3}), Batch("a", 3, now)):
        assert await ledger.book(batch)
        assert not await ledger.book(batch)
    assert (await ledger.totals(), await ledger.hits([key(1)])) == ({"commands": 5}, [3])
    assert await ledger.minutes(now) == []


async def test_minutes_come_in_order_from_the_one_that_was_asked_for(ledger: Ledger, now: Instant) -> None:
    """Each with what happened in it; quiet ones are left out; a minute counts until it has ended."""
    ages = [130, 61, 59, 2, 0]
    for number, age in enumerate(ages, 1):
        for more in (0, 59_999):
            at = Instant(now - age * MINUTE + more)
            await ledger.book(Batch("a", 2 * number + more // 59_999, at, {}, {"hits": age, "errors.x": 1}))
    expected = [Minute(Instant(now - age * MINUTE), {"hits": 2 * age, "errors.x": 2}) for age in ages]
    assert await ledger.minutes(EPOCH) == expected
    assert await ledger.minutes(Instant(now - 59 * MINUTE)) == expected[2:]
    assert await ledger.minutes(Instant(now - 58 * MINUTE - 1)) == expected[2:]
    assert await ledger.minutes(Instant(now - 58 * MINUTE)) == expected[3:]


async def test_minutes_older_than_a_day_are_not_told(ledger: Ledger, now: Instant) -> None:
    """25 hours and no more, whatever is asked for; the totals know them for ever."""
    for number, age in enumerate((24, 27, 26), 1):
        await ledger.book(Batch("a", number, Instant(now - age * HOUR), {"hits": 1}, {"hits": age}))
    assert [minute.counts for minute in await ledger.minutes(EPOCH)] == [{"hits": 24}]
    assert await ledger.totals() == {"hits": 3}


async def test_the_least_hit_are_forgotten_first(ledger: Ledger, now: Instant) -> None:
    """Never more than the bound; what is hit often stays known, and what is not known is None, not 0."""
    ledger._remembered = 10  # type: ignore[attr-defined]  # a bound that a test can reach
    await ledger.book(Batch("a", 1, now, hits={key(at): 100 + at for at in range(5)}))
    for number in range(2, 12):
        await ledger.book(Batch("a", number, now, hits={key(10 * number + at): 1 for at in range(7)}))
    assert await ledger.hits([key(at) for at in range(5)]) == [100, 101, 102, 103, 104]
    others = await ledger.hits([key(at) for at in range(20, 120)])
    assert sorted(count for count in others if count is not None) == [1] * 5


async def test_a_process_that_lives_is_told_as_it_is(backend: Backend, store: Both, ledger: Ledger) -> None:
    """Name, host, gauges and all, the oldest first; what it said last counts."""
    young, old = process(store, "a", flights=1), replace(process(store, "b"), started=Instant(store.now() - HOUR))
    other = (await backend.instance()).ledger
    await ledger.beat(young, LONG)
    await other.beat(old, LONG)
    assert await other.processes() == [old, young]
    busier = replace(young, seen=Instant(young.seen + 10), gauges={"flights": 7, "near_bytes": 12})
    await ledger.beat(busier, LONG)
    assert await ledger.processes() == [old, busier]


async def test_a_process_that_beats_no_more_is_gone(backend: Backend, store: Both, ledger: Ledger) -> None:
    """Once its last beat has passed; another beat brings it back; one that ends is gone at once."""
    dead = process(store, "dead")
    alive = replace(dead, name="alive")  # it started in the same millisecond: then the name gives the order
    await ledger.beat(dead, SHORT)
    await ledger.beat(alive, LONG)
    assert await ledger.processes() == [alive, dead]
    await backend.elapse(SHORT)
    assert await ledger.processes() == [alive]
    await ledger.beat(dead, LONG)
    assert await ledger.processes() == [alive, dead]
    await ledger.beat(alive, timedelta(0))
    assert await ledger.processes() == [dead]


async def test_no_invalidation_touches_the_ledger(store: Both, ledger: Ledger, now: Instant) -> None:
    """It is no entry: a clear of everything forbids and removes nothing of it, and nobody comes across it."""
    await ledger.book(Batch("a", 1, now, {"hits": 3}, {"hits": 3}, {key(1): 3}))
    await ledger.beat(process(store), LONG)
    await store.forbid(Selector(pattern="*"), "everything")
    page = await store.scan(None, 1000)
    assert (page.heads, page.cursor) == ((), None)
    assert await ledger.totals() == {"hits": 3}
    assert await ledger.minutes(now) == [Minute(now, {"hits": 3})]
    assert await ledger.hits([key(1)]) == [3]
    assert len(await ledger.processes()) == 1


async def test_environments_keep_their_own_books(backend: Backend, store: Both, ledger: Ledger, now: Instant) -> None:
    """Nothing of one is seen in another on the same store, and the same sender there is another one."""
    there = (await backend.instance(f"other-{uuid4().hex}")).ledger
    batch = Batch("a", 1, now, {"hits": 3}, {"hits": 3}, {key(1): 3})
    await ledger.book(batch)
    await ledger.beat(process(store), LONG)
    assert await there.totals() == {}
    assert await there.minutes(EPOCH) == []
    assert await there.hits([key(1)]) == [0]
    assert await there.processes() == []
    assert await there.book(batch)
