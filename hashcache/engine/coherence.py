"""
Processes that agree: what one clears, all forget before the clear returns.

    A: raise the barrier, publish, wait          B: hears, forgets what it has near, reads the barrier, acknowledges
    A: all who listened have acknowledged, or their trust in a silent channel has run out: return

Rule 1: a notice is applied at once, on the loop, before it is acknowledged.
Rule 2: whoever does not acknowledge within the window has lost the channel, and knows it: near memory is not
        trusted there. So a clear never waits longer than the window.
Rule 3: when a clear returns, everybody who hears knows the barrier, not A alone: a store that loses it right after is
        not the only one that had it.
Rule 4: a notice that names what we do not know, or comes twice or late, forgets too much at worst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from hashcache.core.barrier import Selector
from hashcache.core.errors import PatternError, StoreUnavailable
from hashcache.core.key import Key
from hashcache.core.notice import Notice
from hashcache.engine.flights import Flights
from hashcache.engine.view import View
from hashcache.engine.waiting import Wakes
from hashcache.ports import Channel, Store

#: How long a silent channel is trusted; so long a clear waits for acknowledgements at most.
WINDOW = timedelta(seconds=2)
#: How many keys one notice names at most.
_MOST_KEYS = 200


class Coherence:
    """What this process tells the others over *channel*, and what it does when it hears from them."""

    def __init__(
        self,
        store: Store,
        channel: Channel,
        view: View,
        flights: Flights,
        wakes: Wakes,
        *,
        token: Callable[[], str],
        window: timedelta = WINDOW,
    ) -> None:
        self._store = store
        self._channel = channel
        self._view = view
        self._flights = flights
        self._wakes = wakes
        self._token = token
        self._window = window
        self._acknowledging: dict[str, tuple[set[str], asyncio.Event]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        await self._channel.open(self.heard, self.gap)

    async def close(self) -> None:
        """Stop listening."""
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._channel.close()

    async def cleared(self, sequence: int, selector: Selector, reason: str) -> None:
        """
        Tell everybody of an invalidation that stands in the store, and wait until they have forgotten.

        Raises:
            StoreUnavailable: they could not be told.
        """
        await self._announce(
            Notice(
                kind="invalidate",
                origin=self._channel.origin,
                timestamp=self._store.now(),
                id=self._token(),
                sequence=sequence,
                selector=selector,
                pattern=selector.pattern,
                reason=reason,
            )
        )

    async def forgotten(self, keys: Sequence[Key]) -> None:
        """
        Tell everybody that *keys* were forgotten in the store, and wait until they have.

        Raises:
            StoreUnavailable: they could not be told.
        """
        names = [key.logical for key in keys]
        for at in range(0, len(names), _MOST_KEYS):
            await self._announce(
                Notice(
                    kind="forget",
                    origin=self._channel.origin,
                    timestamp=self._store.now(),
                    id=self._token(),
                    keys=tuple(names[at : at + _MOST_KEYS]),
                )
            )

    def heard(self, notice: Notice) -> None:
        """Apply what another process did."""
        if notice.kind == "done":
            for key in _keys(notice):
                self._view.superseded(key)
                self._wakes.wake(key.logical)
        elif notice.kind == "acknowledge":
            self._acknowledged(notice)
        else:
            self._apply(notice)
            self._acknowledge(notice)

    def gap(self) -> None:
        """Notices may have been lost."""
        self._view.gap()
        self._flights.doubt()
        self._wakes.wake_all()

    def _apply(self, notice: Notice) -> None:
        if notice.kind == "invalidate":
            selector = notice.selector or Selector(pattern=notice.pattern)
            self._view.invalidate(selector)
            self._flights.detach(selector)
            return
        for key in _keys(notice):
            self._view.forget([key])
            self._flights.detach_key(key)
            self._wakes.wake(key.logical)

    def _acknowledge(self, notice: Notice) -> None:
        if not notice.id:
            return
        reply = Notice(kind="acknowledge", origin=self._channel.origin, timestamp=self._store.now(), id=notice.id)
        learn = notice.kind == "invalidate"
        task = asyncio.create_task(self._send(reply, learn=learn), name=f"acknowledge {notice.id}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, notice: Notice, *, learn: bool) -> None:
        """Publish *notice*; *learn* the barrier first, if the store tells it."""
        try:
            if learn:
                self._view.saw(await self._store.barrier())
        except StoreUnavailable as away:
            self._view.lost(away)
        try:
            await self._channel.publish(notice)
        except StoreUnavailable:
            return  # whoever waits for it waits until the window is over

    async def _announce(self, notice: Notice) -> None:
        """Publish *notice* and wait for those who listen, at most for the window."""
        acknowledged: set[str] = set()
        changed = asyncio.Event()
        self._acknowledging[notice.id] = (acknowledged, changed)
        try:
            # If it fails here, the channel of others may be alive all the same: they will never hear of it.
            listeners = await self._channel.publish(notice)
            async with asyncio.timeout(self._window.total_seconds()):
                while len(acknowledged) < listeners:
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return
        finally:
            del self._acknowledging[notice.id]

    def _acknowledged(self, notice: Notice) -> None:
        if notice.id in self._acknowledging:
            acknowledged, changed = self._acknowledging[notice.id]
            acknowledged.add(notice.origin)
            changed.set()


def _keys(notice: Notice) -> Iterator[Key]:
    """The keys that *notice* names; what is no key's name is passed over."""
    for name in notice.keys:
        try:
            yield Key.parse(name)
        except PatternError:
            continue
