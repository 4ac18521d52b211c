"""
Answers that were paid for while the store could not keep them: brought to it when it is back.

Rule 1: bounded in number and age; the oldest are given up first. The newest answer of a key replaces an older one.
Rule 2: an answer is committed under the sequence and the tombstone of its own purchase, so what was cleared or
        forgotten meanwhile is refused by the same rule as any late commit. What is too old for that is given up.
Rule 3: while anything is owed the store is tried again, by itself and less and less often; at once when it is
        heard to be back. A process that serves all from near memory would never hear of it.
Rule 4: an answer that somebody bought later and stored is not replaced.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from hashcache.core.entry import Entry
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.engine.load import Kept
from hashcache.engine.witness import Witness
from hashcache.ports import OLDEST, Claim

MOST = 1_000
#: How soon, and how late at most, the store is tried again.
PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=30)
_MILLISECOND = timedelta(milliseconds=1)


#: Hears what became of an answer.
Told = Callable[[Kept], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Debt:
    """*entry*, to be stored under *claim*; *told* hears what became of it."""

    claim: Claim
    entry: Entry
    told: Told


class Owed:
    """What this process still has to store, by *witness*."""

    def __init__(self, witness: Witness) -> None:
        self._store = witness
        self._debts: OrderedDict[Key, _Debt] = OrderedDict()
        #: Given up, and not told yet.
        self._ended: list[_Debt] = []
        self._back = asyncio.Event()
        self._bringing: asyncio.Task[None] | None = None
        self.given_up = 0

    def add(self, claim: Claim, entry: Entry, *, told: Told) -> None:
        """Store *entry* later, as a commit under *claim*; *told* hears the end."""
        older = self._debts.pop(entry.key, None)
        if older is not None:
            self._ended.append(older)
        self._debts[entry.key] = _Debt(claim, entry, told)
        while len(self._debts) > MOST:
            self._ended.append(self._debts.popitem(last=False)[1])
            self.given_up += 1
        if self._bringing is None or self._bringing.done():
            self._back.clear()
            self._bringing = asyncio.create_task(self._keep_trying(), name="owed answers")

    def bring(self) -> None:
        """The store is back: bring it now what it is owed."""
        self._back.set()

    async def close(self) -> None:
        """Try once more to store what is owed, then give up."""
        if self._bringing is not None:
            self._bringing.cancel()
            await asyncio.gather(self._bringing, return_exceptions=True)
        try:
            await self._bring()
        except StoreUnavailable:
            self.given_up += len(self._debts)
            self._ended += self._debts.values()
            self._debts.clear()
        await self._tell()

    def __len__(self) -> int:
        return len(self._debts)

    async def _keep_trying(self) -> None:
        pause = PAUSE
        while self._debts:
            try:
                async with asyncio.timeout(pause.total_seconds()):
                    await self._back.wait()
            except TimeoutError:
                pass
            self._back.clear()
            await self._tell()
            try:
                await self._bring()
            except StoreUnavailable:
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _bring(self) -> None:
        while self._debts:
            key, debt = next(iter(self._debts.items()))
            how = await self._end(debt)
            if self._debts.get(key) is debt:
                del self._debts[key]
                await debt.told(how)

    async def _end(self, debt: _Debt) -> Kept:
        """Store what *debt* is about, if it still may be."""
        entry = debt.entry
        if self._store.now() - debt.claim.granted >= OLDEST // _MILLISECOND:
            self.given_up += 1
            return Kept.UNKEPT
        reading = await self._store.read([entry.key])
        there = reading.slots[0].entry
        if there is not None and not there.error and not reading.barrier.forbids(there):
            # This very one: then only the reply of its commit was lost.
            if (there.created, there.payload) == (entry.created, entry.payload):
                return Kept.STORED
            if there.created >= entry.created:
                return Kept.UNKEPT
        return Kept.STORED if await self._store.commit(debt.claim, entry) else Kept.FENCED

    async def _tell(self) -> None:
        """Tell of those that were given up."""
        while self._ended:
            await self._ended.pop().told(Kept.UNKEPT)
