"""
How much of all uploads one process holds at a time, in memory and in spool files together.

Rule 1: an upload whose size is announced takes its room before a byte is read; another one takes it as it comes.
Rule 2: where there is no room, whoever comes is sent away to try again; nobody waits in line with bytes in his hands.
Rule 3: room is given back once, by whoever holds the bytes last.
"""

from __future__ import annotations

from hashcache.core.errors import SpoolFull


class Room:
    """Room for *most* bytes."""

    def __init__(self, most: int) -> None:
        self._free = most

    def share(self) -> Share:
        """A share of this room, empty yet."""
        return Share(self)

    def take(self, size: int) -> None:
        """
        Take *size* bytes.

        Raises:
            SpoolFull: there are not so many left.
        """
        if size > self._free:
            raise SpoolFull("too many uploads are under way")
        self._free -= size

    def give(self, size: int) -> None:
        """Give *size* bytes back."""
        self._free += size


class Share:
    """What one upload takes of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0

    def reach(self, size: int) -> None:
        """
        Hold *size* bytes in all, or as many as are held already.

        Raises:
            SpoolFull: there is no room for them; what was held is held still.
        """
        if size > self._size:
            self._room.take(size - self._size)
            self._size = size

    def close(self) -> None:
        """Give everything back. Safe to call twice."""
        self._room.give(self._size)
        self._size = 0
