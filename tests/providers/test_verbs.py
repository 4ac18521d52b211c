"""What `providers.calls` promises for GET and PUT, and how much is repeated, against a vendor that misbehaves."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
)
from hashcache.providers.calls import TRIES, Lines, Reply
from hashcache.providers.formats import json, plain
from tests.harness.bodies import Held
from tests.harness.vendor import (
    Script,
    ScriptedVendor,
    drip,
    endless,
    gzip_bomb,
    hang_up_read,
    hang_up_unread,
    raw,
    redirect,
    silence,
    status,
)

PATIENT = timedelta(seconds=20)
CONTENT = bytes(range(256)) * 2000
SECRET = "canary-7f3a"
Call = Callable[[Lines, str], Awaitable[Reply]]


async def get(lines: Lines, url: str) -> Reply:
    return await lines.get(url, {"X-Api-Key": SECRET})


async def put(lines: Lines, url: str) -> Reply:
    return await lines.put(url, plain("video/mp4", Held(CONTENT)), {})


async def post(lines: Lines, url: str) -> Reply:
    return await lines.post(url, json({"text": "what is asked"}), {})


both = pytest.mark.parametrize("call", [get, put])


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor


def lines(*, timeout: timedelta = PATIENT) -> Lines:
    return Lines("acme", timeout=timeout, concurrency=5, random=lambda: 0.0, most_bytes=100_000)


@pytest.fixture
async def acme() -> AsyncIterator[Lines]:
    acme = lines()
    yield acme
    await acme.close()


async def test_what_is_put_arrives_as_it_is(vendor: ScriptedVendor, acme: Lines) -> None:
    """The bytes, their type and their length; nothing is wrapped around them, and nothing is chunked."""
    assert (await put(acme, f"{vendor.url}?signed=1")).status == 200
    [request] = vendor.ledger.requests
    assert (request.method, request.path) == ("PUT", "/analyse?signed=1")
    assert request.content == hashlib.sha256(CONTENT).hexdigest()
    assert request.headers["content-type"] == "video/mp4"
    assert request.headers["content-length"] == str(len(CONTENT))
    assert "transfer-encoding" not in request.headers


async def test_what_is_got_has_no_body(vendor: ScriptedVendor, acme: Lines) -> None:
    """A GET carries its headers and no more; two of them use one connection."""
    for _ in range(2):
        assert b"0.98" in (await get(acme, vendor.url)).body
    for request in vendor.ledger.requests:
        assert request.method == "GET"
        assert request.headers["x-api-key"] == SECRET
        assert request.headers["accept-encoding"] == "identity"
        assert not {"content-length", "content-type", "transfer-encoding"} & set(request.headers)
    assert vendor.accepted == 1


async def test_nothing_there_is_a_reply_to_a_get_alone(vendor: ScriptedVendor, acme: Lines) -> None:
    """404 tells who asks for a result that there is none yet; who puts something is told that the address is wrong."""
    vendor.default = status(404, body=b'{"code": "not-found"}')
    reply = await get(acme, vendor.url)
    assert (reply.status, reply.body) == (404, b'{"code": "not-found"}')
    with pytest.raises(ProviderInvalid, match="404"):
        await put(acme, vendor.url)
    assert vendor.ledger.calls == 2


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (301, ProviderInvalid),
        (400, ProviderRejected),
        (401, ProviderDenied),
        (402, ProviderDenied),
        (403, ProviderDenied),
        (405, ProviderInvalid),
        (429, ProviderThrottled),
    ],
)
@both
async def test_a_refusal_is_not_asked_for_twice(
    vendor: ScriptedVendor, acme: Lines, call: Call, code: int, error: type[ProviderError]
) -> None:
    """Rows 30 and 37: as for POST, one call; no address and no header in the message."""
    vendor.default = status(code)
    with pytest.raises(error) as raised:
        await call(acme, f"{vendor.url}?signature={SECRET}")
    assert type(raised.value) is error
    assert SECRET not in repr(raised.value)
    assert vendor.ledger.calls == 1
    await vendor.idle()


@both
async def test_a_vendor_that_cannot_be_reached_is_asked_three_times(acme: Lines, call: Call) -> None:
    """Row 31: nobody there, so nothing was sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ProviderFailed, match="could not be reached") as raised:
        await call(acme, f"http://127.0.0.1:{port}/?signature={SECRET}")
    assert not raised.value.possibly_paid
    assert SECRET not in repr(raised.value)


@pytest.mark.parametrize("script", [silence, drip(0.05)], ids=["row 32", "row 33"])
@both
async def test_the_deadline_is_total(vendor: ScriptedVendor, call: Call, script: Script) -> None:
    """Rows 32 and 33: silence and one byte at a time end at the deadline, after one call."""
    vendor.default = script
    hasty = lines(timeout=timedelta(seconds=0.3))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(ProviderTimeout):
        await call(hasty, vendor.url)
    assert loop.time() - begun < 3
    assert vendor.ledger.calls == 1
    await hasty.close()
    await vendor.stop()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (endless(), "more than 100000 bytes"),
        (gzip_bomb(1_000_000), "compressed"),
        (redirect("http://127.0.0.1:1/admin"), "redirects are not followed"),
    ],
    ids=["row 35: endless", "row 35: a bomb", "row 38"],
)
@both
async def test_what_is_no_reply_is_refused(
    vendor: ScriptedVendor, acme: Lines, call: Call, script: Script, said: str
) -> None:
    """Rows 35 and 38: cut at the cap, not decompressed, not followed, and not asked for again."""
    vendor.then(script)
    with pytest.raises(ProviderInvalid, match=said):
        await call(acme, vendor.url)
    assert vendor.ledger.calls == 1
    await vendor.idle()


CUT = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
IN_PASSING = {
    "row 29": status(500),
    "row 29: a gateway": status(502),
    "row 32: reset before reading": hang_up_unread,
    "row 32: reset after reading": hang_up_read,
    "row 34: cut": CUT,
    "row 34: malformed": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
}


@pytest.mark.parametrize("fault", IN_PASSING)
async def test_a_get_is_asked_again_after_any_failure(vendor: ScriptedVendor, acme: Lines, fault: str) -> None:
    """Reading buys nothing, so it may be repeated also when the first request has arrived."""
    vendor.then(IN_PASSING[fault], IN_PASSING[fault])
    assert (await get(acme, vendor.url)).status == 200
    assert len(vendor.ledger.requests) == (1 if "before" in fault else TRIES)


async def test_a_get_is_asked_for_three_times_at_most(vendor: ScriptedVendor, acme: Lines) -> None:
    """Then its last failure is told."""
    vendor.default = CUT
    with pytest.raises(ProviderInvalid, match="incomplete"):
        await get(acme, vendor.url)
    assert vendor.ledger.calls == TRIES


@pytest.mark.parametrize("fault", IN_PASSING)
async def test_a_put_that_arrived_is_not_repeated(vendor: ScriptedVendor, acme: Lines, fault: str) -> None:
    """What was put may be analysed and billed already."""
    vendor.then(IN_PASSING[fault])
    with pytest.raises((ProviderFailed, ProviderInvalid)):
        await put(acme, vendor.url)
    assert vendor.accepted == 1


@pytest.mark.parametrize(("call", "script"), [(get, hang_up_read), (post, status(429, headers={"Retry-After": "0"}))])
async def test_a_vendor_in_trouble_is_spared(vendor: ScriptedVendor, acme: Lines, call: Call, script: Script) -> None:
    """While every call fails, a tenth of them and ten are repeated: not each one twice."""
    vendor.default = script
    for _ in range(60):
        with pytest.raises((ProviderFailed, ProviderThrottled)):
            await call(acme, vendor.url)
    assert 60 + 10 <= vendor.ledger.calls <= 60 + 10 + 6
