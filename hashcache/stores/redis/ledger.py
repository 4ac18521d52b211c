"""
The ledger on a Redis or Valkey server.

Rule 1: a batch is one script on one slot. Hosts that bill the commands inside it count five or six for one without
        hits, up to eleven for one with, and four more for lines of the day.
Rule 2: only the totals have no time to live.
Rule 3: a reader believes nothing: a record that is not as it should be is passed over.
Limit: a total is exact up to 2^53, what a number in Lua holds: nine billion dollars in millionths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from hashcache.core.entry import Instant
from hashcache.core.key import Key, Names
from hashcache.core.spend import day_of, month_of
from hashcache.ports.ledger import KEPT, REMEMBERED, Batch, Minute, Process
from hashcache.stores.redis.amendment import DAYS_LIFE
from hashcache.stores.redis.clock import ServerClock
from hashcache.stores.redis.remote import Remote
from hashcache.stores.redis.scripts import Script, flat

_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = 60_000
_HOUR = 60 * _MINUTE
#: From the first batch in an hour on: its last minute is kept as long as is promised.
_HOUR_LIFE = KEPT + timedelta(hours=1)
#: No entry is older than that.
_HITS_LIFE = timedelta(days=31)
_BOOK = Script.load("sums", "book")
_BEAT = Script.load("beat")


class RedisLedger:
    """The ledger of one environment on *server*; each verb may take *patience*."""

    def __init__(
        self,
        server: Remote,
        names: Names,
        clock: ServerClock,
        patience: timedelta,
        remembered: int = REMEMBERED,
    ) -> None:
        self._server = server
        self._names = names
        self._clock = clock
        self._patience = patience
        self._remembered = remembered
        self._swept = False

    async def book(self, batch: Batch) -> bool:
        """Add *batch*, once."""
        minute, day = batch.at // _MINUTE % 60, day_of(batch.at)
        call = _BOOK.call(
            [
                self._names.counters,
                self._names.hour(batch.at // _HOUR),
                self._names.hits,
                self._names.days(month_of(day)),
                self._names.money,
            ],
            _HOUR_LIFE // _MILLISECOND,
            self._remembered,
            _HITS_LIFE // _MILLISECOND,
            DAYS_LIFE,
            f"{day:%d}.",
            len(batch.minute) + 1,
            len(batch.counts),
            len(batch.hits),
            f"~{batch.sender}",
            batch.number,
            *flat((f"{minute}.{name}", count) for name, count in batch.minute.items()),
            *flat(batch.counts.items()),
            *flat((key.short, count) for key, count in batch.hits.items()),
            *flat(batch.days.items()),
        )
        (added,) = await self._server.ask(call, within=self._patience)
        return bool(added)

    async def totals(self) -> Mapping[str, int]:
        """All counters, in one command."""
        (reply,) = await self._server.ask(("HGETALL", self._names.counters), within=self._patience)
        return {name.decode(errors="replace"): total for name, total in _sums(reply)}

    async def minutes(self, since: Instant) -> Sequence[Minute]:
        """The series: one command for each hour that it touches, all in one round trip."""
        now = self._clock.now()
        first = max(since, now - KEPT // _MILLISECOND)
        hours = range(first // _HOUR, now // _HOUR + 1)
        if not hours:
            return []
        commands = (("HGETALL", self._names.hour(hour)) for hour in hours)
        replies = await self._server.ask(*commands, within=self._patience, lenient=True)
        found: dict[int, dict[str, int]] = {}
        for hour, reply in zip(hours, replies, strict=True):
            for name, count in _sums(reply or []):
                minute, point, counter = name.decode(errors="replace").partition(".")
                if point and minute.isdecimal():
                    found.setdefault(hour * 60 + int(minute), {})[counter] = count
        return [
            Minute(Instant(minute * _MINUTE), counts)
            for minute, counts in sorted(found.items())
            if (minute + 1) * _MINUTE > first
        ]

    async def hits(self, keys: Sequence[Key]) -> Sequence[int | None]:
        """What is remembered of *keys*, in two commands and one round trip."""
        if not keys:
            return []
        found, length = await self._server.ask(
            ("HMGET", self._names.hits, *(key.short for key in keys)),
            ("HLEN", self._names.hits),
            within=self._patience,
        )
        unknown = 0 if length < self._remembered else None
        return [int(count) if count is not None else unknown for count in found]

    async def beat(self, process: Process, lasting: timedelta) -> None:
        """*process* lives for *lasting* from now. The first beat removes what dead processes left."""
        call = _BEAT.call(
            [self._names.processes],
            process.name,
            self._clock.now(),
            lasting // _MILLISECOND,
            msgspec.json.encode(process),
            int(not self._swept),
        )
        await self._server.ask(call, within=self._patience)
        self._swept = True

    async def processes(self) -> Sequence[Process]:
        """Those that live, in one command."""
        (reply,) = await self._server.ask(("HGETALL", self._names.processes), within=self._patience)
        now = self._clock.now()
        found = (_alive(record, now) for record in reply[1::2])
        return sorted((one for one in found if one), key=lambda process: (process.started, process.name))


def _alive(record: bytes, now: Instant) -> Process | None:
    until, _, written = record.partition(b" ")
    if not until.isdigit() or int(until) <= now:
        return None
    try:
        return msgspec.json.decode(written, type=Process)
    except (msgspec.DecodeError, ValueError):
        return None


def _sums(reply: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """The pairs of a hash whose values are whole numbers."""
    pairs = zip(reply[::2], reply[1::2], strict=True)
    return [(name, int(value)) for name, value in pairs if value.removeprefix(b"-").isdigit()]
