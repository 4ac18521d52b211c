"""
What every outbox promises, on each of them: the SQLite file and the Redis servers are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.entry import Instant
from hashcache.ports import Bounds, Full, Outbox, Sealed
from tests.contracts.backends import KINDS, Backend, Both, backend_of

BOUNDS = Bounds(total=1000, tenant=1000)
SHORT = timedelta(milliseconds=40)
LONG = timedelta(minutes=5)
NOW = timedelta(0)
DAY = 86_400_000


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
def outbox(store: Both) -> Outbox:
    """Its outbox."""
    return store.outbox


def letter(store: Both, number: int = 1, *, tenant: str = "red", sealed: bytes = b"\x00sealed\xff\n") -> Sealed:
    """One of many letters, which lives for a day."""
    return Sealed(f"msg_{number:032x}", tenant, sealed, Instant(store.now() + DAY))


async def put(outbox: Outbox, one: Sealed, *, holder: str = "a", hold: timedelta = NOW) -> None:
    """Put *one*, for which there is room."""
    assert await outbox.put(one, holder, hold=hold, bounds=BOUNDS) is None


async def taken(outbox: Outbox, *, holder: str = "b", hold: timedelta = LONG, most: int = 10) -> list[Sealed]:
    """What is taken."""
    return list((await outbox.take(holder, hold=hold, most=most)).letters)


async def test_an_empty_outbox_is_empty(store: Both, outbox: Outbox) -> None:
    """Nothing is due, ever; nothing can be put back or dropped."""
    told = await outbox.take("a", hold=LONG, most=5)
    assert (list(told.letters), told.next) == ([], None)
    assert not await outbox.defer(letter(store), "a", store.now())
    assert not await outbox.drop(letter(store).id)


async def test_a_letter_comes_back_as_it_was(backend: Backend, store: Both, outbox: Outbox) -> None:
    """In every byte, with its tenant and its end, to another process; and is gone once it is dropped."""
    one = letter(store, sealed=bytes(range(256)) * 20)
    await put(outbox, one)
    elsewhere = (await backend.instance()).outbox
    assert await taken(elsewhere) == [one]
    assert await elsewhere.drop(one.id)
    assert not await outbox.drop(one.id)
    assert (await outbox.take("c", hold=LONG, most=5)).next is None


async def test_who_holds_a_letter_holds_it_alone(backend: Backend, store: Both, outbox: Outbox) -> None:
    """Nobody takes it before it is due, neither what was put with a hold nor what was taken; then somebody does."""
    held, one = letter(store, 1), letter(store, 2)
    await put(outbox, held, hold=LONG)
    told = await outbox.take("b", hold=LONG, most=5)
    assert not told.letters
    assert told.next is not None
    assert abs(told.next - store.now() - 300_000) < 60_000
    await put(outbox, one, hold=SHORT)
    await backend.elapse(SHORT)
    assert await taken(outbox, hold=SHORT) == [one]
    await backend.elapse(SHORT)
    assert await taken(outbox, holder="c") == [one]
    assert await taken(outbox, holder="d") == []


async def test_of_many_who_take_at_once_one_has_each(backend: Backend, store: Both, outbox: Outbox) -> None:
    """Fifty letters, five processes: each letter is in one's hands."""
    letters = [letter(store, number) for number in range(50)]
    for one in letters:
        await put(outbox, one)
    outboxes = [(await backend.instance()).outbox for _ in range(5)]
    found = await asyncio.gather(*(taken(each, holder=f"p{at}", most=20) for at, each in enumerate(outboxes)))
    assert sorted(one.id for some in found for one in some) == sorted(one.id for one in letters)


async def test_the_one_that_waits_longest_comes_first(store: Both, outbox: Outbox) -> None:
    """And no more than were asked for; the next instant is of one that is left."""
    now = store.now()
    for number, due in ((1, 3000), (2, 9000), (3, 6000)):
        one = letter(store, number)
        await put(outbox, one, hold=LONG)
        assert await outbox.defer(one, "a", Instant(now - due))
    told = await outbox.take("b", hold=LONG, most=2)
    assert [one.id for one in told.letters] == [letter(store, 2).id, letter(store, 3).id]
    assert told.next == now - 3000
    told = await outbox.take("b", hold=LONG, most=2)
    assert [one.id for one in told.letters] == [letter(store, 1).id]
    assert told.next is not None
    assert told.next > now


async def test_a_letter_is_put_back_as_it_is_now(backend: Backend, store: Both, outbox: Outbox) -> None:
    """With other bytes, until it is due again; then whoever takes it finds those."""
    one = letter(store)
    await put(outbox, one, hold=LONG)
    later = replace(one, sealed=b"told twice")
    due = Instant(store.now() + 30)
    assert await outbox.defer(later, "a", due)
    await backend.elapse(SHORT)
    assert await taken(outbox) == [later]


async def test_only_who_holds_it_puts_it_back(store: Both, outbox: Outbox) -> None:
    """Who was late finds that somebody else has it, and changes nothing."""
    one = letter(store)
    await put(outbox, one, holder="a")
    assert await taken(outbox, holder="b") == [one]
    assert not await outbox.defer(replace(one, sealed=b"late"), "a", store.now())
    assert await taken(outbox, holder="c") == []
    assert await outbox.defer(one, "b", store.now())
    assert await taken(outbox, holder="c") == [one]


async def test_whoever_delivered_it_drops_it(store: Both, outbox: Outbox) -> None:
    """Also when somebody else has it by then: it is delivered."""
    one = letter(store)
    await put(outbox, one, holder="a")
    assert await taken(outbox, holder="b") == [one]
    assert await outbox.drop(one.id)
    assert not await outbox.defer(one, "b", store.now())
    assert await taken(outbox, holder="c") == []


async def test_what_is_put_again_is_there_once(store: Both, outbox: Outbox) -> None:
    """A lost reply: the same letter again changes nothing, also when there is no room for another."""
    one = letter(store)
    bounds = Bounds(total=1, tenant=1)
    assert await outbox.put(one, "a", hold=LONG, bounds=bounds) is None
    assert await outbox.put(replace(one, sealed=b"again"), "b", hold=NOW, bounds=bounds) is None
    assert await taken(outbox) == []
    assert await outbox.defer(one, "a", store.now())
    assert await taken(outbox) == [one]


async def test_a_full_outbox_takes_no_more(store: Both, outbox: Outbox) -> None:
    """One tenant's letters fill that tenant's part; all together fill the whole; room is free again when one goes."""
    bounds = Bounds(total=3, tenant=2)
    red, blue = [letter(store, n) for n in (1, 2, 3)], [letter(store, n, tenant="blue") for n in (4, 5)]
    for one in red[:2]:
        assert await outbox.put(one, "a", hold=LONG, bounds=bounds) is None
    assert await outbox.put(red[2], "a", hold=LONG, bounds=bounds) is Full.TENANT
    assert await outbox.put(blue[0], "a", hold=LONG, bounds=bounds) is None
    assert await outbox.put(blue[1], "a", hold=LONG, bounds=bounds) is Full.TOTAL
    assert not await outbox.drop(red[2].id)
    assert await outbox.drop(red[0].id)
    assert await outbox.put(red[2], "a", hold=LONG, bounds=bounds) is None


async def test_of_many_who_put_at_once_none_is_too_many(backend: Backend, store: Both) -> None:
    """Forty at the same time from four processes, ten places: ten are kept."""
    outboxes = [(await backend.instance()).outbox for _ in range(4)]
    bounds = Bounds(total=10, tenant=100)
    told = await asyncio.gather(
        *(outboxes[n % 4].put(letter(store, n), "a", hold=NOW, bounds=bounds) for n in range(40))
    )
    assert sorted(map(str, told)) == ["None"] * 10 + ["total"] * 30
    assert len(await taken(outboxes[0], most=100)) == 10


async def test_environments_do_not_see_each_other(backend: Backend, store: Both, outbox: Outbox) -> None:
    """What one has to send no other sends, or drops."""
    one = letter(store)
    await put(outbox, one)
    other = (await backend.instance("another-" + backend.names.prefix.split(":")[1])).outbox
    assert await taken(other) == []
    assert not await other.drop(one.id)
    assert await taken(outbox) == [one]


async def test_no_clear_touches_it(store: Both, outbox: Outbox) -> None:
    """Everything is cleared and swept: the letter is there."""
    one = letter(store)
    await put(outbox, one)
    await store.forbid(Selector(), "a test")
    page = await store.scan(None, 100)
    assert page.heads == ()
    assert await store.remove(page.heads) == 0
    assert await taken(outbox) == [one]


async def test_a_letter_whose_time_is_over_takes_no_room(backend: Backend, store: Both, outbox: Outbox) -> None:
    """It is gone by itself, or handed out to be dropped: then there is room."""
    bounds = Bounds(total=1, tenant=1)
    over = replace(letter(store), expires=Instant(store.now() + 20))
    assert await outbox.put(over, "a", hold=SHORT, bounds=bounds) is None
    await backend.elapse(SHORT)
    for one in await taken(outbox):
        assert one.expires <= store.now()
        await outbox.drop(one.id)
    assert await outbox.put(letter(store, 2), "a", hold=LONG, bounds=bounds) is None
