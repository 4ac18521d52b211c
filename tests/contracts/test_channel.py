"""
What every channel promises, between instances of each store: the SQLite file and the Redis server are real.

How each notices that it is cut off is in tests/stores.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.core.notice import LONGEST, Notice, encode
from hashcache.stores.hearing import Pace
from tests.contracts.backends import KINDS, Backend, Both, backend_of
from tests.contracts.ear import Ear, comes

LEASE = timedelta(seconds=30)
SHORT = timedelta(milliseconds=60)
KEY = Key("analysis", "a" * 64, "variant")
JUNK = [b"", b"\xff\x00", b"{}", b"[" * 10_000, b'{"kind":"clear","origin":"x","timestamp":1}', b" " * (LONGEST + 1)]


@pytest.fixture(params=KINDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    """Each store in turn. Servers are started only when their turn comes."""
    async with backend_of(request.param, tmp_path, request.getfixturevalue) as backend:
        yield backend


def cleared(store: Both, reason: str = "test") -> Notice:
    """A notice of an invalidation."""
    selector = Selector(pattern="analysis:*", tag="spring")
    return Notice(
        kind="invalidate",
        origin=store.channel.origin,
        timestamp=store.now(),
        id="1",
        sequence=7,
        selector=selector,
        pattern=selector.pattern,
        reason=reason,
    )


async def committed(store: Both, *, ttl: int = 10_000) -> bool:
    """Claim the key and commit an entry; whether it was kept."""
    bid = await store.claim(KEY, "token", LEASE)
    assert bid.claim is not None
    label = Label("image", "default", "p")
    entry = Entry(KEY, label, b"x", bid.barrier.sequence, store.now(), Instant(store.now() + ttl))
    return await store.commit(bid.claim, entry)


async def test_others_hear_what_one_says(backend: Backend) -> None:
    """A notice reaches every other end as it was sent, is counted by its listeners, and does not come back."""
    stores = [await backend.instance() for _ in range(3)]
    ears = [await Ear.at(store.channel) for store in stores]
    first, second = cleared(stores[0]), Notice(kind="acknowledge", origin=stores[1].channel.origin, timestamp=1, id="1")
    assert await stores[0].channel.publish(first) == 2
    assert await stores[1].channel.publish(second) == 2
    assert await ears[2].hears(2) == [first, second]
    assert await ears[0].hears(1) == [second]
    assert await ears[1].hears(1) == [first]
    assert [ear.gaps for ear in ears] == [0, 0, 0]


async def test_many_notices_arrive_in_the_order_of_one_sender(backend: Backend) -> None:
    """Two hundred notices of one process arrive once each, as they were sent."""
    one, other = await backend.instance(), await backend.instance()
    ear = await Ear.at(other.channel)
    for number in range(200):
        assert await one.channel.publish(cleared(one, f"{number}")) == 1
    heard = await ear.hears(200)
    assert [notice.reason for notice in heard] == [f"{number}" for number in range(200)]
    assert ear.gaps == 0


async def test_each_end_has_a_name_of_its_own(backend: Backend) -> None:
    """No two instances are called the same, and nobody can guess how one is."""
    origins = {(await backend.instance()).channel.origin for _ in range(3)}
    assert len(origins) == 3
    assert all(len(origin) == 32 for origin in origins)


async def test_nobody_listens(backend: Backend) -> None:
    """To publish without listening works; nobody else is counted, neither our own end nor one that was closed."""
    one, other = await backend.instance(), await backend.instance()
    assert not one.channel.alive
    assert await one.channel.publish(cleared(one)) == 0
    await Ear.at(one.channel)
    assert await one.channel.publish(cleared(one)) == 0
    left = await Ear.at(other.channel)
    await other.channel.close()
    await other.channel.close()
    assert not other.channel.alive
    assert await one.channel.publish(cleared(one)) == 0
    assert left.notices == []


async def test_whoever_does_not_listen_counts_all_who_do(backend: Backend) -> None:
    """An end that is not open itself subtracts nobody."""
    one, other, third = [await backend.instance() for _ in range(3)]
    await Ear.at(other.channel)
    await Ear.at(third.channel)
    assert await one.channel.publish(cleared(one)) == 2


async def test_an_end_that_is_opened_again_has_a_gap(backend: Backend) -> None:
    """What was said while it was closed is lost, and that is told before it is alive; then it hears again."""
    one, other = await backend.instance(), await backend.instance()
    ear = await Ear.at(other.channel)
    assert ear.gaps == 0
    await other.channel.close()
    await one.channel.publish(cleared(one))
    await ear.listen()
    await comes(lambda: other.channel.alive)
    assert (ear.gaps, ear.alive_in_gap, ear.notices) == (1, False, [])
    await one.channel.publish(cleared(one))
    assert len(await ear.hears(1)) == 1


async def test_environments_do_not_hear_each_other(backend: Backend) -> None:
    """A notice stays in its environment, and listeners of another are not counted."""
    one, other = await backend.instance(), await backend.instance()
    elsewhere = await backend.instance("elsewhere-" + backend.names.prefix[-40:-1])
    ear, far = await Ear.at(other.channel), await Ear.at(elsewhere.channel)
    assert await one.channel.publish(cleared(one)) == 1
    assert await elsewhere.channel.publish(cleared(elsewhere, "far")) == 0
    await one.channel.publish(cleared(one, "last"))
    assert [notice.reason for notice in await ear.hears(2)] == ["test", "last"]
    assert far.notices == []


async def test_a_closed_store_leaves_the_channel(backend: Backend) -> None:
    """Closing the store closes its end: it is not counted any more."""
    one, other = await backend.instance(), await backend.instance()
    await Ear.at(other.channel)
    await other.close()
    assert not other.channel.alive
    assert await one.channel.publish(cleared(one)) == 0


# The end of a purchase


async def test_a_commit_tells_that_the_purchase_has_ended(backend: Backend) -> None:
    """Whoever waits for a key hears of it when it is committed, once, and finds the entry then."""
    one, other = await backend.instance(), await backend.instance()
    ear, own = await Ear.at(other.channel), await Ear.at(one.channel)
    before = one.now()
    assert await committed(one)
    (notice,) = await ear.hears(1)
    assert (notice.kind, notice.origin, notice.keys) == ("done", one.channel.origin, (KEY.logical,))
    assert before <= notice.timestamp <= one.now()
    assert (await other.read([KEY])).slots[0].entry
    assert one.channel.traffic.published == 1
    await other.channel.publish(cleared(other))
    assert [notice.kind for notice in await own.hears(1)] == ["invalidate"]


@pytest.mark.parametrize("why", ["forgotten", "cleared", "over"])
async def test_a_refused_commit_tells_it_too(backend: Backend, why: str) -> None:
    """When nothing is kept the claim is free: somebody else may buy at once."""
    one, other = await backend.instance(), await backend.instance()
    ear = await Ear.at(other.channel)
    bid = await one.claim(KEY, "token", LEASE)
    if why == "forgotten":
        await other.forget([KEY])
    if why == "cleared":
        await other.forbid(Selector(), "test")
    ends = Instant(one.now() + (0 if why == "over" else 10_000))
    assert not await one.commit(bid.claim, Entry(KEY, Label("image", "t", "p"), b"x", 0, one.now(), ends))
    (notice,) = await ear.hears(1)
    assert (notice.kind, notice.keys) == ("done", (KEY.logical,))
    assert (await other.claim(KEY, "other", LEASE)).claim is not None


async def test_a_release_tells_that_the_claim_is_free(backend: Backend) -> None:
    """Whoever waits hears of it when a claim is given back."""
    one, other = await backend.instance(), await backend.instance()
    ear = await Ear.at(other.channel)
    bid = await one.claim(KEY, "token", LEASE)
    await one.release(bid.claim)
    (notice,) = await ear.hears(1)
    assert (notice.kind, notice.origin, notice.keys) == ("done", one.channel.origin, (KEY.logical,))
    assert (await other.claim(KEY, "other", LEASE)).claim is not None


async def test_a_claim_that_was_lost_is_not_told_of(backend: Backend) -> None:
    """Giving back what somebody else holds by now wakes nobody."""
    one, other = await backend.instance(), await backend.instance()
    ear = await Ear.at(other.channel)
    lost = await one.claim(KEY, "first", SHORT)
    await backend.elapse(SHORT)
    assert (await other.claim(KEY, "second", LEASE)).claim is not None
    await one.release(lost.claim)
    await one.channel.publish(cleared(one))
    assert [notice.kind for notice in await ear.hears(1)] == ["invalidate"]


# Too much, and nonsense


async def test_row_25_junk_is_counted_and_passed_over(backend: Backend) -> None:
    """Bytes that are no notice harm nobody, whatever they are; what follows is heard."""
    one, other = await backend.instance(), await backend.instance()
    ear = await Ear.at(other.channel)
    await backend.inject(JUNK)
    await one.channel.publish(cleared(one))
    assert len(await ear.hears(1)) == 1
    assert other.channel.traffic.junk == len(JUNK)
    assert (ear.gaps, other.channel.alive) == (0, True)


async def test_row_25_a_flood_is_one_gap(backend: Backend) -> None:
    """Of more notices a second than are applied the rest is passed over, not alive, until one gap; then all is well."""
    pace = Pace(flood=100)
    other, one = await backend.instance(pace=pace), await backend.instance(pace=pace)
    ear = await Ear.at(other.channel)
    stranger = Notice(kind="done", origin="stranger", timestamp=one.now(), keys=(KEY.logical,))
    await backend.inject([encode(stranger)] * 300)
    await comes(lambda: not other.channel.alive)
    assert ear.gaps == 0
    await comes(lambda: other.channel.alive)
    assert (ear.gaps, ear.alive_in_gap) == (1, False)
    assert len(ear.notices) == 100
    await one.channel.publish(cleared(one))
    assert (await ear.hears(101))[-1].kind == "invalidate"
    assert ear.gaps == 1


async def test_our_own_notices_are_no_flood(backend: Backend) -> None:
    """However much a process says itself, it goes on hearing others."""
    other, one = await backend.instance(pace=Pace(flood=20)), await backend.instance(pace=Pace(flood=20))
    ear = await Ear.at(one.channel)
    for _ in range(100):
        await one.channel.publish(cleared(one))
    await other.channel.publish(cleared(other, "heard"))
    assert [notice.reason for notice in await ear.hears(1)] == ["heard"]
    assert one.channel.alive


async def test_a_notice_that_nobody_would_take_is_not_sent(backend: Backend) -> None:
    """One that is longer than listeners read is refused to whoever sends it, rather than lost."""
    one, other = await backend.instance(), await backend.instance()
    ear = await Ear.at(other.channel)
    names = tuple(f"analysis:{number:064x}:variant" for number in range(1_000))
    with pytest.raises(StoreUnavailable) as caught:
        await one.channel.publish(Notice(kind="forget", origin=one.channel.origin, timestamp=1, keys=names))
    assert caught.value.reason == "size"
    await one.channel.publish(Notice(kind="forget", origin=one.channel.origin, timestamp=1, keys=names[:400]))
    assert len((await ear.hears(1))[0].keys) == 400


async def test_traffic_is_counted(backend: Backend) -> None:
    """What was sent, what came, what was junk, and how late the last one was."""
    one, other = await backend.instance(), await backend.instance()
    ear = await Ear.at(other.channel)
    assert (other.channel.traffic.received, other.channel.traffic.lag) == (0, None)
    await one.channel.publish(cleared(one))
    await one.channel.publish(Notice(kind="done", origin=one.channel.origin, timestamp=one.now() - 60_000))
    await ear.hears(2)
    assert (one.channel.traffic.published, one.channel.traffic.received) == (2, 0)
    assert (other.channel.traffic.published, other.channel.traffic.received) == (0, 2)
    assert 59_000 < other.channel.traffic.lag < 70_000
