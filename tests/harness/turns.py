"""Waiting for a condition of the event loop's own making, one turn of the loop at a time, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

DEADLINE = 5.0


async def until(holds: Callable[[], bool]) -> None:
    """
    Let the loop run until *holds*.

    Raises:
        TimeoutError: it does not within DEADLINE seconds.
    """
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 - the condition is the loop's own; no event announces it
            await asyncio.sleep(0)


async def until_waiting(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Let the loop run until every one of *tasks* has started and waits for something, or is done."""
    watched = list(tasks)
    await until(lambda: all(task.done() or getattr(task, "_fut_waiter", None) is not None for task in watched))
