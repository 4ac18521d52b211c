"""
A store in the memory of one process: for tests, demonstrations, and whoever can lose it all.

Rule 1: bounded in bytes; the least recently read or written entry is evicted first, and counted.
Rule 2: entries are kept sealed, as in every other store: what a reader gets has been verified.
Rule 3: what expired is dropped before anything is evicted.
"""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from heapq import nsmallest

from hashcache.core.barrier import NONE, Barrier, Selector
from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.envelope import LONGEST_HEAD, Envelope
from hashcache.core.key import Key, Names
from hashcache.ports import Bid, Claim, Page, Reading, Slot, StoreHealth
from hashcache.stores.sealing import MARK_FROM, MARK_TO, Sealing, mark

#: How long a forgotten key refuses purchases that were under way: longer than any of them takes.
TOMBSTONE = timedelta(minutes=10)
#: What an entry costs beside its bytes and its name: objects and the dictionary's row.
_OVERHEAD = 256
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """An entry as it is kept, the *kind* that it was labelled with, and when it expires."""

    raw: bytes
    kind: str
    until: int


@dataclass(frozen=True, slots=True)
class _Word:
    """A claim's token or a tombstone's value, and when it ends."""

    text: str
    until: int


class MemoryStore:
    """
    Store and Ledger in this process. *clock* gives milliseconds since 1970; *most* bounds the entries in bytes,
    their names and an estimate of what Python adds included.
    """

    def __init__(self, names: Names, envelope: Envelope, clock: Callable[[], int], most: int) -> None:
        self._names = names
        self._sealing = Sealing(names, envelope)
        self._clock = clock
        self._most = most
        self._used = 0
        self._evicted = 0
        self._entries: OrderedDict[str, _Sealed] = OrderedDict()
        self._claims: dict[Key, _Word] = {}
        self._tombstones: dict[Key, _Word] = {}
        self._barrier = NONE
        self._counters: Counter[str] = Counter()

    def now(self) -> Instant:
        """The clock's time."""
        return Instant(self._clock())

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close; what is kept stays."""

    async def read(self, keys: Sequence[Key]) -> Reading:
        """What lies under *keys*."""
        return Reading(
            tuple(Slot(self._entry(key), self._live(self._claims, key) is not None) for key in keys), self._barrier
        )

    async def claim(self, key: Key, token: str, lease: timedelta) -> Bid:
        """Claim *key* unless somebody else holds it."""
        entry = self._entry(key)
        holder = self._live(self._claims, key)
        if holder is not None and holder.text != token:
            return Bid(None, (holder.until - self.now()) * _MILLISECOND, entry, self._barrier)
        self._keep(self._claims, key, token, lease)
        tombstone = self._live(self._tombstones, key)
        return Bid(Claim(key, token, tombstone.text if tombstone else ""), timedelta(0), entry, self._barrier)

    async def renew(self, claim: Claim, lease: timedelta) -> bool:
        """Hold *claim* for *lease* from now."""
        if not self._is_ours(claim):
            return False
        self._keep(self._claims, claim.key, claim.token, lease)
        return True

    async def release(self, claim: Claim) -> None:
        """Give *claim* back if it is still ours."""
        if self._is_ours(claim):
            del self._claims[claim.key]

    async def commit(self, claim: Claim, entry: Entry) -> bool:
        """Keep *entry*; False as well when it has expired, cannot be sealed, or is larger than the whole store."""
        await self.release(claim)
        sealed = self._sealing.seal(entry)
        tombstone = self._live(self._tombstones, claim.key)
        forgotten = tombstone is not None and tombstone.text != claim.tombstone
        if forgotten or self._barrier.refuses(entry) or entry.expires <= self.now() or not sealed:
            return False
        name = self._names.entry(entry.key)
        self._drop(name)
        self._entries[name] = _Sealed(sealed, entry.label.kind, entry.expires)
        self._used += self._cost(name)
        self._make_room()
        return name in self._entries

    async def forget(self, keys: Sequence[Key]) -> int:
        """Remove the entries under *keys* and refuse the purchases under way."""
        removed = 0
        for key in keys:
            name = self._names.entry(key)
            removed += self._sealed(name) is not None
            self._drop(name)
            self._claims.pop(key, None)
            self._keep(self._tombstones, key, secrets.token_hex(8), TOMBSTONE)
        return removed

    async def barrier(self) -> Barrier:
        """The barrier in force."""
        return self._barrier

    async def forbid(self, selector: Selector, reason: str) -> Barrier:
        """Raise the barrier."""
        self._barrier = self._barrier.raised(selector, now=self.now(), reason=reason)
        return self._barrier

    async def progress(self, sequence: int, *, deleted: int, swept: bool) -> None:
        """Note how far a sweep is."""
        self._barrier = self._barrier.progressed(sequence, deleted=deleted, swept=swept)

    async def scan(self, cursor: str | None, limit: int) -> Page:
        """Heads in the order of their names; the cursor is the last name seen."""
        now = self.now()
        later = (name for name, kept in self._entries.items() if kept.until > now and name > (cursor or ""))
        names = nsmallest(limit, later)
        heads = (self._head(name) for name in names)
        return Page(tuple(head for head in heads if head), names[-1] if len(names) == limit else None)

    async def remove(self, heads: Sequence[Head]) -> int:
        """Remove the entries that are still the ones that *heads* describe."""
        removed = 0
        for head in heads:
            name = self._names.entry(head.key)
            sealed = self._sealed(name)
            if sealed is not None and sealed.raw[MARK_FROM:MARK_TO] == mark(head):
                self._drop(name)
                removed += 1
        return removed

    async def health(self) -> StoreHealth:
        """Always well."""
        self._drop_expired()
        keys = Counter({"image": 0, "video": 0, "text": 0})
        keys.update(sealed.kind for sealed in self._entries.values())
        return StoreHealth("embedded", "memory", used=self._used, most=self._most, keys=keys, evicted=self._evicted)

    @property
    def refused(self) -> int:
        """How many stored entries were refused."""
        return self._sealing.refused

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add *counts*."""
        self._counters.update(counts)

    async def totals(self) -> Mapping[str, int]:
        """All counters."""
        return dict(self._counters)

    def _entry(self, key: Key) -> Entry | None:
        name = self._names.entry(key)
        sealed = self._sealed(name)
        if sealed is None:
            return None
        self._entries.move_to_end(name)
        return self._sealing.open(key, sealed.raw)

    def _sealed(self, name: str) -> _Sealed | None:
        sealed = self._entries.get(name)
        return sealed if sealed is not None and sealed.until > self.now() else None

    def _head(self, name: str) -> Head | None:
        raw = self._entries[name].raw
        return self._sealing.head(name, raw[:LONGEST_HEAD], len(raw))

    def _is_ours(self, claim: Claim) -> bool:
        holder = self._live(self._claims, claim.key)
        return holder is not None and holder.text == claim.token

    def _live(self, words: dict[Key, _Word], key: Key) -> _Word | None:
        word = words.get(key)
        return word if word is not None and word.until > self.now() else None

    def _keep(self, words: dict[Key, _Word], key: Key, text: str, life: timedelta) -> None:
        """Keep a word at the end of *words*, whose oldest are dropped as they end: so they are as few as are alive."""
        now = self.now()
        words.pop(key, None)
        words[key] = _Word(text, now + life // _MILLISECOND)
        while (oldest := next(iter(words))) != key and words[oldest].until <= now:
            del words[oldest]

    def _make_room(self) -> None:
        if self._used > self._most:
            self._drop_expired()
        while self._used > self._most:
            self._drop(next(iter(self._entries)))
            self._evicted += 1

    def _drop_expired(self) -> None:
        now = self.now()
        for name in [name for name, sealed in self._entries.items() if sealed.until <= now]:
            self._drop(name)

    def _drop(self, name: str) -> None:
        if name in self._entries:
            self._used -= self._cost(name)
            del self._entries[name]

    def _cost(self, name: str) -> int:
        return len(name) + len(self._entries[name].raw) + _OVERHEAD
