"""Room for uploads: what is taken before a byte is read, what comes back, and when to come again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.api.admission import LATEST, LEAST, SOONEST, STEP, Room
from hashcache.core.errors import SpoolFull

MOST = 10 * STEP


def room(size: int = MOST, chance: Callable[[], float] = lambda: 0.5) -> Room:
    """Room for *size* bytes."""
    return Room(size, chance=chance)


def free(there: Room) -> int:
    """How many bytes *there* are left."""
    low, high = 0, MOST
    while low < high:
        size = (low + high + 1) // 2
        try:
            there.take(size)
        except SpoolFull:
            high = size - 1
        else:
            there.give(size)
            low = size
    return low


def test_an_unknown_length_takes_a_megabyte_at_a_time() -> None:
    """STEP before the first byte, and STEP again when it is full; never more than the largest upload."""
    there = room()
    share = there.share()
    share.announce(None, most=2 * STEP + 5)
    taken = []
    for size in (1, STEP, STEP + 1, 2 * STEP, 2 * STEP + 1):
        share.reach(size, most=2 * STEP + 5)
        taken.append(MOST - free(there))
    assert taken == [STEP, STEP, 2 * STEP, 2 * STEP, 2 * STEP + 5]
    small = there.share()
    small.announce(None, most=100_000)
    assert MOST - free(there) == 2 * STEP + 5 + 100_000


def test_a_small_upload_takes_what_its_connection_does() -> None:
    """Ten thousand of ten bytes are more than a hundred kilobytes: each takes LEAST, also when its size is known."""
    there = room(10 * LEAST)
    shares = [there.share() for _ in range(11)]
    for share in shares[:10]:
        share.announce(10, most=MOST)
        share.settle(10)
    with pytest.raises(SpoolFull):
        shares[10].announce(10, most=MOST)
    shares[0].close()
    shares[10].announce(10, most=MOST)


def test_what_is_not_needed_comes_back() -> None:
    """When the size is known the rest of the last step is free; at the end all is, once."""
    there = room()
    share = there.share()
    share.announce(None, most=MOST)
    share.reach(STEP + 1, most=MOST)
    share.settle(STEP + 1)
    assert free(there) == MOST - STEP - 1
    share.close()
    share.close()
    assert free(there) == MOST


def test_they_do_not_all_come_back_at_once() -> None:
    """Who is sent away is told a time by chance, within its bounds."""
    told = []
    for chance in (0.0, 0.25, 0.999):
        there = room(chance=lambda chance=chance: chance)  # type: ignore[misc]  # a default binds the loop's variable
        with pytest.raises(SpoolFull) as refused:
            there.take(MOST + 1)
        told.append(refused.value.retry_after)
    assert told[0] == SOONEST
    assert told[0] < (told[1] or 0) < (told[2] or 0) < LATEST


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3 * STEP), st.booleans()), max_size=30))
def test_nothing_is_lost(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever uploads do, together they never hold more than there is, and when all have ended all is free."""
    there = room(4 * STEP)
    shares = [there.share() for _ in range(4)]
    for which, size, grows in steps:
        try:
            shares[which].reach(size, most=MOST) if grows else shares[which].settle(size)
        except SpoolFull:
            shares[which].close()
        held = [share._size for share in shares]
        assert sum(held) + free(there) == 4 * STEP
    for share in shares:
        share.close()
    assert free(there) == 4 * STEP
