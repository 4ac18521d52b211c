"""
A channel in the test's hand: it delivers, holds back, loses, doubles or goes silent when told.

It cannot simulate a channel that believes to be alive and is not: the Redis tests do that on the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.core.notice import Notice, decode, encode
from hashcache.ports import Traffic

#: For how many seconds an end that hears nothing counts as alive.
TRUSTED = 2.0


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
    """
    One process's end; a `ports.Channel`.

    *alive* is what the test says it is, or False because the end is `slow` for too long; *away*: nothing can be sent.
    *broken*: its line is cut: it is not alive, nothing reaches it, and nobody waits for it. *slow*: what it should
    hear waits in `late`.
    """

    def __init__(self, hub: Hub, origin: str) -> None:
        self._hub = hub
        self._heard: Callable[[Notice], None] | None = None
        self._gap: Callable[[], None] | None = None
        self._alive = True
        self._slow_since: float | None = None
        self.origin = origin
        self.away = False
        self.broken = False
        self.late: list[bytes] = []
        self.received = 0

    @property
    def alive(self) -> bool:
        """Whether it proved to be."""
        since = self._slow_since
        silent = since is not None and asyncio.get_running_loop().time() - since > TRUSTED - 1e-6  # as floats are
        return self._alive and not self.broken and not silent

    @alive.setter
    def alive(self, alive: bool) -> None:
        self._alive = alive

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

    def slow_down(self, now: float) -> None:
        """From *now* on, in the loop's seconds, what it should hear is late."""
        self._slow_since = now if self._slow_since is None else self._slow_since

    def catch_up(self, *, count: int | None = None) -> None:
        """Hear what is late, or the first *count* notices of it (then the rest stays late)."""
        due = len(self.late) if count is None else count
        heard, self.late = self.late[:due], self.late[due:]
        for raw in heard:
            self.receive(raw)
        if count is None:
            self._slow_since = None

    def mend(self) -> None:
        """A new line: what was sent meanwhile is lost, and it is told so before it is alive."""
        self.late.clear()
        if self._gap is not None:
            self._gap()
        self.broken = False
        self._slow_since = None

    def echo(self, notice: Notice) -> None:
        """Hear an old notice again."""
        self.receive(encode(notice))

    def hang_up(self) -> None:
        """Be no more: nothing is heard, nothing is sent."""
        self._heard = self._gap = None
        self.away = True

    async def publish(self, notice: Notice) -> int:
        """Send to the others, as bytes."""
        if self.away or self.broken:
            raise StoreUnavailable("cut off by the test")
        return self._send(notice)

    def done(self, key: Key) -> None:
        """What a store tells by itself when a purchase of *key* has ended."""
        self._send(Notice(kind="done", origin=self.origin, timestamp=0, keys=(key.logical,)))

    def receive(self, raw: bytes) -> None:
        """What came over the wire."""
        if self._heard is not None:
            self.received += 1
            self._heard(decode(raw))

    @property
    def traffic(self) -> Traffic:
        """Not counted here."""
        return Traffic(0, self.received, 0, None)

    def _send(self, notice: Notice) -> int:
        self._hub.sent.append(notice)
        others = [end for end in self._hub.ends if end is not self and end._heard is not None and not end.broken]
        raw = encode(notice)
        for end in others:
            if self._hub.holding:
                self._hub.held.append((end, raw))
            elif end._slow_since is not None:
                end.late.append(raw)
            elif not self._hub.losing:
                end.receive(raw)
        return len(others)
