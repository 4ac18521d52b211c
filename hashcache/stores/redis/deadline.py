"""
A deadline for what somebody else does, which does not charge him with our own lateness.

Rule: a timer that fires late tells that the event loop was busy: what came meanwhile was not looked at yet, and what
      should be sent was not. Then there is one more moment, short and only once. So a server that does not answer
      costs GRACE more than its deadline at most, and one that has answered is not taken for it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import TracebackType

#: A timer of an idle loop is late by a millisecond or two.
BUSY = timedelta(milliseconds=5)
#: For a few turns of a loop that has much to catch up with.
GRACE = timedelta(milliseconds=50)


class deadline:  # noqa: N801 - a word for `async with`, as asyncio.timeout is
    """Raises TimeoutError when the body takes longer than *within*, or a moment more while this loop is busy."""

    __slots__ = ("_due", "_limit", "_timer", "_within")

    def __init__(self, within: timedelta) -> None:
        self._within = within.total_seconds()

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self._within
        self._limit = await asyncio.timeout(None).__aenter__()
        self._timer = loop.call_at(self._due, self._over, loop)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _over(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._limit.reschedule(now + GRACE.total_seconds() if now - self._due >= BUSY.total_seconds() else now)
