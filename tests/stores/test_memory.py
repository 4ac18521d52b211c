"""The memory store's bound."""

from __future__ import annotations

import secrets
from datetime import timedelta
from time import thread_time

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.key import Key, Names
from hashcache.stores.memory import MemoryStore
from tests.harness.clock import HandClock

MOST = 20_000


def key(number: int) -> Key:
    """One of many keys."""
    return Key("analysis", f"{number:064x}", "variant")


async def buy(store: MemoryStore, number: int, *, size: int = 1_000, ttl: timedelta = timedelta(days=7)) -> bool:
    """Claim and commit an entry of *size* bytes; whether it was kept."""
    bid = await store.claim(key(number), "token", timedelta(seconds=8))
    expires = Instant(store.now() + ttl // timedelta(milliseconds=1))
    assert bid.claim is not None
    return await store.commit(
        bid.claim, Entry(key(number), Label("image", "t", "p"), bytes(size), 0, store.now(), expires)
    )


async def kept(store: MemoryStore, *numbers: int) -> list[int]:
    """Which of *numbers* are there."""
    slots = (await store.read([key(number) for number in numbers])).slots
    return [number for number, slot in zip(numbers, slots, strict=True) if slot.entry]


async def test_it_is_bounded_in_bytes() -> None:
    """However much is bought, no more than its bound is kept, and what was evicted is counted."""
    store = MemoryStore(Names("test"), Envelope(most=MOST), HandClock(), most=MOST)
    for number in range(100):
        assert await buy(store, number)
        health = await store.health()
        assert health.used <= health.most == MOST
    assert health.evicted == 100 - health.keys["image"]
    assert await kept(store, 0, 99) == [99]


async def test_the_least_recently_used_is_evicted_first() -> None:
    """Reading an entry keeps it longer than its neighbours."""
    store = MemoryStore(Names("test"), Envelope(most=MOST), HandClock(), most=MOST)
    for number in range(100):
        await buy(store, number)
        assert await kept(store, 0) == [0]


async def test_what_expired_goes_before_anything_is_evicted() -> None:
    """Room is made from the dead first."""
    clock = HandClock()
    store = MemoryStore(Names("test"), Envelope(most=MOST), clock, most=MOST)
    await buy(store, 0)
    for number in range(1, 10):
        await buy(store, number, ttl=timedelta(minutes=1))
    clock.advance(timedelta(minutes=2))
    for number in range(10, 20):
        await buy(store, number)
    assert await kept(store, 0) == [0]
    assert (await store.health()).evicted == 0


async def test_an_entry_larger_than_the_store_is_not_kept() -> None:
    """It is refused rather than allowed to evict everything for nothing that stays."""
    store = MemoryStore(Names("test"), Envelope(most=MOST), HandClock(), most=1_500)
    await buy(store, 2)
    noise = secrets.token_bytes(4_000)  # that cannot be compressed
    bid = await store.claim(key(1), "token", timedelta(seconds=8))
    entry = Entry(key(1), Label("image", "t", "p"), noise, 0, store.now(), Instant(store.now() + 1000))
    assert not await store.commit(bid.claim, entry)
    assert (await store.health()).used <= 1_500
    assert await kept(store, 1, 2) == [2]


async def test_what_is_counted_is_what_is_there() -> None:
    """Replaced, forgotten, evicted, ended or cleared: of each kind as many entries and bytes as can be read."""
    clock = HandClock()
    store = MemoryStore(Names("test"), Envelope(most=MOST), clock, most=MOST)
    for number in range(40):
        await buy(store, number, size=100 * number, ttl=timedelta(minutes=1 + number % 3))
        await buy(store, number // 2, size=50)
    await store.forget([key(38), key(10)])
    clock.advance(timedelta(minutes=2))
    health = await store.health()
    there = [slot.entry for slot in (await store.read([key(number) for number in range(40)])).slots if slot.entry]
    assert 0 < len(there) == health.keys["image"] < 40
    page = await store.scan(None, 100)
    assert {head.key for head in page.heads} == {entry.key for entry in there}
    assert sum(head.size for head in page.heads) == health.sizes["image"]


async def test_pages_pass_over_what_ended() -> None:
    """Each living entry is on one page, in the order of the names, however many ended between them."""
    clock = HandClock()
    store = MemoryStore(Names("test"), Envelope(most=MOST), clock, most=1_000_000)
    for number in range(100):
        await buy(store, number, ttl=timedelta(minutes=1 if number % 7 else 5))
    clock.advance(timedelta(minutes=2))
    found, cursor, pages = [], None, 0
    while cursor is not None or not pages:
        page = await store.scan(cursor, 10)
        found += [head.key for head in page.heads]
        cursor, pages = page.cursor, pages + 1
    assert found == [key(number) for number in range(0, 100, 7)]


async def test_nothing_goes_through_all_entries() -> None:
    """A page, the figures and a purchase for which room is made cost about as much among 20,000 as among 200."""
    took = []
    for count in (200, 20_000):
        names, envelope = Names("test"), Envelope(most=MOST)
        store = MemoryStore(names, envelope, HandClock(), most=400 * count)
        for number in range(count):
            await buy(store, number, size=10)
        assert (await store.health()).evicted > 0
        rounds = []
        for again in range(5):
            began = thread_time()
            for number in range(20):
                await buy(store, count + 20 * again + number, size=10)
                assert (await store.scan(names.entry(key(count // 2)), 10)).cursor
                await store.health()
            rounds.append(thread_time() - began)
        took.append(min(rounds))
    assert took[1] < 5 * took[0]


async def test_lost_claims_do_not_pile_up() -> None:
    """Claims and tombstones that ended are dropped as new ones come."""
    clock = HandClock()
    store = MemoryStore(Names("test"), Envelope(most=MOST), clock, most=MOST)
    for number in range(1_000):
        await store.claim(key(number), "lost", timedelta(seconds=8))
        await store.forget([key(number + 5_000)])
        clock.advance(timedelta(minutes=1))
    assert len(store._claims) <= 2
    assert len(store._tombstones) <= 72
