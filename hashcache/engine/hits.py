"""
The short way of a hit in the store: a read by whoever asks, without a flight of its own.

    A: look ......... hit, or missing -> flight
       A', A'': the same key meanwhile -> flight, shared, which reads once for both
    B, C, D: other keys meanwhile, in one turn of the loop -> one read for the three

Rule 1: it is for policies that ask nothing of a hit (no refresh, nothing stale); the others ask for a flight at once.
Rule 2: of those who ask for one key at the same moment only the first looks: a herd costs the store two reads.
Rule 3: who looks alone reads by himself, at once. Those who come in one turn of the loop while he does share reads of
        MOST keys: a busy process asks its store, and pays for, a fraction of the commands, and nobody waits longer.
Rule 4: nobody's look ends because another caller left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hashcache.core.key import Key
from hashcache.engine.flights import Flights
from hashcache.engine.found import UNKNOWN, Found

#: How many keys are read at once: their answers have one deadline.
MOST = 16

Look = Callable[[Sequence[Key]], Awaitable[Found]]
LookAll = Callable[[Sequence[Sequence[Key]]], Awaitable[Sequence[Found]]]
_Waiting = tuple[Key, asyncio.Future[Found]]


class Hits:
    """Hits that *look* finds, or *look_all* for several, where none of *flights* is under way."""

    def __init__(self, flights: Flights, look: Look, look_all: LookAll) -> None:
        self._flights = flights
        self._look = look
        self._look_all = look_all
        self._looking: set[Key] = set()
        self._alone = True
        self._waiting: list[_Waiting] = []
        self._reads: set[asyncio.Task[None]] = set()

    async def look(self, key: Key) -> Found:
        """What the store has of *key*; UNKNOWN, when others ask just now: they are to be joined."""
        if key in self._looking or self._flights.find(key) is not None:
            return UNKNOWN
        self._looking.add(key)
        try:
            return await (self._by_himself(key) if self._alone else self._with_others(key))
        finally:
            self._looking.discard(key)

    async def close(self) -> None:
        """Wait for what is being read: as long as the store's deadline at most."""
        await asyncio.gather(*self._reads, return_exceptions=True)

    async def _by_himself(self, key: Key) -> Found:
        self._alone = False
        try:
            return await self._look((key,))
        finally:
            self._alone = True

    async def _with_others(self, key: Key) -> Found:
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._turn_ends)
        found: asyncio.Future[Found] = loop.create_future()
        self._waiting.append((key, found))
        return await found

    def _turn_ends(self) -> None:
        waiting, self._waiting = self._waiting, []
        for at in range(0, len(waiting), MOST):
            read = asyncio.create_task(self._read(waiting[at : at + MOST]))
            self._reads.add(read)
            read.add_done_callback(self._reads.discard)

    async def _read(self, waiting: Sequence[_Waiting]) -> None:
        """Tell each of *waiting* what the store has; UNKNOWN where even that failed: the engine tells why."""
        told: Sequence[Found] = [UNKNOWN] * len(waiting)
        try:
            told = await self._look_all([(key,) for key, _ in waiting])
        finally:
            for (_, found), one in zip(waiting, told, strict=True):
                if not found.done():
                    found.set_result(one)
