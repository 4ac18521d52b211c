"""
Looks after the fleet when nobody looks: each alert that begins, gets worse or ends is one event of the log.

Rule: of all processes the one that started first speaks, so that each event is told once; while nobody can tell who
that is, each speaks for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from hashcache.core.errors import StoreUnavailable
from hashcache.ports import Ledger, Process
from hashcache.service.alerts import Alert

log: structlog.stdlib.BoundLogger = structlog.get_logger("hashcache")


class Watch:
    """
    Asks for *alerts* every so many seconds (*every*). *ledger* knows the processes of the fleet; *own* is the name of
    this one.
    """

    def __init__(
        self,
        alerts: Callable[[], Awaitable[Sequence[Alert]]],
        ledger: Ledger,
        *,
        own: str,
        every: float,
    ) -> None:
        self._alerts = alerts
        self._ledger = ledger
        self._own = own
        self._every = every
        self._known: dict[str, Alert] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch(), name="watch")

    async def close(self) -> None:
        """Stop. Safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Look once, and tell what has changed since the last time."""
        eldest = await self._eldest()
        if eldest is not None and eldest.name != self._own:
            self._known = {}
            return
        found = {alert.name: alert for alert in await self._alerts()}
        for name, alert in found.items():
            before = self._known.get(name)
            if before is None or before.level != alert.level:
                tell = log.error if alert.level == "critical" else log.warning
                tell(
                    "alert.raised",
                    alert=name,
                    severity=alert.level,
                    title=alert.title,
                    detail=alert.detail,
                    value=alert.value,
                    threshold=alert.threshold,
                )
        for name in self._known.keys() - found.keys():
            log.info("alert.ended", alert=name)
        self._known = found

    async def _eldest(self) -> Process | None:
        try:
            return next(iter(await self._ledger.processes()), None)
        except StoreUnavailable:
            return None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every)  # the pace of looking
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, it must neither end the watch nor a request
                log.warning("watch.failed", error=type(error).__name__, detail=str(error))
