"""
Forgetting, at once and everywhere: raise the barrier first, sweep the keys afterwards.

Rule 1: when `invalidate` returns, nobody is given what was meant, also not by a purchase that was under way.
Rule 2: the sweep removes an entry only if it is still the one it judged: what was bought meanwhile stays.
Rule 3: how far a sweep is stands in the barrier, so every process can tell; it is noted once a second.
Rule 4: a sweep ends when a younger invalidation has taken its place, and that is swept instead.
Rule 5: a sweep takes small steps: a store that serves one command at a time lets others wait for a whole step.
        A step that fails, because the store is away, is tried again until this process ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from hashcache.core.barrier import Epoch, Invalidation, Selector
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.engine.cache import Cache
from hashcache.ports import Store

#: How many entries one step of a count reads.
PAGE = 500
#: How many entries a count looks at: hosts bill each, and somebody waits.
COUNTED = 20_000
#: How many entries one step of a sweep reads and removes: 10 keep a Redis server busy for some 0.1 ms at a time, and 99
#: of 100 GETs of others notice nothing; 25 make them twice as slow, 100 six times (tests/prove/test_million.py).
STEP = 10
#: How often the progress of a sweep is noted, and a step that failed is tried again, in seconds.
_NOTED = _AGAIN = 1.0
#: How long whoever clears waits for the keys to be gone before he is told to ask again.
SOON = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Cleared:
    """One invalidation: its *sequence* (None for a dry run), entries *deleted* so far, whether the sweep is *done*."""

    sequence: int | None
    deleted: int
    done: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """So many *entries*; at least so many, unless it is *complete*."""

    entries: int
    complete: bool


class Invalidations:
    """What forgets the entries of *cache*."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._store: Store = cache.store
        self._sweeps: dict[int, asyncio.Task[Cleared]] = {}
        #: Whose turn it is to change the record: by compare and set, many at once would only hinder each other.
        self._turn = asyncio.Lock()

    async def forget(self, keys: list[Key]) -> int:
        """
        Forget these keys; how many entries there were.

        Raises:
            StoreUnavailable: the store or the channel is away: this process has forgotten them, others may not have.
        """
        self._forget_here(keys)
        deleted = await self._store.forget(keys)
        # Again: what began in between read the store before it forgot.
        self._forget_here(keys)
        await self._cache.coherence.forgotten(keys)
        return deleted

    def _forget_here(self, keys: list[Key]) -> None:
        self._cache.view.forget(keys)
        for key in keys:
            self._cache.flights.detach_key(key)

    async def count(self, selector: Selector, *, most: int = COUNTED) -> Counted:
        """How many living entries *selector* means now, as far as a look at about *most* entries tells."""
        barrier, now = await self._store.barrier(), self._store.now()
        seen: set[Key] = set()
        cursor: str | None = None
        looked = 0
        while True:
            page = await self._store.scan(cursor, PAGE)
            looked += PAGE
            seen.update(
                head.key
                for head in page.heads
                if head.expires > now and selector.matches(head) and not barrier.forbids(head)
            )
            cursor = page.cursor
            if cursor is None or looked >= most:
                return Counted(len(seen), complete=cursor is None)

    async def invalidate(self, selector: Selector, *, reason: str, within: timedelta = SOON) -> Cleared:
        """
        Forget everything that *selector* means, as of now; wait *within* for the keys to be gone.

        Raises:
            StoreUnavailable: the store is away and nothing was cleared there, or the others could not be told of it.
        """
        self._cache.view.invalidate(selector)
        async with self._turn:
            barrier = await self._cache.witness.forbid(selector, reason)
        # Only now: a flight that began before the barrier was raised carries an older sequence, so it is dead;
        # one that begins from here on reads the new barrier.
        self._cache.view.invalidate(selector)
        self._cache.flights.detach(selector)
        *_, task = map(self._sweep_later, barrier.begun())
        await self._cache.coherence.cleared(barrier.sequence, selector, reason)
        done, _ = await asyncio.wait({task}, timeout=within.total_seconds())
        if done and not task.cancelled() and task.exception() is None:
            return task.result()
        try:
            found = await self.find(barrier.sequence)
        except StoreUnavailable:
            found = None  # it is cleared, only its keys are not gone
        return Cleared(barrier.sequence, found.deleted if found else 0, done=False)

    async def advance(self, provider: str, *, reason: str) -> Epoch:
        """
        Raise the epoch of *provider*: what was bought there before is dead everywhere when this returns, as if it had
        been cleared, but it is not removed.

        Raises:
            StoreUnavailable: the store is away and nothing was raised, or the others could not be told of it.
        """
        selector = Selector(provider=provider)
        epoch = (await self._cache.witness.advance(provider, reason)).epochs[provider]
        # Near memory has forgotten already, when the view saw the barrier; flights only now, as above.
        self._cache.flights.detach(selector)
        await self._cache.coherence.cleared(epoch.sequence, selector, reason)
        return epoch

    async def find(self, sequence: int) -> Invalidation | None:
        """How far that invalidation is; None when it is unknown or long done."""
        return (await self._store.barrier()).find(sequence)

    async def resume(self) -> None:
        """
        Learn what is forbidden, and the epochs, before anything is asked; go on with sweeps that a process left
        undone. Does nothing while the store is away.
        """
        try:
            barrier = await self._cache.witness.learn()
        except StoreUnavailable:
            return
        for one in barrier.unswept():
            self._sweep_later(one)

    async def settled(self) -> None:
        """Wait until no sweep runs in this process."""
        await asyncio.gather(*self._sweeps.values(), return_exceptions=True)

    async def close(self) -> None:
        """Stop sweeping; what is left undone is resumed by the next process."""
        sweeps = list(self._sweeps.values())
        for task in sweeps:
            task.cancel()
        await asyncio.gather(*sweeps, return_exceptions=True)

    def _sweep_later(self, one: Invalidation) -> asyncio.Task[Cleared]:
        if one.sequence in self._sweeps:
            return self._sweeps[one.sequence]
        task = asyncio.create_task(self._sweep(one), name=f"sweep {one.sequence}")
        self._sweeps[one.sequence] = task
        task.add_done_callback(lambda done: self._swept(one.sequence, done))
        return task

    def _swept(self, sequence: int, task: asyncio.Task[Cleared]) -> None:
        self._sweeps.pop(sequence, None)
        if not task.cancelled():
            task.exception()  # nobody may wait for it

    async def _sweep(self, one: Invalidation) -> Cleared:
        """Remove what *one* forbids, step by step, until all is gone or is another sweep's to remove."""
        deleted, noted = 0, monotonic()
        cursor: str | None = None
        while not self._is_replaced(one):
            try:
                page = await self._store.scan(cursor, STEP)
                doomed = [head for head in page.heads if head.sequence < one.sequence and one.selector.matches(head)]
                if doomed:
                    deleted += await self._store.remove(doomed)
                if page.cursor is None or monotonic() - noted >= _NOTED:
                    async with self._turn:
                        await self._store.progress(one.sequence, deleted=deleted, swept=page.cursor is None)
                    noted = monotonic()
            except StoreUnavailable:
                await asyncio.sleep(_AGAIN)  # the store is away: the sweep goes on when it is back
                continue
            cursor = page.cursor
            if cursor is None:
                return Cleared(one.sequence, deleted, done=True)
        return Cleared(one.sequence, deleted, done=False)

    def _is_replaced(self, one: Invalidation) -> bool:
        """Whether another invalidation has taken the place of *one*, as far as this process has seen."""
        found = self._cache.view.barrier.find(one.sequence)
        return found is not None and found.sequence > one.sequence
