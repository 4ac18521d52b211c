"""A clock that stands still until a test moves it, and turns of the event loop instead of time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

#: 2026-11-20T10:00:00Z
START = 1_795_168_800_000


class HandClock:
    """Called, it gives milliseconds since 1970."""

    def __init__(self, start: int = START) -> None:
        self._now = start

    def __call__(self) -> int:
        return self._now

    def seconds(self) -> float:
        """The same time in seconds, for whoever asks for a monotonic clock."""
        return self._now / 1000

    def advance(self, duration: timedelta) -> None:
        """Let *duration* pass."""
        self._now += duration // timedelta(milliseconds=1)


async def turns(count: int) -> None:
    """Let the event loop take *count* turns: to meet another task at a chosen moment without waiting."""
    for _ in range(count):
        await asyncio.sleep(0)
