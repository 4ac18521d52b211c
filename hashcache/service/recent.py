"""
What happened lately: the last hour by minutes and the last day by quarters of an hour, from the ledger's series.

Rule: what is past does not change: after the first time only the last minutes are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hashcache.core.entry import Instant
from hashcache.core.money import decimal
from hashcache.ports import Ledger

_MINUTE = 60_000
_HOUR = 60
_DAY = 24 * _HOUR
_QUARTER = 15
#: A batch goes into the minute in which it is sent, which may be over when it arrives.
_AGAIN = 3


class Recent:
    """The series of *ledger*, as far as it was read."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._minutes: dict[int, Mapping[str, int]] = {}
        self._read: int | None = None

    async def read(self, now: Instant) -> None:
        """Bring it up to date. Raises StoreUnavailable."""
        minute = now // _MINUTE
        first = minute - _DAY if self._read is None else self._read - _AGAIN
        for one in await self._ledger.minutes(Instant(first * _MINUTE)):
            self._minutes[one.at // _MINUTE] = one.counts
        self._read = minute
        self._minutes = {at: counts for at, counts in self._minutes.items() if at > minute - _DAY - _QUARTER}

    def last_hour(self, now: Instant) -> Mapping[str, int]:
        """What the last sixty minutes add up to."""
        first = now // _MINUTE - _HOUR
        sums: Counter[str] = Counter()
        for at, counts in self._minutes.items():
            if at > first:
                sums.update(counts)
        return sums

    def series(self, now: Instant) -> dict[str, Any]:
        """Both series, for people."""
        minute = now // _MINUTE
        quarter = minute // _QUARTER
        return {
            "hour": self._steps(range(minute - _HOUR + 1, minute + 1), 1),
            "day": self._steps(range((quarter - _DAY // _QUARTER + 1) * _QUARTER, minute + 1, _QUARTER), _QUARTER),
        }

    def _steps(self, starts: Sequence[int], length: int) -> dict[str, Any]:
        sums = []
        for start in starts:
            step: Counter[str] = Counter()
            for at in range(start, start + length):
                step.update(self._minutes.get(at, {}))
            sums.append(step)
        return {
            "from": datetime.fromtimestamp(starts[0] * 60, UTC).isoformat().replace("+00:00", "Z"),
            "step_seconds": length * 60,
            "hits": [total(step, "hits") for step in sums],
            "misses": [total(step, "misses") for step in sums],
            "errors": [step["errors"] for step in sums],
            "saved_usd": [decimal(step["saved"]) for step in sums],
        }


def total(counts: Mapping[str, int], what: str) -> int:
    """The sum of all `what.<of which>`."""
    return sum(number for name, number in counts.items() if name.startswith(f"{what}."))
