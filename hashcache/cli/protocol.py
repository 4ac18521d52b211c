"""
What happens on a connection before the application hears of a request: uvicorn's HTTP/1.1, with bounds and a short way.

Rule 1: the head of a request has HEAD_SECONDS to arrive and takes HEAD_BYTES at most. uvicorn itself waits for ever
        and keeps whatever comes; the application's own, smaller limit counts complete heads only.
Rule 2: a connection that is opened and never used is closed after the same time.
Rule 3: of a request that came whole, the application is asked for an answer that waits for nothing, or not for long
        (`Connection.at_once`), before a task is made of it. Whatever has none takes uvicorn's way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

HEAD_SECONDS = 10.0
#: More than one read of the socket brings (256 KiB): a body's first bytes come along with a head, and are none of it.
HEAD_BYTES = 512 * 1024
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_AtOnce = Callable[[Any, bytearray], Response | Awaitable[Response | None] | None]


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's protocol; see the rules above."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head: int | None = 0  # bytes of it so far; None: it is complete
        self._patience: asyncio.TimerHandle | None = None
        self._at_once: _AtOnce | None = getattr(self.app, "at_once", None)
        self._receiving = False
        self._begun: RequestResponseCycle | None = None  # what waits for the end of what has just come

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """A client has connected."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The next bytes."""
        self._receiving = True
        try:
            super().data_received(data)
        finally:
            self._receiving = False
        if self._begun is not None:
            self._begin(self._begun)
        if self._head is not None and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
            elif self._patience is None:  # most heads come in one piece, and need no timer
                self._watch()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_done()
        self._head = 0

    def on_headers_complete(self) -> None:
        """Its head is complete."""
        self._head_done()
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._receiving and app is self.app and self._at_once is not None:
            self._begun = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self, cycle: RequestResponseCycle) -> None:
        """Answer the request of *cycle* at once, or make a task of it."""
        self._begun = None
        if self._at_once is not None and not cycle.more_body and not self.flow.write_paused:
            answer = self._at_once(cycle.scope, cycle.body)
            if isinstance(answer, Response):
                self._answer(cycle, answer)
                return
            if answer is not None:
                task = self.loop.create_task(self._wait(cycle, answer))
                task.add_done_callback(self.tasks.discard)
                self.tasks.add(task)
                return
        super()._start_asgi_task(cycle, self.app)

    async def _wait(self, cycle: RequestResponseCycle, answer: Awaitable[Response | None]) -> None:
        response = await answer
        if response is None:
            super()._start_asgi_task(cycle, self.app)
            return
        if self.flow.write_paused:
            await self.flow.drain()
        if not cycle.disconnected:
            self._answer(cycle, response)

    def _answer(self, cycle: RequestResponseCycle, response: Response) -> None:
        """Write *response* as the cycle would, which has not begun to."""
        cycle.response_started = cycle.response_complete = True
        lines = [STATUS_LINE[response.status_code]]
        for name, value in (*cycle.default_headers, *response.raw_headers):
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        if cycle.scope["method"] != "HEAD":
            lines.append(bytes(response.body))
        self.transport.write(b"".join(lines))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _watch(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_done(self) -> None:
        self._head = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
