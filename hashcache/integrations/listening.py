"""
A channel between processes that also tells the application what was invalidated, and counts who was told.

Rule 1: callbacks run on the loop, after the cache has forgotten; one that fails is logged and hinders nobody.
Rule 2: they are told of what this process invalidates too: one rule for all of them.
Rule 3: what can only be about the service's own entries is not told.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from hashcache.core.barrier import Selector
from hashcache.core.errors import PatternError
from hashcache.core.key import Key
from hashcache.core.notice import Notice
from hashcache.integrations import names
from hashcache.ports import Channel, Traffic

_REMEMBERED = 1_000

log = logging.getLogger("hashcache")


@dataclass(frozen=True, slots=True)
class Invalidated:
    """
    Something was invalidated: all that *pattern*, *type* and *tag* mean together, or just *keys*. *at*: when, on the
    store's clock; *here*: by this process.
    """

    pattern: str | None
    type: str | None
    tag: str | None
    keys: tuple[str, ...]
    reason: str
    at: datetime
    here: bool


class ListeningChannel:
    """*channel*, with ears for the application."""

    def __init__(self, channel: Channel, callbacks: list[Callable[[Invalidated], None]]) -> None:
        self._channel = channel
        self._callbacks = callbacks
        self._listeners: OrderedDict[int, int] = OrderedDict()

    @property
    def origin(self) -> str:
        """The channel's."""
        return self._channel.origin

    @property
    def alive(self) -> bool:
        """The channel's."""
        return self._channel.alive

    @property
    def traffic(self) -> Traffic:
        """The channel's."""
        return self._channel.traffic

    async def open(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """Listen, and tell the application after the engine."""

        def both(notice: Notice) -> None:
            heard(notice)
            self._tell(notice, here=False)

        await self._channel.open(both, gap)

    async def close(self) -> None:
        """Stop listening."""
        await self._channel.close()

    async def publish(self, notice: Notice) -> int:
        """Send *notice*; how many listened."""
        listeners = await self._channel.publish(notice)
        if notice.kind == "invalidate":
            self._listeners[notice.sequence] = listeners
            if len(self._listeners) > _REMEMBERED:
                self._listeners.popitem(last=False)
        self._tell(notice, here=True)
        return listeners

    def listeners(self, sequence: int | None) -> int:
        """How many processes listened when the invalidation *sequence* was published here."""
        return 0 if sequence is None else self._listeners.get(sequence, 0)

    def _tell(self, notice: Notice, *, here: bool) -> None:
        told = _told(notice, here=here) if self._callbacks else None
        for callback in list(self._callbacks) if told is not None else ():
            try:
                callback(told)  # type: ignore[arg-type]  # told is not None: see above
            except Exception:
                log.exception("cache.error operation=on_invalidate")


def _told(notice: Notice, *, here: bool) -> Invalidated | None:
    """What the application is told of *notice*; None: nothing."""
    at = datetime.fromtimestamp(notice.timestamp / 1000, UTC)
    if notice.kind == "forget":
        keys = tuple(name for name in map(_name, notice.keys) if name is not None)
        return Invalidated(None, None, None, keys, notice.reason, at, here) if keys else None
    if notice.kind != "invalidate":
        return None
    selector = notice.selector or Selector(pattern=notice.pattern)
    pattern = names.pattern_of(selector)
    if pattern is None:
        return None
    return Invalidated(pattern, selector.kind, selector.tag, (), notice.reason, at, here)


def _name(logical: str) -> str | None:
    try:
        key = Key.parse(logical)
    except PatternError:
        return None
    return names.name_of(key) if key.space == names.SPACE else None
