"""
The accounts on a Redis or Valkey server.

Rule 1: what is decided about an attempt is decided here, by `accounting`, from what was seen; the script changes it if
        that still is there, else it tells what is, and it is decided anew. What many change at the same moment, budgets
        and breakers, the scripts judge themselves: nobody asks twice because of others.
Rule 2: almost always nothing lies at a key, so that is taken for granted, and one command does it. Of what hosts bill,
        reserving takes three, once a day four; settling at most eight.
Rule 3: one hash holds all that is open: `at:<key>` (16 bytes stand for it), `lapsed:<token>` and `breaker:<provider>`,
        all three by `stores/records.py`, `window:<charge>` (`<drawn> <ends>`), and `renewed`, when its life last began
        anew. Beside it lie the lines of the days, a hash for each month, and those of all days: these alone have no
        time to live.
Rule 4: a reader believes nothing: a field that is not as it should be is passed over.
Limit: a sum is exact up to 2^53, what a number in Lua holds: nine billion dollars in millionths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

from hashcache.core.budget import Charge
from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Names
from hashcache.core.money import MicroDollars
from hashcache.core.spend import KEPT_DAYS, day_of, month_of
from hashcache.ports import Attempt, Breaker, Day, Granted, Health, Reason, Refused, Rules, Settlement
from hashcache.stores import accounting, records
from hashcache.stores.accounting import WINDOW_KEPT, Found, Lapsed, Noted, Tried, Turn
from hashcache.stores.redis.amendment import DAYS_LIFE, Amendment, Seen, at, breaker, lapsed, window
from hashcache.stores.redis.clock import ServerClock
from hashcache.stores.redis.remote import Remote
from hashcache.stores.redis.scripts import Call, Script, flat

T = TypeVar("T")

_MILLISECOND = timedelta(milliseconds=1)
#: How often it is decided anew because somebody else changed what lies at the key.
_ATTEMPTS = 16
#: How many attempts or fields the reaper sees to in one round trip.
_PIECE = 200
_SUM = re.compile(rb"-?\d{1,16}")
_WINDOW = re.compile(rb"(\d{1,16}) (\d{1,15})")
_SETTLE = Script.load("sums", "settle")
_NOTE = Script.load("note")
_DROP = Script.load("drop")


class RedisAccounts:
    """The accounts of one environment on *server*; reading and reaping may take *patience*, all else *deadline*."""

    def __init__(
        self, server: Remote, names: Names, clock: ServerClock, *, deadline: timedelta, patience: timedelta
    ) -> None:
        self._server = server
        self._names = names
        self._clock = clock
        self._deadline = deadline
        self._patience = patience

    async def reserve(
        self, attempt: Attempt, charges: Sequence[Charge], rules: Rules, *, force: bool = False
    ) -> Granted | Refused:
        """Put *attempt* on record, or say why not: one command, two when something lies at the key."""
        new = accounting.noted(attempt, charges, rules)
        seen = Seen()
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            found = Found(records.read_there(seen.there), records.read_lapsed(seen.lapsed))
            turn = accounting.turn(found, new, now=now, force=force)
            if turn.again:
                return Granted(turn.noted.attempt, accounting.left(charges, seen.drawn))
            if turn.refused is not None and turn.before is None:
                return turn.refused
            amendment = _amendment(turn, charges, now=now, force=force)
            (reply,) = await self._server.ask(amendment.call(self._names, seen, now), within=self._deadline)
            if reply[0] != b"found":
                return _answer(reply, turn, charges, seen)
            seen = Seen(reply[1], reply[2], list(map(int, reply[3:])) or seen.drawn)
        raise _restless()

    async def note(self, attempt: Attempt, receipt: str) -> bool:
        """Put *receipt* on record."""
        call = _NOTE.call([self._names.accounts], at(attempt), attempt.token, receipt)
        (noted,) = await self._server.ask(call, within=self._deadline)
        return bool(noted)

    async def settle(self, attempt: Attempt, settlement: Settlement) -> bool:
        """End *attempt*: one command, two when it is not on record as it is handed in, but lapsed or continued."""
        found, seen = Found(Noted(attempt, Rules())), b""
        for _ in range(_ATTEMPTS):
            known = accounting.ended(found, attempt.token)
            if known is None:
                return False
            call = self._settlement(attempt, known, seen, settlement)
            (reply,) = await self._server.ask(call, within=self._deadline)
            if isinstance(reply, int):
                return bool(reply)
            there, seen = reply
            found = Found(records.read_there(there), records.read_lapsed(seen))
        raise _restless()

    async def reap(self) -> Sequence[Attempt]:
        """
        Book what nobody runs any more as unknown, and drop what is too old. One command when there is nothing of it.

        Two reapers at once: both see an attempt that is overdue; whose script comes second finds it lapsed already.
        """
        now, fields = self._clock.now(), await self._fields()
        overdue: dict[bytes, Noted] = {}
        old: list[tuple[str, bytes]] = []
        for name, raw in fields.items():
            there = records.read_there(raw) if name.startswith("at:") else None
            if isinstance(there, Noted) and name == at(there.attempt):
                if there.attempt.until <= now:
                    overdue[raw] = there
            elif _is_old(name, raw, now):
                old.append((name, raw))
        booked = []
        for some in _pieces(list(overdue.items())):
            calls = (_lapse(noted, now).call(self._names, Seen(raw), now) for raw, noted in some)
            replies = await self._server.ask(*calls, within=self._patience)
            booked += [noted for (_, noted), reply in zip(some, replies, strict=True) if reply[0] == b"done"]
        for pairs in _pieces(old):
            await self._server.ask(_DROP.call([self._names.accounts], *flat(pairs)), within=self._patience)
        return accounting.in_order(noted.attempt for noted in booked)

    async def attempts(self) -> Sequence[Attempt]:
        """What is on record, in one command."""
        found = (records.read_there(raw) for name, raw in (await self._fields()).items() if name.startswith("at:"))
        return accounting.in_order(there.attempt for there in found if isinstance(there, Noted))

    async def used(self, charges: Sequence[Charge]) -> Sequence[MicroDollars]:
        """What was drawn on each of *charges*, in one command."""
        if not charges:
            return []
        names = [window(charge.name) for charge in charges]
        (found,) = await self._server.ask(("HMGET", self._names.accounts, *names), within=self._patience)
        parts = (_WINDOW.fullmatch(raw or b"") for raw in found)
        return [MicroDollars(int(part[1]) if part else 0) for part in parts]

    async def breakers(self) -> Sequence[Breaker]:
        """Those that are not as good as new, in one command."""
        prefix = breaker("")
        found = {
            name.removeprefix(prefix): records.read_circuit(raw)
            for name, raw in sorted((await self._fields()).items())
            if name.startswith(prefix)
        }
        return [circuit.told(provider) for provider, circuit in found.items() if circuit is not None]

    async def days(self, since: date) -> Sequence[Day]:
        """The days from *since* on: one command for each month, all in one round trip."""
        today = day_of(self._clock.now())
        oldest = max(since, today - timedelta(days=KEPT_DAYS))
        months = _months(oldest, today)
        commands = [("HGETALL", self._names.days(month)) for month in months]
        replies = await self._server.ask(*commands, within=self._patience, lenient=True) if months else []
        found: dict[date, dict[str, int]] = {}
        for month, reply in zip(months, replies, strict=True):
            for name, amount in _sums(reply or []).items():
                number, _, line = name.partition(".")
                with suppress(ValueError):  # a foreign field
                    found.setdefault(date.fromisoformat(f"{month}-{number}"), {})[line] = amount
        return [Day(day, lines) for day, lines in sorted(found.items()) if day >= oldest]

    async def totals(self) -> Mapping[str, int]:
        """The lines of all days, in one command."""
        (reply,) = await self._server.ask(("HGETALL", self._names.money), within=self._patience, lenient=True)
        return _sums(reply or [])

    async def _fields(self) -> dict[str, bytes]:
        (reply,) = await self._server.ask(("HGETALL", self._names.accounts), within=self._patience, lenient=True)
        pairs = zip((reply or [])[::2], (reply or [])[1::2], strict=True)
        return {name.decode(errors="surrogateescape"): raw for name, raw in pairs}

    def _settlement(self, handed: Attempt, known: Noted | Lapsed, seen: bytes, settlement: Settlement) -> Call:
        """To settle what is *known* of *handed*, if it still is on record so, or has lapsed as it was *seen*."""
        now = self._clock.now()
        noted, booked = (known.noted, known.booked) if isinstance(known, Lapsed) else (known, now)
        attempt, today, before = noted.attempt, day_of(now), day_of(booked)
        change = accounting.settle(Found(), known, settlement, now)
        lines, older = change.lines[today], change.lines[before] if before != today else {}
        money = accounting.plus(lines, older)
        draws = change.draws
        return _SETTLE.call(
            [
                self._names.accounts,
                self._names.days(month_of(today)),
                self._names.money,
                self._names.days(month_of(before)),
            ],
            now,
            DAYS_LIFE,
            at(handed),
            attempt.token,
            records.body(attempt),
            lapsed(attempt.token),
            seen,
            breaker(attempt.account.provider),
            _heard(settlement),
            draws[0].amount if draws else 0,
            len(draws),
            len(lines),
            len(older),
            f"{today:%d}.",
            f"{before:%d}.",
            *(window(draw.name) for draw in draws),
            *flat(lines.items()),
            *flat(older.items()),
            *flat(money.items()),
        )


def _heard(settlement: Settlement) -> str:
    """What settle.lua is told of the provider."""
    health = settlement.health
    return f"{health} {settlement.pause // _MILLISECOND}" if health is Health.THROTTLED else health.value


def _amendment(turn: Turn, charges: Sequence[Charge], *, now: Instant, force: bool) -> Amendment:
    """What makes a *turn* that changes something."""
    attempt, before = turn.noted.attempt, turn.before
    kept, lines, instead = {}, {}, b""
    if before is not None and turn.there is not None:
        kept = {lapsed(before.noted.attempt.token): records.write_lapsed(before)}
        lines, instead = accounting.unknown(before.noted.attempt), records.write_there(turn.there)
    if turn.refused is not None:
        return Amendment(attempt, instead, records=kept, lines=lines)
    if not turn.fresh:
        return Amendment(attempt, records.write_there(turn.noted))
    draws = partial(Amendment, attempt, amount=attempt.estimate, charges=charges, bounded=not force)
    if turn.aside:
        kept = {lapsed(attempt.token): records.write_lapsed(Lapsed.of(turn.noted, now))}
        return draws(records=kept, lines=accounting.unknown(attempt))
    probe = None if force else Instant(now + turn.noted.rules.probe // _MILLISECOND)
    put = records.write_there(turn.noted)
    return draws(put=put, instead=instead, probe=probe, records=kept, lines=lines)


def _lapse(noted: Noted, now: Instant) -> Amendment:
    """What books *noted* as unknown, because nobody runs it any more."""
    change = accounting.lapse(noted, None, now)
    kept = {lapsed(token): records.write_lapsed(one) for token, one in change.lapsed.items() if one is not None}
    put = records.write_there(change.there) if change.there is not None else b""
    return Amendment(noted.attempt, put, records=kept, lines=change.lines[day_of(now)])


def _answer(reply: Sequence[Any], turn: Turn, charges: Sequence[Charge], seen: Seen) -> Granted | Refused:
    """What the script `amend` answered, once it has done something or was forbidden to."""
    word, *rest = reply
    if word == b"spent":
        charge = charges[rest[0] - 1]
        return Refused(Reason.BUDGET, charge.name, charge.ends)
    if word == b"open":
        return Refused(Reason.BREAKER, rest[0].decode(), Instant(int(rest[1])))
    if turn.refused is not None:
        return turn.refused
    drawn = [int(before) + turn.noted.attempt.estimate for before in rest] if turn.fresh else seen.drawn
    return Granted(turn.noted.attempt, accounting.left(charges, drawn))


def _is_old(name: str, raw: bytes, now: Instant) -> bool:
    """Whether a field holds what does not matter any more."""
    kind = name.partition(":")[0]
    if kind == "at":
        there = records.read_there(raw)
        return isinstance(there, Tried) and there.until <= now
    if kind == "lapsed":
        one = records.read_lapsed(raw)
        return one is not None and one.past <= now
    drawn = _WINDOW.fullmatch(raw) if kind == "window" else None
    return drawn is not None and int(drawn[2]) + WINDOW_KEPT <= now


def _pieces(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """*rows*, few enough at a time for one round trip, and for what Lua passes on at once."""
    return (rows[at : at + _PIECE] for at in range(0, len(rows), _PIECE))


def _months(first: date, last: date) -> list[str]:
    """The months from that of *first* to that of *last*."""
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in numbers]


def _sums(reply: Sequence[bytes]) -> dict[str, int]:
    """The pairs of a hash whose values are whole numbers, without those that are 0."""
    pairs = zip(reply[::2], reply[1::2], strict=True)
    numbers = ((name, int(value)) for name, value in pairs if _SUM.fullmatch(value))
    return {name.decode(errors="replace"): number for name, number in numbers if number}


def _restless() -> StoreUnavailable:
    return StoreUnavailable("what is on record for a key is being changed all the time", reason="timeout")
