"""An event loop that is kept busy: nothing else runs on it meanwhile, which is the fault that is injected."""

from __future__ import annotations

import asyncio
import time


def keep_busy(seconds: float, *, times: int = 1) -> None:
    """In the next turns of the running loop, block it for so many *seconds*, one time after the other."""

    def block(left: int) -> None:
        time.sleep(seconds)
        if left > 1:
            loop.call_soon(block, left - 1)

    loop = asyncio.get_running_loop()
    loop.call_soon(block, times)
