"""The store that keeps nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec

from hashcache.core.barrier import Selector
from hashcache.core.budget import Budget, Period
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.core.spend import Account, Fate
from hashcache.ports import Attempt, Batch, Granted, Refused, Rules, Settlement
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


async def test_its_budgets_hold_in_this_process() -> None:
    """What is spent without a store is bounded and booked as long as the process lives; a batch adds to it."""
    store, account = OffStore(HandClock()), Account("hive", "text", "default")
    charge = Budget(MicroDollars(15), Period.DAY).charge(store.now())
    until = Instant(store.now() + 1000)
    one = Attempt("a", KEY, account, MicroDollars(10), store.now(), until, "process")
    assert isinstance(await store.accounts.reserve(one, [charge], Rules()), Granted)
    another = replace(one, token="b", key=msgspec.structs.replace(KEY, name="b"))
    assert isinstance(await store.accounts.reserve(another, [charge], Rules()), Refused)
    assert await store.accounts.settle(one, Settlement(Fate.UNKEPT, MicroDollars(7)))
    assert await store.accounts.used([charge]) == [7]
    await store.ledger.book(Batch("a", 1, store.now(), days=account.lines({"saved": 10})))
    assert await store.accounts.totals() == account.lines({"calls": 1, "unkept": 1, "spent": 7, "saved": 10})
