"""
The network under one connection to a vendor, as httpcore asks for it: on the running event loop, with nothing between.

Rule 1: both families of addresses are tried, one a quarter of a second after the other (RFC 8305, by aiohappyeyeballs).
Rule 2: it is noted when a byte of a request is handed to the system: a call that failed before costs nothing.
Rule 3: a connection on which something waits to be read is not one to send a request on: it is about to end.
Rule 4: closing never waits, so no cancellation leaves a connection open.
Why not httpcore's own: it goes through anyio, which takes a fifth of what a paid call costs us.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import sys
from collections.abc import Iterable
from typing import Any, cast

import httpcore
from aiohappyeyeballs import start_connection
from httpcore import SOCKET_OPTION

#: Seconds that the first family of addresses has for itself (RFC 8305 section 5).
_HEAD_START = 0.25
#: How much of a reply may wait to be read, in bytes, until the vendor is made to wait.
_MOST_UNREAD = 256 * 1024


class Network(httpcore.AsyncNetworkBackend):
    """The network of one connection. *wrote*: whether a byte of a request was sent since that was last set to False."""

    def __init__(self) -> None:
        self.wrote = False

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore asks for it; nobody sets it
        socket_options: Iterable[SOCKET_OPTION] | None = None,  # noqa: ARG002 - as above
    ) -> Stream:
        """Connect within *timeout* seconds. Raises httpcore.ConnectTimeout, httpcore.ConnectError."""
        loop, stream = asyncio.get_running_loop(), Stream(self)
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                made = await start_connection(found, happy_eyeballs_delay=_HEAD_START, interleave=1, loop=loop)
                await loop.create_connection(lambda: stream, sock=made)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except (OSError, RuntimeError, UnicodeError) as error:  # uvloop's, of a connection; of a name that is none
            raise httpcore.ConnectError from error
        return stream


class Stream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """
    One connection on *network*. It is read and written by one task at a time; the deadline of reading and writing is
    that task's own.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._transport: asyncio.Transport
        self._unread = bytearray()
        self._ended = self._paused = False
        self._lost: Exception | None = None
        #: Whoever waits to read or to write on.
        self._waiter: asyncio.Future[None] | None = None

    # What httpcore asks for

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as above
        """At most *max_bytes*, as soon as there are some; none at the end. Raises httpcore.ReadError."""
        while not self._unread and not self._ended:
            await self._wait()
        if self._lost is not None and not self._unread:
            raise httpcore.ReadError from self._lost
        came = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if len(came) + len(self._unread) > _MOST_UNREAD >= len(self._unread) and not self._transport.is_closing():
            self._transport.resume_reading()
        return came

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        """Send *buffer*, or as much of it that the rest may wait. Raises httpcore.WriteError."""
        if not buffer:
            return
        if not self._is_over():
            self._network.wrote = True
            self._transport.write(buffer)
            while self._paused and not self._is_over():
                await self._wait()
        if self._is_over():
            raise httpcore.WriteError from self._lost

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Stream:
        """Speak TLS from now on, with *server_hostname*. Raises httpcore.ConnectTimeout, httpcore.ConnectError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):  # the loop closes the connection when this fails
                secured = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:  # ssl.SSLError is one
            raise httpcore.ConnectError from error
        if secured is None:
            raise httpcore.ConnectError
        self._transport = secured
        return self

    async def aclose(self) -> None:
        """Close it at once; what is not sent yet never will be."""
        self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """`ssl_object`: of a line with TLS; `is_readable`: whether it is about to end, or has."""
        if info == "is_readable":
            return bool(self._unread) or self._is_over() or _is_readable(self._transport.get_extra_info("socket"))
        return self._transport.get_extra_info(info)

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
