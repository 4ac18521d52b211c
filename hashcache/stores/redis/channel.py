"""
The channel on a Redis server: Pub/Sub, heard on one connection of its own outside the pool.

Rule 1: a subscription that is silent proves nothing (redis-py issue 2417). Each PING on it is answered after
        everything that was published before, so a pong proves that nothing is missing up to the moment in which its
        PING was sent. Only that moment counts: after a freeze of this process an old pong proves nothing.
Rule 2: a connection without proof for a window is given up. A new one follows, after a pause that grows and is never
        the same for two processes; once it is subscribed the gap is told, and only then is it alive.
Rule 3: PUBLISH counts listeners without saying who they are. Our own subscription is subtracted only if what we
        published came back on it: a connection that the server has closed already must not hide somebody else's.
Rule 4: hashcache's processes listen to `<prefix>channel`. What was cleared and forgotten is published once more on
        `<prefix>invalidations`, for services in other languages, who acknowledge nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from redis.asyncio.connection import Connection
from redis.exceptions import InvalidResponse, RedisError

from hashcache.core.entry import Instant
from hashcache.core.key import Key, Names
from hashcache.core.notice import Notice
from hashcache.ports import Traffic
from hashcache.stores.hearing import Hearing, Pace, message
from hashcache.stores.redis.address import Address
from hashcache.stores.redis.dialing import Way, dial, leads, watch
from hashcache.stores.redis.failures import translate
from hashcache.stores.redis.remote import Remote
from hashcache.stores.redis.scripts import Command

#: Seconds until a lost connection is made anew: at first, and at most; doubled with each failure.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: Seconds that our own notice may take to come back once the server has answered.
_ECHO = 0.25
_FOR_OTHERS = frozenset({"invalidate", "forget"})


class RedisChannel:
    """
    This process's Channel. *line* opens a connection to where it is heard; what it sends goes through *server*.

    *now* is the store's clock, *monotonic* gives seconds, *chance* a number from 0 to 1.
    *patience* bounds opening the connection and sending.
    """

    def __init__(
        self,
        address: Address | Way,
        server: Remote,
        names: Names,
        *,
        now: Callable[[], Instant],
        monotonic: Callable[[], float],
        chance: Callable[[], float],
        patience: timedelta,
        pace: Pace,
    ) -> None:
        self.name = f"{names.prefix}channel"
        #: Why it is not heard just now, as a word; None: it is, or it was never opened.
        self.reason: str | None = None
        self._for_others = f"{names.prefix}invalidations"
        self._address = address
        self._server = server
        self._monotonic = monotonic
        self._chance = chance
        self._patience = patience
        self._pace = pace
        self._hearing = Hearing(now, pace.flood)
        self._listening: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        #: Whether notices may have been lost before the next subscription.
        self._behind = False
        self._asked: deque[float] = deque()
        self._proven: float | None = None
        self._failures = 0
        self._echoes: dict[bytes, asyncio.Future[None]] = {}

    @property
    def origin(self) -> str:
        """This process's name on the channel."""
        return self._hearing.origin

    @property
    def alive(self) -> bool:
        """Whether a PING that was sent within the window has been answered, and no flood is being passed over."""
        proven = self._proven is not None and self._monotonic() - self._proven < self._pace.window.total_seconds()
        return proven and not self._hearing.deaf

    @property
    def traffic(self) -> Traffic:
        """What went over it so far."""
        return self._hearing.traffic

    async def open(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """Listen; waits, at most for *patience*, until that works or has failed once. It is tried again for ever."""
        await self.close()
        self._hearing.attend(heard, gap)
        self._settled.clear()
        self._listening = asyncio.create_task(self._listen(), name=f"listen to {self.name}")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._settled.wait()
        # From here on our caller may rely on what it read before the subscription.
        self._behind = self._behind or self._proven is None

    async def close(self) -> None:
        """Stop listening and close the connection."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
            self._behind = True
        self._hearing.leave()

    async def publish(self, notice: Notice) -> int:
        """Send *notice*; how many other processes of hashcache were subscribed, in doubt one too many."""
        raw = message(notice)
        commands: list[Command] = [("PUBLISH", self.name, raw)]
        if notice.kind in _FOR_OTHERS:
            commands.append(("PUBLISH", self._for_others, raw))
        echo = self._echoes.setdefault(raw, asyncio.get_running_loop().create_future())
        try:
            count = await self._send(commands)
            self._hearing.sent()
            if self._proven is not None:
                await asyncio.wait({echo}, timeout=_ECHO)
            return max(0, count - (1 if echo.done() else 0))
        finally:
            self._echoes.pop(raw, None)

    def done(self, key: Key) -> bytes:
        """The message that a purchase of *key* has ended, for a script that publishes it."""
        return self._hearing.done(key)

    def sent(self) -> None:
        """A script has published a message of ours."""
        self._hearing.sent()

    async def _send(self, commands: Sequence[Command]) -> int:
        """Send *commands*, which publish; how many heard the first of them, ourselves included."""
        count, *_ = await self._server.ask(*commands, within=self._patience)
        return int(count)

    async def _listen(self) -> None:
        """Keep a subscription, for ever."""
        while True:
            try:
                connection = await dial(self._address, self._patience)
                try:
                    await self._attend(connection)
                finally:
                    self._proven = None
                    await connection.disconnect(nowait=True)
            except (RedisError, OSError, ValueError, EOFError, RuntimeError) as error:
                # ValueError, EOFError: not the protocol of Redis. RuntimeError: uvloop's word for a reset connection.
                self.reason = translate(error, self._server.where).reason
            self._behind = True
            self._settled.set()
            pause = min(_FIRST_PAUSE * 2.0 ** min(self._failures, 10), _LONGEST_PAUSE)
            self._failures += 1
            await asyncio.sleep(pause * (1 + self._chance()) / 2)  # back-off with jitter: no storm of connections

    async def _attend(self, connection: Connection) -> None:
        """Subscribe and hear, until the connection breaks or gives no proof for a window."""
        window = self._pace.window.total_seconds()
        self._asked.clear()
        await connection.send_packed_command(connection.pack_commands([("SUBSCRIBE", self.name)]))
        watching = asyncio.create_task(watch(self._address, self._patience), name=f"watch {self.name}")
        deadline = asyncio.timeout(window)
        asking = asyncio.create_task(self._ask(connection, deadline), name=f"ping {self.name}")
        try:
            async with deadline:
                while True:
                    proven = self._took(await connection.read_response())
                    if proven is not None:
                        left = window - (self._monotonic() - proven)
                        deadline.reschedule(asyncio.get_running_loop().time() + left)
        finally:
            asking.cancel()
            watching.cancel()
            await asyncio.gather(asking, watching, return_exceptions=True)

    async def _ask(self, connection: Connection, deadline: asyncio.Timeout) -> None:
        while leads(self._address, connection):
            self._asked.append(self._monotonic())
            await connection.send_packed_command(connection.pack_commands([("PING",)]))
            await asyncio.sleep(self._pace.pulse.total_seconds())  # the pace of proofs that it is alive
        # A server that is not the master any more proves nothing: others publish elsewhere.
        self._proven = None
        deadline.reschedule(asyncio.get_running_loop().time())

    def _took(self, reply: Any) -> float | None:
        """Heed one message of the server; the moment of which it is a proof, if it is one."""
        match reply:
            case [b"message", _, bytes(raw)]:
                echo = self._echoes.get(raw)
                if echo is not None and not echo.done():
                    echo.set_result(None)
                self._hearing.take(raw)
            case [b"subscribe", *_]:
                if self._behind:
                    self._hearing.missed()
            case [b"pong", *_] if self._asked:
                self._proven = self._asked.popleft()
                self._behind, self._failures, self.reason = False, 0, None
                self._settled.set()
                return self._proven
            case _:  # a bare PONG, among others: this connection is not subscribed
                raise InvalidResponse("not what a subscriber is sent")
        return None
