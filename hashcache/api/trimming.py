"""
Memory that uploads took goes back to the system.

What is freed stays with malloc for the next one, and with glibc it may stay for ever: a megabyte that lives at the end
of the heap keeps all that lies before it. After a rush of uploads a process would look as large as at its height.

Rule 1: when no upload has been under way for PAUSE, so that nobody waits for it and nobody takes it right back, and
        there were FEW bytes of them or more since the last time; and when a large one leaves memory for a file.
Rule 2: beside the event loop.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

PAUSE = 1.0
FEW = 32_000_000


class Trimming:
    """Calls *trim*, in a thread, when uploads have ended. Told by whoever counts them, in the event loop."""

    def __init__(self, trim: Callable[[], object]) -> None:
        self._trim = trim
        self._most = 0
        self._soon: asyncio.TimerHandle | None = None

    def begun(self) -> None:
        """The first upload is under way again."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def ended(self, most: int) -> None:
        """The last upload has ended; *most* bytes were held at a time since the first one began."""
        self._most = max(self._most, most)
        if self._most >= FEW:
            self._soon = asyncio.get_running_loop().call_later(PAUSE, self._now)

    def moved(self) -> None:
        """
        Many bytes have left memory for a file; called in a thread. At once: they would count twice until the end, as
        the file's and as malloc's (measured: 480 MB of uploads in files beside 450 MB of free memory).
        """
        self._trim()

    def _now(self) -> None:
        self._most, self._soon = 0, None
        asyncio.get_running_loop().run_in_executor(None, self._trim)


def malloc_trim() -> None:
    """Give free pages back, wherever they lie (glibc: malloc_trim(3)); does nothing where there is no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
