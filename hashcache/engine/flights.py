"""
One running task per key in this process; callers join it, none owns it.

Rule 1: a flight belongs to the service: a caller who leaves cancels nothing, not even the last one.
Rule 2: an invalidation detaches the flights it means: whoever comes later starts afresh, and is never given
        what was being bought when it was cleared.
Rule 3: a refresh is a flight behind the back of the callers: they are served what it refreshes, and join it only where
        they would have to buy beside it.
Rule 4: at the end flights are waited for, within a bound, and only then cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from hashcache.core.barrier import Selector
from hashcache.core.entry import Label
from hashcache.core.errors import Stopping
from hashcache.core.key import Key
from hashcache.core.outcome import Outcome


class Flight:
    """
    One load under way. *keep*: whether anybody in it wants the answer kept. *doubtful*: it may have begun before an
    invalidation that this process has not heard of.
    """

    def __init__(self, key: Key, label: Label, *, keep: bool) -> None:
        self.key = key
        self.label = label
        self.keep = keep
        self.doubtful = False
        self.task: asyncio.Task[Outcome] | None = None

    async def wait(self, patience: timedelta) -> Outcome:
        """
        The outcome of the flight, which goes on whatever happens to the caller.

        Raises:
            TimeoutError: *patience* is over. Stopping: this process ended before the flight did.
        """
        task = self.task
        if task is None:
            raise RuntimeError("a flight is waited for before it started")
        loop = asyncio.get_running_loop()
        landing = loop.create_future()  # of this caller alone: the task is left alone, whatever happens to who waits
        task.add_done_callback(landed := partial(_tell, landing, None))
        timer = loop.call_later(patience.total_seconds(), _tell, landing, TimeoutError())
        try:
            await landing
        finally:
            timer.cancel()
            task.remove_done_callback(landed)
        if task.cancelled():
            raise Stopping("this process ended before it had the answer")
        return task.result()


def _tell(landing: asyncio.Future[None], late: TimeoutError | None, _: object = None) -> None:
    if landing.done():
        return
    if late is None:
        landing.set_result(None)
    else:
        landing.set_exception(late)


class Flights:
    """The flights of this process."""

    def __init__(self) -> None:
        self._open: dict[Key, Flight] = {}
        self._refreshing: dict[Key, Flight] = {}
        self._tasks: set[asyncio.Task[Outcome]] = set()

    def find(self, key: Key) -> Flight | None:
        """The flight of *key* that may be joined."""
        return self._open.get(key)

    def start(self, flight: Flight, fly: Callable[[], Awaitable[Outcome]]) -> None:
        """Let *flight* begin. There must be no other that may be joined."""
        self._launch(flight, fly, self._open)

    def refreshing(self, key: Key) -> Flight | None:
        """The refresh of *key* that is under way, unless it was detached."""
        return self._refreshing.get(key)

    def refresh(self, flight: Flight, fly: Callable[[], Awaitable[Outcome]]) -> None:
        """Let *flight* begin as a refresh. There must be no other of its key."""
        self._launch(flight, fly, self._refreshing)

    def is_refresh(self, task: asyncio.Task[Any]) -> bool:
        """Whether *task* is a refresh that was not detached: nobody waits for it."""
        return any(flight.task is task for flight in self._refreshing.values())

    def detach(self, selector: Selector) -> None:
        """Nobody joins the flights that *selector* means any more; they go on."""
        for flights in (self._open, self._refreshing):
            for key in [key for key, flight in flights.items() if selector.matches(flight)]:
                del flights[key]

    def detach_key(self, key: Key) -> None:
        """Nobody joins the flight of *key* any more; it goes on."""
        self._open.pop(key, None)
        self._refreshing.pop(key, None)

    def doubt(self) -> None:
        """Invalidations may have been missed: who joins what flies now asks whether its answer still stands."""
        for flight in self._open.values():
            flight.doubtful = True

    async def drain(self, grace: timedelta) -> int:
        """Wait until all flights have landed, for *grace* at most; cancel the rest. How many were cancelled."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(set(self._tasks), timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def __len__(self) -> int:
        return len(self._tasks)

    def _launch(self, flight: Flight, fly: Callable[[], Awaitable[Outcome]], among: dict[Key, Flight]) -> None:
        async def run() -> Outcome:
            return await fly()

        task = asyncio.create_task(run(), name=f"flight {flight.key.logical}")
        flight.task = task
        among[flight.key] = flight
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._landed(flight, among, done))

    def _landed(self, flight: Flight, among: dict[Key, Flight], task: asyncio.Task[Outcome]) -> None:
        self._tasks.discard(task)
        if among.get(flight.key) is flight:
            del among[flight.key]
        if not task.cancelled():
            task.exception()  # everybody may have left: an exception that nobody awaits is not a fault of the loop
