"""What is paid: attempts on record, budgets, the breakers of providers, and the books of money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol

from hashcache.core.budget import Charge
from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.money import FREE, MicroDollars
from hashcache.core.spend import Account, Fate


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One paid call, put on record before it is sent. *token* names it across the fleet.

    *estimate* is what it is expected to cost; *charges* names the windows of budgets that it draws on. It *started*
    then, and nobody runs it any more after *until*, by the store's clock. *receipt* is the vendor's name of the job,
    once there is one. *tries*: 1, and one more for each attempt at the same key before it whose outcome is unknown.
    """

    token: str
    key: Key
    account: Account
    estimate: MicroDollars
    started: Instant
    until: Instant
    process: str
    charges: tuple[str, ...] = ()
    receipt: str = ""
    tries: int = 1
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """
    When no attempt is let through. A breaker opens for *pause* after *threshold* failures in a row, for
    *denied_pause* after the vendor refused our account; then one probe at a time is let through, which is given up
    after *probe*. *tries*: how often a call with an unknown outcome is followed by another one.
    """

    threshold: int = 5
    pause: timedelta = timedelta(seconds=10)
    denied_pause: timedelta = timedelta(seconds=60)
    probe: timedelta = timedelta(seconds=60)
    tries: int = 2


@dataclass(frozen=True, slots=True)
class Granted:
    """
    The attempt may be sent: *attempt* as it is on record now. Its receipt is not empty when an earlier process had the
    vendor take the job: then that is asked for, nothing is sent. *left*: what is left in each charge, by name.
    """

    attempt: Attempt
    left: Mapping[str, MicroDollars] = field(default_factory=dict)


class Reason(StrEnum):
    """Why an attempt is refused."""

    BUDGET = "budget"
    BREAKER = "breaker"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The attempt must not be sent, because of *reason*; *what* is the spent charge's name, or why the breaker is open
    (`failed`, `denied`, `throttled`). Asking again makes sense at *until*. Nothing was reserved or noted.
    """

    reason: Reason
    what: str
    until: Instant


class Health(StrEnum):
    """What an attempt's end says of its provider."""

    WELL = "well"
    FAILED = "failed"
    DENIED = "denied"
    THROTTLED = "throttled"  # it is well, and asked to be left alone for a while
    SILENT = "silent"  # nothing: the content was refused


@dataclass(frozen=True, slots=True)
class Settlement:
    """
    How an attempt ended: its *fate*, what it cost (*price*: for what was bought; *wasted*: what was or may have been
    billed for nothing), in *units* of the vendor, whether it was bought twice, and the provider's *health*. *pause*:
    for how long the vendor asked everybody to wait, when it is THROTTLED.
    """

    fate: Fate
    price: MicroDollars = FREE
    wasted: MicroDollars = FREE
    units: Mapping[str, int] = field(default_factory=dict)
    duplicate: bool = False
    health: Health = Health.WELL
    pause: timedelta = timedelta(0)

    def figures(self, attempt: Attempt) -> dict[str, int]:
        """What is added to the lines of the attempt's account."""
        return {
            "calls": 1,
            self.fate.value: 1,
            "spent": self.price,
            "wasted": self.wasted,
            "duplicate": int(self.duplicate),
            "refresh": int(attempt.refresh),
            **{f"units.{name}": count for name, count in self.units.items()},
        }


@dataclass(frozen=True, slots=True)
class Breaker:
    """The shared breaker of a provider: *failures* in a row; not asked before *until* because of *reason*."""

    provider: str
    failures: int
    until: Instant | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """The lines of one day (UTC), by their names (see `core.spend`)."""

    day: date
    lines: Mapping[str, int]


class Accounts(Protocol):
    """
    The money of the fleet. No invalidation touches it; lines of days are kept 400 days, totals for ever.

    Every verb is one atomic act (one script on Redis, all records in one slot) and raises `StoreUnavailable`. Each may
    be repeated after a lost reply and then changes nothing more.
    """

    async def reserve(
        self, attempt: Attempt, charges: Sequence[Charge], rules: Rules, *, force: bool = False
    ) -> Granted | Refused:
        """
        Put *attempt* on record and draw its estimate on all *charges*, or do neither.

        An attempt at the same key that is still on record belongs to a process that lost its claim: with a receipt it
        is continued (this token takes its place, nothing is drawn twice); without one its outcome is unknown, which is
        booked, and this attempt is the next try; beyond `rules.tries` it is refused. A token that is on record already
        is granted again. *force*: the call was made while the store was away; it is noted whatever the rules say.
        """
        ...

    async def note(self, attempt: Attempt, receipt: str) -> bool:
        """Put the vendor's *receipt* on record, before the job is asked for; False: the attempt is not on record."""
        ...

    async def settle(self, attempt: Attempt, settlement: Settlement) -> bool:
        """
        End *attempt*: take it off the record, correct what it drew, book its lines, and heed its provider's health.

        One that was booked as unknown meanwhile is booked anew as what it is. False: it had been settled before.
        """
        ...

    async def reap(self) -> Sequence[Attempt]:
        """Book attempts that nobody runs any more as unknown, and drop what has grown too old; those booked now."""
        ...

    async def attempts(self) -> Sequence[Attempt]:
        """What is on record, the oldest first."""
        ...

    async def used(self, charges: Sequence[Charge]) -> Sequence[MicroDollars]:
        """What was drawn on each of *charges*, reserved or settled."""
        ...

    async def breakers(self) -> Sequence[Breaker]:
        """The breakers that are not as good as new."""
        ...

    async def days(self, since: date) -> Sequence[Day]:
        """The days from *since* on in which something was booked, in order."""
        ...

    async def totals(self) -> Mapping[str, int]:
        """The lines of all days since the store was first used."""
        ...
