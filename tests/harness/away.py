"""
A store that can be cut off: every verb raises while it is away, and does what it does otherwise.

It cannot simulate a verb that was applied but whose reply was lost; the Redis tests do that on the wire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hashcache.core.errors import StoreUnavailable
from hashcache.ports import Store

_VERBS = frozenset(
    {
        "read",
        "claim",
        "renew",
        "release",
        "commit",
        "forget",
        "barrier",
        "forbid",
        "progress",
        "scan",
        "remove",
        "add",
        "totals",
    }
)


class CutOff:
    """Wraps *store*. *away* cuts it off; *calls* counts the verbs that were tried, *before* runs ahead of a verb."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = False
        self.calls: dict[str, int] = {}
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if name not in _VERBS:
            return verb

        async def guarded(*args: Any, **named: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            hook = self.before.pop(name, None)
            if hook is not None:
                await hook()
            if self.away:
                raise StoreUnavailable("cut off by the test")
            return await verb(*args, **named)

        return guarded
