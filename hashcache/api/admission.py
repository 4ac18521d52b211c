"""
How much of all uploads one process holds at a time, in memory and in spool files together.

Rule 1: an upload takes its room before a byte of its body is read: as much as it announces, or STEP, and STEP again
        whenever that is full. It takes LEAST at least: its connection, its task and their buffers are memory as well.
Rule 2: where there is no room, whoever comes is sent away to try again, each after another time; nobody waits in line
        with bytes in his hands.
Rule 3: room is given back once, by whoever holds the bytes last; what was taken and is not needed, as soon as the
        size is known.
"""

from __future__ import annotations

from collections.abc import Callable

from hashcache.api.trimming import Trimming
from hashcache.core.errors import SpoolFull

#: What an upload of unknown size takes at a time.
STEP = 1_000_000
LEAST = 64 * 1024
#: Whoever is sent away is asked to come back after so many seconds; the time between is dealt out by chance, or all
#: would come back at the same moment.
SOONEST, LATEST = 2.0, 10.0


class Room:
    """
    Room for *most* bytes, of which each share takes *least* at least; *chance* gives numbers in [0, 1). *trimming* is
    told when all of it is free, and when it is not any more.
    """

    def __init__(self, most: int, *, chance: Callable[[], float], trimming: Trimming | None = None) -> None:
        self._most = self._free = self._low = most
        self._trimming = trimming
        self.least = min(LEAST, most)
        self._chance = chance

    def share(self) -> Share:
        """A share of this room, empty yet."""
        return Share(self)

    def take(self, size: int) -> None:
        """
        Take *size* bytes.

        Raises:
            SpoolFull: there are not so many left; it says when to come back.
        """
        if size > self._free:
            again = SOONEST + (LATEST - SOONEST) * self._chance()
            raise SpoolFull("too many uploads are under way", retry_after=again)
        if self._trimming is not None and self._free == self._most:
            self._trimming.begun()
        self._free -= size
        self._low = min(self._low, self._free)

    def give(self, size: int) -> None:
        """Give *size* bytes back."""
        self._free += size
        if self._trimming is not None and size and self._free == self._most:
            self._trimming.ended(self._most - self._low)
            self._low = self._most

    def spooled(self) -> None:
        """The bytes of a large upload have left memory for a file. Called in a thread."""
        if self._trimming is not None:
            self._trimming.moved()


class Share:
    """What one upload takes of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0

    def announce(self, size: int | None, *, most: int) -> None:
        """
        Take room for an upload of *size* bytes (None: it does not say), which may have *most*.

        Raises:
            SpoolFull: there is none.
        """
        self._hold(max(self._room.least, min(STEP, most) if size is None else size))

    def reach(self, size: int, *, most: int) -> None:
        """
        Hold *size* bytes in all, of at most *most*; more than was announced takes STEP at a time.

        Raises:
            SpoolFull: there is no room for them; what was held is held still.
        """
        if size > self._size:
            self._hold(max(size, min(self._size + STEP, most)))

    def settle(self, size: int) -> None:
        """It has *size* bytes: give back what was taken for more."""
        needed = max(self._room.least, size)
        if needed < self._size:
            self._room.give(self._size - needed)
            self._size = needed

    def spooled(self) -> None:
        """Its bytes lie in a file now, and no more in memory. Called in a thread."""
        self._room.spooled()

    def close(self) -> None:
        """Give everything back. Safe to call twice."""
        self._room.give(self._size)
        self._size = 0

    def _hold(self, size: int) -> None:
        self._room.take(size - self._size)
        self._size = size
