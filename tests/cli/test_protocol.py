"""A connection whose request does not come is closed; one whose request has come is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from hashcache.cli import protocol

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"


async def _empty(scope: Scope, receive: Receive, send: Send) -> None:
    del scope
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Where heads have a tenth of a second."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    config = uvicorn.Config(_empty, http=protocol.BoundedHeads, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol.BoundedHeads(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("sent", "answers"),
    [(b"", 0), (GET[:9], 0), (GET + GET[:-1], 1), (GET + GET + GET[:20], 2), (POST + b"x" + GET[:3], 1)],
)
async def test_a_head_that_does_not_come_ends_the_connection(port: int, sent: bytes, answers: int) -> None:
    """Whether it is the first of its connection or follows others, in the same piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(5):
        assert (await reader.read()).count(b"HTTP/1.1 200 OK") == answers
    writer.close()
    await writer.wait_closed()


async def test_a_body_has_more_time_than_a_head(port: int) -> None:
    """And so has the next request of a connection that is kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in (POST, GET):
        writer.write(part)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.readuntil(b"another head")
        if part is POST:
            writer.write(b"x")
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()
