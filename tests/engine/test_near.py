"""Near memory: bounded in bytes, least recently used first."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.key import Key
from hashcache.engine.near import MOST_TABLES, OVERHEAD, Near
from tests.engine.conftest import LABEL, key_of


def entry(number: int, *, size: int = 100, created: int = 0) -> Entry:
    """The entry of the content *number*, with a payload of *size* bytes."""
    return Entry(key_of(number), LABEL, b"x" * size, 0, Instant(created), Instant(10**13))


def test_it_is_bounded_in_bytes() -> None:
    """However many entries are put, the bytes stay within the bound, and the last ones are there."""
    near = Near(10 * (OVERHEAD + 100))
    for number in range(1000):
        near.put(entry(number))
    assert near.used <= 10 * (OVERHEAD + 100)
    assert len(near) == 10
    assert near.get(key_of(999)) is not None
    assert near.get(key_of(0)) is None


def test_the_least_recently_used_leaves_first() -> None:
    """A read keeps an entry alive."""
    near = Near(2 * (OVERHEAD + 100))
    near.put(entry(1))
    near.put(entry(2))
    near.get(key_of(1))
    near.put(entry(3))
    assert near.get(key_of(1)) is not None
    assert near.get(key_of(2)) is None


def test_what_does_not_fit_is_not_kept() -> None:
    """Neither an entry larger than all of it, nor anything when it is off."""
    near = Near(OVERHEAD)
    near.put(entry(1))
    assert len(near) == 0
    off = Near(0)
    off.put(entry(1, size=0))
    assert len(off) == 0


def test_an_older_answer_does_not_replace_a_newer_one() -> None:
    """Two flights of one key may land in any order."""
    near = Near(100_000)
    near.put(entry(1, created=5, size=5))
    near.put(entry(1, created=4, size=4))
    kept = near.get(key_of(1))
    assert kept is not None
    assert kept.created == 5


def test_it_forgets_what_is_meant() -> None:
    """By key and by selector."""
    near = Near(100_000)
    near.put(entry(1))
    near.put(entry(2))
    near.drop(key_of(1))
    near.drop(key_of(1))
    assert (near.get(key_of(1)), len(near)) == (None, 1)
    near.invalidate(Selector(kind="image"))
    assert len(near) == 0


def test_what_is_forgotten_makes_room() -> None:
    """Dropped, invalidated, replaced or cleared: no byte stays counted."""
    near = Near(100_000)
    for number in range(4):
        near.put(entry(number))
    near.put(entry(0, created=1, size=50))
    assert near.used == 4 * OVERHEAD + 350
    near.drop(key_of(1))
    near.invalidate(Selector(pattern=key_of(2).logical))
    assert (near.used, len(near)) == (2 * OVERHEAD + 150, 2)
    near.invalidate(Selector())
    assert (near.used, len(near)) == (0, 0)


def test_the_collector_of_garbage_does_not_look_at_entries() -> None:
    """However many are kept, a collection takes no longer: neither entry nor key nor label is tracked."""
    kept = entry(1)
    gc.collect()
    assert not any(gc.is_tracked(one) for one in (kept, kept.key, kept.label, kept.label.tags))


class Whole:
    """What near memory does, without a bound and all of it at once."""

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}  # the least recently used one first

    def get(self, key: Key) -> Entry | None:
        """The entry of *key*."""
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.entries[key] = entry
        return entry

    def put(self, entry: Entry) -> None:
        """Keep *entry*, unless it is older than what is kept."""
        known = self.get(entry.key)
        if known is None or known.created <= entry.created:
            self.entries.pop(entry.key, None)
            self.entries[entry.key] = entry

    def drop(self, key: Key) -> None:
        """Forget *key*."""
        self.entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()

    def invalidate(self, selector: Selector) -> None:
        """Forget what *selector* means."""
        self.entries = {key: one for key, one in self.entries.items() if not selector.matches(one)}


NUMBERS = st.integers(0, 30)
SELECTORS = st.one_of(
    st.sampled_from([Selector(), Selector(kind="image"), Selector(kind="video"), Selector(tag="odd")]),
    NUMBERS.map(lambda number: Selector(pattern=key_of(number).logical[:75] + "*")),
    NUMBERS.map(lambda number: Selector(pattern="*" + key_of(number).logical[-50:])),
)


@st.composite
def labelled(draw: st.DrawFn) -> Entry:
    """Some entry, of one kind or another."""
    number, kind = draw(NUMBERS), draw(st.sampled_from(["image", "video"]))
    label = Label(kind, "tenant", "provider", ("odd",) if number % 2 else ())
    return Entry(key_of(number), label, b"x" * draw(NUMBERS), 0, Instant(draw(st.integers(0, 3))), Instant(10**13))


STEPS = st.lists(
    st.one_of(
        labelled().map(lambda one: lambda near: near.put(one)),
        NUMBERS.map(lambda number: lambda near: near.get(key_of(number))),
        NUMBERS.map(lambda number: lambda near: near.drop(key_of(number))),
        SELECTORS.map(lambda selector: lambda near: near.invalidate(selector)),
        st.just(lambda near: near.clear()),
        st.none(),  # others have their turn
    ),
    max_size=60,
)


@given(st.lists(labelled(), max_size=40), STEPS, st.integers(1, 4))
def test_by_and_by_is_as_good_as_at_once(
    first: list[Entry], steps: list[Callable[[Near | Whole], Entry | None] | None], at_once: int
) -> None:
    """Whatever is asked between the slices; and in the end the same is held, and leaves in the same order."""

    async def compare() -> None:
        near, whole = Near(1_000_000, at_once=at_once), Whole()
        for one in first:
            near.put(one)
            whole.put(one)
        for step in steps:
            if step is None:
                await asyncio.sleep(0)  # a turn of the event loop
            else:
                assert step(near) == step(whole)
        for _ in range(200):
            await asyncio.sleep(0)  # a turn of the event loop
        assert near.used == sum(len(one.payload) + OVERHEAD for one in whole.entries.values())
        assert len(near) == len(whole.entries)
        while whole.entries:  # one after the other makes room for what leaves nothing over
            near.put(entry(99, size=1_000_001 - near.used - OVERHEAD))
            near.drop(key_of(99))
            del whole.entries[next(iter(whole.entries))]
            assert near.used == sum(len(one.payload) + OVERHEAD for one in whole.entries.values())

    asyncio.run(compare())


async def test_nobody_is_given_what_was_cleared_and_nobody_waits_for_it() -> None:
    """A thousand entries, ten of them looked through in a turn: what is meant is not given any more, the rest is."""
    near = Near(10_000_000, at_once=10)
    for number in range(1000):
        near.put(entry(number))
    near.invalidate(Selector(pattern=key_of(0).logical[:71] + "*"))  # 0 to 255
    assert len(near) == 990 + 10  # ten were looked through, and kept
    assert near.get(key_of(1)) is None
    assert near.get(key_of(999)) is not None
    assert near.get(key_of(500)) is not None
    near.clear()
    assert all(near.get(key_of(number)) is None for number in range(1000))
    assert len(near) == 0 < near.used
    near.put(entry(7))
    turns = 0
    while near.used > OVERHEAD + 100:
        await asyncio.sleep(0)  # a turn of the event loop
        turns += 1
    assert 90 <= turns <= 100
    assert near.get(key_of(7)) is not None


async def test_room_is_made_by_what_was_cleared_first() -> None:
    """What nobody is given any more leaves before anything that may be given."""
    near = Near(100 * (OVERHEAD + 100), at_once=1)
    for number in range(100):
        near.put(entry(number))
    near.clear()
    for number in range(100, 199):
        near.put(entry(number))
    assert near.used <= 100 * (OVERHEAD + 100)
    assert all(near.get(key_of(number)) is not None for number in range(100, 199))


async def test_of_suspects_the_oldest_leave_first() -> None:
    """What was there before the first of two invalidations was used less lately than what was put between them."""
    near = Near(30 * (OVERHEAD + 100), at_once=1)
    for begin in (0, 10, 20):
        for number in range(begin, begin + 10):
            near.put(entry(number))
        near.invalidate(Selector(tag="nobody's"))
    for number in range(30, 45):
        near.put(entry(number))
    assert [number for number in range(45) if near.get(key_of(number)) is not None] == list(range(15, 45))


async def test_a_flood_of_invalidations_clears_everything() -> None:
    """More than are looked through are not remembered one by one."""
    near = Near(10_000_000, at_once=1)
    for number in range(MOST_TABLES + 1):
        for one in range(10):
            near.put(entry(100 * number + one))
        assert len(near) >= 10 * number
        near.invalidate(Selector(tag=f"nobody's {number}"))
    assert len(near) == 0
    near.put(entry(1))
    assert near.get(key_of(1)) is not None


def test_without_an_event_loop_all_of_it_is_done_at_once() -> None:
    """There is nobody to have a turn."""
    near = Near(10_000_000, at_once=1)
    for number in range(100):
        near.put(entry(number))
    near.invalidate(Selector(pattern=key_of(0).logical[:72] + "*"))  # 0 to 15
    assert (len(near), near.used) == (84, 84 * (OVERHEAD + 100))
    near.clear()
    assert near.used == 0


def test_another_event_loop_goes_on() -> None:
    """Where the first one ended while much was left."""
    near = Near(10_000_000, at_once=1)

    async def clear() -> None:
        for number in range(10):
            near.put(entry(number))
        near.clear()

    asyncio.run(clear())
    assert near.used > 0

    async def again() -> None:
        await clear()
        for _ in range(20):
            await asyncio.sleep(0)  # a turn of the event loop
        assert near.used == 0

    asyncio.run(again())
