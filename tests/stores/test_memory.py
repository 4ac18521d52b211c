"""The memory store's bound."""

from __future__ import annotations

from datetime import timedelta

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
    noise = bytes(number * 131 % 251 for number in range(2_000))
    bid = await store.claim(key(1), "token", timedelta(seconds=8))
    entry = Entry(key(1), Label("image", "t", "p"), noise * 2, 0, store.now(), Instant(store.now() + 1000))
    await store.commit(bid.claim, entry)
    assert (await store.health()).used <= 1_500


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
