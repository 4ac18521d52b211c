"""What a provider does wrong: the caller gets an exact problem, and nothing of it is ever kept."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import httpx
import pytest

from tests.harness.contents import photo
from tests.harness.http import Wire, client, problem, request
from tests.harness.service import Service, until
from tests.harness.vendor import (
    Script,
    ScriptedVendor,
    drip,
    endless,
    gate,
    gzip_bomb,
    hang_up_read,
    ok,
    raw,
    redirect,
    silence,
    status,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRONG: list[tuple[str, Script, int, str]] = [
    ("401", status(401), 503, "provider-denied"),
    ("402", status(402), 503, "provider-denied"),
    ("403", status(403), 503, "provider-denied"),
    ("429 without a time", status(429), 503, "provider-throttled"),
    ("400", status(400), 422, "vendor-limit"),
    ("413", status(413), 422, "vendor-limit"),
    ("404", status(404), 502, "provider-invalid"),
    ("500", status(500), 502, "provider-failed"),
    ("503", status(503), 502, "provider-failed"),
    ("redirect", redirect("http://127.0.0.1:1/"), 502, "provider-invalid"),
    ("connection reset", hang_up_read, 502, "provider-failed"),
    ("no JSON", status(200, body=b"<html>it works</html>"), 502, "provider-invalid"),
    ("truncated JSON", status(200, body=b'{"score": 0.5'), 502, "provider-invalid"),
    ("truncated reply", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"), 502, "provider-invalid"),
    ("not UTF-8", status(200, body=b'{"score": 0.5, "x": "\xff"}'), 502, "provider-invalid"),
    ("no score", status(200, body=b'{"result": 0.5}'), 502, "provider-invalid"),
    ("score 2.0", ok(2.0), 502, "provider-invalid"),
    ("score -0.1", ok(-0.1), 502, "provider-invalid"),
    ("score NaN", status(200, body=b'{"score": NaN}'), 502, "provider-invalid"),
    ("score 1e999", status(200, body=b'{"score": 1e999}'), 502, "provider-invalid"),
    ("score as text", status(200, body=b'{"score": "0.5"}'), 502, "provider-invalid"),
    ("score true", status(200, body=b'{"score": true}'), 502, "provider-invalid"),
    ("nested without end", status(200, body=b'{"score": ' + b"[" * 100_000), 502, "provider-invalid"),
    ("endless", endless(), 502, "provider-invalid"),
    ("gzip bomb", gzip_bomb(), 502, "provider-invalid"),
]
SLOW: list[tuple[str, Script]] = [("silence", silence), ("drip", drip(0.2))]


async def assert_no_result(web: httpx.AsyncClient, vendor: ScriptedVendor, content: bytes, *, slug: str) -> None:
    """
    Nothing but the failure is known of *content*: content that the vendor refuses is refused again without asking
    him, what says nothing of this content is not known at all, and whoever insists buys at once.
    """
    name = sha256(content).hexdigest()
    calls = vendor.ledger.by_digest[name]
    known = await web.get(f"/api/analyses/{name}")
    if slug == "vendor-limit":
        again = await web.post("/api/analyze", content=content)
        for told in (known, again):
            assert (told.status_code, problem(told)) == (422, slug)
            assert 0 < int(told.headers["Retry-After"]) <= 600
    elif slug in {"provider-denied", "provider-throttled"}:
        assert known.status_code == 404
    assert vendor.ledger.by_digest[name] == calls
    bought = await web.post("/api/analyze", content=content, headers={"X-Force-Refresh": "true"})
    assert (bought.status_code, bought.headers["X-Cache"]) == (200, "MISS")
    assert vendor.ledger.by_digest[name] == calls + 1
    assert (await web.get(f"/api/analyses/{name}")).status_code == 200


@pytest.mark.parametrize(("script", "code", "slug"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
async def test_a_wrong_answer_is_a_problem_and_never_kept(
    web: httpx.AsyncClient, vendor: ScriptedVendor, script: Script, code: int, slug: str
) -> None:
    """Each thing that a vendor can do wrong has its status and type, and it is never taken for a result."""
    content = photo()
    vendor.default = script
    refused = await web.post("/api/analyze", content=content)
    vendor.default = ok()
    assert (refused.status_code, problem(refused)) == (code, slug)
    assert ("Retry-After" in refused.headers) == (code == 503)
    if code == 503:
        assert refused.json()["retry_after"] == int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Cache-Control"] == "no-store"
    assert "127.0.0.1" not in refused.text
    await assert_no_result(web, vendor, content, slug=slug)


@pytest.mark.parametrize("script", [case[1] for case in SLOW], ids=[case[0] for case in SLOW])
async def test_a_slow_provider_is_504(hasty: Service, vendor: ScriptedVendor, script: Script) -> None:
    """At the provider's deadline the caller gets 504, whether nothing came or too slowly, and nothing is kept."""
    content = photo()
    vendor.then(script)
    async with client(hasty.url) as web:
        refused = await web.post("/api/analyze", content=content)
        assert (refused.status_code, problem(refused)) == (504, "provider-timeout")
        await assert_no_result(web, vendor, content, slug="provider-timeout")


async def test_retry_after_is_passed_on(hasty: Service, vendor: ScriptedVendor) -> None:
    """A vendor who asks to come back later than a call may take: 503 with his time; afterwards he is asked again."""
    content = photo()
    vendor.default = status(429, headers={"Retry-After": "2"})
    async with client(hasty.url) as web:
        refused = await web.post("/api/analyze", content=content)
        assert (refused.status_code, problem(refused)) == (503, "provider-throttled")
        assert refused.headers["Retry-After"] in {"1", "2"}
        vendor.default = ok()

        async def served() -> bool:
            return (await web.post("/api/analyze", content=content)).status_code == 200

        await until(served)


async def test_who_joined_a_failing_purchase_is_told_as_well(
    service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """Two callers of one purchase that the vendor refuses get the same problem."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, status(422)))
    calls = vendor.ledger.calls
    async with await Wire.open(service.url) as one, await Wire.open(service.url) as two:
        for wire in (one, two):
            await wire.send(request("POST", "/api/analyze", content))
            await vendor.called(calls + 1)
        assert (await web.get(f"/api/analyses/{sha256(content).hexdigest()}")).status_code == 202
        opened.set()
        answers = [await one.answer(), await two.answer()]
    assert [(answer.status, answer.problem) for answer in answers] == [(422, "vendor-limit")] * 2
    assert vendor.ledger.calls == calls + 1
    await assert_no_result(web, vendor, content, slug="vendor-limit")


async def test_failures_are_counted(service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A failed call stands in the log with its provider and whether it may have been paid, under the request's id."""
    vendor.then(status(500))
    refused = await web.post("/api/analyze", content=photo())
    lines = [line for line in service.events("provider.failed") if line["request"] == refused.headers["X-Request-Id"]]
    assert [(line["provider"], line["error"], line["possibly_paid"]) for line in lines] == [
        ("generic", "ProviderFailed", False)
    ]
