"""How processes tell each other what they did to the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hashcache.core.notice import Notice


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many notices this process *published* and *received*; *lag*: milliseconds the last one took, if any came."""

    published: int
    received: int
    junk: int
    lag: int | None


class Channel(Protocol):
    """
    Notices between the processes that share a store. At most once, in any order; gaps are told.

    *origin* names this process in all that it sends; its own notices do not come back.
    """

    @property
    def origin(self) -> str:
        """This process's name on the channel: unguessable and new at each start."""
        ...

    @property
    def alive(self) -> bool:
        """
        Whether the channel has proved within the last 2 s that notices arrive. While it has not, notices may be
        lost: near memory is not trusted. After a freeze of this process it is False until a new proof.
        """
        ...

    async def open(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """
        Listen from now on: *heard* for each notice of others, *gap* whenever some may have been lost (a connection
        that was made anew). Both must not raise and not wait. Never raises because the store is away.
        """
        ...

    async def close(self) -> None:
        """Stop listening. Safe to call twice."""
        ...

    async def publish(self, notice: Notice) -> int:
        """
        Send *notice*; how many other processes of hashcache were listening (those that will acknowledge).

        Raises:
            StoreUnavailable: it could not be sent.
        """
        ...

    @property
    def traffic(self) -> Traffic:
        """What went over it so far."""
        ...
