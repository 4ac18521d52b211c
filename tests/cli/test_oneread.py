"""A request that came whole in one read is told as uvicorn tells it; every other read is left to uvicorn."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from hashcache.cli.oneread import Begun, OneRead

START = b"POST /a/b-c~1.d?x=%20&y HTTP/1.1\r\nHost: a\r\n"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


def test_what_is_told() -> None:
    """All that is asked of it."""
    read = START + b"X-One: 1\r\nCONTENT-LENGTH: 3\r\n\r\nabc"
    told = OneRead.of(read)
    assert isinstance(told, OneRead)
    assert read[told.start :] == b"abc"
    assert told.keep_alive
    assert told.scope == {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/a/b-c~1.d",
        "query_string": b"x=%20&y",
        "headers": [(b"host", b"a"), (b"x-one", b"1"), (b"content-length", b"3")],
    }
    last = OneRead.of(START + b"Connection: close\r\n\r\n")
    assert isinstance(last, OneRead)
    assert not last.keep_alive


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (b"Content-Length: 3\r\nContent-Length: 3", b"abc"),
        (b"Content-Length: 3, 3", b"abc"),
        (b"Content-Length: +3", b"abc"),
        (b"Content-Length: 0x3", b"abc"),
        (b"Content-Length: " + b"9" * 5000, b"abc"),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked", CHUNKS),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3", CHUNKS),
        (b"Transfer-Encoding: chunked", CHUNKS),
        (b"Transfer-Encoding: gzip", b"abc"),
        (b"Content-Length: 3", b"abcd"),
        (b"Content-Length: 3", b"abc\r\n"),
        (b"Content-Length: 3", b"abcGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (b"A: 1\n\nContent-Length: 3", b"abc"),
        (b"A : 1", b""),
        (b"Connection: close\r\nConnection: keep-alive", b""),
        (b"Connection: keep-alive, close", b""),
        (b"Connection: Upgrade\r\nUpgrade: websocket", b""),
        (b"A: " + b"a" * 70_000, b""),
    ],
)
def test_what_is_not_one_plain_request_is_not_told(fields: bytes, body: bytes) -> None:
    """Framing that is ambiguous, chunked, short or long; heads that are broken; what is to be upgraded."""
    assert OneRead.of(START + fields + b"\r\n\r\n" + body) is None


@pytest.mark.parametrize("body", [b"", b"a", b"ab"])
def test_of_what_has_begun_the_length_is_told(body: bytes) -> None:
    """From the end of its head on, before its last byte."""
    head = START + b"Content-Length: 3\r\n\r\n"
    whole = OneRead.of(head + b"abc")
    assert isinstance(whole, OneRead)
    assert OneRead.of(head + body) == Begun(len(head) + 3, whole.scope)
    assert OneRead.of(head[:-1]) is None


@pytest.mark.parametrize("field", [b"Transfer-Encoding: chunked", b"Content-Length: 3", b"Connection: Upgrade"])
def test_of_what_has_begun_unusually_nothing_is_told(field: bytes) -> None:
    """Ambiguous framing, or another protocol."""
    assert OneRead.of(START + b"Content-Length: 3\r\n" + field + b"\r\n\r\na") is None


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.0",
        b"GET / HTTP/2.0",
        b"GET /%61 HTTP/1.1",
        b"GET http://a/ HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET /#a HTTP/1.1",
        b"GET /\xc3\xa4 HTTP/1.1",
        b"GET / HTTP/1.1\r\nA",
        b"GET",
        b"",
    ],
)
def test_unusual_lines_are_not_told(line: bytes) -> None:
    """Other versions, addresses in other forms, what is escaped, what is no request."""
    assert OneRead.of(line + b"\r\nHost: a\r\n\r\n") is None
    assert OneRead.of(line) is None


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None: ...


class _Transport(asyncio.Transport):
    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def close(self) -> None: ...


class _Heard(HttpToolsProtocol):
    """uvicorn's protocol, which keeps what it would have asked an application."""

    def __init__(self) -> None:
        config = uvicorn.Config(_nothing, ws="none", lifespan="off", log_config=None)
        config.load()
        self.asked: list[Any] = []
        super().__init__(config, ServerState(), {}, asyncio.new_event_loop())
        self.connection_made(_Transport())

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        del app
        self.asked.append(cycle)

    def close(self) -> None:
        """Close its loop."""
        self.loop.close()


_NAMES = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"X-A", b"Expect", b"Cookie"]
)
_VALUES = st.sampled_from(
    [b"3", b"0", b"chunked", b"close", b"keep-alive", b"a", b"", b"3 ", b" 3", b"Upgrade", b"\xe4"]
)
_LINES = st.sampled_from([b"GET / HTTP/1.1", b"POST /a?b=c HTTP/1.1", b"HEAD //a HTTP/1.1", b"PUT /a;b HTTP/1.1"])
_BODIES = st.sampled_from([b"", b"abc", CHUNKS, b"abcGET / HTTP/1.1\r\n\r\n", b"\r\n", b"abc\r\n"])


@settings(max_examples=600, deadline=None)
@given(line=_LINES, fields=st.lists(st.tuples(_NAMES, _VALUES), max_size=4), body=_BODIES)
def test_uvicorn_would_tell_the_same(line: bytes, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Whatever is told: the same request, with the same body, complete, and none after it."""
    read = b"\r\n".join([line, *(name + b": " + value for name, value in fields), b"", b""]) + body
    told = OneRead.of(read)
    if not isinstance(told, OneRead):
        return
    heard = _Heard()
    heard.data_received(read)
    heard.close()
    (cycle,) = heard.asked
    assert cycle.scope.items() >= told.scope.items()
    assert (bytes(cycle.body), cycle.more_body, cycle.keep_alive) == (read[told.start :], False, told.keep_alive)
    assert not heard.pipeline


@settings(max_examples=600, deadline=None)
@given(line=_LINES, fields=st.lists(st.tuples(_NAMES, _VALUES), max_size=4), body=_BODIES, cut=st.integers(0, 12))
def test_uvicorn_would_wait_for_the_same(line: bytes, fields: list[tuple[bytes, bytes]], body: bytes, cut: int) -> None:
    """Whatever has begun: uvicorn has asked for it as well, and its body ends where it is told to."""
    head = b"\r\n".join([line, *(name + b": " + value for name, value in fields), b"", b""])
    told = OneRead.of(head + body[:cut])
    if not isinstance(told, Begun):
        return
    with closing(_Heard()) as heard:
        heard.data_received(head + body[:cut])
        heard.data_received(b"x" * (told.total - len(head + body[:cut]) - 1))
        (cycle,) = heard.asked
        assert cycle.scope.items() >= told.scope.items()
        assert cycle.more_body
        heard.data_received(b"x")
        assert not cycle.more_body
