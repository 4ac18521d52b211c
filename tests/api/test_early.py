"""
Answers that are given before the body is read, under each server: what becomes of the body, and of the connection.

The body is read when it is small and there; else the connection ends, after what is needed to read the answer. In
neither case is a byte of it taken for a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import repeat
from time import monotonic

import pytest

from hashcache.api.connection import DRAIN_BYTES, DRAIN_SECONDS
from tests.api.conftest import MAX_UPLOAD, Undisturbed
from tests.harness.contents import photo, text
from tests.harness.http import Wire, chunked, client, request
from tests.harness.service import Service
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

HIDDEN = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
MB = 1_000_000


def page(content: bytes) -> str:
    """The resource of *content*."""
    return f"/api/analyses/{sha256(content).hexdigest()}"


async def known(server: Service) -> bytes:
    """A content that *server* has analysed."""
    content = photo()
    async with client(server.url) as web:
        assert (await web.post("/api/analyze", content=content)).status_code == 200
    return content


@pytest.mark.parametrize("framing", ["length", "chunks", "in two pieces"])
async def test_a_small_body_is_read_and_the_connection_stays(
    server: Service, vendor: ScriptedVendor, framing: str
) -> None:
    """Hits and refusals before a body of some hundred bytes: no `Connection: close`, and the next request is one."""
    content = await known(server)
    answers = []
    async with await Wire.open(server.url) as wire:
        for target, headers in (
            (page(content), {}),
            (page(content), {"Content_Type": "audio/mpeg"}),
            (page(content), {"Authorization": "Bearer wrong"}),
            ("/nowhere", {}),
            (page(content), {}),
        ):
            if framing == "chunks":
                raw = request("PUT", target, chunked(content), Transfer_Encoding="chunked", **headers)
            else:
                raw = request("PUT", target, content, **headers)
            if framing == "in two pieces":
                await wire.send(raw[:-100])
                raw = raw[-100:]
            await wire.send(raw)
            answer = await wire.answer(to="PUT")
            answers.append((answer.status, answer.header("x-cache"), answer.closes))
    hit = (200, "HIT", False)
    assert answers == [hit, (415, None, False), (401, None, False), (404, None, False), hit]


@pytest.mark.parametrize("sent", [b"", HIDDEN], ids=["nothing", "a part that looks like a request"])
async def test_a_small_body_that_does_not_come(server: Service, vendor: ScriptedVendor, sent: bytes) -> None:
    """The answer waits for it no longer than a moment; then the connection ends, and nothing else is answered."""
    content = await known(server)
    async with await Wire.open(server.url) as wire:
        began = monotonic()
        await wire.send(request("PUT", page(content), sent, Content_Length=len(content)))
        answer = await wire.answer(to="PUT", within=5)
        assert (answer.status, answer.header("x-cache"), answer.closes) == (200, "HIT", True)
        await wire.pour([HIDDEN])
        assert await wire.rest(within=5) == b""
        assert monotonic() - began < DRAIN_SECONDS + 4


def requests_in(size: int, framing: str) -> Iterator[bytes]:
    """A body of some *size* bytes that is nothing but requests."""
    piece = HIDDEN * (100_000 // len(HIDDEN))
    for one in repeat(piece, size // len(piece)):
        yield chunked(one)[:-5] if framing == "chunks" else one


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("size", [900_000, 19 * MB, 50 * MB])
async def test_the_answer_is_there_for_who_writes_first(
    server: Service, undisturbed: Undisturbed, size: int, framing: str
) -> None:
    """
    A client that writes up to 50 MB and only then reads: the complete answer, `Connection: close`, and the end.

    Of the body, which looks like requests, none is answered; and not much more than a megabyte is taken.
    """
    content = await known(server)
    announced = min(size, MAX_UPLOAD)
    framed: dict[str, str | int] = {"Transfer_Encoding": "chunked"}
    if framing == "length":
        framed = {"Content_Length": announced}
    async with undisturbed(server), await Wire.open(server.url) as wire:
        began = monotonic()
        await wire.send(request("PUT", page(content), b"", **framed))
        sent = await wire.pour(requests_in(size, framing))
        answer = await wire.answer(to="PUT")
        assert (answer.status, answer.header("x-cache"), answer.closes) == (200, "HIT", True)
        assert await wire.rest() == b""
        assert monotonic() - began < DRAIN_SECONDS + 4
    if size > 2 * DRAIN_BYTES:
        # Beyond what is drained only the buffers of both kernels take bytes.
        assert sent < size


@pytest.mark.parametrize("pipelined", [False, True])
async def test_a_pipelined_request_is_not_lost_in_a_body(
    server: Service,
    vendor: ScriptedVendor,
    pipelined: bool,  # noqa: FBT001 - a parameter of this test
) -> None:
    """After an unread body that was complete, a request that was sent along is answered as itself, or not at all."""
    content = await known(server)
    small, large = request("PUT", page(content), content), request("PUT", page(content), HIDDEN * 10_000)
    after = request("GET", "/nowhere") if pipelined else b""
    async with await Wire.open(server.url) as wire:
        await wire.send(small + after)
        first = await wire.answer(to="PUT")
        assert (first.status, first.closes) == (200, False)
        if pipelined:
            assert (await wire.answer(to="GET")).status == 404
        await wire.pour([large + after])
        second = await wire.answer(to="PUT")
        assert (second.status, second.closes) == (200, True)
        assert await wire.rest() == b""


@pytest.mark.parametrize(
    "framing", [{"Content_Length": 600}, {"Content_Length": MAX_UPLOAD}, {"Transfer_Encoding": "chunked"}]
)
async def test_who_asks_first_sends_nothing(
    server: Service, vendor: ScriptedVendor, framing: dict[str, str | int]
) -> None:
    """`Expect: 100-continue`, small, large and chunked: the answer without a 100, at once, and the end."""
    content = await known(server)
    async with await Wire.open(server.url) as wire:
        await wire.send(request("PUT", page(content), b"", Expect="100-continue", **framing))
        answer = await wire.answer(to="PUT", within=5)
        assert (answer.status, answer.header("x-cache")) == (200, "HIT")
        assert (answer.interim, answer.closes) == ([], True)
        assert await wire.rest(within=5) == b""


@pytest.mark.parametrize("size", [0, 600, 900_000, 19 * MB])
async def test_an_old_client_gets_its_answer(server: Service, vendor: ScriptedVendor, size: int) -> None:
    """HTTP/1.0, which knows neither 100 nor chunks: the answer and the end, whether the body comes or not."""
    content = await known(server)
    head = f"PUT {page(content)} HTTP/1.0\r\nContent-Length: {size or 600}\r\n\r\n".encode()
    async with await Wire.open(server.url) as wire:
        await wire.pour([head, *repeat(bytes(100), size // 100)])
        head, _, body = (await wire.rest()).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"200"
    assert b"x-cache: hit" in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert sha256(content).hexdigest().encode() in body
    assert body.count(b"HTTP/1.") == 0


async def test_a_text_too(server: Service, vendor: ScriptedVendor) -> None:
    """A known text is as early as a picture, and its connection stays."""
    content = text().encode()
    async with await Wire.open(server.url) as wire:
        for cache in ("MISS", "HIT", "HIT"):
            await wire.send(request("PUT", page(content), content, Content_Type="text/plain"))
            answer = await wire.answer(to="PUT")
            assert (answer.header("x-cache"), answer.closes) == (cache, False)
