"""
Requests as bytes, and one connection that sends them: the same bytes for the check, for wrk and for latencies.
"""

from __future__ import annotations

import hashlib
import random
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

BOUNDARY = "hashcache-bench-3b1f9d2c"
SEED = 20261121


@dataclass(frozen=True)
class Content:
    """The bytes of an upload, and the name of their media type."""

    raw: bytes = field(repr=False)
    media_type: str

    @property
    def sha256(self) -> str:
        """Its name."""
        return hashlib.sha256(self.raw).hexdigest()


def content(size: int, number: int = 0) -> Content:
    """Content *number* of *size* bytes, the same in every run: up to 1 KB a text, above what begins as a JPEG does."""
    chance = random.Random(f"{SEED} {size} {number}")
    if size <= 1000:
        words = "".join(chance.choice("abcdefghijklmnopqrstuvwxyz    ") for _ in range(size))
        return Content(words.encode(), "text/plain")
    start = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
    return Content(start + chance.randbytes(size - len(start)), "image/jpeg")


def upload(path: str, one: Content) -> bytes:
    """A POST with *one* as the single file of a multipart body (RFC 7578), as curl -F writes it."""
    name = "upload.txt" if one.media_type.startswith("text/") else "upload.jpg"
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {one.media_type}\r\n\r\n"
    ).encode()
    body = head + one.raw + f"\r\n--{BOUNDARY}--\r\n".encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(path: str) -> bytes:
    """A GET."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode()


def expecting(path: str, one: Content) -> bytes:
    """A PUT that asks first, as `curl -T` sends it: its head alone. Only a server that wants the body says 100."""
    return (
        f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {one.media_type}\r\n"
        f"Content-Length: {len(one.raw)}\r\nExpect: 100-continue\r\n\r\n"
    ).encode()


@dataclass(frozen=True)
class Answer:
    """*status*, *headers* by their names in lower case, *body*."""

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """One connection to *port* of loopback; `with Line(port) as line: line.ask(raw)`."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, raw: bytes) -> Answer:
        """What *raw* is answered with; raises ConnectionError when the answer is cut short."""
        self._socket.sendall(raw)
        return self._answer()

    def _answer(self) -> Answer:
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", "0")):
            body += self._more()
        return Answer(int(first.split()[1]), headers, body)

    def _more(self) -> bytes:
        piece = self._socket.recv(65536)
        if not piece:
            raise ConnectionError("the server closed the connection in the middle of an answer")
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
