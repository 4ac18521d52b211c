"""
One running task per key in this process; callers join it, none owns it.

Rule 1: a flight belongs to the service: a caller who leaves cancels nothing, not even the last one.
Rule 2: an invalidation detaches the flights it means: whoever comes later starts afresh, and is never given
        what was being bought when it was cleared.
Rule 3: a refresh is a flight behind the back of the callers: they are served what it refreshes, and join it only where
        they would have to buy beside it.
Rule 4: whoever waits for a flight is told as soon as it has landed. What is to be done with the answer then, such as to
        book what it cost, is a part of the flight, and nobody waits for it.
Rule 5: at the end flights are waited for, within a bound, and only then cancelled.
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

#: So many turns of the loop it takes from a landing until a caller's answer is written.
_TURNS = 3


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
        self.task: asyncio.Task[None] | None = None
        self._landing: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._afterwards: Callable[[], Awaitable[None]] | None = None

    def afterwards(self, act: Callable[[], Awaitable[None]]) -> None:
        """Let *act* be done when everybody was told; it must not raise."""
        self._afterwards = act

    async def wait(self, patience: timedelta) -> Outcome:
        """
        The outcome of the flight, which goes on whatever happens to the caller.

        Raises:
            TimeoutError: *patience* is over. Stopping: this process ended before the flight did.
        """
        loop = asyncio.get_running_loop()
        told = loop.create_future()  # of this caller alone: the flight is left alone, whatever happens to who waits
        self._landing.add_done_callback(landed := partial(_tell, told, None))
        timer = loop.call_later(patience.total_seconds(), _tell, told, TimeoutError())
        try:
            await told
        finally:
            timer.cancel()
            self._landing.remove_done_callback(landed)
        if self._landing.cancelled():
            raise Stopping("this process ended before it had the answer")
        return self._landing.result()

    async def run(self, fly: Callable[[], Awaitable[Outcome]]) -> None:
        """Land with what *fly* gives or raises, and do what is to be done then."""
        try:
            self._landing.set_result(await fly())
        except asyncio.CancelledError:
            self._landing.cancel()
            raise
        except BaseException as error:
            self._landing.set_exception(error)
            self._landing.exception()  # everybody may have left: what nobody awaits is not a fault of the loop
            if not isinstance(error, Exception):
                raise
        if self._afterwards is not None:
            for _ in range(_TURNS):
                await asyncio.sleep(0)  # those who wait have their turns first
            await self._afterwards()

    @property
    def landed(self) -> bool:
        """Whether its outcome is known."""
        return self._landing.done()

    def ended(self) -> None:
        """It does nothing any more. One that was cancelled before it began has not landed: nobody waits on for it."""
        if not self._landing.done():
            self._landing.cancel()

    def start(self, fly: Callable[[], Awaitable[Outcome]], landed: Callable[[], None]) -> asyncio.Task[None]:
        """Begin to `run`; *landed* is called before those who wait are told."""
        self._landing.add_done_callback(lambda _: landed())
        self.task = asyncio.create_task(self.run(fly), name=f"flight {self.key.logical}")
        return self.task


def _tell(told: asyncio.Future[None], late: TimeoutError | None, _: object = None) -> None:
    if told.done():
        return
    if late is None:
        told.set_result(None)
    else:
        told.set_exception(late)


class Flights:
    """The flights of this process."""

    def __init__(self) -> None:
        self._open: dict[Key, Flight] = {}
        self._refreshing: dict[Key, Flight] = {}
        self._tasks: dict[asyncio.Task[None], Flight] = {}

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

    async def told(self) -> None:
        """Wait until what is to be done at the end of those flights that have landed is done."""
        ending = [task for task, flight in self._tasks.items() if flight.landed]
        if ending:
            await asyncio.wait(ending)

    async def drain(self, grace: timedelta) -> int:
        """Wait until all flights have ended, for *grace* at most; cancel the rest. How many were cancelled."""
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
        def landed() -> None:
            if among.get(flight.key) is flight:
                del among[flight.key]

        task = flight.start(fly, landed)
        among[flight.key] = flight
        self._tasks[task] = flight
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task).ended()
        if not task.cancelled():
            task.exception()  # it lies in what was told to who waits; nobody awaits the task
