"""On which day a plan runs out."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from hashcache.core.entry import Instant
from hashcache.service.plan import runs_out


@pytest.mark.parametrize(
    ("used", "most", "at", "day"),
    [
        (100_000, 500_000, "2026-11-11T00:00", None),  # 10,000 a day: 300,000 in November
        (200_000, 500_000, "2026-11-11T00:00", date(2026, 11, 26)),
        (500_000, 500_000, "2026-11-11T00:00", date(2026, 11, 11)),
        (166_667, 500_000, "2026-11-11T00:00", date(2026, 11, 30)),
        (160_000, 500_000, "2026-11-11T00:00", None),
        (10, 500_000, "2026-11-01T01:00", None),
        (400_000, 500_000, "2026-11-01T01:00", None),  # an hour says nothing of a month
        (600_000, 500_000, "2026-11-01T01:00", date(2026, 11, 1)),
        (1, 10**15, "2026-12-31T23:00", None),
        (None, 500_000, "2026-11-11T00:00", None),
        (0, 500_000, "2026-11-11T00:00", None),
        (100, None, "2026-11-11T00:00", None),
    ],
)
def test_the_day(used: int | None, most: int | None, at: str, day: date | None) -> None:
    """The rate of the month so far tells it; a plan that lasts until the month ends does not run out."""
    now = Instant(int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000))
    assert runs_out(used, most, now) == day
