"""
A deadline for what somebody else does, which does not charge him with our own lateness.

Rule: a timer that fires late tells that the event loop was busy: what came meanwhile was not looked at yet, and what
      should be sent was not. Then there is one more moment, short and only once. So a server that does not answer
      costs GRACE more than its deadline at most, and one that has answered is not taken for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

#: A timer of an idle loop is late by a millisecond or two.
BUSY = timedelta(milliseconds=5)
#: For a few turns of a loop that has much to catch up with.
GRACE = timedelta(milliseconds=50)


@asynccontextmanager
async def deadline(within: timedelta) -> AsyncIterator[None]:
    """Raises TimeoutError when the body takes longer than *within*, or a moment more while this loop is busy."""
    loop = asyncio.get_running_loop()
    due = loop.time() + within.total_seconds()

    def over() -> None:
        now = loop.time()
        limit.reschedule(now + GRACE.total_seconds() if now - due >= BUSY.total_seconds() else now)

    async with asyncio.timeout(None) as limit:
        timer = loop.call_at(due, over)
        try:
            yield
        finally:
            timer.cancel()
