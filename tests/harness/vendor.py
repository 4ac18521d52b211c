"""
A vendor on loopback that does what a test tells it: answers, refuses, dawdles, or misbehaves on the wire.

Rule 1: a real HTTP/1.1 server on a real socket; contents are digested while they stream in, never kept.
Rule 2: what it does with a call is a `Script`: the next one queued with `then`, else its default.
Rule 3: the ledger counts a call when its request has arrived complete: that is what a vendor bills.

As a process of its own: `python -m tests.harness.vendor --port 0` prints one line of JSON with its `url` and `ledger`
(an address that gives the ledger as JSON), and runs until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from tests.harness.received import MOST_HEADER_BYTES, ContentDigest, Ledger, Request, read_head


class Exchange:
    """One connection's present call, as a script sees it. The request is read only when the script asks for it."""

    def __init__(self, vendor: ScriptedVendor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._vendor = vendor
        self._reader = reader
        self._writer = writer
        self.request: Request | None = None

    async def read(self, head: Request) -> Request:
        """Read the body that follows *head*, and note the call; once it is read, nothing more."""
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
        await self._vendor.note(head)
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


Script = Callable[[Exchange, Request], Awaitable[None]]


def ok(score: float = 0.98, **more: Any) -> Script:
    """An answer: `{"score": ..., "version": "7", ...}`."""
    return status(200, body=json.dumps({"score": score, "version": "7", **more}).encode())


def status(code: int, *, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Script:
    """A complete request gets this reply."""

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        await exchange.reply(code, body, headers)

    return script


def gate(opened: asyncio.Event, then: Script) -> Script:
    """Takes the request, waits until *opened* is set, and goes on as *then* does."""

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        await opened.wait()
        await then(exchange, head)

    return script


def after(delay: float, then: Script) -> Script:
    """A slow vendor: takes the request, and goes on as *then* does after *delay* seconds."""

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        await asyncio.sleep(delay)
        await then(exchange, head)

    return script


def drip(pause: float) -> Script:
    """Answers one byte every *pause* seconds, as long as somebody reads."""
    return trickle(200, pause=pause)


def trickle(code: int, *, pause: float) -> Script:
    """As `drip`, with another status than 200."""

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        await exchange.write(f"HTTP/1.1 {code} Scripted\r\nContent-Length: 100000\r\n\r\n".encode())
        for _ in range(100_000):
            await exchange.write(b" ")
            await asyncio.sleep(pause)

    return script


def endless(chunk: bytes = b" " * 65536) -> Script:
    """A body without an end, in HTTP chunks."""

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        await exchange.write(b"HTTP/1.1 200 Scripted\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await exchange.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")

    return script


def gzip_bomb(size: int = 50_000_000) -> Script:
    """*size* bytes of spaces around an answer, compressed to a thousandth, although nobody asked for compression."""
    return status(200, body=gzip.compress(b" " * size + b'{"score": 0.5}'), headers={"Content-Encoding": "gzip"})


def raw(reply: bytes) -> Script:
    """A complete request gets these very bytes, and the connection is closed."""

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        await exchange.write(reply)
        raise ConnectionResetError("as told")

    return script


def redirect(url: str) -> Script:
    """Sends the caller elsewhere."""
    return status(307, headers={"Location": url})


async def hang_up_unread(exchange: Exchange, head: Request) -> None:
    """Resets the connection without reading the body."""
    exchange.hang_up()


async def hang_up_read(exchange: Exchange, head: Request) -> None:
    """Takes the whole request, bills it, and resets the connection."""
    await exchange.read(head)
    exchange.hang_up()


async def silence(exchange: Exchange, head: Request) -> None:
    """Takes the whole request and never answers."""
    await exchange.read(head)
    await exchange.gone()


class ScriptedVendor:
    """
    The server. `async with ScriptedVendor() as vendor: ...`; *url* takes calls, GET *ledger_url* tells the ledger.

    *default* is done with each call for which nothing is queued. *connections* are those open now, *most* the most at
    one time, *accepted* all so far.
    """

    def __init__(self, default: Script | None = None) -> None:
        self.default = default or ok()
        self.ledger = Ledger()
        self.accepted = 0
        self.most = 0
        self.url = ""
        self.ledger_url = ""
        self._queue: deque[Script] = deque()
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._changed = asyncio.Condition()

    def then(self, *scripts: Script) -> None:
        """The next calls get these scripts, one each."""
        self._queue.extend(scripts)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    async def idle(self) -> None:
        """Wait until no connection is open."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._open)

    async def called(self, times: int) -> None:
        """Wait until at least so many calls have arrived."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.ledger.calls >= times)

    async def note(self, request: Request) -> None:
        """A call has arrived."""
        self.ledger.note(request)
        async with self._changed:
            self._changed.notify_all()

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 means any free one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=MOST_HEADER_BYTES)
        origin = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.url, self.ledger_url = f"{origin}/analyse", f"{origin}/ledger"

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def __aenter__(self) -> ScriptedVendor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, call after call."""
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        self.accepted += 1
        self.most = max(self.most, self.connections)
        try:
            # The caller's leave, and ours at the end of a test, is how most connections here end.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    await self._answer(Exchange(self, reader, writer), await read_head(reader))
        finally:
            writer.close()
            del self._open[task]
            async with self._changed:
                self._changed.notify_all()

    async def _answer(self, exchange: Exchange, head: Request) -> None:
        if head.method == "GET" and head.path == "/ledger":
            await exchange.reply(200, self.ledger.encoded())
            return
        script = self._queue.popleft() if self._queue else self.default
        await script(exchange, head)


async def _run(port: int, score: float, delay: float) -> None:
    """A vendor of its own until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    vendor = ScriptedVendor(after(delay, ok(score)))
    await vendor.start(port)
    print(json.dumps({"url": vendor.url, "ledger": vendor.ledger_url}), flush=True)  # noqa: T201  # its one line
    await ended.wait()
    await vendor.stop()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness.vendor", description="A vendor that counts calls.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--score", type=float, default=0.98)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    asyncio.run(_run(arguments.port, arguments.score, arguments.delay))


if __name__ == "__main__":
    main()
