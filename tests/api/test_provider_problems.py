"""What a provider does wrong: the caller gets an exact problem, and nothing of it is ever kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import settings
from tests.harness.contents import photo
from tests.harness.http import Wire, client, problem, request
from tests.harness.service import Service, until
from tests.harness.valkey import free_port
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


def answered(body: bytes) -> Script:
    """A 200 with this *body*."""
    return status(200, body=body)


#: Row 34: no JSON, or not all of it.
BROKEN: dict[str, Script] = {
    "no JSON": answered(b"<html>it works</html>"),
    "truncated JSON": answered(b'{"score": 0.5'),
    "truncated reply": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
    "too long for its length": raw(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"score": 0.5}'),
    "not UTF-8": answered(b'{"score": 0.5, "x": "\xff"}'),
}
#: Row 35: too much of it.
HUGE: dict[str, Script] = {
    "nested without end": answered(b'{"score": ' + b"[" * 100_000),
    "endless": endless(),
    "gzip bomb": gzip_bomb(),
}
#: Row 36: JSON, and no answer.
SENSELESS: dict[str, Script] = {
    "no score": answered(b'{"result": 0.5}'),
    "score 2.0": ok(2.0),
    "score -0.1": ok(-0.1),
    "score NaN": answered(b'{"score": NaN}'),
    "score 1e999": answered(b'{"score": 1e999}'),
    "score as text": answered(b'{"score": "0.5"}'),
    "score true": answered(b'{"score": true}'),
}


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


class Buyer:
    """Who uploads to *service* while the *vendor* misbehaves."""

    def __init__(self, service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
        self._service = service
        self._web = web
        self._vendor = vendor

    async def is_refused(self, script: Script, code: int, slug: str, *, paid: bool) -> None:
        """
        One upload that the vendor meets with *script* is this problem, and one call at most; the log says whether it
        may have been *paid*; nothing is kept, and whoever insists is served.
        """
        content, name = photo(), self._vendor.ledger.by_digest
        self._vendor.default = script
        refused = await self._web.post("/api/analyze", content=content)
        self._vendor.default = ok()
        assert (refused.status_code, problem(refused)) == (code, slug)
        assert ("Retry-After" in refused.headers) == (code == 503)
        if code == 503:
            assert refused.json()["retry_after"] == int(refused.headers["Retry-After"]) > 0
        assert refused.headers["Cache-Control"] == "no-store"
        assert "127.0.0.1" not in refused.text
        assert name[sha256(content).hexdigest()] == 1
        assert self.failures(refused) == [paid]
        await assert_no_result(self._web, self._vendor, content, slug=slug)

    def failures(self, refused: httpx.Response) -> list[bool]:
        """For each failed call for the request whether it may have been paid."""
        request_id = refused.headers["X-Request-Id"]
        return [one["possibly_paid"] for one in self._service.events("provider.failed") if one["request"] == request_id]


@pytest.fixture
def buyer(service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor) -> Buyer:
    """At `service`."""
    return Buyer(service, web, vendor)


@pytest_asyncio.fixture(loop_scope="session")
async def hasty_buyer(hasty: Service, vendor: ScriptedVendor) -> AsyncIterator[Buyer]:
    """At `hasty`."""
    async with client(hasty.url) as web:
        yield Buyer(hasty, web, vendor)


def each(scripts: dict[str, Script]) -> pytest.MarkDecorator:
    """The test for each of *scripts*."""
    return pytest.mark.parametrize("script", scripts.values(), ids=scripts)


@pytest.mark.parametrize(("code", "paid"), [(500, False), (502, True), (503, False), (504, True)])
async def test_row_29_the_vendors_server_fails(buyer: Buyer, code: int, *, paid: bool) -> None:
    """5xx: 502; it is not asked again for this upload. Behind a gateway (502, 504) the call may have been paid."""
    await buyer.is_refused(status(code), 502, "provider-failed", paid=paid)


async def test_row_30_the_vendor_asks_to_wait(hasty: Service, vendor: ScriptedVendor) -> None:
    """
    429 with a time that is longer than a call may take: 503 with that time. What it told one call holds for all:
    meanwhile it is not asked for any content. Afterwards it is.
    """
    content = photo()
    vendor.default = status(429, headers={"Retry-After": "4"})
    async with client(hasty.url) as web:
        refused = await web.post("/api/analyze", content=content)
        assert (refused.status_code, problem(refused)) == (503, "provider-throttled")
        assert refused.headers["Retry-After"] in {"3", "4"}
        calls = vendor.ledger.calls
        vendor.default = ok()
        other = await web.post("/api/analyze", content=photo())
        assert (other.status_code, problem(other), vendor.ledger.calls) == (503, "provider-throttled", calls)

        async def served() -> bool:
            return (await web.post("/api/analyze", content=content)).status_code == 200

        await until(served)


async def test_row_30_the_vendor_does_not_say_how_long(buyer: Buyer) -> None:
    """429 without a time: 503 with a time of ours."""
    await buyer.is_refused(status(429), 503, "provider-throttled", paid=False)


async def test_row_31_the_vendor_cannot_be_reached(vendor: ScriptedVendor, folder: Path) -> None:
    """
    Nobody listens there: 502, not counted as paid. After five in a row nobody in the fleet tries for a while: 503 with
    the time.
    """
    nowhere = f"http://127.0.0.1:{free_port()}/"
    more = {"HASHCACHE_ENV": "nowhere", "HASHCACHE_GENERIC_URL": nowhere, "HASHCACHE_PROVIDER_PAUSE": "10m"}
    async with Service(folder / "nowhere", settings(vendor, folder, **more)) as service, client(service.url) as web:
        buyer = Buyer(service, web, vendor)
        for _ in range(5):
            refused = await web.post("/api/analyze", content=photo())
            assert (refused.status_code, problem(refused), buyer.failures(refused)) == (502, "provider-failed", [False])
        down = await web.post("/api/analyze", content=photo())
        assert (down.status_code, problem(down)) == (503, "provider-down")
        assert 0 < int(down.headers["Retry-After"]) <= 600
        assert len(service.events("provider.down")) == 1


async def test_row_32_the_vendor_never_answers(hasty_buyer: Buyer) -> None:
    """Sent, and silence: 504 at the deadline, counted as possibly paid, and never sent again blindly."""
    await hasty_buyer.is_refused(silence, 504, "provider-timeout", paid=True)


async def test_row_32_the_connection_breaks_after_the_call_was_sent(buyer: Buyer) -> None:
    """The vendor took it and hung up: 502, counted as possibly paid, and never sent again blindly."""
    await buyer.is_refused(hang_up_read, 502, "provider-failed", paid=True)


async def test_row_33_the_vendor_trickles(hasty_buyer: Buyer) -> None:
    """A byte now and then is no progress: cut at the total deadline, 504, counted as possibly paid."""
    await hasty_buyer.is_refused(drip(0.2), 504, "provider-timeout", paid=True)


@each(BROKEN)
async def test_row_34_the_answer_is_broken(buyer: Buyer, script: Script) -> None:
    """No JSON, or not all of it: 502, counted as possibly paid."""
    await buyer.is_refused(script, 502, "provider-invalid", paid=True)


@each(HUGE)
async def test_row_35_the_answer_is_huge(buyer: Buyer, script: Script) -> None:
    """Endless, a bomb, nested without end: cut at the cap, 502, counted as possibly paid."""
    await buyer.is_refused(script, 502, "provider-invalid", paid=True)


@each(SENSELESS)
async def test_row_36_the_answer_is_none(buyer: Buyer, script: Script) -> None:
    """JSON of another shape, or a score that is none: 502, counted as possibly paid; never a result."""
    await buyer.is_refused(script, 502, "provider-invalid", paid=True)


@pytest.mark.parametrize("code", [401, 402, 403])
async def test_row_37_the_vendor_refuses_our_account(buyer: Buyer, code: int) -> None:
    """503 with a time; nothing is remembered of the content, whose sender is not at fault."""
    await buyer.is_refused(status(code), 503, "provider-denied", paid=False)


async def test_row_38_the_vendor_redirects_to_loopback(buyer: Buyer) -> None:
    """A redirect is not followed: 502, and whoever it leads to is not called."""
    async with ScriptedVendor() as trap:
        await buyer.is_refused(redirect(trap.url), 502, "provider-invalid", paid=False)
        assert trap.accepted == 0


@pytest.mark.parametrize("code", [400, 413])
async def test_what_the_vendor_does_not_take(buyer: Buyer, code: int) -> None:
    """Its own limit: 422, and it is not asked again about this content for a while."""
    await buyer.is_refused(status(code), 422, "vendor-limit", paid=False)


async def test_an_address_that_is_wrong(buyer: Buyer) -> None:
    """404 says nothing of the content: 502."""
    await buyer.is_refused(status(404), 502, "provider-invalid", paid=False)


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
