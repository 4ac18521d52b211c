"""A receiver of webhooks on loopback: real HTTP, each message kept as it came, answers as a test says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDNsWzUAAV0CQ="


def signature(secret: str, message: str, timestamp: str, body: bytes) -> str:
    """What a receiver who knows *secret* expects, written after the specification, not after our own code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, b".".join((message.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


@dataclass(frozen=True)
class Message:
    """One that arrived: the request *line*, its *headers* by lower-case name, its *body*."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def signed_by(self, secret: str) -> bool:
        """Whether one of its signatures is of *secret*."""
        mine = signature(secret, self.id, self.headers["webhook-timestamp"], self.body)
        return mine in self.headers["webhook-signature"].split(" ")


@dataclass
class Mailbox:
    """
    `async with Mailbox() as box: ...`; *url* takes messages. *then*: what the next ones are answered with, raw; all
    others get 204. *tls*: what it proves itself with; *host*: the loopback address at which it listens. It may be
    stopped, and started again at the same port.
    """

    tls: ssl.SSLContext | None = None
    messages: list[Message] = field(default_factory=list)
    then: deque[bytes] = field(default_factory=deque)
    port: int = 0
    host: str = "127.0.0.1"
    accepted: int = 0
    _server: asyncio.Server | None = None
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def origin(self) -> str:
        """Its origin."""
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where it takes messages."""
        return f"{self.origin}/hooks?for=you"

    def answer(self, *statuses: int, **headers: str) -> None:
        """The next messages are answered with *statuses*, each with these headers (`_` for `-`)."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.then.extend(f"HTTP/1.1 {one} X\r\n{lines}Content-Length: 0\r\n\r\n".encode() for one in statuses)

    async def holds(self, count: int, *, within: float = 30.0) -> list[Message]:
        """Wait until at least so many messages have arrived; they."""
        async with asyncio.timeout(within), self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) >= count)
        return self.messages

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and end what is under way."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
                pairs = (one.partition(":") for one in lines)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                async with self._arrived:
                    self.messages.append(Message(line, headers, body))
                    self._arrived.notify_all()
                answer = self.then.popleft() if self.then else b"HTTP/1.1 204 X\r\n\r\n"
                writer.write(answer)
                await writer.drain()
                await reader.read()
        finally:
            self._tasks.discard(task)
            writer.close()
