"""
What clients do wrong on the wire, under each server: lies about lengths, silence, leaving, writing on, and worse.

Each test proves as well that other clients are served meanwhile, that nothing was bought, stored or left behind, and
that the connection is in a state that both sides know: closed, or good for the next request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from itertools import repeat
from time import monotonic

import pytest

from tests.api.conftest import MAX_UPLOAD, UPLOAD_BUDGET, Undisturbed
from tests.harness.clients import others_are_served, slowly, trickling
from tests.harness.contents import photo
from tests.harness.http import MULTIPART, Answer, Wire, chunked, exchange, multipart, part, request
from tests.harness.service import Service, until
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/analyze"
#: More than is kept in memory.
SPOOLED = photo(17_000_000)
HALF = part(photo(5000))[:3000]


async def refusal(wire: Wire) -> Answer | None:
    """The 4xx that the next request got, from us or from the server; None when the connection was closed instead."""
    try:
        answer = await wire.answer()
    except (EOFError, ConnectionError):
        return None
    assert 400 <= answer.status < 500, answer
    return answer


STALLED = [
    request("POST", PAGE, b"\xff\xd8\xff" + bytes(500), Content_Length=5000),
    request("POST", PAGE, b"a text", Content_Length=5000, Content_Type="text/plain"),
    request("POST", PAGE, b'{"text": "', Content_Length=5000, Content_Type="application/json"),
    request("POST", PAGE, HALF, Content_Length=5200, Content_Type=MULTIPART),
    request("POST", PAGE, b"", Content_Length=MAX_UPLOAD),
    request("POST", PAGE, chunked(photo())[:-5], Transfer_Encoding="chunked"),
    request("POST", PAGE, b"400\r\n" + bytes(10), Transfer_Encoding="chunked"),
]


async def test_row_46_a_body_that_stalls(server: Service, undisturbed: Undisturbed) -> None:
    """Bodies of all forms that end before their announced length are given up after the idle time: 408, and closed."""

    async def stall(raw: bytes) -> None:
        async with await Wire.open(server.url) as wire:
            began = monotonic()
            await wire.send(raw)
            refused = await wire.answer()
            assert (refused.status, refused.problem, refused.closes) == (408, "stalled", True)
            assert 0.9 < monotonic() - began < 5
            assert await wire.rest() == b""

    async with undisturbed(server), others_are_served(server):
        await asyncio.gather(*map(stall, STALLED))


TRICKLING = [
    (request("POST", PAGE, b"", Content_Length=5000), b"\xff\xd8\xff"),
    (request("POST", PAGE, part(b"")[:-2], Content_Length=5000, Content_Type=MULTIPART), b"\xff\xd8\xff"),
    (request("POST", PAGE, b"", Transfer_Encoding="chunked"), b"3\r\n\xff\xd8\xff\r\n"),
]


async def test_row_46_a_body_that_trickles(server: Service, undisturbed: Undisturbed) -> None:
    """Bodies that never pause for long, but come a few bytes at a time, are given up by their rate: 408 and closed."""

    async def trickle(raw: bytes, piece: bytes) -> None:
        async with await Wire.open(server.url) as wire:
            began = monotonic()
            await wire.send(raw)
            async with trickling(wire, piece):
                refused = await wire.answer()
            assert (refused.status, refused.problem, refused.closes) == (408, "stalled", True)
            assert monotonic() - began < 6

    async with undisturbed(server), others_are_served(server):
        await asyncio.gather(*(trickle(raw, piece) for raw, piece in TRICKLING))


async def test_row_46_a_slow_body_that_is_fast_enough(server: Service, vendor: ScriptedVendor) -> None:
    """An upload that takes longer than the idle time, but neither pauses nor falls below the rate, is analysed."""
    content = photo(40_000)
    began = monotonic()
    answer = await exchange(
        server.url,
        request("POST", PAGE, b"", Content_Length=len(content)),
        then=slowly(content, seconds=1.5, pieces=20),
    )
    assert (answer.status, answer.json["sha256"]) == (200, sha256(content).hexdigest())
    assert monotonic() - began > 1.2


@pytest.mark.parametrize(
    "length", ["-1", "-0", "+5", "1_000", "0x10", "5 5", "5,5", "five", "1e3", "5.0", "\u00b2", "9" * 30, "9" * 5000]
)
async def test_row_48_a_length_that_is_none(server: Service, undisturbed: Undisturbed, length: str) -> None:
    """A Content-Length that is no number of bytes, or none that fits, is refused with 4xx or a close; never a fault."""
    async with undisturbed(server), await Wire.open(server.url) as wire:
        await wire.pour([request("POST", PAGE, photo(), Content_Length=length)])
        refused = await refusal(wire)
        if refused is not None:
            assert refused.status in {400, 413, 431}
            await wire.rest()


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 600\r\nContent-Length: 60\r\n",
        "Content-Length: 60\r\nContent-Length: 600\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        " Content-Length: 600\r\n",
        "Content-Length : 600\r\n",
    ],
)
async def test_row_48_an_end_that_is_ambiguous(server: Service, undisturbed: Undisturbed, lines: str) -> None:
    """A request of which two readers could see two ends is refused, although its body would fit one of them."""
    content = chunked(photo(600)) if "chunked" in lines else photo(600)
    async with undisturbed(server), await Wire.open(server.url) as wire:
        await wire.pour([f"POST {PAGE} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode("latin-1") + content])
        await refusal(wire)


@pytest.mark.parametrize("lines", ["Content-Length: 600\r\nContent-Length: 600\r\n", "Content-Length: 600\nX: y\r\n"])
async def test_row_48_an_end_that_is_clear_all_the_same(server: Service, vendor: ScriptedVendor, lines: str) -> None:
    """What RFC 9112 lets a server read leniently (sections 2.2, 6.3) is refused, or read in the one way there is."""
    content = photo(600)
    async with await Wire.open(server.url) as wire:
        await wire.pour([f"POST {PAGE} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + content])
        answer = await wire.answer()
    assert answer.status == 400 or answer.json["sha256"] == sha256(content).hexdigest()


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ],
)
async def test_row_48_length_and_chunks_at_once(server: Service, undisturbed: Undisturbed, lines: str) -> None:
    """Content-Length beside Transfer-Encoding never lets a second request in: nothing that was hidden is answered."""
    hidden = request("GET", "/openapi.json")
    head = f"POST {PAGE} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n{lines}\r\n".encode()
    async with undisturbed(server), await Wire.open(server.url) as wire:
        await wire.pour([head + b"0\r\n\r\n" + hidden])
        refused = await refusal(wire)
        if refused is not None:
            assert b"openapi" not in await wire.rest()


async def test_row_48_a_length_that_is_too_short(server: Service, vendor: ScriptedVendor) -> None:
    """What comes after the announced length is no part of the upload, and no request either: refused, and closed."""
    content = photo(600)
    longer = content + bytes(50)
    async with await Wire.open(server.url) as wire:
        await wire.send(request("POST", PAGE, longer + b"\r\n\r\n", Content_Length=600))
        answer = await wire.answer()
        # uvicorn hurries to refuse what follows, before the upload has its answer.
        assert answer.status in {200, 400}
        if answer.status == 200:
            assert answer.json["sha256"] == sha256(content).hexdigest()
            await refusal(wire)
        await wire.rest()
    assert vendor.ledger.by_digest[sha256(longer).hexdigest()] == 0
    assert (await exchange(server.url, request("GET", "/healthz"), to="GET")).status == 200


TOO_LONG = [
    request("POST", PAGE, photo(), Content_Length=10_000_000_000),
    request("POST", PAGE, photo(), Content_Length=MAX_UPLOAD + 1),
    request("POST", PAGE, photo(), Content_Length=MAX_UPLOAD * 2, Content_Type=MULTIPART),
    request("POST", PAGE, photo(), Content_Length=200_000, Content_Type="text/plain"),
    request("POST", PAGE, photo(), Content_Length=2_000_000, Content_Type="application/json"),
]


async def test_row_48_too_long_is_known_by_the_head(server: Service, undisturbed: Undisturbed) -> None:
    """An announced length over the form's limit is 413 before the body has come, and the connection is closed."""

    async def announce(raw: bytes) -> None:
        async with await Wire.open(server.url) as wire:
            await wire.send(raw)
            refused = await wire.answer(within=3)
            assert (refused.status, refused.problem, refused.closes) == (413, "too-large", True)
            await wire.rest()

    async with undisturbed(server):
        await asyncio.gather(*map(announce, TOO_LONG))


EARLY = {
    "401": ({"Authorization": "Bearer wrong"}, 401, "unauthorized"),
    "404": ({}, 404, "not-found"),
    "405": ({}, 405, "method-not-allowed"),
    "413": ({}, 413, "too-large"),
    "415": ({"Content_Type": "audio/mpeg"}, 415, "unsupported-media-type"),
    "415 compressed": ({"Content_Encoding": "gzip"}, 415, "compressed-body"),
    "400": ({"X_Force_Refresh": "maybe"}, 400, "malformed"),
}
PAGES = {"404": "/nowhere", "405": "/healthz"}


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("name", EARLY)
async def test_an_early_answer_is_read_by_who_writes_on(
    server: Service, undisturbed: Undisturbed, name: str, framing: str
) -> None:
    """A client that writes 20 MB without looking is cut off, and finds the complete answer when it reads."""
    headers, status, slug = EARLY[name]
    size = MAX_UPLOAD + 10_000_000 if status == 413 else MAX_UPLOAD - 1
    framed: dict[str, str | int] = {"Content_Length": size} if framing == "length" else {"Transfer_Encoding": "chunked"}
    head = request("POST", PAGES.get(name, PAGE), b"", **headers, **framed)
    async with undisturbed(server), await Wire.open(server.url) as wire:
        sent = await wire.pour(body(head, size, framing))
        answer = await wire.answer()
        assert (answer.status, answer.problem, answer.closes) == (status, slug, True)
        await wire.rest()
        assert sent < size or name == "413"


def body(head: bytes, size: int, framing: str) -> Iterator[bytes]:
    """A request with *head* and a picture of *size* bytes."""
    yield head
    for piece in repeat(b"\xff\xd8\xff" + bytes(99_997), size // 100_000):
        yield chunked(piece)[:-5] if framing == "chunks" else piece
    if framing == "chunks":
        yield b"0\r\n\r\n"


@pytest.mark.parametrize("name", EARLY)
async def test_an_early_answer_cuts_nobody_off(server: Service, undisturbed: Undisturbed, name: str) -> None:
    """A client that has sent less than a megabyte is not reset: he gets his answer, then the end."""
    headers, status, slug = EARLY[name]
    if name == "413":
        headers = {"Content_Type": "text/plain"}
    content = photo(900_000)
    async with undisturbed(server), await Wire.open(server.url) as wire:
        await wire.send(request("POST", PAGES.get(name, PAGE), content, **headers))
        answer = await wire.answer()
        assert (answer.status, answer.problem, answer.closes) == (status, slug, True)
        assert await wire.ends_well()


async def test_continue_is_said_to_who_may(server: Service, vendor: ScriptedVendor) -> None:
    """`Expect: 100-continue`: 100 first, and after the body the answer; the connection goes on."""
    content = photo()
    async with await Wire.open(server.url) as wire:
        for cache in ("MISS", "HIT"):
            await wire.send(request("POST", PAGE, b"", Content_Length=len(content), Expect="100-continue"))
            assert await wire.interim() == 100
            await wire.send(content)
            answer = await wire.answer()
            assert (answer.status, answer.header("x-cache"), answer.closes) == (200, cache, False)


@pytest.mark.parametrize(
    ("headers", "status", "slug"),
    [
        ({"Content_Length": MAX_UPLOAD + 1}, 413, "too-large"),
        ({"Content_Length": 600, "Content_Encoding": "zstd"}, 415, "compressed-body"),
        ({"Content_Length": 600, "X_API_Key": "wrong"}, 401, "unauthorized"),
        ({"Transfer_Encoding": "chunked", "Content_Type": "audio/mpeg"}, 415, "unsupported-media-type"),
    ],
)
async def test_row_48_continue_is_not_said_to_who_may_not(
    server: Service, undisturbed: Undisturbed, headers: dict[str, str | int], status: int, slug: str
) -> None:
    """Who asks before he uploads, and may not, is told so at once: no 100, no body, and the connection is closed."""
    async with undisturbed(server), await Wire.open(server.url) as wire:
        await wire.send(request("POST", PAGE, b"", Expect="100-continue", **headers))
        refused = await wire.answer(within=3)
        assert (refused.status, refused.problem, refused.closes, refused.interim) == (status, slug, True, [])
        assert await wire.rest(within=0.5) == b""


async def test_a_connection_is_used_again(server: Service, vendor: ScriptedVendor) -> None:
    """Answers to complete requests, good and bad, leave the connection open for the next one, HEAD in between."""
    content = photo()
    page = f"/api/analyses/{sha256(content).hexdigest()}"
    async with await Wire.open(server.url) as wire:
        for _ in range(2):
            for raw, method, status in (
                (request("HEAD", page), "HEAD", None),
                (request("POST", PAGE, content), "POST", 200),
                (request("HEAD", page), "HEAD", 200),
                (request("GET", page), "GET", 200),
                (request("POST", PAGE, b""), "POST", 422),
                (request("POST", PAGE, b"x\x00", Content_Type="text/plain"), "POST", 415),
                (
                    request("POST", PAGE, chunked(multipart()), Transfer_Encoding="chunked", Content_Type=MULTIPART),
                    "POST",
                    400,
                ),
                (request("GET", "/nowhere"), "GET", 404),
                (request("HEAD", "/nowhere"), "HEAD", 404),
                (request("GET", "/healthz"), "GET", 200),
            ):
                await wire.send(raw)
                answer = await wire.answer(to=method)
                assert status is None or answer.status == status
                assert not answer.closes, raw[:80]


async def test_requests_in_a_row_are_answered_in_a_row(server: Service, vendor: ScriptedVendor) -> None:
    """Requests that are sent without waiting for answers get them in their order."""
    content = photo()
    async with await Wire.open(server.url) as wire:
        await wire.send(request("POST", PAGE, content) + request("GET", "/nowhere") + request("POST", PAGE, content))
        answers = [await wire.answer() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 404, 200]
    assert [answer.header("x-cache") for answer in answers] == ["MISS", None, "HIT"]


async def test_a_body_where_none_belongs(server: Service, undisturbed: Undisturbed) -> None:
    """A GET with a body is answered, and its body is taken for no request: read, or the connection is closed."""
    hidden = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    async with undisturbed(server):
        for body in (hidden, hidden * 5_000):
            async with await Wire.open(server.url) as wire:
                await wire.send(request("GET", "/healthz", body))
                answer = await wire.answer(to="GET")
                assert (answer.status, answer.json) == (200, {"status": "ok"})
                assert answer.closes == (body != hidden)
                if answer.closes:
                    assert await wire.rest() == b""
                else:
                    await wire.send(request("GET", "/nowhere"))
                    assert (await wire.answer(to="GET")).status == 404


@pytest.mark.parametrize(
    "lines",
    [
        "X-Long: " + "a" * 100_000,
        "\r\n".join(f"X-{number}: {'a' * 1000}" for number in range(100)),
        "\r\n".join(f"X-{number}: a" for number in range(5000)),
        "X" * 100_000 + ": a",
        "Cookie: " + "a=b; " * 4000,
    ],
    ids=["one line", "many lines", "many short lines", "a name", "cookies"],
)
async def test_headers_of_100_kb(server: Service, undisturbed: Undisturbed, lines: str) -> None:
    """More than 16 KiB of headers are refused with 431, or by the server itself, and the connection is closed."""
    async with undisturbed(server), await Wire.open(server.url) as wire:
        await wire.pour([f"GET /healthz HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n".encode()])
        refused = await refusal(wire)
        if refused is not None and refused.header("content-type") == "application/problem+json":
            assert (refused.status, refused.problem) == (431, "headers-too-large")


async def test_row_46_a_head_without_end(server: Service, undisturbed: Undisturbed) -> None:
    """A header that never ends is cut off after some hundred kilobytes, and takes no memory."""
    before = server.resident()
    async with undisturbed(server), others_are_served(server), await Wire.open(server.url) as wire:
        start = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: "
        assert await wire.pour([start, *repeat(b"a" * 100_000, 500)]) < 20_000_000
    assert server.resident() - before < 20_000_000


async def test_headers_below_the_limit_are_read(server: Service) -> None:
    """15 KiB of headers are no reason to refuse anybody."""
    answer = await exchange(server.url, request("GET", "/healthz", Cookie="a" * 15 * 1024), to="GET")
    assert answer.status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    ],
    ids=["none", "empty", "two", "twice"],
)
async def test_a_request_without_one_host(server: Service, raw: bytes) -> None:
    """HTTP/1.1 without exactly one Host is 400 (RFC 9112 section 3.2)."""
    refused = await exchange(server.url, raw, to="GET")
    assert (refused.status, refused.problem) == (400, "malformed")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz?\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/analyze HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/analyze HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n",
        b"POST /api/analyze HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx\r\n",
        b"POST /api/analyze HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\xff\xd8\xffXX0\r\n\r\n",
    ],
)
async def test_what_is_no_http(server: Service, undisturbed: Undisturbed, raw: bytes) -> None:
    """Bytes that are no request are refused with 4xx or a close; the server goes on."""
    async with undisturbed(server), others_are_served(server), await Wire.open(server.url) as wire:
        await wire.pour([raw])
        await refusal(wire)


async def test_an_old_client_is_served(server: Service, vendor: ScriptedVendor) -> None:
    """HTTP/1.0, without a Host, gets its answer and the end of the connection."""
    content = photo()
    async with await Wire.open(server.url) as wire:
        await wire.send(f"POST {PAGE} HTTP/1.0\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
        answer = (await wire.rest()).partition(b"\r\n\r\n")
    assert b" 200 " in answer[0].splitlines()[0]
    assert sha256(content).hexdigest().encode() in answer[2]


DASHES = b"\r\n--" * 2_500_000
FLOODS = {
    "in the part": (multipart(part(b"\xff\xd8\xff" + DASHES)), 200),
    "in a text": (multipart(part(DASHES, field="text", name=None)), 413),
    "before the first part": (DASHES + multipart(part(photo())), 400),
    "after the last part": (multipart(part(photo())) + DASHES, 400),
    "line ends before the first part": (b"\r\n" * 5_000_000 + multipart(part(photo())), 400),
    "in the headers": (part(photo())[:-660] + DASHES, 400),
    "half boundaries in the part": (multipart(part(b"\xff\xd8\xff" + b"\r\n--a-boundary-of-test" * 400_000)), 200),
    "a part's headers without end": (part(b"")[:-4] + b"X: y\r\n" * 1_500_000, 400),
    "a header's name without end": (part(b"")[:-4] + b"X" * 10_000_000, 400),
    "parts without end": (part(b"", field="text", name=None) * 100_000, 400),
}


@pytest.mark.parametrize(("raw", "status"), FLOODS.values(), ids=FLOODS)
async def test_ten_megabytes_of_dashes(service: Service, vendor: ScriptedVendor, raw: bytes, status: int) -> None:
    """Multipart made to be hard to read takes bounded time and memory, and other clients are answered meanwhile."""
    before = service.resident()
    async with others_are_served(service), await Wire.open(service.url) as wire:
        began = monotonic()
        await wire.pour([request("POST", PAGE, raw, Content_Type=MULTIPART)])
        answer = await wire.answer(within=20)
        assert answer.status == status, answer
        assert monotonic() - began < 15
    assert service.resident() - before < 100_000_000


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize(
    "when", ["in the head", "after the head", "in the body", "in a spooled body", "in a part", "in JSON"]
)
async def test_row_39_a_client_that_leaves(server: Service, undisturbed: Undisturbed, when: str, how: str) -> None:
    """Who leaves before his upload is complete buys nothing, and his bytes are freed at once, from disk as well."""
    raw = {
        "in the head": request("POST", PAGE, b"", Content_Length=600)[:40],
        "after the head": request("POST", PAGE, b"", Content_Length=600),
        "in the body": request("POST", PAGE, photo(), Content_Length=1200),
        "in a spooled body": request("POST", PAGE, SPOOLED, Content_Length=MAX_UPLOAD),
        "in a part": request("POST", PAGE, HALF, Content_Length=5200, Content_Type=MULTIPART),
        "in JSON": request("POST", PAGE, b'{"text": "', Content_Length=600, Content_Type="application/json"),
    }[when]
    aborted = len(server.events("upload.aborted"))
    async with undisturbed(server):
        wire = await Wire.open(server.url)
        await wire.send(raw)
        if when == "in a spooled body":
            await until(lambda: server.spooled() > 0)
        wire.reset() if how == "reset" else wire.close()
        if when != "in the head":
            await until(lambda: len(server.events("upload.aborted")) == aborted + 1)
    for word in ("Traceback", "Exception", "ERROR"):
        assert word not in server.log()


def announcement(size: int, **headers: str | int) -> bytes:
    """The beginning of an upload of *size* bytes."""
    return request("POST", PAGE, b"", Content_Length=size, **headers)


async def test_uploads_have_room(server: Service, undisturbed: Undisturbed) -> None:
    """When uploads under way take all the room, the next is 503 before its body; small ones go on; room comes back."""
    left = UPLOAD_BUDGET - 2 * MAX_UPLOAD
    async with undisturbed(server), AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(await Wire.open(server.url)) for _ in range(2)]
        for wire in wires:
            await wire.send(announcement(MAX_UPLOAD, Expect="100-continue"))
            assert await wire.interim() == 100
        refused = await exchange(server.url, announcement(left + 1))
        assert (refused.status, refused.problem, refused.closes) == (503, "spool-full", True)
        assert int(refused.header("retry-after") or "") == refused.json["retry_after"] > 0
        assert (await exchange(server.url, request("POST", PAGE, bytes(left)))).problem == "unsupported-kind"
        assert [(await wire.answer()).status for wire in wires] == [408, 408]
        async with await Wire.open(server.url) as wire:
            await wire.send(announcement(left + 1, Expect="100-continue"))
            assert await wire.interim() == 100


@pytest.mark.parametrize("headers", [{}, {"Content_Type": MULTIPART}], ids=["raw", "multipart"])
async def test_room_comes_back_from_who_leaves(
    server: Service, undisturbed: Undisturbed, headers: dict[str, str]
) -> None:
    """However many large uploads break off, the next one has room."""
    start = part(photo())[:-2] if headers else photo()
    async with undisturbed(server):
        for _ in range(UPLOAD_BUDGET // MAX_UPLOAD + 2):
            aborted = len(server.events("upload.aborted"))
            async with await Wire.open(server.url) as wire:
                await wire.send(announcement(MAX_UPLOAD, Expect="100-continue", **headers))
                assert await wire.interim() == 100
                await wire.send(start)
            await until(lambda seen=aborted: len(server.events("upload.aborted")) > seen)
