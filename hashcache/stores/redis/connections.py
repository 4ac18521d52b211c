"""
The connections to one server: at most so many, opened aside, lent to one exchange at a time.

Rule 1: a connection is opened in a task of its own, with its own patience. Whoever waits gets the first that is free,
        and may go before: a TLS handshake with a server far away never fits a request's deadline.
Rule 2: giving back does not wait, so no cancellation, at whatever moment, loses a place. (That is why redis-py's
        pools are not used: they open within the request, and their release waits for a lock.)
Rule 3: a connection whose exchange did not end well is closed, never lent again: a reply cannot reach another caller.
        If it was lost, those beside it are not trusted either: the server may be gone, or another by now.
Rule 4: nothing is retried here. The deadline and the breaker are in `server`. While some connections serve, one that
        cannot be opened fails nobody, and no other is tried for a moment: a server that is full, or sentinels that are
        away, are not to be met by a storm.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from datetime import timedelta
from types import TracebackType

from redis.asyncio.connection import Connection
from redis.exceptions import RedisError

from hashcache.stores.redis.address import Address
from hashcache.stores.redis.dialing import Way, dial, leads

#: Seconds in which no connection is opened after one could not be, as long as others serve.
_RESPITE = 1.0


class Connections:
    """At most *most* connections to *address*, each opened within *patience*."""

    def __init__(self, address: Address | Way, *, most: int, patience: timedelta) -> None:
        self._address = address
        self._most = most
        self._patience = patience
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        #: Those lent ones that are not to be kept.
        self._retired: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection]] = deque()
        self._openings: set[asyncio.Task[Connection]] = set()
        self._closings: set[asyncio.Task[None]] = set()
        self._closed = False
        #: When another may be opened again, in the loop's seconds.
        self._opens_again = 0.0

    def lend(self) -> Loan:
        """
        To be entered by `async with`: a connection, open and without unread bytes: an idle one, a new one, or the first
        that comes back.

        Waits for it: the caller has a deadline. Raises what redis-py and sockets raise.
        """
        return Loan(self)

    async def borrow(self) -> Connection:
        """What `lend` lends."""
        connection = await self._idle_one() or await self._next_one()
        self._lent.add(connection)
        return connection

    def returned(self, connection: Connection, error: BaseException | None) -> None:
        """*connection* comes back, after an exchange that ended well or with *error*."""
        self._lent.discard(connection)
        if error is None:
            self._give(connection)
            return
        if not isinstance(error, asyncio.CancelledError):
            self.retire()
        self._drop(connection)

    def retire(self) -> None:
        """Keep none of the connections there are: the name may lead to another server by now."""
        self._retired.update(self._lent)
        while self._idle:
            self._drop(self._idle.pop())

    def allow(self, most: int) -> None:
        """Keep at most so many from now on: what is idle beyond is closed now, what is lent when it comes back."""
        self._most = most
        while self._idle and self._count() > most:
            self._drop(self._idle.pop(0))
        self._grow()

    async def close(self) -> None:
        """Close all connections, lent ones too. Safe to call twice."""
        self._closed = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(ConnectionError("the connections are closed"))
        for opening in self._openings:
            opening.cancel()
        await asyncio.gather(*self._openings, *self._closings, return_exceptions=True)
        connections = [*self._idle, *self._lent]
        self._idle.clear()
        await asyncio.gather(*(one.disconnect() for one in connections), return_exceptions=True)

    async def _idle_one(self) -> Connection | None:
        """The connection that was used last and is still good; None: there is none."""
        while self._idle:
            connection = self._idle.pop()
            self._lent.add(connection)
            good = False
            try:
                # "Can read" means here: the server closed it, or left something unread.
                good = (
                    leads(self._address, connection) and not _is_closing(connection) and not await connection.can_read()
                )
            except (RedisError, OSError):
                pass
            finally:
                if not good:
                    self._lent.discard(connection)
                    self._drop(connection)
            if good:
                return connection
        return None

    async def _next_one(self) -> Connection:
        """The next connection that is opened or comes back."""
        waiter: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._grow()
        try:
            return await waiter
        except BaseException:
            # Cancelled in the moment in which it was handed over: on to the next.
            with suppress(ValueError):
                self._waiting.remove(waiter)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._lent.discard(waiter.result())
                self._give(waiter.result())
            raise

    def _give(self, connection: Connection) -> None:
        """Hand *connection* to whoever waits longest, or keep it."""
        # *connection* itself is not counted here.
        full = self._count() >= self._most
        if self._closed or full or connection in self._retired or not leads(self._address, connection):
            self._drop(connection)
            return
        waiter = self._first_waiter()
        if waiter is None:
            self._idle.append(connection)
        else:
            self._lent.add(connection)
            waiter.set_result(connection)

    def _grow(self) -> None:
        """Open as many connections as are waited for, within bounds."""
        if self._closed or (self._lent and asyncio.get_running_loop().time() < self._opens_again):
            return
        while len(self._openings) < len(self._waiting) and self._count() < self._most:
            opening = asyncio.create_task(dial(self._address, self._patience))
            self._openings.add(opening)
            opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[Connection]) -> None:
        """Give a new connection away; when there is none, one of those who wait for nothing else learns why."""
        self._openings.discard(opening)
        if opening.cancelled():
            return
        error = opening.exception()
        if error is None:
            self._give(opening.result())
            return
        if self._lent:
            self._opens_again = asyncio.get_running_loop().time() + _RESPITE
            return
        waiter = self._first_waiter()
        if waiter is not None:
            waiter.set_exception(error)
        self._grow()

    def _first_waiter(self) -> asyncio.Future[Connection] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    def _count(self) -> int:
        return len(self._idle) + len(self._lent) + len(self._openings)

    def _drop(self, connection: Connection) -> None:
        """Close *connection* without waiting (most often redis-py has done so already); its place is free."""
        self._retired.discard(connection)
        if connection.is_connected:
            closing = asyncio.create_task(connection.disconnect(nowait=True))
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)
        self._grow()


class Loan:
    """One connection of *connections*, for the time of a block. (A class: at each hit a generator would cost more.)"""

    __slots__ = ("_connection", "_connections")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def __aenter__(self) -> Connection:
        self._connection = await self._connections.borrow()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connections.returned(self._connection, error)


def _is_closing(connection: Connection) -> bool:
    """Whether its transport is closed already, as after a reset, which `can_read` does not see."""
    writer = connection._writer  # noqa: SLF001 - redis-py has no public word for it
    return writer is None or writer.is_closing()
