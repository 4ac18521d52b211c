"""
A vendor on loopback that does what a test tells it: answers, refuses, dawdles, or misbehaves on the wire.

Rule 1: the server is the load tests' (`loadtests.vendor`), on a real socket; so are the dialects that it speaks.
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
from typing import Any

from loadtests.vendor.received import Request
from loadtests.vendor.server import Exchange, Script, Server
from tests.harness.received import Ledger

__all__ = [
    "Exchange",
    "Script",
    "ScriptedVendor",
    "after",
    "drip",
    "endless",
    "gate",
    "gzip_bomb",
    "hang_up_read",
    "hang_up_unread",
    "ok",
    "raw",
    "redirect",
    "silence",
    "status",
    "trickle",
]


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


class ScriptedVendor(Server):
    """
    The vendor. `async with ScriptedVendor() as vendor: ...`; *url* takes calls, GET *ledger_url* tells the ledger.

    *default* is done with each call for which nothing is queued.
    """

    def __init__(self, default: Script | None = None) -> None:
        super().__init__()
        self.default = default or ok()
        self.ledger = Ledger()
        self._queue: deque[Script] = deque()

    @property
    def url(self) -> str:
        """Where it takes calls."""
        return f"{self.origin}/analyse"

    @property
    def ledger_url(self) -> str:
        """Where it tells its ledger."""
        return f"{self.origin}/ledger"

    def then(self, *scripts: Script) -> None:
        """The next calls get these scripts, one each."""
        self._queue.extend(scripts)

    async def called(self, times: int) -> None:
        """Wait until at least so many calls have arrived."""
        await self.reached(lambda: self.ledger.calls >= times)

    async def arrived(self, request: Request) -> None:
        """Note the call."""
        self.ledger.note(request)
        await super().arrived(request)

    async def answer(self, exchange: Exchange, head: Request) -> None:
        """What is next in the queue, or the default."""
        if head.method == "GET" and head.path == "/ledger":
            await exchange.reply(200, self.ledger.encoded())
            return
        script = self._queue.popleft() if self._queue else self.default
        await script(exchange, head)

    async def __aenter__(self) -> ScriptedVendor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


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
