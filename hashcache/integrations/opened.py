"""
What a cache of the library is made of while it is open.

Order at the end: nothing new is begun, what was ordered is done, functions that run end within the grace and their
answers are kept, sweeps stop, the store closes.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hashcache import wiring
from hashcache.engine.cache import Cache as Engine
from hashcache.engine.invalidation import Invalidations
from hashcache.engine.near import Near
from hashcache.integrations.forgetting import Forgetting
from hashcache.integrations.listening import Invalidated, ListeningChannel

log = logging.getLogger("hashcache")


class _Spokesman:
    """Logs the coming and going of the store."""

    def store(self, *, available: bool, reason: str) -> None:
        if available:
            log.info("cache.available")
        else:
            log.warning("cache.error operation=connect reason=%s: functions run without the store", reason)


class Opened:
    """What lives from opening to closing, on *store* and with *near* bytes of memory."""

    def __init__(self, store: wiring.Shared, near: int, callbacks: list[Callable[[Invalidated], None]]) -> None:
        self.loop = asyncio.get_running_loop()
        self.process = os.getpid()
        self.store = store
        self.channel = ListeningChannel(store.channel, callbacks)
        self.engine = Engine(
            store, self.channel, Near(near), token=wiring.token, chance=wiring.chance, observer=_Spokesman()
        )
        self.invalidations = Invalidations(self.engine)
        self.forgetting = Forgetting(self.invalidations)
        self.orders: set[asyncio.Task[Any]] = set()

    def refreshes(self) -> bool:
        """Whether the task that asks is a refresh in the background: then nobody waits for it."""
        task = asyncio.current_task()
        return task is not None and self.engine.flights.is_refresh(task)

    async def open(self) -> None:
        """Connect, listen, learn what is forbidden."""
        await self.store.open()
        await self.engine.open()
        await self.invalidations.resume()

    async def close(self, grace: timedelta) -> None:
        """Let what is under way end within *grace*; keep it; disconnect."""
        self.engine.stop()
        if self.orders:
            await asyncio.wait(set(self.orders), timeout=grace.total_seconds())
        late = await self.engine.close(grace)
        if late:
            log.warning("cache.error operation=close cancelled=%d", late)
        await self.invalidations.close()
        await self.store.close()
