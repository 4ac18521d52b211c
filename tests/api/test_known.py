"""What is known of digests: bounded in bytes, for each tenant alone."""

from __future__ import annotations

import tracemalloc
from hashlib import sha256

from hashcache.api.known import COST, MOST, Known


def digest(number: int) -> bytes:
    """The one of content *number*, an object of its own."""
    return sha256(number.to_bytes(8, "big")).digest()


def test_it_takes_no_more_memory_than_it_says() -> None:
    """As Python counts it, three times as many digests as fit take at most MOST bytes, and more than half of it."""
    known = Known()
    tracemalloc.start()
    try:
        for number in range(3 * MOST // COST):
            known.learn("a-tenant", digest(number), digest(-number % 2**60))
        taken, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert MOST / 2 < taken <= highest <= MOST
    assert len(known) == MOST // (COST + len("a-tenant"))


def test_the_least_recently_used_is_forgotten() -> None:
    """What was found a moment ago stays."""
    known = Known(3 * (COST + 1))
    for number in range(3):
        known.learn("a", digest(number), digest(number + 10))
    assert known.find("a", digest(0)) == digest(10)
    known.learn("a", digest(3), digest(13))
    known.learn("a", digest(3), digest(13))
    assert [known.find("a", digest(number)) for number in range(4)] == [digest(10), None, digest(12), digest(13)]


def test_a_tenant_finds_its_own() -> None:
    """What another one taught is not found, whatever their names are."""
    known = Known()
    known.learn("ab", digest(1), digest(2))
    assert known.find("ab", digest(1)) == digest(2)
    assert known.find("a", digest(1)) is None
    assert known.find("abc", digest(1)) is None


def test_what_does_not_fit_is_not_kept() -> None:
    """A bound below the first one holds as well."""
    known = Known(COST)
    known.learn("a", digest(1), digest(2))
    assert len(known) == 0
