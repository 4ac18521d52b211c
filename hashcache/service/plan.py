"""
On which day the store's plan runs out of commands.

Rule: the rate is that of the month so far; of its first hours nobody can tell one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hashcache.core.entry import Instant

_SOONEST, _LONGEST = timedelta(hours=6), timedelta(days=31)


def runs_out(used: int | None, most: int | None, now: Instant) -> date | None:
    """
    The day (UTC) of this month on which *most* commands are *used* up, at the rate of this month until *now*; None:
    they last until its end, or nobody can tell.
    """
    if not used or not most:
        return None
    at = datetime.fromtimestamp(now / 1000, UTC)
    began = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if used >= most:
        return at.date()
    passed = at - began
    if passed < _SOONEST:
        return None
    seconds = passed.total_seconds() * most / used
    if seconds > _LONGEST.total_seconds():
        return None
    end = began + timedelta(seconds=seconds)
    return end.date() if end.month == at.month else None
