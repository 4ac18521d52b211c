"""
Waiting for a purchase that somebody else is making.

Rule: a wake is a hint, never a fact: whoever is woken looks again.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta


class Wakes:
    """Those in this process who wait for a key, by its logical name."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Event]] = {}

    async def wait(self, name: str, at_most: timedelta) -> None:
        """Until somebody wakes those who wait for *name*, or *at_most*."""
        event = asyncio.Event()
        self._waiting.setdefault(name, []).append(event)
        try:
            async with asyncio.timeout(at_most.total_seconds()):
                await event.wait()
        except TimeoutError:
            return
        finally:
            self._waiting[name].remove(event)
            if not self._waiting[name]:
                del self._waiting[name]

    def wake(self, name: str) -> None:
        """Those who wait for *name* look again."""
        for event in self._waiting.get(name, ()):
            event.set()

    def wake_all(self) -> None:
        """Everybody looks again."""
        for events in self._waiting.values():
            for event in events:
                event.set()

    def __len__(self) -> int:
        return len(self._waiting)
