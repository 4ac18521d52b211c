"""
The thread in which a `SyncCache` lives, on an event loop of its own.

Rule: any number of threads may use it. A process that is forked has no such thread: there it is not open, whatever it
      was before the fork, and says so; it can be opened again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from threading import Lock, Thread
from typing import Any, TypeVar

from hashcache import wiring
from hashcache.integrations.answering import Answering
from hashcache.integrations.calls import runs_on
from hashcache.integrations.opened import Opened

R = TypeVar("R")


class CacheThread:
    """Opens *answering* in a thread of its own, and asks it there."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._thread: Thread | None = None
        self._opening = Lock()
        self._stop: Callable[[], object] = lambda: None

    def start(self, store: wiring.Shared | None = None) -> None:
        """Open it, on *store* or on that of its settings; RuntimeError when it is open."""
        if self._thread is not None and self._thread.is_alive():  # in a fork no other thread is
            raise RuntimeError("this cache is open already")
        started: Future[None] = Future()
        # A daemon: who forgets to close it can still leave.
        self._thread = Thread(target=asyncio.run, args=(self._live(started, store),), name="hashcache", daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread = None
            raise

    def stop(self) -> None:
        """Close it. Safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._stop()
            thread.join()

    def keep_open(self) -> None:
        """
        Open it, unless it is open in this process: for servers that fork their workers and tell nobody when one begins.
        Safe to call as often as one likes, by any thread. It stays open until `stop`, or until the process ends; what
        is being refreshed in the background at that moment is lost, and nothing else.
        """
        if not self._answering.is_open:
            with self._opening:
                if not self._answering.is_open:
                    self.start()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """What *work* gives on the cache's own loop."""
        try:
            opened = self.reachable()
        except RuntimeError:
            work.close()
            raise
        return asyncio.run_coroutine_threadsafe(work, opened.loop).result()

    def reachable(self) -> Opened:
        """What is open; RuntimeError: nothing is, in this process, or who asks is the thread that would answer."""
        opened = self._answering.opened
        if runs_on(opened.loop):
            raise RuntimeError("a callback of a SyncCache runs in its own thread, where nothing may wait for it")
        return opened

    async def _live(self, started: Future[None], store: wiring.Shared | None) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        self._stop = partial(loop.call_soon_threadsafe, over.set)
        try:
            await self._answering.open(store)
        except Exception as error:  # noqa: BLE001 - raised by `start`, in the thread of who opens it
            started.set_exception(error)
            return
        started.set_result(None)
        try:
            await over.wait()
        finally:
            await self._answering.close()
