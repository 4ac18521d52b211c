"""
Plain functions behind a cache that lives on an event loop.

    caller's thread: ask, wait ......... run the function, wait ... answer
    the loop:             look, claim: "yours"             keep, tell everybody

Rule 1: a function runs in the thread that asked, so what belongs to a thread (a database's connection, a request)
        is there. Only a refresh in the background, for which nobody waits, has a thread of its own, with the context
        of who caused it.
Rule 2: no pool: whoever waits for an answer holds no place that somebody needs to give it.
Rule 3: a thread that leaves in the middle (KeyboardInterrupt) leaves what it was to run to a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

#: How long somebody who was interrupted waits for others to hear of it, in seconds.
_LEAVING = 1.0


class ThreadRun:
    """One call of the plain *function* by one thread; *background* tells, on the loop, whether nobody waits for it."""

    def __init__(self, function: Callable[[], Any], background: Callable[[], bool]) -> None:
        self._function = function
        self._background = background
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._attended = True
        self._lock = Lock()

    async def run(self) -> Any:
        """On the loop: have the function run, and give what it gives."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

        def work() -> None:
            value, error = None, None
            try:
                value = self._function()
            except BaseException as raised:
                error = raised
                if not isinstance(raised, Exception):  # an interrupt is its thread's own
                    error = RuntimeError(f"the function was interrupted by {type(raised).__name__}")
                    raise
            finally:
                with suppress(RuntimeError):  # the loop is gone: nobody waits any more
                    loop.call_soon_threadsafe(_end, ended, (value, error))

        with self._lock:
            if self._attended and not self._background():
                self._work.put(work)
            else:
                _alone(work)
        value, error = await ended
        if error is not None:
            raise error
        return value

    def ask(self, loop: asyncio.AbstractEventLoop, answer: Coroutine[Any, Any, Any]) -> Any:
        """In the caller's thread: what *answer* gives on *loop*; it may call `run` on the way."""
        asked: Future[Any] = asyncio.run_coroutine_threadsafe(self._attend(answer), loop)
        asked.add_done_callback(lambda _: self._work.put(None))
        try:
            while (work := self._work.get()) is not None:
                try:
                    work()
                except BaseException:  # an interrupt: who asks next finds the run ended
                    wait([asked], timeout=_LEAVING)
                    raise
        except BaseException:
            self._leave()
            raise
        return asked.result()

    async def _attend(self, answer: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await answer
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._attended = False
            with suppress(Empty):
                while (work := self._work.get_nowait()) is not None:
                    _alone(work)


def _alone(work: Callable[[], None]) -> None:
    """Let *work* run in a thread of its own, which keeps no process from ending."""
    Thread(target=copy_context().run, args=(work,), name="hashcache function", daemon=True).start()


def _end(ended: asyncio.Future[Any], how: tuple[Any, BaseException | None]) -> None:
    if not ended.done():
        ended.set_result(how)
