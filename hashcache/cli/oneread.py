"""
A request that came whole in one read of the socket, told without a copy of its body.

Rule 1: httptools' parser says where a request ends, as it does for uvicorn: nothing about HTTP/1.1 is decided here.
Rule 2: one request, from the first byte of the read to the last, or none is told.
Rule 3: where the head has come and the body has not, it is told how long both are.
"""

from __future__ import annotations

from typing import Any

import httptools
import msgspec

#: A head is not looked for beyond; the application's own limit of all headers is lower.
_FARTHEST = 64 * 1024
_END = b"\r\n\r\n"
#: What a client asks of the connection, in version 1.1 (RFC 9112 section 9.3); anything else is unusual.
_KEEP_ALIVE = {b"": True, b"keep-alive": True, b"close": False}


class Begun(msgspec.Struct, frozen=True):
    """A request of *total* bytes whose head has come, and not all of its body; *scope* as in `OneRead`."""

    total: int
    scope: dict[str, Any]


class OneRead(msgspec.Struct, frozen=True):
    """
    A request whose body begins at *start* of what was read; *scope*: what ASGI says of it, as far as it is known here.
    *keep_alive*: whether the client would send more requests. What was read itself is not held by this.
    """

    start: int
    scope: dict[str, Any]
    keep_alive: bool

    @classmethod
    def of(cls, read: bytes) -> OneRead | Begun | None:
        """The request that *read* is, or begins; None: it is not one, or one that is written unusually."""
        start = read.find(_END, 0, _FARTHEST) + len(_END)
        told = _Told()
        parser = httptools.HttpRequestParser(told)
        try:
            parser.feed_data(read)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        url, body = told.url, len(read) - start
        begun = start >= len(_END) and told.length > body
        if not (begun or (told.ended == 1 and told.length == body)) or not url.startswith(b"/") or not url.isascii():
            return None
        path, _, query = url.decode("ascii").partition("?")
        keep_alive = _KEEP_ALIVE.get(told.connection.lower())
        if keep_alive is None or "%" in path or b"#" in url or parser.get_http_version() != "1.1":
            return None
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": parser.get_method().decode("ascii"),
            "path": path,
            "query_string": query.encode(),
            "headers": told.headers,
        }
        return Begun(start + told.length, scope) if begun else cls(start, scope, keep_alive)


class _Told:
    """What the parser tells. It is not asked for the body: then it makes no copy of it."""

    __slots__ = ("connection", "ended", "headers", "length", "url")

    def __init__(self) -> None:
        self.url = self.connection = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = 0
        self.length = 0  # of the body; -1: it came in chunks, and does not lie as it was sent

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.headers.append((name, value))
        if name == b"content-length":
            self.length = int(value)  # the parser has refused what is no number, and a second one
        elif name == b"transfer-encoding":
            self.length = -1
        elif name == b"connection":
            self.connection = value if not self.connection else b"?"

    def on_message_complete(self) -> None:
        self.ended += 1
