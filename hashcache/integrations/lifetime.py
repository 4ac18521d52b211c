"""
The engine of a library's cache, from when it is opened until it is closed.

Rule: all on one event loop, the one on which it was opened, in the process in which it was opened.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from hashcache import wiring
from hashcache.integrations.listening import Invalidated
from hashcache.integrations.opened import Opened
from hashcache.settings import Settings


class Lifetime:
    """One cache, open or not, of these *settings*; *callbacks* are told what is invalidated while it is open."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.callbacks: list[Callable[[Invalidated], None]] = []
        self._opened: Opened | None = None
        self._inherited: list[Opened] = []

    @property
    def is_open(self) -> bool:
        """Whether it is open in this very process."""
        return self._opened is not None and self._opened.process == os.getpid()

    @property
    def opened(self) -> Opened:
        """
        What is open.

        Raises:
            RuntimeError: nothing is, in this process.
        """
        if self._opened is None:
            raise RuntimeError("this cache is not open: use it inside `async with cache:` (or `with`, for a SyncCache)")
        if self._opened.process != os.getpid():
            raise RuntimeError(
                "this cache was opened before this process was forked: open it here (for Flask, init_app does that)"
            )
        return self._opened

    @property
    def here(self) -> Opened:
        """
        What is open on this very event loop.

        Raises:
            RuntimeError: nothing is; each loop has a cache of its own.
        """
        opened = self.opened
        if asyncio.get_running_loop() is not opened.loop:
            raise RuntimeError("this cache was opened on another event loop: each loop needs a cache of its own")
        return opened

    async def open(self, store: wiring.Shared | None = None) -> None:
        """
        Open it on *store*, or on that of its settings.

        Raises:
            RuntimeError: it is open. SettingsError: there is no such store.
        """
        if self.is_open:
            raise RuntimeError("this cache is open already")
        if self._opened is not None:  # closing what a fork inherits would talk on the other process's connections
            self._inherited.append(self._opened)
        opened = Opened(store or wiring.store(self.settings), self.settings.near_bytes, self.callbacks)
        self._opened = opened
        try:
            await opened.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close it. Safe to call twice."""
        opened = self._opened
        if opened is not None:
            await opened.close(self.settings.grace)
            self._opened = None
