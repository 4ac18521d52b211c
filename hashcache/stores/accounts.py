"""
Accounts in the memory of one process, for the stores that live there or nowhere.

Rule: bounded: what has lapsed, was tried in vain, or is a window that ended, is dropped by the reaper; days when they
are old.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeVar

from hashcache.core.budget import Charge
from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.core.spend import KEPT_DAYS, day_of
from hashcache.ports import Attempt, Breaker, Day, Granted, Refused, Rules, Settlement
from hashcache.stores import accounting
from hashcache.stores.accounting import WINDOW_KEPT, Change, Draw, Found, Lapsed, Noted, Tried
from hashcache.stores.circuit import Circuit

K = TypeVar("K")
V = TypeVar("V")


class MemoryLines:
    """The lines of days, and of all days."""

    def __init__(self) -> None:
        self.days: dict[date, dict[str, int]] = {}
        self.totals: dict[str, int] = {}

    def add(self, day: date, lines: Mapping[str, int]) -> None:
        """Add *lines* to *day* and to all days; a day that is too old goes."""
        if not lines:
            return
        self.days[day] = accounting.plus(self.days.get(day, {}), lines)
        self.totals = accounting.plus(self.totals, lines)
        newest = max(self.days)
        for old in [old for old in self.days if (newest - old).days > KEPT_DAYS]:
            del self.days[old]


class MemoryAccounts:
    """*clock* gives milliseconds since 1970; what the ledger has to book of days goes into *lines*."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.lines = MemoryLines()
        self._there: dict[Key, Noted | Tried] = {}
        self._lapsed: dict[str, Lapsed] = {}
        self._circuits: dict[str, Circuit] = {}
        self._windows: dict[str, tuple[int, Instant]] = {}

    async def reserve(
        self, attempt: Attempt, charges: Sequence[Charge], rules: Rules, *, force: bool = False
    ) -> Granted | Refused:
        """Put *attempt* on record, or say why not."""
        noted = accounting.noted(attempt, charges, rules)
        answer, change = accounting.reserve(self._found(attempt, charges), noted, charges, now=self._now(), force=force)
        self._apply(attempt, change)
        return answer

    async def note(self, attempt: Attempt, receipt: str) -> bool:
        """Put *receipt* on record."""
        there = self._there.get(attempt.key)
        if not isinstance(there, Noted) or there.attempt.token != attempt.token:
            return False
        self._there[attempt.key] = replace(there, attempt=replace(there.attempt, receipt=receipt))
        return True

    async def settle(self, attempt: Attempt, settlement: Settlement) -> bool:
        """End *attempt*."""
        found = self._found(attempt)
        known = accounting.ended(found, attempt.token)
        if known is not None:
            self._apply(attempt, accounting.settle(found, known, settlement, self._now()))
        return known is not None

    async def reap(self) -> Sequence[Attempt]:
        """Book what nobody runs any more as unknown; drop what is too old."""
        now = self._now()
        found = [there for there in self._there.values() if isinstance(there, Noted) and there.attempt.until <= now]
        for noted in found:
            circuit = self._circuits.get(noted.attempt.account.provider)
            self._apply(noted.attempt, accounting.lapse(noted, circuit, now))
        self._there = {
            key: there for key, there in self._there.items() if isinstance(there, Noted) or there.until > now
        }
        self._lapsed = {token: lapsed for token, lapsed in self._lapsed.items() if lapsed.past > now}
        self._windows = {name: one for name, one in self._windows.items() if one[1] + WINDOW_KEPT > now}
        return accounting.in_order(noted.attempt for noted in found)

    async def attempts(self) -> Sequence[Attempt]:
        """What is on record."""
        return accounting.in_order(there.attempt for there in self._there.values() if isinstance(there, Noted))

    async def used(self, charges: Sequence[Charge]) -> Sequence[MicroDollars]:
        """What was drawn on each of *charges*."""
        return [MicroDollars(self._windows.get(charge.name, (0, charge.ends))[0]) for charge in charges]

    async def breakers(self) -> Sequence[Breaker]:
        """Those that are not as good as new."""
        return [circuit.told(provider) for provider, circuit in sorted(self._circuits.items())]

    async def days(self, since: date) -> Sequence[Day]:
        """The days from *since* on."""
        oldest = max(since, day_of(self._now()) - timedelta(days=KEPT_DAYS))
        return [Day(day, dict(lines)) for day, lines in sorted(self.lines.days.items()) if day >= oldest and lines]

    async def totals(self) -> Mapping[str, int]:
        """The lines of all days."""
        return dict(self.lines.totals)

    def _now(self) -> Instant:
        return Instant(self._clock())

    def _found(self, attempt: Attempt, charges: Sequence[Charge] = ()) -> Found:
        return Found(
            self._there.get(attempt.key),
            self._lapsed.get(attempt.token),
            self._circuits.get(attempt.account.provider),
            [self._windows.get(charge.name, (0, charge.ends))[0] for charge in charges],
        )

    def _apply(self, attempt: Attempt, change: Change) -> None:
        _keep(self._there, attempt.key, change.there)
        _keep(self._circuits, attempt.account.provider, change.circuit)
        for token, lapsed in change.lapsed.items():
            _keep(self._lapsed, token, lapsed)
        for draw in change.draws:
            self._draw(draw)
        for day, lines in change.lines.items():
            self.lines.add(day, lines)

    def _draw(self, draw: Draw) -> None:
        if draw.ends is not None:
            self._windows.setdefault(draw.name, (0, draw.ends))
        if draw.name in self._windows:
            drawn, ends = self._windows[draw.name]
            self._windows[draw.name] = (max(0, drawn + draw.amount), ends)


def _keep(kept: dict[K, V], name: K, value: V | None) -> None:
    if value is None:
        kept.pop(name, None)
    else:
        kept[name] = value
