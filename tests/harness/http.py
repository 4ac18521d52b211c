"""
HTTP by hand, byte for byte, and by httpx for what is ordinary.

Rule 1: a `Wire` sends just the bytes it is given, and reads answers strictly: what a server must not send fails.
Rule 2: every step has a deadline.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

SECONDS = 10.0
BOUNDARY = "a-boundary-of-tests"
# Each client would load the system's certificates, which takes longer than most tests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_PIECE = 256 * 1024
_PROBLEM = "urn:hashcache:problem:"
_TIMING = re.compile(r"([a-z]+);dur=(\d+\.\d{2})")


@dataclass(frozen=True)
class Answer:
    """One answer as it came. *headers* in their order, names in lower case; *interim*: the 1xx before it."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    interim: Sequence[int] = ()

    def header(self, name: str) -> str | None:
        """The value of a header that may be there once."""
        values = [value for one, value in self.headers if one == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The slug of the problem that this is; AssertionError when it is no complete one."""
        assert self.header("content-type") == "application/problem+json", (self.status, self.body[:200])
        body = self.json
        assert set(body) >= {"type", "title", "status", "detail", "instance"}
        assert body["status"] == self.status
        assert body["instance"] == self.header("x-request-id")
        assert body["title"]
        assert body["detail"]
        assert body["type"].startswith(_PROBLEM)
        return str(body["type"].removeprefix(_PROBLEM))

    @property
    def closes(self) -> bool:
        """Whether it says that the connection ends with it."""
        return (self.header("connection") or "").lower() == "close"


@dataclass
class Wire:
    """One connection to a server. Made by `open`."""

    _socket: socket.socket
    _read: bytearray = field(default_factory=bytearray)

    @classmethod
    async def open(cls, url: str, *, within: float = SECONDS) -> Self:
        """A connection to the server at *url*; TimeoutError when there is none *within* so many seconds."""
        parts = urlsplit(url)
        connection = socket.socket()
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with asyncio.timeout(within):
                await asyncio.get_running_loop().sock_connect(connection, (parts.hostname, parts.port))
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, raw: bytes, *, within: float = SECONDS) -> None:
        """Send these bytes, all of them."""
        async with asyncio.timeout(within):
            await asyncio.get_running_loop().sock_sendall(self._socket, raw)

    async def pour(self, pieces: Iterable[bytes], *, within: float = SECONDS) -> int:
        """
        Send *pieces* without looking at what comes back, until the server takes no more; how many bytes went out.

        Each piece has to be taken *within* so many seconds.
        """
        sent = 0
        with suppress(ConnectionError):
            for piece in pieces:
                await self.send(piece, within=within)
                sent += len(piece)
        return sent

    async def answer(self, *, to: str = "POST", within: float = SECONDS) -> Answer:
        """The next answer, to a request with the method *to*; EOFError when the server ends before it is complete."""
        async with asyncio.timeout(within):
            interim = []
            while True:
                status, headers = await self._head()
                if status >= 200:
                    break
                interim.append(status)
            body = b"" if to == "HEAD" or status in {204, 304} else await self._body(dict(headers))
        return Answer(status, headers, body, interim)

    async def interim(self, *, within: float = SECONDS) -> int:
        """The status of the 1xx that comes next; it is no part of the answer that follows."""
        async with asyncio.timeout(within):
            status, _ = await self._head()
        assert status < 200, status
        return status

    async def goes_on(self, *, within: float = SECONDS) -> bool:
        """Whether a 1xx comes next, which is read; an answer that comes instead is left to `answer`."""
        async with asyncio.timeout(within):
            while b"\r\n" not in self._read:
                await self._more()
            if not self._read.startswith(b"HTTP/1.1 1"):
                return False
            await self._head()
        return True

    async def rest(self, *, within: float = SECONDS) -> bytes:
        """What still comes until the server ends the connection; TimeoutError when it does not."""
        async with asyncio.timeout(within):
            with suppress(EOFError, ConnectionError):
                while True:
                    await self._more()
        return bytes(self._read)

    async def ends_well(self, *, within: float = SECONDS) -> bool:
        """Whether the server ends the connection next without a byte, and without cutting off what was sent."""
        async with asyncio.timeout(within):
            try:
                await self._more()
            except EOFError:
                return True
            except ConnectionError:
                return False
        return False

    def close(self) -> None:
        """Leave politely: everything that was sent arrives."""
        self._socket.close()

    def reset(self) -> None:
        """Leave without a word: the server's next step meets a reset connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    async def _more(self) -> None:
        piece = await asyncio.get_running_loop().sock_recv(self._socket, _PIECE)
        if not piece:
            raise EOFError("the server has ended the connection")
        self._read += piece

    async def _take(self, size: int) -> bytes:
        while len(self._read) < size:
            await self._more()
        taken = bytes(self._read[:size])
        del self._read[:size]
        return taken

    async def _line(self) -> bytes:
        while (end := self._read.find(b"\r\n")) < 0:
            await self._more()
        return (await self._take(end + 2))[:-2]

    async def _head(self) -> tuple[int, list[tuple[str, str]]]:
        version, status, *_ = (await self._line()).decode("ascii").split(" ", 2)
        assert version == "HTTP/1.1", version
        headers = []
        while line := await self._line():
            name, colon, value = line.decode("latin-1").partition(":")
            assert colon, line
            headers.append((name.lower(), value.strip()))
        return int(status), headers

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = bytearray()
            while size := int(await self._line(), 16):
                body += await self._take(size)
                assert await self._line() == b""
            assert await self._line() == b""
            return bytes(body)
        return await self._take(int(headers["content-length"]))


def request(method: str, target: str, body: bytes | None = None, **headers: str | int) -> bytes:
    """
    The bytes of a request. Names of headers are written with `_` for `-`; a *body* brings its Content-Length, unless
    that or Transfer-Encoding is given.
    """
    fields = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    given = {name.lower() for name in fields}
    if "host" not in given:
        fields = {"Host": "127.0.0.1", **fields}
    if body is not None and not given & {"content-length", "transfer-encoding"}:
        fields["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b"")


async def exchange(
    url: str, raw: bytes, *, then: AsyncIterator[bytes] | None = None, to: str = "POST", within: float = SECONDS
) -> Answer:
    """Send the bytes *raw*, and *then* those, over a connection of their own; the first answer."""
    async with await Wire.open(url) as wire:
        await wire.pour([raw])
        if then is not None:
            async for piece in then:
                await wire.send(piece)
        return await wire.answer(to=to, within=within)


def chunked(*pieces: bytes) -> bytes:
    """*pieces* as a complete body in HTTP chunks (RFC 9112 section 7.1)."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


def part(content: bytes, *, field: str = "file", name: str | None = "photo.jpg", **headers: str) -> bytes:
    """One part of a multipart body, from its delimiter on; *name* is the file's, None for a field."""
    shown = f'; filename="{name}"' if name is not None else ""
    lines = "".join(f"{one.replace('_', '-')}: {value}\r\n" for one, value in headers.items())
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"{shown}\r\n{lines}\r\n'
    return head.encode() + content + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    """A complete multipart body; its media type is `MULTIPART`."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


async def in_pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    """*content* in pieces of *size* bytes: httpx sends such a body in HTTP chunks."""
    for at in range(0, len(content), size):
        yield content[at : at + size]


def client(url: str, key: str | None = None) -> httpx.AsyncClient:
    """An ordinary client of the service at *url*, who sends *key* with each request; the caller closes it."""
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=20, verify=NO_TLS)


def problem(response: httpx.Response) -> str:
    """The slug of the problem that *response* is; AssertionError when it is no complete one."""
    return Answer(response.status_code, [*response.headers.multi_items()], response.content).problem


def cache_status(value: str | None) -> dict[str, Any]:
    """
    The parameters of a `Cache-Status` with one member, by the grammar of RFC 8941 as far as RFC 9211 uses it:
    integers as int, lone parameters as True, the cache's name under `""`.
    """
    assert value is not None, "there is no Cache-Status"
    name, *parameters = value.split("; ")
    found: dict[str, Any] = {"": name}
    for parameter in parameters:
        key, equals, text = parameter.partition("=")
        assert key.replace("-", "").isalpha(), parameter
        assert key.islower(), parameter
        assert key not in found, parameter
        found[key] = (int(text) if text.lstrip("-").isdigit() else text) if equals else True
    return found


def timings(value: str) -> dict[str, float]:
    """A Server-Timing field as milliseconds by name."""
    found = [_TIMING.fullmatch(one) for one in value.split(", ")]
    assert all(found), value
    return {one[1]: float(one[2]) for one in found if one}
