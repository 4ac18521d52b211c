"""
An outbox in the memory of one process, for the stores that live there or nowhere.

Rule: bounded by whoever puts: letters whose time is over are dropped before one is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.ports import Bounds, Full, Sealed, Taken

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Lying:
    """A letter, in whose hands it is, and until when."""

    letter: Sealed
    holder: str
    due: int


class MemoryOutbox:
    """*clock* gives milliseconds since 1970."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lying: dict[str, _Lying] = {}

    async def put(self, letter: Sealed, holder: str, *, hold: timedelta, bounds: Bounds) -> Full | None:
        """Keep *letter*, if there is room."""
        now = self._clock()
        self._lying = {name: one for name, one in self._lying.items() if one.letter.expires > now}
        if letter.id in self._lying:
            return None
        if sum(one.letter.tenant == letter.tenant for one in self._lying.values()) >= bounds.tenant:
            return Full.TENANT
        if len(self._lying) >= bounds.total:
            return Full.TOTAL
        self._lying[letter.id] = _Lying(letter, holder, now + hold // _MILLISECOND)
        return None

    async def take(self, holder: str, *, hold: timedelta, most: int) -> Taken:
        """Take what is due."""
        now = self._clock()
        waiting = sorted((one for one in self._lying.values() if one.due <= now), key=lambda one: one.due)
        taken = [one.letter for one in waiting[:most]]
        for letter in taken:
            self._lying[letter.id] = _Lying(letter, holder, now + hold // _MILLISECOND)
        earliest = min((one.due for one in self._lying.values()), default=None)
        return Taken(taken, None if earliest is None else Instant(earliest))

    async def defer(self, letter: Sealed, holder: str, due: Instant) -> bool:
        """Put *letter* back."""
        there = self._lying.get(letter.id)
        if there is None or there.holder != holder:
            return False
        self._lying[letter.id] = _Lying(letter, holder, due)
        return True

    async def drop(self, letter: str) -> bool:
        """Forget it."""
        return self._lying.pop(letter, None) is not None
