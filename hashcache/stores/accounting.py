"""
What is decided about attempts, whichever store keeps them: what is there goes in, what changes comes out.

Rule 1: a key has one place in the books: the attempt that is on record for it, or how often it was tried in vain.
Rule 2: an attempt that leaves the record without having been settled is remembered as *lapsed*, under its token, and
        booked as unknown. What it drew stays drawn, since it may be billed.
Rule 3: a refusal leaves nothing of the attempt that is refused; that the one before it lapsed is a fact all the same.
Rule 4: what was drawn on a window is corrected in that window; one that is gone is not made anew, none goes below 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Self

import msgspec

from hashcache.core.budget import Charge
from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.core.spend import Fate, day_of
from hashcache.ports import Attempt, Granted, Reason, Refused, Rules, Settlement
from hashcache.stores.circuit import Circuit

_MILLISECOND = timedelta(milliseconds=1)
#: For how long a lapsed attempt is remembered: settled by then, it is booked anew as what it is.
REMEMBERED = timedelta(days=2) // _MILLISECOND
#: For how long it counts that a key was tried in vain, and when to ask again for one that was tried too often.
TRIED = timedelta(hours=1) // _MILLISECOND
_AGAIN = timedelta(minutes=5) // _MILLISECOND
#: How long after its end a window of a budget is kept, for calls that are settled late.
WINDOW_KEPT = timedelta(days=7) // _MILLISECOND
_FORGOTTEN = Key("-", "-", "-")


@dataclass(frozen=True, slots=True)
class Noted:
    """An *attempt* that is on record, and the *rules* that it was let through by."""

    attempt: Attempt
    rules: Rules

    def of(self, key: Key) -> Noted:
        """The same at *key*."""
        return replace(self, attempt=replace(self.attempt, key=key))


@dataclass(frozen=True, slots=True)
class Tried:
    """How many *tries* at a key had an unknown outcome; it counts before *until*."""

    tries: int
    until: Instant


@dataclass(frozen=True, slots=True)
class Lapsed:
    """What was on record and has been *booked* as unknown, then. Whose content it was of is not remembered."""

    noted: Noted
    booked: Instant

    @classmethod
    def of(cls, noted: Noted, now: Instant) -> Self:
        """*noted*, booked *now*."""
        return cls(noted.of(_FORGOTTEN), now)

    @property
    def past(self) -> Instant:
        """When it is remembered no longer."""
        return Instant(self.booked + REMEMBERED)


@dataclass(frozen=True, slots=True)
class Draw:
    """*amount* more (or less) is drawn on the window *name*, which is made when *ends* tells when it ends."""

    name: str
    amount: int
    ends: Instant | None = None


class Found(msgspec.Struct, frozen=True):
    """
    What is *there* for a key, what has *lapsed* under the token that is asked about, the provider's *circuit*, and
    what is *drawn* on the charges, in their order.
    """

    there: Noted | Tried | None = None
    lapsed: Lapsed | None = None
    circuit: Circuit | None = None
    drawn: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """
    What is to be there afterwards: for the key, under tokens (None: no longer), for the provider; and what is added
    to windows, and to the lines of days and of all days.
    """

    there: Noted | Tried | None
    circuit: Circuit | None
    lapsed: Mapping[str, Lapsed | None] = field(default_factory=dict)
    draws: Sequence[Draw] = ()
    lines: Mapping[date, Mapping[str, int]] = field(default_factory=dict)


class Turn(msgspec.Struct, frozen=True):
    """
    Whether it is an attempt's turn, as far as its key tells. *noted*: as it is to be on record; *again*: as it is
    already, and nothing changes. *fresh*: it is sent, so breaker and budgets have a say, unlike for one that is
    continued. *before*: what lapses now. *there*: what the key is left with when it is not let through. *aside*: it
    lapses itself, at once.
    """

    noted: Noted
    again: bool = False
    fresh: bool = True
    before: Lapsed | None = None
    there: Noted | Tried | None = None
    refused: Refused | None = None
    aside: bool = False


def noted(attempt: Attempt, charges: Sequence[Charge], rules: Rules) -> Noted:
    """*attempt* as it is on record when it is the first at its key."""
    names = tuple(charge.name for charge in charges)
    first = attempt.tries == 1 and attempt.charges == names
    return Noted(attempt if first else replace(attempt, charges=names, tries=1), rules)


def turn(found: Found, new: Noted, *, now: Instant, force: bool) -> Turn:
    """
    What `Accounts.reserve` says about whose turn it is.

    Two calls at one key while the store was away: the forced one finds another on record, which runs or can be
    continued, and is left alone. So the forced one is booked as unknown; it is about to be settled, as what it is.
    """
    there = found.there
    if found.lapsed is not None:
        return Turn(found.lapsed.noted.of(new.attempt.key), again=True)
    if isinstance(there, Noted):
        if there.attempt.token == new.attempt.token:
            return Turn(there, again=True)
        if force:
            return Turn(new, there=there, aside=True)
        if there.attempt.receipt:
            return Turn(_continued(there, new), fresh=False)
        tried = Tried(there.attempt.tries, Instant(now + TRIED))
        return _next(tried, new, now=now, force=force, before=Lapsed.of(there, now))
    if there is None or there.until <= now:
        return Turn(new, there=None)
    return _next(there, new, now=now, force=force, before=None)


def reserve(
    found: Found, new: Noted, charges: Sequence[Charge], *, now: Instant, force: bool
) -> tuple[Granted | Refused, Change]:
    """The answer to `Accounts.reserve`, and what changes."""
    one = turn(found, new, now=now, force=force)
    if one.again:
        return Granted(one.noted.attempt, left(charges, found.drawn)), Change(found.there, found.circuit)
    refused = one.refused
    if one.fresh and refused is None and not force:
        open_ = found.circuit.refuses(now) if found.circuit is not None else None
        refused = open_ or overdrawn(charges, found.drawn, new.attempt.estimate)
    lapsed = {one.before.noted.attempt.token: one.before} if one.before is not None else {}
    lines = {day_of(now): unknown(one.before.noted.attempt)} if one.before is not None else {}
    if refused is not None:
        return refused, Change(one.there, found.circuit, lapsed, lines=lines)
    attempt = one.noted.attempt
    amount = attempt.estimate if one.fresh else 0
    granted = Granted(attempt, left(charges, [drawn + amount for drawn in found.drawn]))
    if not one.fresh:
        return granted, Change(one.noted, found.circuit)
    draws = [Draw(charge.name, amount, charge.ends) for charge in charges]
    if one.aside:
        lapsed[attempt.token] = Lapsed.of(one.noted, now)
        lines = {day_of(now): unknown(attempt)}
        return granted, Change(one.there, found.circuit, lapsed, draws, lines)
    circuit = found.circuit.admits(attempt.token, new.rules, now) if found.circuit and not force else found.circuit
    return granted, Change(one.noted, circuit, lapsed, draws, lines)


def ended(found: Found, token: str) -> Noted | Lapsed | None:
    """What is known of the attempt *token* that has ended; None: it was settled before."""
    there = found.there
    return there if isinstance(there, Noted) and there.attempt.token == token else found.lapsed


def settle(found: Found, known: Noted | Lapsed, settlement: Settlement, now: Instant) -> Change:
    """
    What changes when the attempt that is *known* (see `ended`) is settled.

    A call outlives its process's patience: (1) it is reaped, booked as unknown yesterday; (2) the key is tried again;
    (3) now its answer comes. The lines of yesterday are taken back, it is booked today as what it is, and its windows
    are corrected. The second try stays on record; were there none, the first would not count as tried in vain.
    """
    noted = known.noted if isinstance(known, Lapsed) else known
    attempt, today = noted.attempt, day_of(now)
    circuit = (found.circuit or Circuit()).heeds(attempt.token, settlement, noted.rules, now)
    draws, lines = corrected(attempt, settlement), attempt.account.lines(settlement.figures(attempt))
    if not isinstance(known, Lapsed):
        return Change(None, circuit, draws=draws, lines={today: lines})
    booked = day_of(known.booked)
    back = {name: -amount for name, amount in unknown(attempt).items()}
    both = {booked: back, today: plus(back, lines) if booked == today else lines}
    there = None if isinstance(found.there, Tried) else found.there
    return Change(there, circuit, {attempt.token: None}, draws, both)


def lapse(noted: Noted, circuit: Circuit | None, now: Instant) -> Change:
    """What changes when nobody runs what is on record any more."""
    attempt = noted.attempt
    lapsed = {attempt.token: Lapsed.of(noted, now)}
    tried = Tried(attempt.tries, Instant(now + TRIED))
    return Change(tried, circuit, lapsed, lines={day_of(now): unknown(attempt)})


def in_order(attempts: Iterable[Attempt]) -> list[Attempt]:
    """*attempts*, the oldest first."""
    return sorted(attempts, key=lambda attempt: (attempt.started, attempt.token))


def unknown(attempt: Attempt) -> dict[str, int]:
    """The lines of *attempt* with an unknown outcome: its estimate may be billed."""
    return attempt.account.lines(Settlement(Fate.UNKNOWN, wasted=attempt.estimate).figures(attempt))


def corrected(attempt: Attempt, settlement: Settlement) -> list[Draw]:
    """What the windows of *attempt* are corrected by."""
    more = settlement.price + settlement.wasted - attempt.estimate
    return [Draw(name, more) for name in attempt.charges] if more else []


def overdrawn(charges: Sequence[Charge], drawn: Sequence[int], amount: int) -> Refused | None:
    """The refusal by the first charge on which *amount* cannot be drawn any more."""
    for charge, before in zip(charges, drawn, strict=True):
        if amount and before + amount > charge.most:
            return Refused(Reason.BUDGET, charge.name, charge.ends)
    return None


def left(charges: Sequence[Charge], drawn: Sequence[int]) -> dict[str, MicroDollars]:
    """What is left in each charge, 0 when more is drawn than it holds."""
    pairs = zip(charges, drawn, strict=True)
    return {charge.name: MicroDollars(max(0, charge.most - before)) for charge, before in pairs}


def plus(lines: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Both added up, without what comes to 0."""
    sums = Counter(lines)
    sums.update(more)
    return {name: amount for name, amount in sums.items() if amount}


def _continued(there: Noted, noted: Noted) -> Noted:
    """The same job with the vendor, run by another process from now on."""
    mine = noted.attempt
    attempt = replace(there.attempt, token=mine.token, started=mine.started, until=mine.until, process=mine.process)
    return Noted(attempt, noted.rules)


def _next(tried: Tried, noted: Noted, *, now: Instant, force: bool, before: Lapsed | None) -> Turn:
    tries = tried.tries + 1
    refused = None
    if tries > noted.rules.tries and not force:
        refused = Refused(Reason.UNKNOWN, f"{tried.tries} tries", Instant(min(now + _AGAIN, tried.until)))
    following = replace(noted, attempt=replace(noted.attempt, tries=tries))
    return Turn(following, before=before, there=tried, refused=refused)
