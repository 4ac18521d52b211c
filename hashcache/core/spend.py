"""
What money is booked under, and how the books are read.

Rule 1: a line of the books is one *figure* of one provider, kind and tenant on one day (UTC); all sums are made from
        lines, so they agree with each other.
Rule 2: amounts are integer micro-dollars; `spent` bought an answer, `wasted` went or may have gone for nothing (failed
        but billed, bought twice, outcome unknown): together they are what the vendors may bill.
Rule 3: each call is in exactly one of the classes `stored`, `unkept` (by request), `fenced` (cleared meanwhile),
        `failed` and `unknown`; `refresh` and `duplicate` are labels beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from hashcache.core.entry import Instant

#: For how many days lines are kept.
KEPT_DAYS = 400
#: Under this many milliseconds one day passes.
DAY = 86_400_000


class Fate(StrEnum):
    """What became of a paid call."""

    STORED = "stored"
    UNKEPT = "unkept"
    FENCED = "fenced"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose line it is."""

    provider: str
    kind: str
    tenant: str

    def line(self, figure: str) -> str:
        """The name of *figure* in this account, such as `spent|hive|image|default`."""
        return f"{figure}|{self.provider}|{self.kind}|{self.tenant}"

    def lines(self, figures: Mapping[str, int]) -> dict[str, int]:
        """*figures* by the names of their lines, without those that are 0."""
        return {self.line(name): amount for name, amount in figures.items() if amount}


def parse(line: str) -> tuple[str, Account] | None:
    """The figure and account of *line*; None for what is no line."""
    parts = line.split("|")
    return (parts[0], Account(*parts[1:])) if len(parts) == 4 else None


def summed(lines: Mapping[str, int], by: Callable[[Account], str]) -> dict[str, Counter[str]]:
    """The figures of *lines*, added up for each value of *by*."""
    sums: dict[str, Counter[str]] = {}
    for name, amount in lines.items():
        found = parse(name)
        if found is not None:
            figure, account = found
            sums.setdefault(by(account), Counter())[figure] += amount
    return sums


def added(days: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The lines of several days as one."""
    total: Counter[str] = Counter()
    for lines in days:
        total.update(lines)
    return dict(total)


def day_of(now: Instant) -> date:
    """The day of *now* (UTC)."""
    return datetime.fromtimestamp(now / 1000, UTC).date()


def month_of(day: date) -> str:
    """The month of *day*, such as `2026-11`."""
    return day.isoformat()[:7]
