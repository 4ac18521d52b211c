"""
How often somebody may try: so many tries a while, counted for each address, in this process.

Rule: bounded: of too many addresses, the one that was heard of longest ago is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from cachetools import LRUCache

_MOST_ADDRESSES = 10_000


class Tries:
    """*most* tries in *seconds* for one address; *monotonic* gives seconds."""

    def __init__(self, *, most: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._monotonic = monotonic
        self._made: LRUCache[str, deque[float]] = LRUCache(_MOST_ADDRESSES)

    def wait(self, address: str) -> float:
        """Count a try of *address*, unless it has to wait first: for so many seconds."""
        now = self._monotonic()
        made = self._made.get(address, deque())
        while made and made[0] <= now - self._seconds:
            made.popleft()
        if len(made) >= self._most:
            return made[0] + self._seconds - now
        made.append(now)
        self._made[address] = made
        return 0.0

    def forget(self, address: str) -> None:
        """*address* has shown that it need not try."""
        self._made.pop(address, None)
