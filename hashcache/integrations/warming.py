"""
Warming: calls that are made before anybody asks.

Rule: so many at once at most; one that fails is logged and counted, and the others go on.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("hashcache")


@dataclass(frozen=True, slots=True)
class Warmed:
    """How far it is: *done* calls of *total*, of which *failed* raised."""

    done: int
    total: int
    failed: int


async def warm(
    calls: Iterable[Callable[[], Any]], *, progress: Callable[[Warmed], None] | None, at_once: int
) -> Warmed:
    """Make *calls*, *at_once* of them at a time; *progress* is told after each."""
    if at_once < 1:
        raise ValueError("at_once is at least 1")
    waiting = list(calls)
    total, done, failed = len(waiting), 0, 0
    left = iter(waiting)

    async def work() -> None:
        nonlocal done, failed
        for call in left:
            try:
                await _made(call)
            except Exception:
                failed += 1
                log.exception("cache.error operation=warm of=%r", call)
            done += 1
            if progress is not None:
                progress(Warmed(done, total, failed))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, total)):
            group.create_task(work())
    return Warmed(done, total, failed)


async def _made(call: Callable[[], Any]) -> None:
    """Make *call*: on the loop if it is async, in a thread if it is plain."""
    made = call() if inspect.iscoroutinefunction(call) else await asyncio.to_thread(call)
    if inspect.isawaitable(made):
        await made
