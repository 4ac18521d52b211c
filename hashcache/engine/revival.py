"""
What a hit sets going in the background: a refresh of what is stale or about to expire, a longer life.

Rule 1: all of it is off unless the policy asks for it: for paid analyses it never runs.
Rule 2: one refresh of a key at a time in this process; across processes the claim sees to it.
Rule 3: a refresh that fails leaves the old answer where it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

from hashcache.core.entry import EPOCH, Entry, Instant
from hashcache.core.errors import Stopping, StoreUnavailable
from hashcache.core.freshness import prolonged, refresh_is_due
from hashcache.core.key import Key
from hashcache.core.outcome import Outcome, Status
from hashcache.engine.flights import Flight
from hashcache.engine.load import LoadFailed
from hashcache.engine.search import Ask, Search
from hashcache.engine.view import View
from hashcache.ports import Store


class Revival:
    """Refreshes by *search*, prolongs in *store*. *chance* draws from [0, 1)."""

    def __init__(self, store: Store, view: View, search: Search, *, chance: Callable[[], float]) -> None:
        self._store = store
        self._view = view
        self._search = search
        self._chance = chance
        self._refreshing: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, ask: Ask, found: Outcome) -> bool:
        """
        Set going what the hit *found* calls for.

        Whether the load of *ask* is needed for it: then it is closed here.
        """
        entry, policy = found.entry, ask.policy
        if not found.cached or found.cause is not None:
            return False
        until = prolonged(entry, now=found.at, policy=policy)
        if until is not None:
            self._later(self._prolong(entry, until), f"prolong {entry.key.logical}")
        due = found.status is Status.STALE or refresh_is_due(
            entry, now=found.at, beta=policy.refresh_ahead, chance=1 - self._chance()
        )
        if not due or entry.key in self._refreshing or self._search.stopping or not ask.flight.keep:
            return False
        self._refreshing.add(entry.key)
        flight = Flight(entry.key, entry.label, keep=True)
        again = Ask(flight, policy, ask.load, Instant(entry.created + 1), monotonic(), background=True)
        self._later(self._refresh(again), f"refresh {entry.key.logical}")
        return True

    async def drain(self, grace: timedelta) -> int:
        """Wait for what runs, for *grace* at most; cancel the rest. How many were cancelled."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(set(self._tasks), timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _later(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody waits for a refresh: an error of its load is not a fault of the loop

    async def _refresh(self, ask: Ask) -> None:
        try:
            await self._search.fly(ask)
        except (LoadFailed, Stopping, StoreUnavailable):
            return
        finally:
            self._refreshing.discard(ask.flight.key)
            await ask.load.close()

    async def _prolong(self, entry: Entry, until: Instant) -> None:
        generation = self._view.generation
        try:
            if await self._store.prolong(entry, until):
                self._view.keep(replace(entry, expires=until, kept=EPOCH), generation)
        except StoreUnavailable as away:
            self._view.lost(away)
