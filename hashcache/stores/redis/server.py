"""
One server, asked within a deadline and not at all while it is out of reach.

Rule 1: one `ask` is one round trip (two the first time that a script is run).
Rule 2: nothing is retried here. After three failures in a row the breaker opens: then whoever asks is refused at
        once, and it is we who look once a second whether the server is back: no request waits for that.
Rule 3: what leaves is StoreUnavailable, made in `failures`; redis-py's own errors end here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import hiredis
from redis.asyncio.connection import Connection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from hashcache.core.breaker import Breaker
from hashcache.core.errors import StoreUnavailable
from hashcache.stores.redis.address import Address
from hashcache.stores.redis.clock import ServerClock
from hashcache.stores.redis.connections import Connections
from hashcache.stores.redis.deadline import deadline
from hashcache.stores.redis.dialing import Way
from hashcache.stores.redis.failures import OUT_OF_REACH, translate
from hashcache.stores.redis.scripts import Call, Command

#: Reasons for which another server may answer next time: the one that was asked is gone, or a replica now.
_GONE = frozenset({"readonly", "timeout", "unreachable"})
#: Of so many round trips it is remembered how long they took.
_REMEMBERED = 512


class Server:
    """
    The server at *address*. *patience* bounds opening a connection; *monotonic* gives seconds, *chance* 0 to 1.

    *clock*, if there is one, is kept up to date from the server's by the way.
    """

    def __init__(
        self,
        address: Address | Way,
        *,
        connections: int,
        patience: timedelta,
        clock: ServerClock | None,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self.where = str(address)
        #: How many commands were sent, those inside scripts not counted.
        self.commands = 0
        #: How long the last round trips took, in seconds; waiting for a connection included.
        self.took: deque[float] = deque(maxlen=_REMEMBERED)
        self._connections = Connections(address, most=connections, patience=patience)
        self._patience = patience
        self._clock = clock
        self._monotonic = monotonic
        self._chance = chance
        self._breaker = Breaker()
        self._reason = "unreachable"
        self._sampling: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._closed = False

    async def open(self) -> None:
        """Connect and read the server's clock, if it can be reached now."""
        await self._sample()

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        if self._sampling is not None:
            await self._sampling
        self._closed = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._connections.close()

    @property
    def away(self) -> bool:
        """Whether it is not asked just now, because it failed a moment ago."""
        return self._breaker.opened is not None

    def keep(self, clock: ServerClock | None) -> None:
        """From now on keep *clock* up to date; None: no clock."""
        self._clock = clock

    def allow(self, connections: int) -> None:
        """Open at most so many from now on; what is idle beyond is closed."""
        self._connections.allow(connections)

    async def ask(self, *commands: Command | Call, within: timedelta, lenient: bool = False) -> list[Any]:
        """
        The replies to *commands*, in order, in one round trip. They are not one act: a Call is one by itself.

        *lenient*: a command that meets a value of another type answers None.

        Raises:
            StoreUnavailable: the server is out of reach, late, or refused one of them (the others took effect).
        """
        replies = await self.replies(*commands, within=within)
        if lenient:
            replies = [None if is_foreign(reply) else reply for reply in replies]
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise self.refusal(reply)
        self.answered()
        return replies

    async def replies(self, *commands: Command | Call, within: timedelta) -> list[Any]:
        """
        As `ask`, with the errors that the server answered among the replies; the caller judges them, and tells by
        `refusal` or `answered` what came of it.

        Raises:
            StoreUnavailable: the server is out of reach or late.
        """
        self.admit()
        asked = self._monotonic()
        try:
            async with deadline(within):
                return await self._exchange(commands)
        except (
            RedisError,
            OSError,
            ValueError,
            EOFError,
        ) as error:  # the last two: not Redis's protocol, or half of it
            raise self.refusal(error) from None
        finally:
            self.took.append(self._monotonic() - asked)

    def answered(self) -> None:
        """It serves."""
        self._breaker = self._breaker.succeeded()
        self._keep_time()

    def refusal(self, error: Exception) -> StoreUnavailable:
        """What *error* means for whoever asked; the breaker takes note."""
        away = translate(error, self.where)
        if away.reason in OUT_OF_REACH:
            self._breaker = self._breaker.failed(self._monotonic())
            self._reason = away.reason
            if self._breaker.opened is not None and self._probing is None and not self._closed:
                self._probing = asyncio.create_task(self._probe(), name=f"probe {self.where}")
        else:
            self._breaker = self._breaker.succeeded()
        if away.reason in _GONE:
            if self._clock is not None:
                self._clock.doubt()  # what answers next may be another server
            if away.reason == "readonly" or self._breaker.opened is not None:
                self._connections.retire()
        return away

    def admit(self) -> None:
        """Raises StoreUnavailable while it is not asked, because it failed a moment ago or is closed."""
        if self._closed:
            raise StoreUnavailable(f"Redis at {self.where}: the store is closed", reason="closed")
        if self._breaker.opened is not None:
            raise StoreUnavailable(f"Redis at {self.where}: not asked, it failed a moment ago", reason=self._reason)

    async def _exchange(self, commands: Sequence[Command | Call]) -> list[Any]:
        async with self._connections.lend() as connection:
            replies = await self._converse(
                connection, [one.short if isinstance(one, Call) else one for one in commands]
            )
            unknown = next((i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)), None)
            if unknown is not None:
                # From there on again, so that the order of acts stays the one that was asked for.
                again = [one.full if isinstance(one, Call) else one for one in commands[unknown:]]
                replies[unknown:] = await self._converse(connection, again)
            return replies

    async def _converse(self, connection: Connection, commands: Sequence[Command]) -> list[Any]:
        self.commands += len(commands)
        try:
            # By hiredis: redis-py's asynchronous connection writes commands in Python, six times as slowly.
            packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type]  # its stub: of one word
            await connection.send_packed_command(packed)
        except RuntimeError as error:  # uvloop's word for writing to a connection that was reset
            raise ConnectionResetError(str(error)) from error
        return [await _reply(connection) for _ in commands]

    async def _probe(self) -> None:
        """Look until the server is back."""
        try:
            while self._breaker.opened is not None:
                # Not all processes at once: a server that comes back is not to be met by a storm.
                await asyncio.sleep(self._breaker.pause * (0.75 + self._chance() / 2))  # the pace of probes
                try:
                    async with asyncio.timeout(self._patience.total_seconds()):
                        await self._exchange([("PING",)])
                except (RedisError, OSError, ValueError, EOFError) as error:
                    self._reason = translate(error, self.where).reason
                else:
                    self._breaker = self._breaker.succeeded()
        finally:
            self._probing = None

    def _keep_time(self) -> None:
        if self._clock is not None and self._clock.due and self._sampling is None:
            self._clock.began()
            self._sampling = asyncio.create_task(self._sample())
            self._sampling.add_done_callback(self._sampled)

    def _sampled(self, _: asyncio.Task[None]) -> None:
        self._sampling = None

    async def _sample(self) -> None:
        clock = self._clock
        if clock is None:
            return
        clock.began()
        with suppress(StoreUnavailable):
            asked = self._monotonic()
            ((seconds, microseconds),) = await self.ask(("TIME",), within=self._patience)
            clock.sampled(int(seconds) * 1000 + int(microseconds) / 1000, asked, self._monotonic())


async def _reply(connection: Connection) -> Any:
    """The next reply; an error that the server answered with is a reply as well."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def is_foreign(reply: Any) -> bool:
    """Whether *reply* says that a value of another type lies there."""
    return isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE")
