"""The store that keeps nothing."""

from __future__ import annotations

from datetime import timedelta

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.key import Key
from hashcache.stores.off import OffStore
from tests.harness.booking import book
from tests.harness.clock import HandClock

KEY = Key("text", "a" * 64, "variant")


async def test_it_keeps_nothing_and_grants_everything() -> None:
    """Every claim is granted, every commit keeps nothing, and it says that it is off."""
    store = OffStore(HandClock())
    await store.open()
    for token in ("one", "two"):
        bid = await store.claim(KEY, token, timedelta(seconds=8))
        assert bid.claim is not None
        assert await store.renew(bid.claim, timedelta(seconds=8))
    entry = Entry(KEY, Label("text", "t", "p"), b"x", 0, store.now(), Instant(store.now() + 1000))
    assert not await store.commit(bid.claim, entry)
    reading = await store.read([KEY, KEY])
    assert [(slot.entry, slot.claimed) for slot in reading.slots] == [(None, False)] * 2
    assert (await store.scan(None, 10)).heads == ()
    assert await store.forget([KEY]) == 0
    assert (await store.health()).status == "off"
    await store.close()


async def test_its_barrier_guards_near_memory() -> None:
    """A clear still forbids what this process keeps in its near memory, and counters still count."""
    store = OffStore(HandClock())
    entry = Entry(KEY, Label("text", "t", "p"), b"x", 0, store.now(), Instant(store.now() + 1000))
    barrier = await store.forbid(Selector(kind="text"), "test")
    await store.progress(barrier.sequence, deleted=0, swept=True)
    assert (await store.read([KEY])).barrier.forbids(entry)
    await book(store, {"misses": 1})
    await book(store, {"misses": 1})
    assert await store.ledger.totals() == {"misses": 2}
