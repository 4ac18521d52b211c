"""
Answers that were paid for while the store could not keep them: brought to it when it is back.

Rule 1: bounded; the oldest are given up first. The newest answer of a key replaces an older one.
Rule 2: an answer is committed under the sequence and the tombstone of its own purchase, so what was cleared or
        forgotten meanwhile is refused by the same rule as any late commit.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from hashcache.core.entry import Entry
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.ports import Claim, Store

MOST = 1_000


class Owed:
    """What this process still has to store in *store*."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._answers: OrderedDict[Key, tuple[Claim, Entry]] = OrderedDict()
        self._bringing: asyncio.Task[None] | None = None
        self.given_up = 0

    def add(self, claim: Claim, entry: Entry) -> None:
        """Store *entry* later, as a commit under *claim*."""
        self._answers.pop(entry.key, None)
        self._answers[entry.key] = (claim, entry)
        while len(self._answers) > MOST:
            self._answers.popitem(last=False)
            self.given_up += 1

    def bring(self) -> None:
        """The store is back: begin to bring it what it is owed, unless that is under way."""
        if self._answers and (self._bringing is None or self._bringing.done()):
            self._bringing = asyncio.create_task(self._bring(), name="owed answers")

    async def close(self) -> None:
        """Try once more to store what is owed, then give up."""
        if self._bringing is not None:
            await asyncio.gather(self._bringing, return_exceptions=True)
        await self._bring()

    def __len__(self) -> int:
        return len(self._answers)

    async def _bring(self) -> None:
        while self._answers:
            key, (claim, entry) = next(iter(self._answers.items()))
            try:
                await self._store.commit(claim, entry)
            except StoreUnavailable:
                return
            if self._answers.get(key) == (claim, entry):
                del self._answers[key]
