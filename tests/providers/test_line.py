"""What a line to a vendor is used for, and how its address is read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import h11
import httpx
import pytest

from hashcache.providers import line
from hashcache.providers.formats import NOTHING
from hashcache.providers.line import Line
from hashcache.providers.network import Disconnected, Origin
from hashcache.providers.sending import Address, address

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def request() -> h11.Request:
    return h11.Request(method="GET", target="/", headers=[("Host", "vendor.test")])


@asynccontextmanager
async def served(*replies: bytes) -> AsyncIterator[tuple[Line, asyncio.Event]]:
    """A line to who answers its calls with *replies*, one each, and then hangs up; and the event that he did."""
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for reply in replies:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(reply)
        writer.close()
        left.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        to = Line(Origin("127.0.0.1", server.sockets[0].getsockname()[1], secure=False), None, patience=5)
        yield to, left
        to.close()
        await left.wait()


async def call(to: Line) -> bytes | None:
    assert (await to.ask(request(), NOTHING.chunks())).status_code == 200
    return await to.read(100)


async def test_a_reply_that_ended_well_leaves_a_usable_line() -> None:
    """Before the first call, and while a reply is not read to its end, it is not."""
    async with served(OK, OK, OK) as (to, _):
        assert not to.usable
        for _ in range(2):
            await to.ask(request(), NOTHING.chunks())
            assert await to.read(100) == b"{}"
            assert to.usable
        await to.ask(request(), NOTHING.chunks())
        assert await to.read(1) is None


@pytest.mark.parametrize(
    "reply",
    [
        OK + b"HTTP/1.1 408 Request Timeout\r\n\r\n",  # something behind it
        OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
async def test_a_reply_that_ends_the_line_is_its_last(reply: bytes) -> None:
    """What it says is read; nothing is asked after it."""
    async with served(reply, OK) as (to, _):
        assert await call(to) == b"{}"
        assert not to.usable


async def test_a_reply_may_be_announced() -> None:
    """An informational reply (RFC 9110 section 15.2) is not the reply."""
    async with served(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK) as (to, _):
        assert await call(to) == b"{}"


async def test_a_line_that_rested_too_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers hang up after a while, and a paid call may not meet that."""
    monkeypatch.setattr(line, "IDLE", 0.0)
    async with served(OK, OK) as (to, _):
        assert await call(to) == b"{}"
        assert not to.usable


async def test_what_was_not_written_is_told_apart() -> None:
    """A call on a line whose vendor has left was never sent, though the one before it was."""
    async with served(OK) as (to, left):
        assert await call(to) == b"{}"
        assert to.wrote
        await left.wait()
        for _ in range(5):
            await asyncio.sleep(0)  # turns of the loop, in which it hears of it
        with pytest.raises((Disconnected, h11.RemoteProtocolError)):
            await to.ask(request(), NOTHING.chunks())
        assert not to.wrote


@pytest.mark.parametrize(
    ("url", "read"),
    [
        (
            "https://api.acme.test/v1?x=1",
            Address(Origin("api.acme.test", 443, secure=True), b"/v1?x=1", b"api.acme.test"),
        ),
        ("http://acme.test", Address(Origin("acme.test", 80, secure=False), b"/", b"acme.test")),
        ("HTTPS://acme.test:8443/a", Address(Origin("acme.test", 8443, secure=True), b"/a", b"acme.test:8443")),
        ("http://[::1]:81/", Address(Origin("::1", 81, secure=False), b"/", b"[::1]:81")),
        ("https://bücher.test/", Address(Origin("xn--bcher-kva.test", 443, secure=True), b"/", b"xn--bcher-kva.test")),
        ("https://user:word@acme.test/", Address(Origin("acme.test", 443, secure=True), b"/", b"acme.test")),
    ],
)
def test_an_address_is_read(url: str, read: Address) -> None:
    """Its default port, its target, and what `Host` says; never who asks."""
    assert address(url) == read


@pytest.mark.parametrize("url", ["ftp://acme.test/", "acme.test", "https://", "http://acme.test:99999/"])
def test_an_address_that_is_none(url: str) -> None:
    """Nothing can be sent there."""
    with pytest.raises(httpx.InvalidURL):
        address(url)
