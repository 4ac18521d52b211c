"""
What a hit sets going in the background: a refresh of what is stale or about to expire, a longer life.

Rule 1: all of it is off unless the policy asks for it: for paid analyses it never runs.
Rule 2: one refresh of a key at a time in this process, and none beside a flight; across processes the claim sees to it.
Rule 3: a refresh that fails leaves the old answer where it is, and the next one waits for a while (`pauses`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

from msgspec.structs import replace

from hashcache.core.entry import EPOCH, Entry, Instant
from hashcache.core.errors import Stopping, StoreUnavailable
from hashcache.core.freshness import prolonged, refresh_is_due
from hashcache.core.outcome import Outcome, Status
from hashcache.core.policy import Policy
from hashcache.engine.ask import Ask
from hashcache.engine.flights import Flight, Flights
from hashcache.engine.load import Load, LoadFailed
from hashcache.engine.search import Search
from hashcache.engine.view import View
from hashcache.ports import Store


class Revival:
    """Refreshes by *search*, among *flights*; prolongs in *store*. *chance* draws from [0, 1)."""

    def __init__(
        self, store: Store, view: View, flights: Flights, search: Search, *, chance: Callable[[], float]
    ) -> None:
        self._store = store
        self._view = view
        self._flights = flights
        self._search = search
        self._chance = chance
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
        if not due or not ask.flight.keep or not self._may_refresh(ask.flight):
            return False
        self._launch(entry, policy, ask.load)
        return True

    async def renew(self, entry: Entry, policy: Policy, load: Load) -> Flight | None:
        """
        The refresh of *entry* that is set going, though nobody has asked for it; *load* does not run where a younger
        one is found. None: there is one already, or may be none now. *load* is closed here.
        """
        if not self._may_refresh(Flight(entry.key, entry.label, keep=True)):
            await load.close()
            return None
        return self._launch(entry, policy, load)

    def _launch(self, entry: Entry, policy: Policy, load: Load) -> Flight:
        flight = Flight(entry.key, entry.label, keep=True)
        again = Ask(flight, policy, load, Instant(entry.created + 1), monotonic(), background=True)
        self._flights.refresh(flight, partial(self._refresh, again))
        return flight

    async def drain(self, grace: timedelta) -> int:
        """Wait for what runs, for *grace* at most; cancel the rest. How many were cancelled."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(set(self._tasks), timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _may_refresh(self, flight: Flight) -> bool:
        """Whether the key of *flight*, which found it, may be refreshed now."""
        beside = self._flights.find(flight.key)
        return (
            (beside is None or beside is flight)
            and self._flights.refreshing(flight.key) is None
            and not self._search.stopping
            and not self._search.pauses.pauses(flight.key, self._store.now())
        )

    def _later(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)

    async def _refresh(self, ask: Ask) -> Outcome:
        try:
            return await self._search.fly(ask)
        except (Stopping, StoreUnavailable):
            raise
        except Exception as error:
            kind = error.kind if isinstance(error, LoadFailed) else ""
            self._search.pauses.failed(ask.flight.key, kind, ask.policy, self._store.now())
            raise
        finally:
            await ask.load.close()

    async def _prolong(self, entry: Entry, until: Instant) -> None:
        generation = self._view.generation
        try:
            if await self._store.prolong(entry, until):
                self._view.keep(replace(entry, expires=until, kept=EPOCH), generation)
        except StoreUnavailable as away:
            self._view.lost(away)
