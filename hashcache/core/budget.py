"""
Budgets: how much may be spent on what, in which window of time.

Rule 1: a window is a calendar day or month in UTC; nothing is carried over.
Rule 2: what is reserved counts as spent until it is settled, so the sum never passes the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from hashcache.core.entry import Instant
from hashcache.core.money import MicroDollars


class Period(StrEnum):
    """For how long a budget lasts."""

    DAY = "day"
    MONTH = "month"

    def window(self, now: Instant) -> tuple[str, Instant]:
        """The name of the window around *now*, `2026-11-21` or `2026-11`, and when it ends."""
        at = datetime.fromtimestamp(now / 1000, UTC)
        start = datetime(at.year, at.month, at.day if self is Period.DAY else 1, tzinfo=UTC)
        if self is Period.DAY:
            end = Instant(int(start.timestamp() * 1000) + 86_400_000)
            return start.date().isoformat(), end
        following = start.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
        return f"{at.year:04}-{at.month:02}", Instant(int(following.timestamp() * 1000))


@dataclass(frozen=True, slots=True)
class Budget:
    """At most *most* in each *period*, for one *provider*, one *tenant*, or (both None) in all."""

    most: MicroDollars
    period: Period
    provider: str | None = None
    tenant: str | None = None

    def covers(self, provider: str, tenant: str) -> bool:
        """Whether a call to *provider* for *tenant* draws on it."""
        return self.provider in {None, provider} and self.tenant in {None, tenant}

    @property
    def scope(self) -> str:
        """What it is for: `all`, `provider=hive` or `tenant=acme`."""
        parts = [f"provider={self.provider}"] if self.provider else []
        parts += [f"tenant={self.tenant}"] if self.tenant else []
        return " ".join(parts) or "all"

    def charge(self, now: Instant) -> Charge:
        """What a call at *now* draws on."""
        name, ends = self.period.window(now)
        return Charge(f"{self.scope}|{name}", self.most, ends)


@dataclass(frozen=True, slots=True)
class Charge:
    """One window of one budget: its *name* in the books, the *most* it holds, and when it *ends*."""

    name: str
    most: MicroDollars
    ends: Instant
