"""Who listens at one end of a channel, and remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hashcache.core.notice import Notice
from hashcache.ports import Channel

#: Seconds within which everything that is waited for happens on the slowest machine.
DEADLINE = 10.0


@dataclass
class Ear:
    """What *channel* told: the notices in order, and how many gaps; *alive_in_gap* is what it was meanwhile."""

    channel: Channel
    notices: list[Notice] = field(default_factory=list)
    gaps: int = 0
    alive_in_gap: bool = False

    @classmethod
    async def at(cls, channel: Channel) -> Ear:
        """Open *channel*, which must be alive then."""
        ear = cls(channel)
        await ear.listen()
        assert channel.alive
        return ear

    async def listen(self) -> None:
        """Open it."""
        await self.channel.open(self.notices.append, self._gap)

    async def hears(self, count: int) -> list[Notice]:
        """All notices so far, once there are *count*."""
        await comes(lambda: len(self.notices) >= count)
        return self.notices

    def _gap(self) -> None:
        self.gaps += 1
        self.alive_in_gap = self.alive_in_gap or self.channel.alive


async def comes(holds: Callable[[], bool]) -> None:
    """
    Wait until *holds*, leaving the processor to the threads and servers that bring it about.

    Raises:
        TimeoutError: it does not within DEADLINE seconds.
    """
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 - what is waited for happens outside this loop
            await asyncio.sleep(0.002)
