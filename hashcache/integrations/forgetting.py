"""
Many who forget the same at once: one invalidation for all of them.

    A: forget X .......... done
       B, C, D: forget X   -> one more, begun when A's is done, for all three

Rule 1: nobody shares an invalidation that began before he asked: what was kept in between would stay.
Rule 2: so there are two at most for one selector at a time, however many ask.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hashcache.core.barrier import Selector
from hashcache.engine.invalidation import Cleared, Invalidations


class Forgetting:
    """Orders for *invalidations*."""

    def __init__(self, invalidations: Invalidations) -> None:
        self._invalidations = invalidations
        self._under_way: dict[Selector, asyncio.Task[Cleared]] = {}
        self._next: dict[Selector, asyncio.Task[Cleared]] = {}

    async def forget(self, selector: Selector, reason: str, within: timedelta) -> Cleared:
        """
        Forget everything that *selector* means, as of now; wait *within* for the keys to be gone. Of several who share
        an invalidation the first one's *reason* and *within* hold.

        Raises:
            StoreUnavailable: nothing was forgotten in the store, or the others could not be told.
        """
        task = self._next.get(selector)
        if task is None:
            before = self._under_way.get(selector)
            task = asyncio.create_task(self._forget(selector, reason, within, before), name=f"forget {selector}")
            task.add_done_callback(_ended)
            (self._under_way if before is None else self._next)[selector] = task
        return await asyncio.shield(task)

    async def _forget(
        self, selector: Selector, reason: str, within: timedelta, before: asyncio.Task[Cleared] | None
    ) -> Cleared:
        if before is not None:
            await asyncio.wait({before})
            self._under_way[selector] = self._next.pop(selector)
        try:
            return await self._invalidations.invalidate(selector, reason=reason, within=within)
        finally:
            if selector not in self._next:
                del self._under_way[selector]


def _ended(task: asyncio.Task[Cleared]) -> None:
    if not task.cancelled():
        task.exception()  # everybody may have left
