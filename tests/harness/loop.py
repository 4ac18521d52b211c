"""
An event loop whose time is in the test's hand: it passes only when told to, at once, and to the same end each time.

Everything that asyncio does with time (timeouts, sleeps, timers) happens in its order and at its instant, without
anybody waiting for it. It cannot simulate work in threads or on sockets: for those time stands still.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from datetime import timedelta


class _Selector(selectors.SelectSelector):
    """Never waits: where a loop would, it calls *idle* with the seconds until the next timer (None: there is none)."""

    def __init__(self, idle: Callable[[float | None], None]) -> None:
        super().__init__()
        self._idle = idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0:
            self._idle(timeout)
        return ready


class HandLoop(asyncio.SelectorEventLoop):
    """Runs what is ready, then stands still. Closed by whoever made it."""

    def __init__(self) -> None:
        self._now = 0.0
        self._until = 0.0
        super().__init__(_Selector(self._idle))

    def time(self) -> float:
        """Seconds that have passed on this loop."""
        return self._now

    def settle(self) -> None:
        """Run until nothing can go on without time or the test."""
        self.pass_time(timedelta(0))

    def pass_time(self, duration: timedelta) -> None:
        """Let *duration* pass, with all that is due in it."""
        self._until = self._now + duration.total_seconds()
        self.run_forever()
        self.run_forever()  # a timer due at the very end has made something ready

    def leap(self, duration: timedelta) -> None:
        """Let *duration* pass at once: what is due in it comes afterwards, all together, as for a frozen process."""
        self._now += duration.total_seconds()

    def _idle(self, timeout: float | None) -> None:
        if timeout is None or self._now + timeout > self._until:
            self._now = self._until
            self.stop()
        else:
            self._now += timeout
