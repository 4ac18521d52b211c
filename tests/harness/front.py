"""
An HTTP server in front of the service, that counts what clients ask and upload, and lets one request go wrong.

`async with Front(service.url) as front: ...`; clients use *front.url*.

Rule 1: without a trick it passes each request and its answer on unchanged; a connection carries one request.
Rule 2: a trick is for the next request with its method; each is used once.
Rule 3: *asked* counts requests by method, *uploaded* the bytes of bodies that clients have sent by PUT.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_PIECE = 64 * 1024


@dataclass
class Trick:
    """
    *refuse*: reset before a byte is passed on. *reply*: answer with these bytes, and pass nothing on.
    *lose*: pass the request on, and reset (or answer *reply*) instead of the answer: when the service has answered, or
    as soon as *when* is set.
    """

    refuse: bool = False
    lose: bool = False
    reply: bytes = b""
    when: asyncio.Event | None = None


def _nothing() -> None:
    """What is done before most requests."""


class Front:
    """
    In front of the service at *url*; *adds* these lines to the head of each request. *before*: done once, when the next
    request with that method has begun.
    """

    def __init__(self, url: str, *, adds: bytes = b"") -> None:
        self._target = urlsplit(url)
        self._adds = adds
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.uploaded = 0
        self.before: dict[str, Callable[[], object]] = {}
        self._tricks: defaultdict[str, deque[Trick]] = defaultdict(deque)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    def play(self, method: str, trick: Trick) -> None:
        """The next request with *method* meets *trick*."""
        self._tricks[method].append(trick)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._exchange(reader, writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method = head.split(b" ", 1)[0].decode()
        self.asked[method] += 1
        self.before.pop(method, _nothing)()
        trick = self._tricks[method].popleft() if self._tricks[method] else Trick()
        if trick.refuse:
            writer.transport.abort()
            return
        if trick.reply and not trick.lose:
            await self._body(reader, head, None, method)
            writer.write(trick.reply)
            await writer.drain()
            return
        inward, outward = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            added = b"\r\nConnection: close\r\n" + self._adds
            outward.write(head.replace(b"\r\nConnection: keep-alive", b"").replace(b"\r\n", added, 1))
            sending = asyncio.ensure_future(self._body(reader, head, outward, method))
            if trick.lose:
                await (trick.when.wait() if trick.when is not None else inward.read(_PIECE))
                writer.write(trick.reply)
                if not trick.reply:
                    writer.transport.abort()
            else:
                while piece := await inward.read(_PIECE):
                    writer.write(piece)
                    await writer.drain()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        finally:
            outward.close()

    async def _body(
        self, reader: asyncio.StreamReader, head: bytes, to: asyncio.StreamWriter | None, method: str
    ) -> None:
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        left = int(fields.get(b"content-length", b"0"))
        while left:
            piece = await reader.read(min(_PIECE, left))
            if not piece:
                break
            left -= len(piece)
            if method == "PUT":
                self.uploaded += len(piece)
            if to is not None:
                to.write(piece)
                await to.drain()
