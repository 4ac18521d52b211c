"""`Prefer: respond-async`: uploads whose clients come back for the answer."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest

from tests.harness.contents import photo, text
from tests.harness.http import client, problem
from tests.harness.service import Service, until
from tests.harness.vendor import Script, ScriptedVendor, gate, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/analyze"
LEAVE = {"Prefer": 'wait=1, respond-async; x="y"'}


def page(content: bytes) -> str:
    """The resource of *content*."""
    return f"/api/analyses/{sha256(content).hexdigest()}"


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_the_resource_is_the_job(server: Service, vendor: ScriptedVendor, method: str) -> None:
    """202 that says where and when; there 202 until the vendor has answered, and then the answer, bought once."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok(0.25)))
    async with client(server.url) as web:
        target = PAGE if method == "POST" else page(content)
        taken = await web.request(method, target, content=content, headers=LEAVE)
        assert (taken.status_code, taken.headers["Location"]) == (202, page(content))
        assert taken.headers["Preference-Applied"] == "respond-async"
        assert int(taken.headers["Retry-After"]) >= 1
        assert taken.json() == {"success": True, "status": "pending", "sha256": sha256(content).hexdigest()}
        assert (await web.get(page(content))).status_code == 202
        opened.set()
        await until(lambda: _has_status(server, content, 200))
        assert (await web.get(page(content))).json()["result"]["score_ai"] == 0.25
        cached = await web.request(method, target, content=content, headers=LEAVE)
        assert (cached.status_code, cached.headers["X-Cache"]) == (200, "HIT")
        assert "Preference-Applied" not in cached.headers
    assert vendor.ledger.by_digest[sha256(content).hexdigest()] == 1


@pytest.mark.parametrize(
    ("script", "code", "slug"),
    [
        (status(500), 502, "provider-failed"),
        (status(400), 422, "vendor-limit"),
        (status(401), 503, "provider-denied"),
        (status(200, body=b"{}"), 502, "provider-invalid"),
    ],
    ids=["failed", "rejected", "denied", "invalid"],
)
async def test_a_failure_is_kept(server: Service, vendor: ScriptedVendor, script: Script, code: int, slug: str) -> None:
    """Whatever way it fails, the resource is its problem afterwards, until a new upload buys again."""
    content, opened = photo(), asyncio.Event()
    vendor.default = gate(opened, script)
    async with client(server.url) as web:
        assert (await web.post(PAGE, content=content, headers=LEAVE)).status_code == 202
        opened.set()
        await until(lambda: _has_status(server, content, code))
        for _ in range(2):
            assert problem(await web.get(page(content))) == slug
        vendor.default = ok()
        if slug != "vendor-limit":  # asking that again is useless, whoever asks
            await until(lambda: _buys_again(server, content))
            assert (await web.get(page(content))).status_code == 200


async def test_what_is_not_kept_is_waited_for(server: Service, vendor: ScriptedVendor) -> None:
    """With no-store nobody could come back for the answer: the preference is not applied."""
    async with client(server.url) as web:
        answer = await web.post(PAGE, content=photo(), headers={**LEAVE, "Cache-Control": "no-store"})
    assert (answer.status_code, answer.headers["X-Cache-Status"]) == (200, "BYPASS")


async def test_what_ends_at_once_is_told_at_once(server: Service, vendor: ScriptedVendor) -> None:
    """What is refused before anything is bought is refused as without the preference."""
    async with client(server.url) as web:
        assert (await web.post(PAGE, content=b"", headers=LEAVE)).status_code == 422
        assert (await web.post(PAGE, content=b"\xff" * 100_000, headers=LEAVE)).status_code == 415


async def test_two_who_leave_share_a_purchase(server: Service, vendor: ScriptedVendor) -> None:
    """A second upload of what is under way joins it: 202 as well, and one call."""
    content, opened = text().encode(), asyncio.Event()
    vendor.then(gate(opened, ok()))
    async with client(server.url) as web:
        for _ in range(2):
            assert (await web.put(page(content), content=content, headers=LEAVE)).status_code == 202
        opened.set()
        await until(lambda: _has_status(server, content, 200))
    assert vendor.ledger.by_digest[sha256(content).hexdigest()] == 1


async def _has_status(service: Service, content: bytes, code: int) -> bool:
    async with client(service.url) as web:
        return (await web.get(page(content))).status_code == code


async def _buys_again(service: Service, content: bytes) -> bool:
    async with client(service.url) as web:
        return (await web.post(PAGE, content=content)).status_code == 200
