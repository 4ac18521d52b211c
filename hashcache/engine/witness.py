"""
The store, as somebody asks it who remembers: what this process once saw cleared stays so, whatever the store loses.

    we: read barrier 8      the store falls back to 7, or is empty      we: read 7 -> put 8 back, and judge by it

Rule 1: whatever comes with a barrier comes through here, and the view has seen that before anything is judged by it.
Rule 2: only what we knew *before* we asked can have been lost: an answer that was slow is older than what we learned
        meanwhile.
Rule 3: a copy of the store that lags looks as if it had lost something. Putting that back is decided where the record
        itself lies, and changes nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hashcache.core.barrier import Barrier, Selector
from hashcache.core.entry import Entry, Instant
from hashcache.core.key import Key
from hashcache.engine.view import View
from hashcache.ports import Bid, Claim, Reading, Store


class Witness:
    """*store*, asked by whom *view* belongs to. Every verb but `now` raises StoreUnavailable, as the store's do."""

    def __init__(self, store: Store, view: View) -> None:
        self._store = store
        self._view = view

    def now(self) -> Instant:
        """The store's clock."""
        return self._store.now()

    async def read(self, keys: Sequence[Key]) -> Reading:
        """What lies under *keys*, and the barrier to judge it by."""
        known = self._view.barrier
        reading = await self._store.read(keys)
        return Reading(reading.slots, await self._upheld(known, reading.barrier))

    async def claim(self, key: Key, token: str, lease: timedelta) -> Bid:
        """What came of asking for a claim on *key*, and the barrier to judge it by."""
        known = self._view.barrier
        bid = await self._store.claim(key, token, lease)
        upheld = await self._upheld(known, bid.barrier)
        return bid if upheld is bid.barrier else replace(bid, barrier=upheld)

    async def commit(self, claim: Claim, entry: Entry) -> bool:
        """Keep *entry*; False when it may not be kept, and not just because the store has lost its barrier."""
        if await self._store.commit(claim, entry):
            return True
        known = self._view.barrier
        found = await self._store.barrier()
        if found.remembers(known):
            return False
        await self._upheld(known, found)
        return await self._store.commit(claim, entry)

    async def forbid(self, selector: Selector, reason: str) -> Barrier:
        """
        Raise the barrier, above all that we remember. The last open is the new invalidation, or one of everything: when
        the barrier is lost just then.
        """
        known = self._view.barrier
        if known.sequence:
            await self._store.restore(known)
        return await self._upheld(known, await self._store.forbid(selector, reason))

    async def advance(self, provider: str, reason: str) -> Barrier:
        """Raise the epoch of *provider* above all that we remember; the barrier that says so."""
        known = self._view.barrier
        if known.sequence:
            await self._store.restore(known)
        return await self._upheld(known, await self._store.advance(provider, reason))

    async def learn(self) -> Barrier:
        """The barrier in force, which the view has seen then."""
        known = self._view.barrier
        return await self._upheld(known, await self._store.barrier())

    async def _upheld(self, known: Barrier, found: Barrier) -> Barrier:
        """The barrier in force, *found* after we had known *known*: put back, if that was lost."""
        if not found.remembers(known):
            found = await self._store.restore(known)
        self._view.saw(found)
        return found
