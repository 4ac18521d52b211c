"""
What every store promises, on each of them: the SQLite file and the Redis server are real.

Times are short because a real server's clock cannot be moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec import structs

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Head, Instant, Label
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.ports import OLDEST, TOMBSTONE, Claim
from tests.contracts.backends import KINDS, Backend, Both, backend_of
from tests.harness.booking import book

WEEK = timedelta(days=7)
LEASE = timedelta(seconds=30)
SHORT = timedelta(milliseconds=60)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture(params=KINDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    """Each store in turn. Servers are started only when their turn comes."""
    async with backend_of(request.param, tmp_path, request.getfixturevalue) as backend:
        yield backend


@pytest.fixture
async def store(backend: Backend) -> Both:
    """One instance."""
    return await backend.instance()


def key(number: int = 1, space: str = "analysis") -> Key:
    """One of many keys."""
    return Key(space, f"{number:064x}", f"{number:032x}")


def entry(
    store: Both, of: Key, payload: bytes = b'{"verdict":"captured"}', *, ttl: timedelta = WEEK, **more: object
) -> Entry:
    """An entry bought now, whose kind follows from its key's space unless it is given."""
    kind = str(more.get("kind", "text" if of.space == "text" else "image"))
    label = Label(kind, str(more.get("tenant", "default")), "provenance", ("campaign",))
    sequence = int(str(more.get("sequence", 0)))
    return Entry(
        of, label, payload, sequence, store.now(), Instant(store.now() + ttl // MILLISECOND), MicroDollars(10_000)
    )


async def bought(store: Both, of: Key, payload: bytes = b'{"verdict":"captured"}', **more: object) -> Entry:
    """An entry that was claimed and committed."""
    claim = await claimed(store, of, f"token of {of.name}")
    new = entry(store, of, payload, **more)  # type: ignore[arg-type]  # passed on as it came
    assert await store.commit(claim, new)
    return new


async def claimed(store: Both, of: Key, token: str, lease: timedelta = LEASE) -> Claim:
    """A claim that must be granted."""
    bid = await store.claim(of, token, lease)
    assert bid.claim is not None
    return bid.claim


async def found(store: Both, of: Key) -> Entry | None:
    """What one look finds."""
    return (await store.read([of])).slots[0].entry


async def raised(store: Both) -> int:
    """The sequence of a barrier that means none of these entries."""
    return (await store.forbid(Selector(tag="none"), "test")).sequence


async def everything(store: Both, limit: int = 7) -> list[Head]:
    """All heads of a whole scan, page by page."""
    heads, cursor = [], None
    while True:
        page = await store.scan(cursor, limit)
        heads += page.heads
        cursor = page.cursor
        if cursor is None:
            return heads


# Reading and committing


async def test_an_unknown_key_is_empty(store: Both) -> None:
    """Under a key that was never bought lies neither entry nor claim, and no barrier is in force."""
    reading = await store.read([key()])
    assert reading.slots[0].entry is None
    assert not reading.slots[0].claimed
    assert reading.barrier.sequence == 0


async def test_what_was_committed_is_read(store: Both) -> None:
    """An entry comes back whole, whatever bytes it holds, and its claim is given back."""
    new = await bought(store, key(), bytes(range(256)) * 20)
    slot = (await store.read([key()])).slots[0]
    assert slot.entry == new
    assert not slot.claimed


async def test_slots_come_in_the_order_of_the_keys(store: Both) -> None:
    """Reading several keys answers each in its place, also those that are absent or claimed."""
    await bought(store, key(2), b"two")
    await claimed(store, key(3), "three")
    reading = await store.read([key(1), key(3), key(2), key(1)])
    assert [slot.entry.payload if slot.entry else None for slot in reading.slots] == [None, None, b"two", None]
    assert [slot.claimed for slot in reading.slots] == [False, True, False, False]


async def test_reading_nothing_tells_the_barrier(store: Both) -> None:
    """Without keys a reading has no slots, and still the barrier in force."""
    raised = await store.forbid(Selector(), "test")
    reading = await store.read([])
    assert reading.slots == ()
    assert reading.barrier == raised


async def test_a_later_answer_replaces_an_earlier_one(store: Both) -> None:
    """The entry under a key is the one committed last."""
    await bought(store, key(), b"first")
    await bought(store, key(), b"second")
    assert (await found(store, key())).payload == b"second"


async def test_an_entry_expires(backend: Backend, store: Both) -> None:
    """After its time to live an entry is nowhere to be seen: not read, not scanned, not counted as forgotten."""
    await bought(store, key(), ttl=SHORT)
    assert await found(store, key())
    await backend.elapse(SHORT)
    assert await found(store, key()) is None
    assert (await store.claim(key(), "next", LEASE)).entry is None
    assert await everything(store) == []
    assert await store.forget([key()]) == 0


async def test_what_has_expired_is_not_kept(store: Both) -> None:
    """An answer that took longer than it may live is refused, and its claim given back."""
    claim = await claimed(store, key(), "slow")
    assert not await store.commit(claim, entry(store, key(), ttl=timedelta(0)))
    slot = (await store.read([key()])).slots[0]
    assert slot.entry is None
    assert not slot.claimed


async def test_what_cannot_be_sealed_is_not_kept(store: Both) -> None:
    """A label of twenty kilobytes fits no envelope: nothing is kept, and the claim is given back."""
    claim = await claimed(store, key(), "long")
    assert not await store.commit(claim, entry(store, key(), tenant="t" * 20_000))
    slot = (await store.read([key()])).slots[0]
    assert slot.entry is None
    assert not slot.claimed


# Lifetimes


def longer(new: Entry, *, by: timedelta) -> Entry:
    """The same, kept *by* that longer than it is fresh."""
    return structs.replace(new, kept=Instant(new.expires + by // MILLISECOND))


def negative(store: Both, of: Key, failures: int = 1) -> Entry:
    """An entry which remembers that there is no answer."""
    return structs.replace(entry(store, of, b""), error="refused", failures=failures)


async def test_what_is_kept_longer_is_read_while_it_is_kept(backend: Backend, store: Both) -> None:
    """After its end an entry that is kept is there for everybody, to be judged by who reads; afterwards it is gone."""
    old = longer(entry(store, key(), ttl=SHORT), by=10 * SHORT)
    assert await store.commit(await claimed(store, key(), "token"), old)
    await backend.elapse(2 * SHORT)
    assert old.expires < store.now()
    assert await found(store, key()) == old
    assert (await store.claim(key(), "next", SHORT)).entry == old
    assert [head.key for head in await everything(store)] == [key()]
    assert (await store.health()).keys["image"] == 1
    await backend.elapse(10 * SHORT)
    assert await found(store, key()) is None
    assert await everything(store) == []
    assert await store.forget([key()]) == 0


async def test_what_is_kept_longer_is_forgotten_and_removed(backend: Backend, store: Both) -> None:
    """Forgetting and sweeping reach an entry that has ended and is kept."""
    for number in (1, 2):
        old = longer(entry(store, key(number), ttl=SHORT), by=WEEK)
        assert await store.commit(await claimed(store, key(number), "token"), old)
    await backend.elapse(SHORT)
    assert await store.forget([key(1)]) == 1
    assert await store.remove(await everything(store)) == 1
    assert await found(store, key(2)) is None


async def test_prolonging(backend: Backend, store: Both) -> None:
    """An entry that lies there lives until the new instant, is kept as long after it as before, and else the same."""
    new = longer(entry(store, key(), bytes(5_000), ttl=10 * SHORT), by=timedelta(minutes=1))
    assert await store.commit(await claimed(store, key(), "token"), new)
    until = Instant(new.expires + 600_000)
    assert await store.prolong(new, until)
    assert await found(store, key()) == structs.replace(new, expires=until, kept=Instant(until + 60_000))
    head = (await everything(store))[0]
    assert head.expires == until
    assert await store.remove([head]) == 1


async def test_a_prolonged_entry_outlives_its_first_end(backend: Backend, store: Both) -> None:
    """The store keeps it until the new instant, and not for ever."""
    new = entry(store, key(), ttl=5 * SHORT)
    assert await store.commit(await claimed(store, key(), "token"), new)
    assert await store.prolong(new, Instant(new.expires + 8 * SHORT // MILLISECOND))
    await backend.elapse(6 * SHORT)
    assert await found(store, key())
    await backend.elapse(8 * SHORT)
    assert await found(store, key()) is None


async def test_only_the_entry_that_was_read_is_prolonged(backend: Backend, store: Both) -> None:
    """One that was replaced, forgotten, removed, or never there is not; nor does prolonging into the past end one."""
    old = await bought(store, key(1), b"old")
    new = await bought(store, key(1), b"new", sequence=await raised(store))
    later = Instant(old.expires + 600_000)
    assert not await store.prolong(old, later)
    assert await found(store, key(1)) == new
    assert not await store.prolong(new, Instant(store.now() - 1))
    assert await found(store, key(1)) == new
    await store.forget([key(1)])
    assert not await store.prolong(new, later)
    assert not await store.prolong(entry(store, key(2)), later)
    assert await found(store, key(1)) is None
    assert await everything(store) == []


async def test_prolonging_does_not_hide_an_entry_from_a_clear(store: Both) -> None:
    """An entry that is forbidden stays so, and a sweep that saw it before removes it after."""
    old = await bought(store, key())
    seen = await everything(store)
    barrier = await store.forbid(Selector(kind="image"), "test")
    assert await store.prolong(old, Instant(old.expires + 600_000))
    assert barrier.forbids(await found(store, key()))
    assert await store.remove(seen) == 1


# Negative entries


async def test_a_negative_entry_is_kept_where_nothing_is(store: Both) -> None:
    """What cannot be had is remembered, how often it failed too, and a later failure replaces an earlier one."""
    for failures in (1, 2):
        new = negative(store, key(), failures)
        assert await store.commit(await claimed(store, key(), "token"), new)
        assert await found(store, key()) == new


async def test_an_answer_replaces_a_negative_entry(store: Both) -> None:
    """Once there is an answer it is kept."""
    assert await store.commit(await claimed(store, key(), "token"), negative(store, key()))
    answer = await bought(store, key())
    assert await found(store, key()) == answer


async def test_a_negative_entry_never_replaces_an_answer_that_lives(store: Both) -> None:
    """It is refused, however often it is tried; the answer stays, and the claim is given back."""
    answer = await bought(store, key())
    for _ in range(2):
        assert not await store.commit(await claimed(store, key(), "token"), negative(store, key()))
        slot = (await store.read([key()])).slots[0]
        assert (slot.entry, slot.claimed) == (answer, False)


async def test_a_negative_entry_replaces_an_answer_that_has_ended(backend: Backend, store: Both) -> None:
    """An answer that is only kept to be used stale gives way."""
    old = longer(entry(store, key(), ttl=SHORT), by=WEEK)
    assert await store.commit(await claimed(store, key(), "token"), old)
    await backend.elapse(SHORT)
    new = negative(store, key())
    assert await store.commit(await claimed(store, key(), "token"), new)
    assert await found(store, key()) == new


async def test_a_negative_entry_replaces_an_answer_that_was_cleared(store: Both) -> None:
    """An answer that an invalidation means is dead, although it still lies there; one that it does not mean is not."""
    await bought(store, key(1))
    other = await bought(store, key(2, "text"))
    barrier = await store.forbid(Selector(kind="image"), "test")
    for of, kept in ((key(1), True), (key(2, "text"), False)):
        new = structs.replace(negative(store, of), sequence=barrier.sequence)
        assert await store.commit(await claimed(store, of, "token"), new) is kept
        assert await found(store, of) == (new if kept else other)


async def test_a_late_negative_entry_is_refused_by_a_clear(store: Both) -> None:
    """A failure from before a clear is not remembered after it, whatever lies there."""
    await bought(store, key(1))
    claims = [await claimed(store, key(number), "token") for number in (1, 2)]
    await store.forbid(Selector(), "test")
    for claim in claims:
        assert not await store.commit(claim, negative(store, claim.key))
    assert not (await store.read([key(1)])).slots[0].claimed


@pytest.mark.parametrize("damage", ["flip", "garbage", "short"])
async def test_a_negative_entry_replaces_what_does_not_verify(backend: Backend, store: Both, damage: str) -> None:
    """Bytes that nobody can read are no answer; looking at them here is not counted as refusing them."""
    await bought(store, key())
    name = backend.names.entry(key())
    stored = backend.stored(name)
    backend.overwrite(name, {"flip": flipped(stored, b""), "garbage": b"x" * 100, "short": b"HC\x01"}[damage])
    claim = await claimed(store, key(), "token")
    refused = store.refused
    new = negative(store, key())
    assert await store.commit(claim, new)
    assert store.refused == refused
    assert await found(store, key()) == new


# Claims


async def test_one_of_many_gets_the_claim(backend: Backend) -> None:
    """Of twenty who ask at once, over two instances, one is granted the claim."""
    one, other = await backend.instance(), await backend.instance()
    bids = await asyncio.gather(*(store.claim(key(), f"{at}", LEASE) for at, store in enumerate([one, other] * 10)))
    assert sum(bid.claim is not None for bid in bids) == 1


async def test_a_held_claim_tells_for_how_long(store: Both) -> None:
    """Whoever comes second learns how long the claim is held at most."""
    await claimed(store, key(), "first")
    bid = await store.claim(key(), "second", LEASE)
    assert bid.claim is None
    assert LEASE / 2 < bid.held <= LEASE
    assert (await store.read([key()])).slots[0].claimed


async def test_row_16_our_own_token_is_recognised(store: Both) -> None:
    """Asking again after a lost reply, with the same token, is granted."""
    first = await claimed(store, key(), "ours")
    assert replace(await claimed(store, key(), "ours"), granted=first.granted) == first


async def test_the_second_look(store: Both) -> None:
    """A bid tells what lies under the key by now, to whoever holds the claim and to whoever does not."""
    await bought(store, key(), b"meanwhile")
    granted = await store.claim(key(), "first", LEASE)
    held = await store.claim(key(), "second", LEASE)
    assert granted.entry.payload == held.entry.payload == b"meanwhile"


async def test_a_lease_ends(backend: Backend, store: Both) -> None:
    """A claim that is not renewed is free after its lease, and its holder cannot renew it any more."""
    lost = await claimed(store, key(), "dies", SHORT)
    await backend.elapse(SHORT)
    assert not (await store.read([key()])).slots[0].claimed
    assert not await store.renew(lost, LEASE)
    await claimed(store, key(), "next")
    assert not await store.renew(lost, LEASE)


async def test_a_renewed_claim_holds(backend: Backend, store: Both) -> None:
    """Renewing prolongs the lease from now."""
    claim = await claimed(store, key(), "lives", SHORT)
    assert await store.renew(claim, LEASE)
    await backend.elapse(SHORT)
    assert (await store.claim(key(), "other", LEASE)).claim is None


async def test_a_released_claim_is_free(store: Both) -> None:
    """Giving a claim back frees the key at once."""
    await store.release(await claimed(store, key(), "first"))
    await claimed(store, key(), "second")


async def test_only_the_holder_releases(backend: Backend, store: Both) -> None:
    """A claim that was lost cannot be given back: the next holder keeps it."""
    lost = await claimed(store, key(), "first", SHORT)
    await backend.elapse(SHORT)
    await claimed(store, key(), "second")
    await store.release(lost)
    assert (await store.claim(key(), "third", LEASE)).claim is None


async def test_a_lost_claim_does_not_refuse_an_answer(backend: Backend, store: Both) -> None:
    """Who lost the claim may still commit (the money is spent), and takes nothing from the next holder."""
    lost = await claimed(store, key(), "first", SHORT)
    await backend.elapse(SHORT)
    await claimed(store, key(), "second")
    assert await store.commit(lost, entry(store, key(), b"late"))
    slot = (await store.read([key()])).slots[0]
    assert slot.entry.payload == b"late"
    assert slot.claimed


async def test_a_claim_tells_when_it_was_granted(store: Both) -> None:
    """By the store's clock, and not later than it was."""
    before = store.now()
    claim = await claimed(store, key(), "token")
    assert before - 5 <= claim.granted <= store.now() + 5


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_lost_claim_that_is_too_old_keeps_nothing(backend: Backend, store: Both, *, forgotten: bool) -> None:
    """
    Frozen for so long just before its commit that the store may not know any more that the key was forgotten: refused,
    whether it was or not. A moment less, and only what was forgotten is refused.
    """
    for place, late in enumerate((timedelta(0), -timedelta(seconds=10))):
        of = key(place)
        lost = await claimed(store, of, "lost", SHORT)
        await backend.elapse(SHORT)
        await store.release(await claimed(store, of, "next"))
        if forgotten:
            await store.forget([of])
        old = replace(lost, granted=Instant(lost.granted - (OLDEST + late) // MILLISECOND))
        kept = bool(late) and not forgotten
        assert await store.commit(old, entry(store, of)) is kept
        assert (await found(store, of) is not None) is kept


async def test_a_claim_that_is_held_is_never_too_old(store: Both) -> None:
    """A call may take as long as it likes while its claim is renewed: nobody can have forgotten the key meanwhile."""
    claim = await claimed(store, key(), "long")
    old = replace(claim, granted=Instant(claim.granted - 2 * TOMBSTONE // MILLISECOND))
    assert await store.renew(old, LEASE)
    assert await store.commit(old, entry(store, key()))
    slot = (await store.read([key()])).slots[0]
    assert (slot.entry is not None, slot.claimed) == (True, False)


# Forgetting


async def test_forgetting_counts_what_was_there(store: Both) -> None:
    """Forgotten entries are gone, each counted once, and absent ones are not counted."""
    await bought(store, key(1))
    await bought(store, key(2))
    await bought(store, key(3))
    assert await store.forget([key(1), key(2), key(9)]) == 2
    assert await store.forget([key(1), key(2)]) == 0
    assert await found(store, key(1)) is None
    assert await found(store, key(3))
    assert await store.forget([]) == 0


async def test_a_purchase_under_way_does_not_bring_back_what_was_forgotten(store: Both) -> None:
    """An answer that was being bought while its key was forgotten is refused, and nothing is kept."""
    claim = await claimed(store, key(), "under way")
    assert await store.forget([key()]) == 0
    assert not await store.commit(claim, entry(store, key()))
    assert await found(store, key()) is None


async def test_a_forgotten_key_can_be_bought_again(store: Both) -> None:
    """Forgetting frees the claim; who claims afterwards may commit, and whoever did before may not."""
    early = await claimed(store, key(), "early")
    await store.forget([key()])
    late = await claimed(store, key(), "late")
    assert await store.commit(late, entry(store, key(), b"new"))
    assert not await store.commit(early, entry(store, key(), b"old"))
    assert (await found(store, key())).payload == b"new"


async def test_forgetting_twice_refuses_who_claimed_in_between(store: Both) -> None:
    """Each forgetting refuses the purchases that were under way at that moment."""
    await store.forget([key()])
    between = await claimed(store, key(), "between")
    await store.forget([key()])
    assert not await store.commit(between, entry(store, key()))


# The barrier


async def test_raising_the_barrier(store: Both) -> None:
    """A new invalidation stands last among the open ones, with its selector and reason, and is seen by readers."""
    first = await store.forbid(Selector(kind="image"), "first")
    second = await store.forbid(Selector(tenant="acme"), "second")
    assert second.sequence > first.sequence
    assert [(one.selector, one.reason) for one in second.open] == [
        (Selector(kind="image"), "first"),
        (Selector(tenant="acme"), "second"),
    ]
    assert second.open[-1].sequence == second.sequence
    assert await store.barrier() == second
    assert (await store.read([key()])).barrier == second
    assert (await store.claim(key(), "any", LEASE)).barrier == second


async def test_the_barrier_forbids_what_was_bought_before(store: Both) -> None:
    """Entries committed before are dead where the selector means them; what is bought afterwards is not."""
    await bought(store, key(1))
    await bought(store, key(2, "text"))
    barrier = await store.forbid(Selector(kind="image"), "test")
    assert barrier.forbids(await found(store, key(1)))
    assert not barrier.forbids(await found(store, key(2, "text")))
    new = await bought(store, key(1), sequence=barrier.sequence)
    assert not (await store.read([key(1)])).barrier.forbids(new)


async def test_a_late_commit_is_refused(store: Both) -> None:
    """An answer that was being bought while the barrier rose is not kept, and its claim is given back."""
    bid = await store.claim(key(), "under way", LEASE)
    await store.forbid(Selector(kind="image"), "test")
    assert not await store.commit(bid.claim, entry(store, key(), sequence=bid.barrier.sequence))
    slot = (await store.read([key()])).slots[0]
    assert (slot.entry, slot.claimed) == (None, False)


async def test_a_late_commit_that_is_not_meant_is_kept(store: Both) -> None:
    """Whatever else was cleared in the meantime, an answer that was paid for is thrown away only when it is meant."""
    bid = await store.claim(key(), "under way", LEASE)
    for tag in ("one", "two"):
        await store.forbid(Selector(tag=tag), "test")
    assert await store.commit(bid.claim, entry(store, key(), sequence=bid.barrier.sequence))
    assert await found(store, key())


async def test_no_clear_is_lost_to_another(backend: Backend) -> None:
    """Ten clears at one moment, over two instances: ten sequences, ten open selectors."""
    stores = [await backend.instance(), await backend.instance()] * 5
    raised = await asyncio.gather(*(store.forbid(Selector(tag=f"{at}"), "race") for at, store in enumerate(stores)))
    assert len({barrier.sequence for barrier in raised}) == 10
    final = await stores[0].barrier()
    assert {one.selector.tag for one in final.open} == {f"{at}" for at in range(10)}


async def test_progress_of_a_sweep(store: Both) -> None:
    """How far a sweep is can be read by everybody; progress of an unknown sequence changes nothing."""
    sequence = (await store.forbid(Selector(), "test")).sequence
    await store.progress(sequence, deleted=41, swept=False)
    await store.progress(sequence + 5, deleted=7, swept=True)
    one = (await store.barrier()).find(sequence)
    assert (one.deleted, one.swept) == (41, False)
    await store.progress(sequence, deleted=42, swept=True)
    one = (await store.barrier()).find(sequence)
    assert (one.deleted, one.swept) == (42, True)


async def test_what_was_lost_of_the_barrier_is_put_back(backend: Backend) -> None:
    """By whoever remembers it; nothing happens when nothing was lost. What was bought under it may be kept again."""
    one, other = await backend.instance(), await backend.instance()
    await one.forbid(Selector(kind="image"), "first")
    known = await one.forbid(Selector(tenant="acme"), "second")
    assert await other.restore(known) == known
    claim = await claimed(one, key(), "under way")
    backend.lose_barrier()
    assert (await one.barrier()).sequence == 0
    assert not await one.commit(claim, entry(one, key(), sequence=known.sequence))
    assert await other.restore(known) == known
    assert (await one.claim(key(), "again", LEASE)).barrier == known
    assert await one.commit(claim, entry(one, key(), sequence=known.sequence))


async def test_an_entry_above_the_barrier_is_dead(backend: Backend, store: Both) -> None:
    """It is of a time that the barrier knows nothing of: forbidden to readers, and a failure may take its place."""
    barrier = await store.forbid(Selector(tag="none"), "test")
    above = await bought(store, key(), sequence=barrier.sequence)
    backend.lose_barrier()
    reading = await store.read([key()])
    assert reading.barrier.forbids(above)
    assert await store.commit(await claimed(store, key(), "token"), negative(store, key()))


async def test_a_barrier_that_went_on_without_what_it_lost_forbids_everything(backend: Backend, store: Both) -> None:
    """Who remembers the lost one sees to it, however the sequences compare."""
    known = await store.forbid(Selector(kind="image"), "lost")
    backend.lose_barrier()
    new = await store.forbid(Selector(kind="video"), "new")
    assert not new.remembers(known)
    restored = await store.restore(known)
    assert restored.open[-1].selector == Selector()
    assert restored.sequence > max(new.sequence, known.sequence)
    assert await store.barrier() == restored


# A provider's epoch


async def test_raising_an_epoch(backend: Backend) -> None:
    """Its number grows by one each time, every instance and every reader sees it, and a clear does not end it."""
    one, other = await backend.instance(), await backend.instance()
    first = await one.advance("generic", "first")
    second = await other.advance("generic", "new model")
    assert second.sequence > first.sequence
    assert (second.epoch("generic"), second.epochs["generic"].reason) == (2, "new model")
    await one.advance("hive", "another")
    final = await other.forbid(Selector(tag="x"), "a clear")
    assert (final.epoch("generic"), final.epoch("hive"), final.epoch("other")) == (2, 1, 0)
    assert (await one.read([key()])).barrier.epochs == final.epochs
    assert (await one.claim(key(), "any", LEASE)).barrier == final
    assert await one.barrier() == final


async def test_an_epoch_forbids_what_its_provider_gave_before_and_removes_nothing(store: Both) -> None:
    """The entry is dead where it lies, and can be found to be counted; what is bought afterwards lives."""
    await bought(store, key(1))
    barrier = await store.advance("provenance", "new model")
    old = await found(store, key(1))
    assert barrier.forbids(old)
    assert [barrier.outdates(head) for head in await everything(store)] == [True]
    new = await bought(store, key(2), sequence=barrier.sequence)
    assert not (await store.advance("other", "new model")).forbids(new)


async def test_a_late_commit_under_an_older_epoch_is_refused(store: Both) -> None:
    """What was being bought while the epoch rose is not kept, and its claim is given back; another's is."""
    bid = await store.claim(key(), "under way", LEASE)
    await store.advance("provenance", "new model")
    assert not await store.commit(bid.claim, entry(store, key(), sequence=bid.barrier.sequence))
    slot = (await store.read([key()])).slots[0]
    assert (slot.entry, slot.claimed) == (None, False)
    bid = await store.claim(key(), "again", LEASE)
    await store.advance("other", "new model")
    assert await store.commit(bid.claim, entry(store, key(), sequence=bid.barrier.sequence))


async def test_no_epoch_is_lost_to_another(backend: Backend) -> None:
    """Ten at one moment, over two instances: the number is ten, and each of them was somebody's answer."""
    stores = [await backend.instance(), await backend.instance()] * 5
    raised = await asyncio.gather(*(store.advance("generic", "race") for store in stores))
    assert sorted(barrier.epoch("generic") for barrier in raised) == list(range(1, 11))
    assert (await stores[0].barrier()).epoch("generic") == 10


async def test_a_lost_epoch_is_put_back(backend: Backend) -> None:
    """By whoever remembers it, with its number: no key changes, and what it ended stays dead."""
    one, other = await backend.instance(), await backend.instance()
    old = await bought(one, key())
    known = await one.advance("provenance", "new model")
    backend.lose_barrier()
    assert await other.restore(known) == known
    assert (await one.read([key()])).barrier.forbids(old)


# Browsing and sweeping


async def test_a_scan_sees_all_and_only_the_entries_of_its_environment(backend: Backend, store: Both) -> None:
    """Every entry is seen, none of another environment, no claim, no tombstone, no book."""
    elsewhere = await backend.instance(f"{uuid4().hex}*?[a]")
    bought_here = [await bought(store, key(number), bytes(number)) for number in range(1, 31)]
    await bought(elsewhere, key(99))
    await claimed(store, key(50), "claim")
    await store.forget([key(51)])
    await store.forbid(Selector(tag="none"), "book")
    await book(store, {"hits": 1})
    heads = {head.key: head for head in await everything(store)}
    assert set(heads) == {one.key for one in bought_here}
    assert {head.key for head in await everything(elsewhere)} == {key(99)}
    for one in bought_here:
        head = heads[one.key]
        assert (head.label, head.sequence, head.created, head.expires, head.price) == (
            one.label, one.sequence, one.created, one.expires, one.price,
        )  # fmt: skip
        assert head.size == len(backend.stored(backend.names.entry(one.key)))


async def test_a_scan_sees_entries_with_long_labels(backend: Backend, store: Both) -> None:
    """Labels of several kilobytes do not hide an entry."""
    label = Label("image", "default", "provenance", tuple(f"{at}" * 60 for at in range(100)))
    new = entry(store, key())
    long = Entry(new.key, label, new.payload, 0, new.created, new.expires, new.price)
    assert await store.commit(await claimed(store, key(), "token"), long)
    assert [head.label for head in await everything(store)] == [label]


async def test_a_cursor_that_is_none_ends_the_scan(store: Both) -> None:
    """A cursor that somebody made up is no error: there may just be nothing behind it."""
    await bought(store, key())
    assert (await store.scan("zzz \x00 not a cursor", 10)).cursor is None


async def test_removing_is_conditional(store: Both) -> None:
    """A sweep removes the entries that it saw, not those that came under the same key since."""
    await bought(store, key(1), b"old")
    await bought(store, key(2), b"old")
    await bought(store, key(3), b"old")
    heads = await everything(store)
    await bought(store, key(2), b"new", sequence=await raised(store))
    await store.forget([key(3)])
    assert await store.remove(heads) == 1
    assert await found(store, key(1)) is None
    assert (await found(store, key(2))).payload == b"new"
    assert await store.remove([]) == 0


async def test_many_are_removed(store: Both) -> None:
    """More entries than fit one batch go in one call."""
    for number in range(1, 451):
        await bought(store, key(number))
    heads = {head.key: head for head in await everything(store, 100)}
    assert await store.remove(list(heads.values())) == 450
    assert await everything(store) == []


# What is stored is not believed


def flipped(stored: bytes, other: bytes) -> bytes:
    """One bit of the payload is another."""
    return stored[:-40] + bytes([stored[-40] ^ 1]) + stored[-39:]


def moved(stored: bytes, other: bytes) -> bytes:
    """A valid entry of another key."""
    return other


def cut(stored: bytes, other: bytes) -> bytes:
    """The beginning only."""
    return stored[:50]


def garbage(stored: bytes, other: bytes) -> bytes:
    """Somebody else's bytes."""
    return b"not an entry"


@pytest.mark.parametrize("damage", [flipped, moved, cut, garbage])
async def test_row_17_bytes_that_do_not_verify_are_absent(
    backend: Backend, store: Both, damage: Callable[[bytes, bytes], bytes]
) -> None:
    """A damaged entry is a miss for readers and bidders, each time counted, and the next commit replaces it."""
    await bought(store, key(1))
    await bought(store, key(2))
    one, other = (backend.stored(backend.names.entry(key(number))) for number in (1, 2))
    backend.overwrite(backend.names.entry(key(1)), damage(one, other))
    assert await found(store, key(1)) is None
    assert store.refused == 1
    bid = await store.claim(key(1), "again", LEASE)
    assert bid.entry is None
    assert store.refused == 2
    assert await store.commit(bid.claim, entry(store, key(1), b"good"))
    assert (await found(store, key(1))).payload == b"good"
    assert store.refused == 2


async def test_garbage_does_not_stop_a_scan(backend: Backend, store: Both) -> None:
    """A scan passes over bytes that begin as no envelope."""
    await bought(store, key(1))
    backend.overwrite(backend.names.entry(key(2)), b"not an entry")
    assert [head.key for head in await everything(store)] == [key(1)]


# The ledger


async def test_counters_add_up(backend: Backend) -> None:
    """A hundred additions at once, over two instances: nothing is lost."""
    stores = [await backend.instance(), await backend.instance()] * 50
    await asyncio.gather(*(book(store, {"hits": 1, "spent": at, "refunds": -1}) for at, store in enumerate(stores)))
    assert await stores[0].ledger.totals() == {"hits": 100, "spent": 4950, "refunds": -100}


async def test_no_invalidation_touches_the_counters(store: Both) -> None:
    """The books survive a clear and its sweep."""
    await book(store, {"hits": 3})
    await book(store, {})
    await bought(store, key())
    await store.forbid(Selector(), "all")
    await store.remove(await everything(store))
    assert await store.ledger.totals() == {"hits": 3}


# Several instances


async def test_instances_see_each_others_acts(backend: Backend) -> None:
    """What one instance commits, claims, forgets, forbids and counts, the other sees at once."""
    one, other = await backend.instance(), await backend.instance()
    await bought(one, key(1))
    assert await found(other, key(1))
    await claimed(one, key(2), "one")
    assert (await other.claim(key(2), "other", LEASE)).claim is None
    await other.forget([key(1)])
    assert await found(one, key(1)) is None
    barrier = await other.forbid(Selector(), "other")
    assert await one.barrier() == barrier
    await book(one, {"hits": 1})
    assert await other.ledger.totals() == {"hits": 1}


async def test_environments_do_not_meet(backend: Backend, store: Both) -> None:
    """Entries, claims, the barrier and the counters of another environment are another's."""
    elsewhere = await backend.instance("elsewhere-" + backend.names.prefix[-40:-1])
    await bought(store, key())
    await store.forbid(Selector(), "here")
    await book(store, {"hits": 1})
    assert await found(elsewhere, key()) is None
    assert (await elsewhere.barrier()).sequence == 0
    assert await elsewhere.ledger.totals() == {}
    await claimed(store, key(), "here")
    await claimed(elsewhere, key(), "there")


async def test_health(store: Both) -> None:
    """A store that answers says so, and how many entries of each kind it holds."""
    await bought(store, key(1))
    await bought(store, key(2), kind="video")
    await bought(store, key(3, "text"))
    await bought(store, key(4, "text"))
    health = await store.health()
    assert health.status in {"connected", "embedded"}
    assert health.keys == {"image": 1, "video": 1, "text": 2}
    assert health.sizes is not None
    assert all(health.sizes[kind] > 100 * many for kind, many in health.keys.items())
    assert health.used > 0
    assert health.where


async def test_closing_twice_is_safe(store: Both) -> None:
    """A second close does nothing."""
    await store.close()
    await store.close()
