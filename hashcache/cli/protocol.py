"""
What happens on a connection before the application hears of a request: uvicorn's HTTP/1.1, with bounds and a short way.

Rule 1: the head of a request has HEAD_SECONDS to arrive and takes HEAD_BYTES at most. uvicorn itself waits for ever
        and keeps whatever comes; the application's own, smaller limit counts complete heads only.
Rule 2: a connection that is opened and never used is closed after the same time.
Rule 3: of a request that came whole in one read, the application is asked for an answer, now or later
        (`Connection.at_once`), before uvicorn hears of it. Whatever has none takes uvicorn's way, unchanged.
Rule 4: while that answer is waited for, the next bytes of the connection wait their turn, one read of them at most.
Rule 5: most clients send a head, and then the body. What is left of a small one is waited for, GATHER_SECONDS at most,
        and what came is taken as one read. It takes its room meanwhile, as every upload does (`Connection.room`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hashcache.api.admission import Share
from hashcache.api.connection import BEGAN
from hashcache.cli.oneread import Begun, OneRead

HEAD_SECONDS = 10.0
#: More than one read of the socket brings (256 KiB): a body's first bytes come along with a head, and are none of it.
HEAD_BYTES = 512 * 1024
#: How long the rest of a small request is waited for before uvicorn is given what has come of it.
GATHER_SECONDS = 0.1
#: A request of so many bytes is small: its SHA-256 takes less than 4 ms of the event loop.
SMALL_BYTES = 1_310_720
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_AtOnce = Callable[[Any, bytes, int], Response | Awaitable[Response] | None]
_RoomFor = Callable[[Any, int], Share | None]


class _Gathered:
    """The reads of a request of *total* bytes, in *room* of its own. *began*: when the first came, by `monotonic`."""

    def __init__(self, total: int, room: Share, patience: asyncio.TimerHandle) -> None:
        self.began = monotonic()
        self._missing = total
        self._reads: list[bytes] = []
        self._room = room
        self._patience = patience

    def add(self, data: bytes) -> bool:
        """The next read; whether it was the last."""
        self._reads.append(data)
        self._missing -= len(data)
        return self._missing <= 0

    def end(self) -> list[bytes]:
        """No more is waited for; what has come."""
        self._patience.cancel()
        self._room.close()
        return self._reads


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's protocol; see the rules above."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head: int | None = 0  # bytes of it so far; None: it is complete
        self._patience: asyncio.TimerHandle | None = None
        plain = self.limit_concurrency is None and not self.root_path  # what uvicorn would do with these is its own
        self._at_once: _AtOnce | None = getattr(self.app, "at_once", None) if plain else None
        self._room_for: _RoomFor | None = getattr(self.app, "room", None)
        self._between = True  # uvicorn's parser has no part of a request
        self._gathered: _Gathered | None = None  # a request that has not come whole
        self._held: list[bytes] | None = None  # what came while an answer is waited for; None: none is
        self._leaving = False  # the server ends as soon as that answer is given
        self._answered = 0.0  # when the last answer was given on the short way, by the loop's clock

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """A client has connected."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._give_up_gathering()
        self._head_done()
        self._held = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The next bytes."""
        if self._held is not None:
            self._held.append(data)
            self.flow.pause_reading()
        elif self._gathered is not None:
            if self._gathered.add(data):
                self._take_gathered(self._gathered)
        elif self._at_once is None or not self._between or not self._is_answered(data, self._at_once):
            self._take(data)

    def _take(self, data: bytes) -> None:
        """uvicorn's way."""
        super().data_received(data)
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
        self._between = False
        self._head_done()
        self._head = 0

    def on_headers_complete(self) -> None:
        """Its head is complete."""
        self._head_done()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It has ended."""
        self._between = True
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server ends: what is under way is answered."""
        self._give_up_gathering()
        if self._held is not None:
            self._leaving = True
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for a while, if it was for long enough: the short way starts no timer for each answer."""
        left = self._answered + self.timeout_keep_alive - self.loop.time()
        if self._held is not None or self._gathered is not None or left > 0:
            self._wait_for_more(max(left, 1.0))
        else:
            super().timeout_keep_alive_handler()

    def _wait_for_more(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _is_answered(self, data: bytes, at_once: _AtOnce, began: float | None = None) -> bool:
        """Whether *data*, whose first byte came when it *began*, is a request for the short way, now or soon."""
        if (self.cycle is not None and not self.cycle.response_complete) or self.flow.write_paused:
            return False
        request = OneRead.of(data)
        if request is None:
            return False
        if isinstance(request, Begun):
            return self._is_gathered(request, data)
        if began is not None:
            request.scope[BEGAN] = began
        answer = at_once(request.scope, data, request.start)
        if answer is None:
            return False
        if self._head is not None:
            self._head_done()
        if isinstance(answer, Response):
            self._answer(request, answer)
        else:
            self._held = []
            task = self.loop.create_task(self._wait(request, answer))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)
        return True

    def _is_gathered(self, request: Begun, first: bytes) -> bool:
        """Whether the rest of *request* is waited for, whose *first* read has come."""
        if self._room_for is None or request.total > SMALL_BYTES:
            return False
        room = self._room_for(request.scope, request.total)
        if room is None:
            return False
        patience = self.loop.call_later(GATHER_SECONDS, self._give_up_gathering)
        self._gathered = _Gathered(request.total, room, patience)
        self._gathered.add(first)
        return True

    def _take_gathered(self, gathered: _Gathered) -> None:
        """All of it has come."""
        self._gathered, reads = None, gathered.end()
        if self._at_once is None or not self._is_answered(b"".join(reads), self._at_once, gathered.began):
            for read in reads:
                self._take(read)

    def _give_up_gathering(self) -> None:
        """The rest does not come soon enough, or not at all: the application decides how long it is waited for."""
        gathered, self._gathered = self._gathered, None
        for read in gathered.end() if gathered is not None else ():
            self._take(read)

    async def _wait(self, request: OneRead, answer: Awaitable[Response]) -> None:
        response = await answer
        if self.flow.write_paused:
            await self.flow.drain()
        held, self._held = self._held, None
        if held is None or self.transport.is_closing():
            return  # nobody is there any more
        self._answer(request, response)
        self.flow.resume_reading()
        for data in held:
            self.data_received(data)

    def _answer(self, request: OneRead, response: Response) -> None:
        """Write *response* as uvicorn would."""
        lines = [STATUS_LINE[response.status_code]]
        for name, value in (*self.server_state.default_headers, *response.raw_headers):
            lines += (name, b": ", value, b"\r\n")
        stays = request.keep_alive and not self._leaving
        lines.append(b"\r\n" if stays else b"connection: close\r\n\r\n")
        if request.scope["method"] != "HEAD":
            lines.append(bytes(response.body))
        self.transport.write(b"".join(lines))
        self.server_state.total_requests += 1
        self._answered = self.loop.time()
        if not stays:
            self.transport.close()
        elif self.timeout_keep_alive_task is None:
            self._wait_for_more(self.timeout_keep_alive)

    def _watch(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_done(self) -> None:
        self._head = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
