"""`/api/analyses/{sha256}`: asking by digest, without uploading, and forgetting."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import httpx
import pytest

from tests.api.conftest import KEYS
from tests.harness.contents import clip, photo, text
from tests.harness.http import client, problem
from tests.harness.service import Service
from tests.harness.vendor import ScriptedVendor, gate, ok

pytestmark = pytest.mark.asyncio(loop_scope="session")


def page(content: bytes) -> str:
    """The resource of *content*."""
    return f"/api/analyses/{sha256(content).hexdigest()}"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(photo(), "image"), (clip(), "video"), (text().encode(), "text")],
    ids=["image", "video", "text"],
)
async def test_known_by_digest(web: httpx.AsyncClient, vendor: ScriptedVendor, content: bytes, kind: str) -> None:
    """What was bought is found by its digest, in either case, without a word about its kind or with the right one."""
    uploaded = await web.post("/api/analyze", content=content)
    for path in (
        page(content),
        page(content).replace(sha256(content).hexdigest(), sha256(content).hexdigest().upper()),
    ):
        for query in ("", f"?kind={kind}"):
            found = await web.get(path + query)
            assert found.status_code == 200, path + query
            assert found.headers["X-Cache"] == "HIT"
            assert found.json()["sha256"] == sha256(content).hexdigest()
            assert found.json()["kind"] == kind
            assert found.json()["result"] == uploaded.json()["result"]
            assert found.json()["cost"] == {"spent_usd": "0", "saved_usd": "0.01"}
    for other in {"image", "video", "text"} - {kind}:
        found = await web.get(f"{page(content)}?kind={other}")
        # Images and videos differ by the question, whose kind is part of it.
        assert (found.status_code, problem(found)) == (404, "not-found"), other


async def test_head_is_get_without_a_body(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """HEAD has the status and the headers of GET, its length too, and no body; known or not."""
    content = photo()
    for status in (404, 200):
        got, asked = await web.get(page(content)), await web.head(page(content))
        assert got.status_code == asked.status_code == status
        assert asked.content == b""
        changing = {"date", "x-request-id", "server-timing", "age"}
        assert {name: value for name, value in got.headers.items() if name not in changing} == {
            name: value for name, value in asked.headers.items() if name not in changing
        }
        assert set(got.headers) == set(asked.headers)
        await web.post("/api/analyze", content=content)


async def test_etag_spares_the_body(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A strong ETag comes with GET and HEAD, stays while the answer does, and If-None-Match with it is 304."""
    content = photo()
    vendor.then(ok(0.1), ok(0.2))
    await web.post("/api/analyze", content=content)
    tag = (await web.get(page(content))).headers["ETag"]
    assert tag == (await web.head(page(content))).headers["ETag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    for condition in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        same = await web.get(page(content), headers={"If-None-Match": condition})
        assert (same.status_code, same.content) == (304, b""), condition
        assert same.headers["ETag"] == tag
        assert same.headers["Cache-Control"] == "private, no-cache"
        assert "Vary" in same.headers
    for condition in ('"other"', tag.strip('"')):
        assert (await web.get(page(content), headers={"If-None-Match": condition})).status_code == 200
    await web.post("/api/analyze", content=content, headers={"X-Force-Refresh": "true"})
    changed = await web.get(page(content), headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["result"]["score_ai"]) == (200, 0.2)
    assert changed.headers["ETag"] != tag


async def test_pending_while_it_is_bought(service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """Until the vendor has answered the resource is 202 with Retry-After, to HEAD as well; then it is there."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok()))
    bought = vendor.ledger.calls
    async with asyncio.TaskGroup() as group:
        upload = group.create_task(web.post("/api/analyze", content=content))
        await vendor.called(bought + 1)
        async with client(service.url) as other:
            waiting, head = await other.get(page(content)), await other.head(page(content))
        assert (waiting.status_code, head.status_code) == (202, 202)
        assert waiting.headers["Retry-After"] == "1"
        assert waiting.json() == {"success": True, "status": "pending", "sha256": sha256(content).hexdigest()}
        opened.set()
    assert upload.result().status_code == 200
    assert (await web.get(page(content))).status_code == 200


async def test_unknown_and_not_yours_are_the_same(keyed: Service, vendor: ScriptedVendor) -> None:
    """Another tenant's content and an unknown one get the same status, names of headers, and body but for the id."""
    content, unknown = photo(), photo()
    async with client(keyed.url, KEYS["ann"]) as ann, client(keyed.url, KEYS["bob"]) as bob:
        await ann.post("/api/analyze", content=content)
        foreign, absent = await bob.get(page(content)), await bob.get(page(unknown))
    assert foreign.status_code == absent.status_code == 404
    assert list(foreign.headers) == list(absent.headers)
    assert foreign.headers["content-length"] == absent.headers["content-length"]
    assert foreign.json() | {"instance": ""} == absent.json() | {"instance": ""}
    assert problem(foreign) == "not-found"


async def test_forgotten_is_bought_again(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """DELETE forgets the answer: it says how many there were, and the next upload is a MISS."""
    content = photo()
    await web.post("/api/analyze", content=content)
    forgotten = await web.delete(page(content))
    assert (forgotten.status_code, forgotten.json()) == (
        200,
        {"success": True, "sha256": sha256(content).hexdigest(), "deleted": 1},
    )
    assert (await web.get(page(content))).status_code == 404
    assert (await web.delete(page(content))).json()["deleted"] == 0
    assert (await web.post("/api/analyze", content=content)).headers["X-Cache"] == "MISS"
    assert vendor.ledger.by_digest[sha256(content).hexdigest()] == 2


async def test_forgotten_while_it_is_bought_is_not_kept(
    service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """A DELETE while the content is being bought: its buyer gets the answer, which nobody gets afterwards."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok()))
    bought = vendor.ledger.calls
    async with asyncio.TaskGroup() as group:
        upload = group.create_task(web.post("/api/analyze", content=content))
        await vendor.called(bought + 1)
        async with client(service.url) as other:
            assert (await other.delete(page(content))).status_code == 200
        opened.set()
    assert upload.result().status_code == 200
    assert "stored" not in upload.result().headers["Cache-Status"]
    assert (await web.get(page(content))).status_code == 404


async def test_forgetting_stays_within_the_tenant(keyed: Service, vendor: ScriptedVendor) -> None:
    """Who forgets a content takes nobody else's answer; a colleague of the same tenant loses it as well."""
    content = photo()
    async with (
        client(keyed.url, KEYS["ann"]) as ann,
        client(keyed.url, KEYS["amy"]) as amy,
        client(keyed.url, KEYS["bob"]) as bob,
    ):
        await ann.post("/api/analyze", content=content)
        await bob.post("/api/analyze", content=content)
        assert (await bob.delete(page(content))).json()["deleted"] == 1
        assert (await bob.get(page(content))).status_code == 404
        assert (await ann.get(page(content))).status_code == (await amy.get(page(content))).status_code == 200
        assert (await amy.delete(page(content))).json()["deleted"] == 1
        assert (await ann.get(page(content))).status_code == 404


@pytest.mark.parametrize(
    "name",
    ["0" * 63, "0" * 65, "g" * 64, "0" * 63 + "%00", "%E9" * 32, "0" * 32 + "%2F" + "0" * 31, "\u0660" * 64, "x", "%"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_name_that_is_no_digest(web: httpx.AsyncClient, method: str, name: str) -> None:
    """A resource whose name is not 64 hexadecimal digits is a problem of the request, and never a fault."""
    refused = await web.request(method, f"/api/analyses/{name}")
    assert refused.status_code in ({404} if "%2F" in name else {400})
    if method != "HEAD":
        assert problem(refused) in {"bad-digest", "not-found"}


@pytest.mark.parametrize(
    "query", ["kind=audio", "kind=", "kind=IMAGE", "kind=image&kind=image", "kind=%ff", "kind=image%00"]
)
async def test_a_kind_that_is_none(web: httpx.AsyncClient, query: str) -> None:
    """An unknown value of `kind`, or two of them, is refused."""
    refused = await web.get(f"/api/analyses/{'0' * 64}?{query}")
    assert (refused.status_code, problem(refused)) == (400, "malformed")
