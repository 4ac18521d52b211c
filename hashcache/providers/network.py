"""
One connection to a vendor, on the running event loop with nothing between.

Rule 1: both families of addresses are tried, one a quarter of a second after the other (RFC 8305, by aiohappyeyeballs).
Rule 2: it is noted when a byte is handed to the system: a call that failed before costs nothing.
Rule 3: a connection on which something waits to be read is not one to send a request on: it is about to end.
Rule 4: closing never waits, so no cancellation leaves a connection open.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import sys
from dataclasses import dataclass
from typing import cast

from aiohappyeyeballs import start_connection

#: Seconds that the first family of addresses has for itself (RFC 8305 section 5).
_HEAD_START = 0.25
#: How much may wait to be read, in bytes, until the vendor is made to wait.
_MOST_UNREAD = 256 * 1024


class Disconnected(Exception):
    """There is no connection, or none any more."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads (RFC 9110 section 4.3.1); *host* without brackets."""

    host: str
    port: int
    secure: bool


async def connect(origin: Origin, tls: ssl.SSLContext | None, *, within: float) -> Stream:
    """
    A connection to *origin*, with *tls* if it is secure, *within* seconds.

    Raises:
        Disconnected: there is none.
    """
    loop, stream = asyncio.get_running_loop(), Stream()
    name = origin.host if origin.secure else None
    try:
        async with asyncio.timeout(within):
            found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
            made = await start_connection(found, happy_eyeballs_delay=_HEAD_START, interleave=1, loop=loop)
            await loop.create_connection(lambda: stream, sock=made, ssl=tls, server_hostname=name)
    except (OSError, RuntimeError, UnicodeError) as error:  # TimeoutError too; uvloop's; of a name that is none
        raise Disconnected from error
    return stream


class Stream(asyncio.Protocol):
    """
    A connection, read and written by one task at a time, which has a deadline of its own. *wrote*: whether a byte was
    sent since that was last set to False.
    """

    def __init__(self) -> None:
        self.wrote = False
        self._transport: asyncio.Transport
        self._unread = bytearray()
        self._ended = self._paused = False
        self._lost: Exception | None = None
        #: Whoever waits to read or to write on.
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, most: int) -> bytes:
        """At most so many bytes, as soon as there are some; none at the end. Raises Disconnected."""
        while not self._unread and not self._ended:
            await self._wait()
        if self._lost is not None and not self._unread:
            raise Disconnected from self._lost
        came = bytes(self._unread[:most])
        del self._unread[:most]
        if len(came) + len(self._unread) > _MOST_UNREAD >= len(self._unread) and not self._transport.is_closing():
            self._transport.resume_reading()
        return came

    async def write(self, data: bytes) -> None:
        """Send *data*, or as much of it that the rest may wait. Raises Disconnected."""
        if not self._is_over():
            self.wrote = True
            self._transport.write(data)
            while self._paused and not self._is_over():
                await self._wait()
        if self._is_over():
            raise Disconnected from self._lost

    @property
    def ends(self) -> bool:
        """Whether it has ended, or is about to: the vendor closed it, or said something that nobody asked for."""
        return bool(self._unread) or self._is_over() or _is_readable(self._transport.get_extra_info("socket"))

    def close(self) -> None:
        """Close it at once; what is not sent yet never will be."""
        self._transport.abort()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Some of a reply, or of what nobody asked for."""
        full = len(self._unread) > _MOST_UNREAD
        self._unread += data
        if len(self._unread) > _MOST_UNREAD and not full:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The vendor sends no more."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, because of *exc* if there is one."""
        self._ended, self._lost = True, exc
        self._wake()

    def pause_writing(self) -> None:
        """The vendor reads more slowly than we write."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        self._wake()

    def _is_over(self) -> bool:
        return self._ended or self._transport.is_closing()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _is_readable(sock: socket.socket | None) -> bool:
    """Whether something lies in *sock* that the event loop has not looked at yet."""
    if sock is None or sock.fileno() < 0:
        return True
    if sys.platform == "win32":
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
