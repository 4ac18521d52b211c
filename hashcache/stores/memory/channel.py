"""
The channel between the ends of one memory store.

Rule 1: notices travel as bytes and arrive in a later turn of the event loop, as everywhere else.
Rule 2: all ends live in one process, so none of them can miss what another sends: an open end is alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.notice import Notice
from hashcache.ports import Traffic
from hashcache.stores.hearing import Hearing, Pace, message


class Hub:
    """Passes messages on between the ends that are open."""

    def __init__(self) -> None:
        self._ends: list[Hearing] = []

    def enter(self, end: Hearing) -> None:
        """Pass on to *end* as well."""
        if end not in self._ends:
            self._ends.append(end)

    def leave(self, end: Hearing) -> None:
        """No longer."""
        if end in self._ends:
            self._ends.remove(end)

    def send(self, raw: bytes, sender: Hearing | None) -> int:
        """Pass *raw* on to all ends but the *sender*; how many there are."""
        others = [end for end in self._ends if end is not sender]
        for end in others:
            asyncio.get_running_loop().call_soon(self._deliver, end, raw)
        return len(others)

    def _deliver(self, end: Hearing, raw: bytes) -> None:
        if end in self._ends:
            end.take(raw)


class MemoryChannel:
    """One end's Channel, over *hub*. *now* is the store's clock."""

    def __init__(self, hub: Hub, now: Callable[[], Instant], pace: Pace) -> None:
        self._hub = hub
        self._hearing = Hearing(now, pace.flood)
        self._open = self._closed = False

    @property
    def origin(self) -> str:
        """This end's name on the channel."""
        return self._hearing.origin

    @property
    def alive(self) -> bool:
        """While it is open, unless a flood is being passed over."""
        return self._open and not self._hearing.deaf

    async def open(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """Listen; a second time, after it was closed, something was missed."""
        self._hearing.attend(heard, gap)
        self._hub.enter(self._hearing)
        if self._closed:
            self._hearing.missed()
        self._open = True

    async def close(self) -> None:
        """Stop listening."""
        self._closed = self._closed or self._open
        self._open = False
        self._hub.leave(self._hearing)
        self._hearing.leave()

    async def publish(self, notice: Notice) -> int:
        """Send *notice* to the other ends that are open; how many there are."""
        return self._send(message(notice))

    def done(self, key: Key) -> None:
        """Tell whoever waits for *key* that its purchase has ended."""
        self._send(self._hearing.done(key))

    @property
    def traffic(self) -> Traffic:
        """What went over it so far."""
        return self._hearing.traffic

    def _send(self, raw: bytes) -> int:
        others = self._hub.send(raw, self._hearing)
        self._hearing.sent()
        return others
