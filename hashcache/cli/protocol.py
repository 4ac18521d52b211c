"""
What may come over a connection before the application hears of a request: uvicorn's HTTP/1.1, with bounds.

Rule 1: the head of a request has HEAD_SECONDS to arrive and takes HEAD_BYTES at most. uvicorn itself waits for ever
        and keeps whatever comes; the application's own, smaller limit counts complete heads only.
Rule 2: a connection that is opened and never used is closed after the same time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
#: More than one read of the socket brings (256 KiB): a body's first bytes come along with a head, and are none of it.
HEAD_BYTES = 512 * 1024
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's protocol; see the rules above."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head: int | None = 0  # bytes of it so far; None: it is complete
        self._patience: asyncio.TimerHandle | None = None

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
        self._head_done()
        self._head = 0

    def on_headers_complete(self) -> None:
        """Its head is complete."""
        self._head_done()
        super().on_headers_complete()

    def _watch(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_done(self) -> None:
        self._head = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
