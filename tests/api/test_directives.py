"""What a client may ask of the cache: buy again, keep nothing, buy nothing; and who joins whose purchase."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from hashlib import sha256

import httpx
import pytest

from tests.harness.contents import photo
from tests.harness.http import Wire, cache_status, client, problem, request
from tests.harness.service import Service, until
from tests.harness.vendor import ScriptedVendor, gate, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/analyze"
REFRESH = {"X-Force-Refresh": "true"}
NO_STORE = {"Cache-Control": "no-store"}
ONLY_CACHED = {"Cache-Control": "max-age=60, only-if-cached"}


def calls_for(vendor: ScriptedVendor, content: bytes) -> int:
    """How often *content* was paid for."""
    return vendor.ledger.by_digest[sha256(content).hexdigest()]


async def take_off(service: Service, wires: list[Wire], content: bytes, **headers: str) -> None:
    """
    Upload *content* over each of *wires*, and return when all have joined whatever is under way.

    A small upload is in the server's hands when `send` returns, and is read and joined in one step of its loop, before
    it answers whatever is sent afterwards.
    """
    for wire in wires:
        await wire.send(request("POST", PAGE, content, **headers))
    async with client(service.url) as web:
        assert (await web.get(f"/api/analyses/{sha256(content).hexdigest()}")).status_code in {200, 202}


@pytest.mark.parametrize(
    "headers", [REFRESH, {"X-Force-Refresh": "TRUE"}, {"X-Force-Refresh": "1"}, {"Cache-Control": "no-cache"}]
)
async def test_refresh_buys_again_and_replaces(
    web: httpx.AsyncClient, vendor: ScriptedVendor, headers: dict[str, str]
) -> None:
    """A forced refresh is answered as a MISS with a new answer, which everybody gets from then on."""
    content = photo()
    vendor.then(ok(0.2), ok(0.9))
    await web.post(PAGE, content=content)
    again = await web.post(PAGE, content=content, headers=headers)
    after = await web.post(PAGE, content=content)
    assert (again.headers["X-Cache-Status"], again.json()["result"]["score_ai"]) == ("MISS", 0.9)
    assert cache_status(again.headers["Cache-Status"])["fwd"] == "request"
    assert again.json()["cost"] == {"spent_usd": "0.01", "saved_usd": "0"}
    assert (after.headers["X-Cache-Status"], after.json()["result"]["score_ai"]) == ("HIT", 0.9)
    assert calls_for(vendor, content) == 2


@pytest.mark.parametrize("value", ["false", "0", "FALSE"])
async def test_refresh_that_is_not_wanted_is_none(web: httpx.AsyncClient, vendor: ScriptedVendor, value: str) -> None:
    """`X-Force-Refresh: false` changes nothing."""
    content = photo()
    await web.post(PAGE, content=content)
    assert (await web.post(PAGE, content=content, headers={"X-Force-Refresh": value})).headers["X-Cache"] == "HIT"


async def test_refresh_with_another_word_is_refused(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A misspelt X-Force-Refresh is a problem, not a silent hit."""
    refused = await web.post(PAGE, content=photo(), headers={"X-Force-Refresh": "yes"})
    assert (refused.status_code, problem(refused)) == (400, "malformed")


async def test_failed_refresh_keeps_the_old_answer(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """When buying again fails, its caller is told so, and everybody else still has the old answer."""
    content = photo()
    vendor.then(ok(0.2), status(500))
    await web.post(PAGE, content=content)
    failed = await web.post(PAGE, content=content, headers=REFRESH)
    after = await web.post(PAGE, content=content)
    assert (failed.status_code, problem(failed)) == (502, "provider-failed")
    assert (after.headers["X-Cache"], after.json()["result"]["score_ai"]) == ("HIT", 0.2)


async def test_a_joined_purchase_says_so(service: Service, vendor: ScriptedVendor) -> None:
    """Who comes while it is being bought, also to refresh, joins: `collapsed`, not cached, nothing spent."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok(0.7)))
    bought = vendor.ledger.calls
    async with (
        await Wire.open(service.url) as one,
        await Wire.open(service.url) as two,
        await Wire.open(service.url) as three,
    ):
        await one.send(request("POST", PAGE, content))
        await vendor.called(bought + 1)
        await take_off(service, [two], content)
        await take_off(service, [three], content, X_Force_Refresh="true")
        opened.set()
        first, *joined = [await wire.answer() for wire in (one, two, three)]
    assert cache_status(first.header("cache-status"))["stored"] is True
    assert "collapsed" not in cache_status(first.header("cache-status"))
    assert calls_for(vendor, content) == 1
    for answer in joined:
        field = cache_status(answer.header("cache-status"))
        assert field["collapsed"] is True
        assert "stored" not in field
        assert answer.header("x-cache") == answer.header("x-cache-status") == "MISS"
        assert answer.json["cached"] is False
        assert answer.json["cost"] == {"spent_usd": "0", "saved_usd": "0.01"}
        assert answer.json["result"] == first.json["result"]


async def test_parallel_refreshes_collapse(service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """Ten refreshes at the same time are one purchase."""
    content, opened = photo(), asyncio.Event()
    await web.post(PAGE, content=content)
    vendor.then(gate(opened, ok(0.1)))
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(await Wire.open(service.url)) for _ in range(10)]
        await take_off(service, wires, content, X_Force_Refresh="true")
        opened.set()
        answers = [await wire.answer() for wire in wires]
    assert {answer.json["result"]["score_ai"] for answer in answers} == {0.1}
    assert sorted(answer.json["cost"]["spent_usd"] for answer in answers) == ["0"] * 9 + ["0.01"]
    assert calls_for(vendor, content) == 2


async def test_a_kept_and_an_unkept_wish_share_a_purchase(
    service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """When somebody who wants it kept joins a purchase for `no-store`, it is kept; the other one is told BYPASS."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok(0.1)))
    bought = vendor.ledger.calls
    async with await Wire.open(service.url) as one, await Wire.open(service.url) as two:
        await one.send(request("POST", PAGE, content, Cache_Control="no-store"))
        await vendor.called(bought + 1)
        await take_off(service, [two], content)
        opened.set()
        unkept, kept = await one.answer(), await two.answer()
    assert (unkept.header("x-cache-status"), kept.header("x-cache-status")) == ("BYPASS", "MISS")
    assert (await web.post(PAGE, content=content)).headers["X-Cache"] == "HIT"
    assert calls_for(vendor, content) == 1


async def test_no_store_buys_and_keeps_nothing(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """`no-store`: the answer is given as BYPASS, and the next request buys again."""
    content = photo()
    first = await web.post(PAGE, content=content, headers=NO_STORE)
    field = cache_status(first.headers["Cache-Status"])
    assert (first.headers["X-Cache"], first.headers["X-Cache-Status"]) == ("MISS", "BYPASS")
    assert "stored" not in field
    assert "ttl" not in field
    assert first.json()["cost"] == {"spent_usd": "0.01", "saved_usd": "0"}
    assert (await web.get(f"/api/analyses/{sha256(content).hexdigest()}")).status_code == 404
    assert (await web.post(PAGE, content=content)).headers["X-Cache-Status"] == "MISS"
    assert calls_for(vendor, content) == 2


async def test_no_store_reads_what_is_there(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """`no-store` does not keep from the cache what is in it already."""
    content = photo()
    await web.post(PAGE, content=content)
    second = await web.post(PAGE, content=content, headers=NO_STORE)
    assert (second.headers["X-Cache-Status"], calls_for(vendor, content)) == ("HIT", 1)


async def test_only_if_cached_never_buys(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """`only-if-cached`: 504 when nothing is cached, and the answer when it is."""
    content = photo()
    refused = await web.post(PAGE, content=content, headers=ONLY_CACHED)
    assert (refused.status_code, problem(refused), calls_for(vendor, content)) == (504, "not-cached", 0)
    await web.post(PAGE, content=content)
    answer = await web.post(PAGE, files={"file": content}, headers=ONLY_CACHED)
    assert (answer.status_code, answer.headers["X-Cache"], calls_for(vendor, content)) == (200, "HIT", 1)


async def test_who_leaves_stops_nothing(service: Service, vendor: ScriptedVendor) -> None:
    """A caller who leaves while his answer is being bought wastes no money: it is kept, and the next one gets it."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok(0.3)))
    bought = vendor.ledger.calls
    async with client(service.url) as web:
        leaving = asyncio.create_task(web.post(PAGE, content=content))
        await vendor.called(bought + 1)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        opened.set()
        name = f"/api/analyses/{sha256(content).hexdigest()}"

        async def kept() -> bool:
            return (await web.get(name)).status_code == 200

        await until(kept)
        after = await web.post(PAGE, content=content)
    assert (after.headers["X-Cache"], after.json()["result"]["score_ai"]) == ("HIT", 0.3)
    assert calls_for(vendor, content) == 1
