"""
A channel in the test's hand: it delivers, holds back, loses, doubles or goes silent when told.

It cannot simulate a channel that believes to be alive and is not: the Redis tests do that on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hashcache.core.errors import StoreUnavailable
from hashcache.core.notice import Notice, decode, encode
from hashcache.ports import Traffic


@dataclass
class Hub:
    """What connects the ends. *losing*: notices vanish; *holding*: they wait in `held` until `deliver`."""

    ends: list[HubChannel] = field(default_factory=list)
    losing: bool = False
    holding: bool = False
    held: list[tuple[HubChannel, bytes]] = field(default_factory=list)
    sent: list[Notice] = field(default_factory=list)

    def join(self, origin: str) -> HubChannel:
        """One more process."""
        end = HubChannel(self, origin)
        self.ends.append(end)
        return end

    def deliver(self) -> None:
        """Let through what was held back, the last first: order is not promised."""
        held, self.held = self.held, []
        for end, raw in reversed(held):
            end.receive(raw)


class HubChannel:
    """One process's end; a `ports.Channel`. *alive* is what the test says it is; so is *away*: nothing can be sent."""

    def __init__(self, hub: Hub, origin: str) -> None:
        self._hub = hub
        self._heard: Callable[[Notice], None] | None = None
        self._gap: Callable[[], None] | None = None
        self.origin = origin
        self.alive = True
        self.away = False
        self.received = 0

    async def open(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """Listen."""
        self.listen(heard, gap)

    def listen(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """The same, at once."""
        self._heard, self._gap = heard, gap

    async def close(self) -> None:
        """Stop listening."""
        self._heard = self._gap = None

    def gap(self) -> None:
        """Some notices were lost."""
        assert self._gap is not None
        self._gap()

    async def publish(self, notice: Notice) -> int:
        """Send to the others, as bytes."""
        if self.away:
            raise StoreUnavailable("cut off by the test")
        self._hub.sent.append(notice)
        others = [end for end in self._hub.ends if end is not self and end._heard is not None]
        raw = encode(notice)
        for end in others:
            if self._hub.holding:
                self._hub.held.append((end, raw))
            elif not self._hub.losing:
                end.receive(raw)
        return len(others)

    def receive(self, raw: bytes) -> None:
        """What came over the wire."""
        if self._heard is not None:
            self.received += 1
            self._heard(decode(raw))

    @property
    def traffic(self) -> Traffic:
        """Not counted here."""
        return Traffic(0, self.received, 0, None)
