"""
A store that can be cut off: every verb raises while it is away, and does what it does otherwise.

It can also lose replies (the verb is applied, and raises), and be slow: then a verb waits before it is applied, or
its reply does, until `go_on`, or until it has taken too long and raises; what waited to be applied may still be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum, auto
from typing import Any

from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.ports import Store

#: After so many seconds a verb raises.
TOO_LONG = 0.25
#: After so many seconds a verb that was late is lost for good.
LOST = 60.0
_VERBS = frozenset(
    {
        "read",
        "claim",
        "renew",
        "release",
        "commit",
        "prolong",
        "forget",
        "barrier",
        "forbid",
        "advance",
        "restore",
        "progress",
        "scan",
        "remove",
    }
)


class Fault(Enum):
    """What goes wrong between a process and its store."""

    AWAY = auto()
    LOSING_REPLIES = auto()
    SLOW_REQUESTS = auto()
    SLOW_REPLIES = auto()
    LATE = auto()  # as SLOW_REQUESTS, but what took too long is applied when the store goes on


class CutOff:
    """
    Wraps *store*. *away* cuts it off; *calls* counts the verbs that were tried, *before* runs ahead of a verb.

    *fault* is what goes wrong now; *skew*: by how many milliseconds this process is wrong about the store's clock;
    *applied* is told each verb that was applied, with its arguments and its result.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fault: Fault | None = None
        self.skew = 0
        self.calls: dict[str, int] = {}
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self.applied: Callable[[str, tuple[Any, ...], Any], None] | None = None
        self._gate: asyncio.Future[None] | None = None

    @property
    def away(self) -> bool:
        """Whether every verb raises."""
        return self.fault is Fault.AWAY

    @away.setter
    def away(self, away: bool) -> None:
        self.fault = Fault.AWAY if away else None

    def now(self) -> Instant:
        """The store's clock, as this process believes."""
        return Instant(self._store.now() + self.skew)

    @property
    def stuck(self) -> bool:
        """Whether verbs may wait."""
        return self._gate is not None

    def go_on(self) -> None:
        """Nothing goes wrong any more, and what waits goes on."""
        self.fault = None
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.set_result(None)

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if name not in _VERBS:
            return verb

        async def apply(*args: Any, **named: Any) -> Any:
            result = await verb(*args, **named)
            if self.applied is not None:
                self.applied(name, args, result)
            return result

        async def guarded(*args: Any, **named: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            hook = self.before.pop(name, None)
            if hook is not None:
                await hook()
            fault = self.fault
            if fault is Fault.AWAY:
                raise StoreUnavailable("cut off by the test")
            if fault in (Fault.SLOW_REQUESTS, Fault.LATE):
                late = (lambda: apply(*args, **named)) if fault is Fault.LATE else None
                await self._wait(late)
            result = await apply(*args, **named)
            if fault is Fault.LOSING_REPLIES:
                raise StoreUnavailable("the reply was lost by the test")
            if fault is Fault.SLOW_REPLIES:
                await self._wait(None)
            return result

        return guarded

    async def _wait(self, late: Callable[[], Coroutine[Any, Any, Any]] | None) -> None:
        """Until the store goes on; *late* is what it does then, if that takes too long."""
        loop = asyncio.get_running_loop()
        if self._gate is None:
            self._gate = loop.create_future()
        gate = self._gate
        try:
            async with asyncio.timeout(TOO_LONG):
                await asyncio.shield(gate)
        except TimeoutError:
            if late is not None:
                self._apply_later(gate, late, until=loop.time() + LOST)
            raise StoreUnavailable("slowed down by the test", reason="timeout") from None

    @staticmethod
    def _apply_later(gate: asyncio.Future[None], late: Callable[[], Coroutine[Any, Any, Any]], *, until: float) -> None:
        def apply(_: asyncio.Future[None]) -> None:
            loop = gate.get_loop()
            if loop.time() < until:
                loop.create_task(late())

        gate.add_done_callback(apply)
