"""
A small HTTP/1.1 server for vendors that are played: real sockets, contents digested while they stream in.

Rule 1: what is done with a call is decided by `answer`, which may read the body first, later, or never, and may write
        what no honest server would.
Rule 2: a call has arrived when its body is complete: that is what a vendor bills.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress

from loadtests.vendor.received import MOST_HEADER_BYTES, ContentDigest, Request, read_head

#: Connections that may wait to be taken: the callers of a load test all come at once.
BACKLOG = 512


class Exchange:
    """One connection's present call. The body is read only when somebody asks for it."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self.request: Request | None = None

    async def read(self, head: Request) -> Request:
        """
        Read the body that follows *head*, and note the call; once it is read, nothing more.

        Raises:
            ValueError: it is not what its media type promises.
        """
        if self.request is not None:
            return self.request
        size = int(head.headers.get("content-length", "0"))
        content = ContentDigest(head)
        while size:
            chunk = await self._reader.read(min(size, 256 * 1024))
            if not chunk:
                raise ConnectionResetError("the caller left in the middle of the body")
            content.update(chunk)
            size -= len(chunk)
        content.finish()
        self.request = head
        await self._server.arrived(head)
        return head

    async def write(self, raw: bytes) -> None:
        """Send these very bytes."""
        self._writer.write(raw)
        await self._writer.drain()

    async def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """A well-formed reply."""
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await self.write(f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode() + body)

    def hang_up(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the caller has closed the connection."""
        while await self._reader.read(64 * 1024):
            pass


#: What is done with a call.
Script = Callable[[Exchange, Request], Awaitable[None]]


class Server(ABC):
    """
    The server. *origin* is where it listens once it is started.

    *connections* are those open now, *most* the most at one time, *accepted* all so far.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.most = 0
        self.origin = ""
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._changed = asyncio.Condition()

    @abstractmethod
    async def answer(self, exchange: Exchange, head: Request) -> None:
        """Do what is to be done with a call; ConnectionError ends the connection."""

    async def arrived(self, request: Request) -> None:  # noqa: ARG002  # for those who keep books
        """A *request* is complete."""
        await self._notify()

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    async def idle(self) -> None:
        """Wait until no connection is open."""
        await self.reached(lambda: not self._open)

    async def reached(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition*, which is asked after each arrival and after each end of a connection."""
        async with self._changed:
            await self._changed.wait_for(condition)

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen; port 0 means any free one. Raises OSError: it is taken, or no such address is ours."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=MOST_HEADER_BYTES, backlog=BACKLOG)
        taken = self._server.sockets[0].getsockname()[1]
        self.origin = f"http://{f'[{host}]' if ':' in host else host}:{taken}"

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, call after call."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # asyncio runs this as a task
        self._open[task] = writer
        self.accepted += 1
        self.most = max(self.most, self.connections)
        try:
            # The caller's leave, and ours at the end, is how most connections here end.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    await self.answer(Exchange(self, reader, writer), await read_head(reader))
        finally:
            writer.close()
            del self._open[task]
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
