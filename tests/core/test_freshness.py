"""What a stored entry permits, at an instant and under a barrier."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs

from hashcache.core.barrier import Barrier, Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.freshness import Cause, Fresh, Missing, judge
from hashcache.core.key import Key
from hashcache.core.policy import Policy

BOUGHT, EXPIRES = Instant(1_000_000), Instant(1_060_000)
ENTRY = Entry(Key("analysis", "x", "v"), Label("image", "acme", "generic"), b"{}", 3, BOUGHT, EXPIRES)


#: As it was when the entry was bought: it forbids nothing.
OPEN = Barrier(3)


def barrier(sequence: int, selector: Selector) -> Barrier:
    """A barrier with one open invalidation, raised to *sequence*."""
    return Barrier(sequence - 1).raised(selector, now=Instant(0), reason="test")


@pytest.mark.parametrize(
    ("entry", "now", "forbidden", "not_before", "expected"),
    [
        pytest.param(None, 0, OPEN, 0, Missing(Cause.NEW), id="nothing there"),
        pytest.param(ENTRY, BOUGHT, OPEN, 0, Fresh(ENTRY), id="just bought"),
        pytest.param(ENTRY, EXPIRES - 1, OPEN, 0, Fresh(ENTRY), id="the last millisecond"),
        pytest.param(ENTRY, EXPIRES, OPEN, 0, Missing(Cause.EXPIRED), id="the first millisecond after"),
        pytest.param(ENTRY, BOUGHT - 5_000, OPEN, 0, Fresh(ENTRY), id="a clock behind the one that bought it"),
        pytest.param(ENTRY, BOUGHT, barrier(4, Selector()), 0, Missing(Cause.CLEARED), id="cleared afterwards"),
        pytest.param(ENTRY, BOUGHT, barrier(3, Selector()), 0, Fresh(ENTRY), id="bought under that very barrier"),
        pytest.param(
            ENTRY,
            BOUGHT,
            barrier(2, Selector()).raised(Selector(kind="video"), now=Instant(0), reason=""),
            0,
            Fresh(ENTRY),
            id="cleared before",
        ),
        pytest.param(
            ENTRY, BOUGHT, Barrier(2), 0, Missing(Cause.CLEARED), id="of a time that the barrier does not know"
        ),
        pytest.param(ENTRY, BOUGHT, barrier(4, Selector(kind="video")), 0, Fresh(ENTRY), id="others were cleared"),
        pytest.param(ENTRY, EXPIRES, barrier(4, Selector()), 0, Missing(Cause.CLEARED), id="cleared, then expired"),
        pytest.param(ENTRY, BOUGHT, OPEN, BOUGHT, Fresh(ENTRY), id="as new as was asked for"),
        pytest.param(ENTRY, BOUGHT, OPEN, BOUGHT + 1, Missing(Cause.REFRESH), id="older than was asked for"),
        pytest.param(ENTRY, EXPIRES, OPEN, BOUGHT + 1, Missing(Cause.EXPIRED), id="expired and too old"),
    ],
)
def test_what_an_entry_permits(entry, now, forbidden, not_before, expected) -> None:
    """Served only while fresh, not cleared, and new enough for who asks; else the cause is told."""
    assert judge(entry, now=now, barrier=forbidden, not_before=not_before) == expected


@pytest.mark.parametrize(
    ("now", "ttl", "age"),
    [
        (BOUGHT, 60, 0),
        (BOUGHT + 999, 59, 0),
        (BOUGHT + 1000, 59, 1),
        (EXPIRES, 0, 60),
        (EXPIRES + 5000, 0, 65),
        (0, 1060, 0),
    ],
)
def test_seconds_left_and_seconds_old(now: int, ttl: int, age: int) -> None:
    """Whole seconds, never promised longer than they are, never negative."""
    assert (ENTRY.ttl(Instant(now)), ENTRY.age(Instant(now))) == (ttl, age)


def test_thirty_days_are_no_special_case() -> None:
    """The longest life is as exact as the shortest."""
    month = structs.replace(ENTRY, expires=Instant(BOUGHT + timedelta(days=30) // timedelta(milliseconds=1)))
    assert month.ttl(BOUGHT) == 30 * 86_400
    assert judge(month, now=Instant(month.expires - 1), barrier=OPEN) == Fresh(month)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({"ttl": timedelta(0)}, "positive ttl"), ({"ttl": timedelta(1), "lease": timedelta(seconds=4)}, "twice")],
)
def test_policies_that_would_lose_money_are_refused(arguments: dict[str, timedelta], reason: str) -> None:
    """An answer that is stale at once, or a claim that ends before it is renewed."""
    with pytest.raises(ValueError, match=reason):
        Policy(**arguments)
