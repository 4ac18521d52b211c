"""Near memory: bounded in bytes, least recently used first."""

from __future__ import annotations

import gc

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant
from hashcache.engine.near import OVERHEAD, Near
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
