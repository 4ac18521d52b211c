"""
Answers between stores, as lines of JSON: moving from SQLite to Redis buys nothing again.

    {"hashcache_export": 1, "environment": "dev", "at": "2026-11-20T10:00:00Z"}
    {"key": "analysis:...", "kind": "image", "tenant": "default", "provider": "hive", "tags": [],
     "created": 1763632800000, "expires": 1764237600000, "price_usd": "0.01", "took_ms": 843, "result": {...}}

Rule 1: instants are absolute, so the time that is left is kept; nothing here extends a life.
Rule 2: only answers that may be served now are written: no failures, nothing cleared or expired.
Rule 3: a line is checked as if a stranger had written it; one that is wrong is told with its number, and stops nothing.
Rule 4: what lies in the store and is as new or newer stays; so does what was cleared there after a line's answer was
        bought, and what somebody is buying now.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Annotated

import msgspec

from hashcache.core.barrier import Barrier
from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import LATEST
from hashcache.core.errors import HashcacheError, MoneyError, PatternError
from hashcache.core.freshness import Fresh, judge
from hashcache.core.key import Key
from hashcache.core.money import decimal, dollars
from hashcache.core.result import Result
from hashcache.ports import Store
from hashcache.service.times import rfc3339

VERSION = 1
#: No line is longer: an answer of HASHCACHE_MAX_ENTRY, and its name.
MOST_LINE = 16 * 1024 * 1024
#: No answer that is written down lives longer from its purchase; the longest that can be set is less.
LONGEST = timedelta(days=400)
_PAGE = 200
_LEASE = timedelta(seconds=30)
_MILLISECOND = timedelta(milliseconds=1)
_SHA256 = re.compile("[0-9a-f]{64}")
_AHEAD = 5 * 60 * 1000  # as much as two machines' clocks may differ

_Moment = Annotated[int, msgspec.Meta(ge=0, le=LATEST)]
_Word = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class NotAnExport(HashcacheError):
    """The file does not begin as an export that this version reads."""


class Heading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line."""

    hashcache_export: int
    environment: str
    at: str


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer; *result* is kept byte for byte."""

    key: str
    kind: Kind
    tenant: _Word
    provider: _Word
    created: _Moment
    expires: _Moment
    price_usd: str
    result: msgspec.Raw
    tags: Annotated[tuple[_Word, ...], msgspec.Meta(max_length=8)] = ()
    took_ms: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0


def heading(environment: str, at: Instant) -> bytes:
    """The first line of an export."""
    return msgspec.json.encode(Heading(VERSION, environment, rfc3339(at)))


async def exported(store: Store) -> AsyncIterator[bytes]:
    """A line for each answer of *store* that may be served now, once; raises StoreUnavailable."""
    seen: set[bytes] = set()
    cursor: str | None = None
    while True:
        page = await store.scan(cursor, _PAGE)
        keys = [head.key for head in page.heads if head.key.short not in seen]
        seen.update(key.short for key in keys)
        if keys:
            reading = await store.read(keys)
            for slot in reading.slots:
                told = judge(slot.entry, now=store.now(), barrier=reading.barrier)
                if isinstance(told, Fresh) and not told.entry.error and _is_analysis(told.entry):
                    yield _line(told.entry)
        cursor = page.cursor
        if cursor is None:
            return


def read_heading(line: bytes) -> Heading:
    """
    The heading that the first *line* is.

    Raises:
        NotAnExport: it is none, or of a version that is not known here.
    """
    try:
        found = msgspec.json.decode(line, type=Heading)
    except (msgspec.DecodeError, RecursionError):
        raise NotAnExport("the file is no export of hashcache: its first line is not the heading") from None
    if found.hashcache_export != VERSION:
        raise NotAnExport(f"the file is of version {found.hashcache_export}; this hashcache reads version {VERSION}")
    return found


class Importer:
    """
    Puts lines into *store*. *counts*: `imported`, `newer` (as new or newer there), `expired`, `cleared`, `busy`
    (being bought now), `refused` (the store keeps no such entry), `wrong`. *token* makes names for claims; *wrong*
    hears the number of each line that is wrong, and why.
    """

    def __init__(self, store: Store, *, token: Callable[[], str], wrong: Callable[[int, str], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._store = store
        self._token = token
        self._wrong = wrong

    async def take(self, lines: Sequence[tuple[int, bytes]]) -> None:
        """Check numbered *lines*, and keep what may be kept; raises StoreUnavailable."""
        entries = []
        for number, line in lines:
            try:
                entries.append(_entry(line, now=self._store.now()))
            except ValueError as error:
                self.counts["wrong"] += 1
                self._wrong(number, str(error))
        if not entries:
            return
        reading = await self._store.read([entry.key for entry in entries])
        for entry, slot in zip(entries, reading.slots, strict=True):
            self.counts[await self._put(entry, slot.entry, reading.barrier)] += 1

    async def _put(self, entry: Entry, there: Entry | None, barrier: Barrier) -> str:
        """What became of *entry*, given what lay there a moment ago."""
        if entry.expires <= self._store.now():
            return "expired"
        if _stays(there, entry, barrier, self._store.now()):
            return "newer"
        bid = await self._store.claim(entry.key, self._token(), _LEASE)
        if bid.claim is None:
            return "busy"
        if _stays(bid.entry, entry, bid.barrier, self._store.now()):
            await self._store.release(bid.claim)
            return "newer"
        if any(one.at >= entry.created and one.selector.matches(entry) for one in bid.barrier.open):
            await self._store.release(bid.claim)
            return "cleared"
        kept = _of_here(entry, bid.barrier.sequence)
        return "imported" if await self._store.commit(bid.claim, kept) else "refused"


def _of_here(entry: Entry, sequence: int) -> Entry:
    """*entry* as one of the barrier's *sequence* here: each store counts its own."""
    return Entry(
        entry.key, entry.label, entry.payload, sequence, entry.created, entry.expires, entry.price, took=entry.took
    )


def _stays(there: Entry | None, ours: Entry, barrier: Barrier, now: Instant) -> bool:
    """Whether what lies *there* is an answer that may be served, bought when *ours* was or later."""
    alive = isinstance(judge(there, now=now, barrier=barrier), Fresh)
    return there is not None and alive and not there.error and there.created >= ours.created


def _is_analysis(entry: Entry) -> bool:
    return entry.label.kind in set(Kind) and _SHA256.fullmatch(entry.key.name) is not None


def _line(entry: Entry) -> bytes:
    label = entry.label
    raw = msgspec.Raw(entry.payload)
    return msgspec.json.encode(
        Line(
            entry.key.logical,
            Kind(label.kind),
            label.tenant,
            label.provider,
            entry.created,
            entry.expires,
            decimal(entry.price),
            raw,
            label.tags,
            entry.took,
        )
    )


def _entry(raw: bytes, *, now: Instant) -> Entry:
    """The entry that a line is; raises ValueError, with why it is none."""
    try:
        line = msgspec.json.decode(raw, type=Line)
        result = msgspec.json.decode(line.result, type=Result)
        key, price = Key.parse(line.key), dollars(line.price_usd)
    except (msgspec.DecodeError, PatternError, MoneyError, RecursionError) as error:
        raise ValueError(str(error)) from None
    _check(line, key, result, now=now)
    label = Label(line.kind.value, line.tenant, line.provider, line.tags)
    created, expires = Instant(line.created), Instant(line.expires)
    return Entry(key, label, bytes(line.result), 0, created, expires, price, took=line.took_ms)


def _check(line: Line, key: Key, result: Result, *, now: Instant) -> None:
    space = "text" if line.kind is Kind.TEXT else "analysis"
    if key.space != space or not _SHA256.fullmatch(key.name):
        raise ValueError(f"the key is not {space}:<sha256>:<variant>")
    if result.provider != line.provider:
        raise ValueError("the result is of another provider than the line")
    if result.score_ai is not None and not 0 <= result.score_ai <= 1:
        raise ValueError("the score is not within 0 and 1")
    if line.created > now + _AHEAD:
        raise ValueError("it was bought in the future")
    if not timedelta() < (line.expires - line.created) * _MILLISECOND <= LONGEST:
        raise ValueError("it lives longer than any answer may, or ends before it begins")
