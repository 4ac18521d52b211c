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


class deadline:  # noqa: N801 - a block, as asyncio.timeout is one; a class is entered faster than a generator
    """Raises TimeoutError when the body takes longer than *within*, or a moment more while this loop is busy."""

    def __init__(self, within: timedelta) -> None:
        self._within = within.total_seconds()
        self._limit = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + self._within
        await self._limit.__aenter__()
        self._timer = self._loop.call_at(self._due, self._over)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _over(self) -> None:
        now = self._loop.time()
        late = now - self._due >= BUSY.total_seconds()
        self._limit.reschedule(now + GRACE.total_seconds() if late else now)
