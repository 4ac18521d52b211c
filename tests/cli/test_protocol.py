"""A connection whose request does not come is closed; one whose request has come is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from hashcache.api.admission import LEAST, Room, Share
from hashcache.cli import protocol
from hashcache.core.errors import SpoolFull
from tests.harness.turns import until

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


class _Swift:
    """Answers what came whole as long as *swift*, when *waits* is set; counts who came which way."""

    def __init__(self) -> None:
        self.swift = True
        self.waits: asyncio.Event | None = None
        self.holds: asyncio.Event | None = None  # what the long way waits for
        self.at_once_answered: list[bytes] = []
        self.called = 0
        self._room = Room(3_000_000, chance=lambda: 0.0)

    @property
    def gathering(self) -> int:
        """The room that requests take of which the rest is on its way."""
        return 3_000_000 - self._room._free

    def room(self, scope: Scope, size: int) -> Share | None:
        if (scope["method"], b"expect" in dict(scope["headers"])) != ("POST", False):
            return None
        share = self._room.share()
        try:
            share.announce(size, most=size)
        except SpoolFull:
            return None
        return share

    def at_once(self, scope: Scope, read: bytes, start: int) -> Response | Awaitable[Response] | None:
        self.at_once_answered.append(read[start:])
        answer = Response(scope["method"], headers={"x-way": "short"}) if self.swift else None
        return answer if self.waits is None or answer is None else self._after(self.waits, answer)

    async def _after(self, waits: asyncio.Event, answer: Response) -> Response:
        await waits.wait()
        return answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called += 1
        if self.holds is not None:
            await self.holds.wait()
        body = await Request(scope, receive).body()
        await Response(body, headers={"x-way": "long"})(scope, receive, send)


@pytest.fixture
async def swift() -> AsyncIterator[tuple[int, _Swift, ServerState]]:
    """Where an application listens that answers at once, that application, and the server's state."""
    app = _Swift()
    config = uvicorn.Config(
        app, http=protocol.BoundedHeads, ws="none", lifespan="off", log_config=None, proxy_headers=False
    )
    config.load()
    config.timeout_keep_alive = 0.9  # type: ignore[assignment]  # a float does as well
    state = ServerState()
    state.default_headers = [(b"date", b"now")]
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol.BoundedHeads(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1], app, state


Swifts = tuple[int, _Swift, ServerState]


@asynccontextmanager
async def _line(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        yield reader, writer
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _all(port: int, *pieces: bytes) -> bytes:
    """What a connection answers to *pieces*, each sent when the one before was answered, or taken."""
    answers = b""
    async with _line(port) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            answers += await reader.readuntil(b"\r\n\r\n")
        writer.write_eof()
        answers += await reader.read()
    return answers


HEAD, LAST = GET.replace(b"GET", b"HEAD"), GET.replace(b"Host: a", b"Host: a\r\nConnection: close")


async def test_what_came_whole_is_answered_without_a_task(swift: Swifts) -> None:
    """One after another on one connection, with the server's own fields; HEAD has no body; the last one closes."""
    port, app, state = swift
    answers = await _all(port, GET, HEAD, POST + b"x", LAST)
    assert (app.called, app.at_once_answered) == (0, [b"", b"", b"x", b""])
    assert state.total_requests == 4
    assert answers.count(b"x-way: short") == answers.count(b"date: ") == 4
    assert answers.count(b"connection: close") == 1
    assert [answers.count(word) for word in (b"\r\nGET", b"\r\nHEAD", b"\r\nPOST")] == [2, 0, 1]
    assert answers.endswith(b"connection: close\r\n\r\nGET")


async def test_what_comes_in_pieces_or_has_no_answer_takes_the_long_way(swift: Swifts) -> None:
    """A body that is asked for, requests that follow others in one read, and whatever is not known."""
    port, app, _ = swift
    assert (await _all(port, POST.replace(b": a", b": a\r\nExpect: 100-continue"), b"x")).count(b"long") == 1
    assert (await _all(port, GET + POST + b"x")).count(b"HTTP/1.1 200 OK") == 2
    assert (app.called, app.at_once_answered) == (3, [])
    app.swift = False
    answers = await _all(port, POST + b"y", GET)
    assert (app.called, app.at_once_answered) == (5, [b"y", b""])
    assert answers.partition(b"\r\n\r\ny")[1]


async def test_a_body_that_follows_its_head_is_waited_for(swift: Swifts) -> None:
    """In as many pieces as it comes; one after another on one connection, an answer for each."""
    port, app, _ = swift
    head = POST.replace(b"th: 1", b"th: 3")
    async with _line(port) as (reader, writer):
        for pieces in ((head, b"abc"), (head, b"d", b"e", b"f"), (head + b"gh", b"i")):
            for piece in pieces:
                await asyncio.sleep(0.01)  # a read of its own
                writer.write(piece)
            assert b"x-way: short" in await reader.readuntil(b"POST")
    assert (app.called, app.at_once_answered) == (0, [b"abc", b"def", b"ghi"])
    assert app.gathering == 0
    app.swift = False
    async with _line(port) as (reader, writer):
        writer.write(head)
        await until(lambda: app.gathering > 0)
        writer.write(b"jkl")
        assert b"x-way: long" in await reader.readuntil(b"jkl")


async def test_a_body_that_does_not_come_is_not_waited_for(swift: Swifts) -> None:
    """For longer than a moment: then the application decides, and is given what had come."""
    port, app, _ = swift
    async with _line(port) as (reader, writer):
        writer.write(POST.replace(b"th: 1", b"th: 3") + b"a")
        await until(lambda: app.called == 1)
        assert app.gathering == 0
        writer.write(b"bc")
        assert b"x-way: long" in await reader.readuntil(b"\r\n\r\nabc")
        writer.write(GET)
        assert b"x-way: short" in await reader.readuntil(b"GET")


async def test_what_is_large_is_not_gathered(swift: Swifts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one request that is, nor more than there is room for."""
    monkeypatch.setattr(protocol, "GATHER_SECONDS", 60.0)
    port, app, _ = swift
    large = POST.replace(b"th: 1", b"th: %d" % protocol.SMALL_BYTES)
    async with _line(port) as (_, writer):
        writer.write(large)
        await until(lambda: app.called == 1)
    async with _line(port) as (reader, writer), _line(port) as (_, other):
        writer.write(POST)
        await until(lambda: app.gathering > 0)
        rest = app.room({"method": "POST", "headers": []}, 3_000_000 - LEAST)
        assert rest is not None
        other.write(POST)
        await until(lambda: app.called == 2)
        rest.close()
        writer.write(b"x")
        assert b"x-way: short" in await reader.readuntil(b"POST")
        writer.write(POST)
        await until(lambda: app.gathering > 0)  # there is room again
        writer.write(b"x")
        assert b"x-way: short" in await reader.readuntil(b"POST")


async def test_requests_that_follow_a_gathered_one_are_answered(swift: Swifts) -> None:
    """The rest of one request and the whole of the next in one read: uvicorn's, both of them."""
    port, app, _ = swift
    async with _line(port) as (reader, writer):
        writer.write(POST)
        await until(lambda: app.gathering > 0)
        writer.write(b"x" + POST + b"y")
        await reader.readuntil(b"\r\n\r\nx")
        await reader.readuntil(b"\r\n\r\ny")
    assert (app.called, app.at_once_answered) == (2, [])


async def test_what_is_gathered_is_no_long_head(swift: Swifts) -> None:
    """Where the next head has begun in the read that ends a request of more bytes than a head may have."""
    port, app, _ = swift
    size = 2 * protocol.HEAD_BYTES
    async with _line(port) as (reader, writer):
        writer.write(POST.replace(b"th: 1", b"th: %d" % size))
        await until(lambda: app.gathering > 0)
        writer.write(b"x" * size + GET[:9])
        await reader.readuntil(b"x-way: long")
        await reader.readexactly(len(b"\r\n\r\n") + size)
        writer.write(GET[9:])
        assert b"HTTP/1.1 200 OK" in await reader.readuntil(b"\r\n\r\n")


async def test_who_leaves_while_his_request_comes_is_heard_of(swift: Swifts, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the application, as ever; and what was gathered takes no room any more."""
    monkeypatch.setattr(protocol, "GATHER_SECONDS", 60.0)
    port, app, _ = swift
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST)
    await until(lambda: app.gathering > 0)
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()
    await until(lambda: app.called == 1)
    assert app.gathering == 0


async def test_a_server_that_ends_waits_for_the_rest(swift: Swifts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that has begun is answered, and then its connection ends."""
    monkeypatch.setattr(protocol, "GATHER_SECONDS", 60.0)
    port, app, state = swift
    async with _line(port) as (reader, writer):
        writer.write(POST)
        await until(lambda: app.gathering > 0)
        for one in list(state.connections):
            one.shutdown()
        await until(lambda: app.called == 1)
        writer.write(b"x")
        answer = await reader.read()
    assert answer.count(b"connection: close") == answer.count(b"x-way: long") == 1


async def test_a_request_that_comes_keeps_its_connection(swift: Swifts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing was answered on it for as long as an idle one is kept."""
    monkeypatch.setattr(protocol, "GATHER_SECONDS", 60.0)
    port, app, _ = swift
    async with _line(port) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"GET")
        writer.write(POST)
        await asyncio.sleep(1.1)  # longer than an idle connection is kept
        writer.write(b"x")
        assert b"x-way: short" in await reader.readuntil(b"POST")
    assert app.at_once_answered == [b"", b"x"]


async def test_an_answer_may_take_a_moment(swift: Swifts) -> None:
    """Who comes meanwhile is served, on the same connection in his turn."""
    port, app, _ = swift
    app.waits = asyncio.Event()
    async with _line(port) as (reader, writer):
        writer.write(POST + b"x")
        await until(lambda: app.at_once_answered == [b"x"])
        writer.write(GET)
        other = asyncio.create_task(_all(port, GET))
        await until(lambda: len(app.at_once_answered) == 2)
        app.waits.set()
        first = await reader.readuntil(b"POST")
        second = await reader.readuntil(b"GET")
        assert first.count(b"x-way: short") == second.count(b"x-way: short") == 1
    assert b"x-way: short" in await other


async def test_who_leaves_meanwhile_is_not_answered(swift: Swifts) -> None:
    """The connection is gone, and others are served."""
    port, app, _ = swift
    app.waits = asyncio.Event()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST + b"x")
    await until(lambda: app.at_once_answered == [b"x"])
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()
    app.waits.set()
    assert b"x-way: short" in await _all(port, GET)


async def test_a_server_that_ends_answers_first(swift: Swifts) -> None:
    """Whatever is under way is answered, and its connection ends; an idle one ends at once."""
    port, app, state = swift
    async with _line(port) as (idle, other):
        other.write(GET)
        await idle.readuntil(b"GET")
        app.waits = asyncio.Event()
        async with _line(port) as (reader, writer):
            writer.write(POST + b"x")
            await until(lambda: app.at_once_answered == [b"", b"x"])
            for one in list(state.connections):
                one.shutdown()
            assert await idle.read() == b""
            app.waits.set()
            answer = await reader.read()
        assert answer.count(b"connection: close") == answer.count(b"x-way: short") == 1


async def test_a_connection_is_kept_for_as_long_as_it_is_used(swift: Swifts) -> None:
    """The pause between two requests counts, not what came before; then the server closes."""
    port, app, _ = swift
    loop = asyncio.get_running_loop()
    async with _line(port) as (reader, writer):
        for _ in range(4):
            writer.write(GET)
            await reader.readuntil(b"GET")
            last = loop.time()
            await asyncio.sleep(0.4)  # shorter than a connection is kept, by far; longer in all
        assert await reader.read() == b""
        assert loop.time() - last >= 0.9
    assert len(app.at_once_answered) == 4


async def test_the_head_of_the_short_way_is_no_late_one(swift: Swifts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that watches over the first head of a connection ends it once that has come."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    port, app, _ = swift
    async with _line(port) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"GET")
        await asyncio.sleep(0.2)  # longer than a head may take
        writer.write(GET)
        await reader.readuntil(b"GET")
    assert len(app.at_once_answered) == 2


async def test_an_answer_that_takes_long_keeps_its_connection(swift: Swifts) -> None:
    """However long nothing comes meanwhile."""
    port, app, _ = swift
    async with _line(port) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"GET")
        app.waits = asyncio.Event()
        writer.write(POST + b"x")
        await asyncio.sleep(1.1)  # longer than an idle connection is kept
        app.waits.set()
        assert b"x-way: short" in await reader.readuntil(b"POST")


async def test_answers_come_in_the_order_of_their_questions(swift: Swifts) -> None:
    """Who is quick waits for the one before, which has taken the long way."""
    port, app, _ = swift
    app.swift, app.holds = False, asyncio.Event()
    async with _line(port) as (reader, writer):
        writer.write(POST + b"z")
        await until(lambda: app.called == 1)
        app.swift = True
        writer.write(GET)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readuntil(b"GET")
        app.holds.set()
        answers = await reader.readuntil(b"\r\n\r\nz") + await reader.readuntil(b"\r\n\r\n")
    assert answers.count(b"x-way: long") == 2
    assert app.at_once_answered == [b"z"]


async def test_the_rest_of_a_request_is_not_taken_for_one(swift: Swifts) -> None:
    """A read that looks like a request of its own, in the middle of a head or of a body."""
    port, app, _ = swift
    for begun in (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", POST.replace(b"th: 1", b"th: 500")):
        async with _line(port) as (_, writer):
            writer.write(begun)
            await asyncio.sleep(0.1)  # a read of its own
            writer.write(GET)
            await asyncio.sleep(0.1)  # and another
    assert app.at_once_answered == []


async def test_what_uvicorn_does_by_itself_is_left_to_it() -> None:
    """Where a root path is set, or a limit, nobody is asked on the short way."""
    for more in ({"root_path": "/a"}, {"limit_concurrency": 10}):
        app = _Swift()
        config = uvicorn.Config(
            app,
            http=protocol.BoundedHeads,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            **more,  # type: ignore[arg-type]
        )
        config.load()
        server = await asyncio.get_running_loop().create_server(
            partial(protocol.BoundedHeads, config, ServerState(), {}), "127.0.0.1", 0
        )
        async with server:
            assert b"x-way: long" in await _all(server.sockets[0].getsockname()[1], GET)
        assert (app.called, app.at_once_answered) == (1, [])
