"""
A store in the memory of one process: for tests, demonstrations, and whoever can lose it all.

Rule 1: entries are kept sealed, as in every other store: what a reader gets has been verified.
Rule 2: nothing outlives the process. Within it, several ends may share one store, as processes share the others.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta

from hashcache.core.barrier import Barrier, Selector
from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.envelope import LONGEST_HEAD, Envelope
from hashcache.core.key import Key, Names
from hashcache.ports import OLDEST, TOMBSTONE, Bid, Claim, Page, Reading, Slot, StoreHealth
from hashcache.stores.hearing import PACE, Pace
from hashcache.stores.memory.channel import MemoryChannel
from hashcache.stores.memory.shelf import Sealed, Shared
from hashcache.stores.sealing import MARK_FROM, MARK_TO, Sealing, mark, prolonged

_MILLISECOND = timedelta(milliseconds=1)
#: So many entries whose time is over are removed before others have their turn.
_AT_ONCE = 500


class MemoryStore:
    """
    Store in this process, with its Channel, Ledger, Accounts, Outbox and Sessions as *channel*, *ledger*, *accounts*,
    *outbox* and *sessions*. *clock* gives milliseconds since 1970; *most* bounds the entries in bytes, their names and
    an estimate of what Python adds included.

    *shared*: what another end has already; see `join`.
    """

    def __init__(
        self,
        names: Names,
        envelope: Envelope,
        clock: Callable[[], int],
        most: int,
        *,
        pace: Pace = PACE,
        shared: Shared | None = None,
    ) -> None:
        self._names = names
        self._envelope = envelope
        self._clock = clock
        self._pace = pace
        self._sealing = Sealing(names, envelope)
        self._shared = shared or Shared(clock, most)
        self._shelf = self._shared.shelf
        self._claims = self._shared.claims
        self._tombstones = self._shared.tombstones
        self.ledger = self._shared.ledger
        self.accounts = self._shared.accounts
        self.outbox = self._shared.outbox
        self.sessions = self._shared.sessions
        self.channel = MemoryChannel(self._shared.hub, self.now, pace)

    def join(self) -> MemoryStore:
        """Another end on the same entries and the same channel, as another process would have it."""
        most = self._shelf.most
        return MemoryStore(self._names, self._envelope, self._clock, most, pace=self._pace, shared=self._shared)

    @property
    def keeps(self) -> bool:
        """In this process."""
        return True

    def now(self) -> Instant:
        """The clock's time."""
        return Instant(self._clock())

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Close the channel; what is kept stays."""
        await self.channel.close()

    async def read(self, keys: Sequence[Key]) -> Reading:
        """What lies under *keys*."""
        slots = (Slot(self._entry(key), self._claims.find(key) is not None) for key in keys)
        return Reading(tuple(slots), self._shared.barrier)

    async def claim(self, key: Key, token: str, lease: timedelta) -> Bid:
        """Claim *key* unless somebody else holds it."""
        entry, barrier = self._entry(key), self._shared.barrier
        holder = self._claims.find(key)
        if holder is not None and holder.text != token:
            return Bid(None, (holder.until - self.now()) * _MILLISECOND, entry, barrier)
        self._claims.keep(key, token, lease)
        tombstone = self._tombstones.find(key)
        claim = Claim(key, token, tombstone.text if tombstone else "", self.now())
        return Bid(claim, timedelta(0), entry, barrier)

    async def renew(self, claim: Claim, lease: timedelta) -> bool:
        """Hold *claim* for *lease* from now."""
        if not self._is_ours(claim):
            return False
        self._claims.keep(claim.key, claim.token, lease)
        return True

    async def release(self, claim: Claim) -> None:
        """Give *claim* back if it is still ours."""
        if self._is_ours(claim):
            self._claims.drop(claim.key)
            self.channel.done(claim.key)

    async def commit(self, claim: Claim, entry: Entry) -> bool:
        """Keep *entry*; False as well when its time is over, it cannot be sealed, or is larger than the whole store."""
        held = self._is_ours(claim)
        if held:
            self._claims.drop(claim.key)
        in_time = held or self.now() - claim.granted < OLDEST // _MILLISECOND
        kept = in_time and self._keep(claim, entry)
        self.channel.done(claim.key)
        return kept

    async def prolong(self, entry: Entry, until: Instant) -> bool:
        """Let *entry*, if it still lies there, live until *until*."""
        name = self._names.entry(entry.key)
        there, sealed = self._shelf.find(name), self._sealing.seal(prolonged(entry, until))
        if there is None or there.raw[MARK_FROM:MARK_TO] != mark(entry) or until <= self.now() or not sealed:
            return False
        return self._shelf.put(name, Sealed(sealed, there.kind, prolonged(entry, until).kept))

    async def forget(self, keys: Sequence[Key]) -> int:
        """Remove the entries under *keys* and refuse the purchases under way."""
        removed = 0
        for key in keys:
            name = self._names.entry(key)
            removed += self._shelf.find(name) is not None
            self._shelf.drop(name)
            self._claims.drop(key)
            self._tombstones.keep(key, secrets.token_hex(8), TOMBSTONE)
        return removed

    async def barrier(self) -> Barrier:
        """The barrier in force."""
        return self._shared.barrier

    async def forbid(self, selector: Selector, reason: str) -> Barrier:
        """Raise the barrier."""
        self._shared.barrier = self._shared.barrier.raised(selector, now=self.now(), reason=reason)
        return self._shared.barrier

    async def advance(self, provider: str, reason: str) -> Barrier:
        """Raise the epoch of *provider*."""
        self._shared.barrier = self._shared.barrier.advanced(provider, now=self.now(), reason=reason)
        return self._shared.barrier

    async def restore(self, known: Barrier) -> Barrier:
        """Put back what was lost of *known*."""
        self._shared.barrier = self._shared.barrier.restored(known, now=self.now())
        return self._shared.barrier

    async def progress(self, sequence: int, *, deleted: int, swept: bool) -> None:
        """Note how far a sweep is."""
        self._shared.barrier = self._shared.barrier.progressed(sequence, deleted=deleted, swept=swept)

    async def scan(self, cursor: str | None, limit: int) -> Page:
        """Heads in the order of their names; the cursor is the last name seen."""
        await asyncio.sleep(0)  # whoever goes through all pages waits for nothing else: others have their turn
        names = self._shelf.after(cursor or "", limit)
        heads = (self._head(name) for name in names)
        return Page(tuple(head for head in heads if head), names[-1] if len(names) == limit else None)

    async def remove(self, heads: Sequence[Head]) -> int:
        """Remove the entries that are still the ones that *heads* describe."""
        removed = 0
        for head in heads:
            name = self._names.entry(head.key)
            sealed = self._shelf.find(name)
            if sealed is not None and sealed.raw[MARK_FROM:MARK_TO] == mark(head):
                self._shelf.drop(name)
                removed += 1
        return removed

    async def health(self) -> StoreHealth:
        """Always well."""
        shelf = self._shelf
        dropped = shelf.drop_ended(_AT_ONCE)
        while dropped:
            await asyncio.sleep(0)  # others have their turn
            dropped = shelf.drop_ended(_AT_ONCE)
        none = {kind.value: 0 for kind in Kind}
        keys, sizes = {**none, **shelf.kinds}, {**none, **shelf.sizes}
        return StoreHealth("embedded", "memory", shelf.used, shelf.most, keys, shelf.evicted, sizes=sizes)

    @property
    def refused(self) -> int:
        """How many stored entries were refused."""
        return self._sealing.refused

    def _keep(self, claim: Claim, entry: Entry) -> bool:
        now, barrier, name = self.now(), self._shared.barrier, self._names.entry(entry.key)
        tombstone = self._tombstones.find(claim.key)
        forgotten = tombstone is not None and tombstone.text != claim.tombstone
        sealed = self._sealing.seal(entry)
        if forgotten or barrier.refuses(entry) or entry.kept <= now or not sealed:
            return False
        there = self._shelf.find(name)
        if entry.error and there and self._sealing.lives(entry.key, there.raw, now=now, barrier=barrier):
            return False
        return self._shelf.put(name, Sealed(sealed, entry.label.kind, entry.kept))

    def _entry(self, key: Key) -> Entry | None:
        name = self._names.entry(key)
        sealed = self._shelf.find(name)
        if sealed is None:
            return None
        self._shelf.touch(name)
        return self._sealing.open(key, sealed.raw)

    def _head(self, name: str) -> Head | None:
        sealed = self._shelf.find(name)
        return self._sealing.head(name, sealed.raw[:LONGEST_HEAD], len(sealed.raw)) if sealed else None

    def _is_ours(self, claim: Claim) -> bool:
        holder = self._claims.find(claim.key)
        return holder is not None and holder.text == claim.token
