"""
The server's clock, sampled now and then and carried on by this machine's monotonic one.

Rule: before the first sample the system's clock serves: without the server nothing is compared with its instants.
"""

from __future__ import annotations

from collections.abc import Callable

from hashcache.core.entry import Instant

#: Seconds between samples: two monotonic clocks differ by far less than a millisecond in that time.
EVERY = 60.0
#: Seconds until another is tried when one failed.
RETRY = 1.0


class ServerClock:
    """*system* gives milliseconds since 1970, *monotonic* seconds of any origin."""

    def __init__(self, system: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._system = system
        self._monotonic = monotonic
        self._ahead: float | None = None
        self._next = 0.0

    def now(self) -> Instant:
        """The server's time."""
        if self._ahead is None:
            return Instant(self._system())
        return Instant(int(self._monotonic() * 1000 + self._ahead))

    @property
    def known(self) -> bool:
        """Whether the server has ever told its time."""
        return self._ahead is not None

    @property
    def due(self) -> bool:
        """Whether a sample should be taken."""
        return self._monotonic() >= self._next

    def doubt(self) -> None:
        """Another server may answer from now on: a sample is due."""
        self._next = 0.0

    def began(self) -> None:
        """A sample is being taken: none is due until it fails."""
        self._next = self._monotonic() + RETRY

    def sampled(self, server: float, asked: float, answered: float) -> None:
        """The server said *server* milliseconds between the monotonic instants *asked* and *answered* (seconds)."""
        self._ahead = server - (asked + answered) / 2 * 1000
        self._next = answered + EVERY
