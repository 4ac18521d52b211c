"""Hearing of the end of the server before the server does: from then on nothing new is begun."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


def hear_of_the_end(stop: Callable[[], None]) -> None:
    """Call *stop* at the signal that ends the server, before the server's own handler: from then on it is not ready."""
    if threading.current_thread() is not threading.main_thread():
        return  # a server that runs us beside its own main thread tells us by the lifespan alone
    for one in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(one)

        def hear(number: int, frame: FrameType | None, before: object = before) -> None:
            stop()
            if callable(before):
                before(number, frame)

        signal.signal(one, hear)
