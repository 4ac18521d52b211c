"""Who may call what: keys, tenants, roles."""

from __future__ import annotations

import re
from hashlib import sha256

import httpx
import pytest

from hashcache.api.openapi import document
from tests.api.conftest import KEYS
from tests.harness.contents import photo
from tests.harness.http import MULTIPART, client, exchange, multipart, part, problem, request
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Whatever the document has under /api/admin, each page with 1 for what its path names.
ADMIN_PAGES = sorted(
    (method.upper(), re.sub(r"\{\w+\}", "1", path))
    for path, operations in document("1")["paths"].items()
    if path.startswith("/api/admin/")
    for method in operations.keys() & {"get", "post", "put", "delete"}
)


async def test_without_keys_everybody_analyses(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """Where no keys are configured none is needed."""
    assert (await web.post("/api/analyze", content=photo())).status_code == 200


async def test_the_admin_token_analyses_as_everybody_does(service: Service, vendor: ScriptedVendor) -> None:
    """The admin token is a key of the tenant that everybody has, so it finds what everybody bought."""
    content = photo()
    async with client(service.url) as web, client(service.url, ADMIN_TOKEN) as admin:
        await web.post("/api/analyze", content=content)
        assert (await admin.post("/api/analyze", content=content)).headers["X-Cache"] == "HIT"


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_a_key_opens(keyed: Service, vendor: ScriptedVendor, header: str) -> None:
    """A key is taken as Authorization: Bearer, in any case of the scheme, and as X-API-Key."""
    values = ["Bearer {}", "bearer {}", "BEARER  {}"] if header == "Authorization" else ["{}"]
    async with client(keyed.url) as web:
        for value in values:
            answer = await web.post("/api/analyze", content=photo(), headers={header: value.format(KEYS["ann"])})
            assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer " + KEYS["ann"] + "x"},
        {"Authorization": "Bearer"},
        {"Authorization": KEYS["ann"]},
        {"Authorization": "Basic " + KEYS["ann"]},
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"X-API-Key": "Bearer " + KEYS["ann"]},
        {"X-API-Key": "\u00e9".encode("latin-1")},
        {"X-API-Key": KEYS["ann"], "Authorization": "Bearer " + KEYS["bob"]},
        {"X-API-Key": KEYS["ann"], "Authorization": "Basic abc"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/analyze"), ("GET", "/api/analyses/" + "0" * 64), ("DELETE", "/api/analyses/x")]
)
async def test_nobody_is_401(
    keyed: Service, vendor: ScriptedVendor, method: str, path: str, headers: dict[str, str]
) -> None:
    """Without a key, with an unknown one, or with two that disagree: 401 with a challenge, and nothing is bought."""
    calls = vendor.ledger.calls
    async with client(keyed.url) as web:
        refused = await web.request(method, path, content=photo() if method == "POST" else None, headers=headers)
    assert (refused.status_code, problem(refused)) == (401, "unauthorized")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="hashcache"'
    assert vendor.ledger.calls == calls


async def test_the_same_key_twice_is_one(keyed: Service, vendor: ScriptedVendor) -> None:
    """Both headers with the same key are no contradiction."""
    headers = {"X-API-Key": KEYS["ann"], "Authorization": "Bearer " + KEYS["ann"]}
    async with client(keyed.url) as web:
        assert (await web.post("/api/analyze", content=photo(), headers=headers)).status_code == 200


async def test_an_unknown_key_is_refused_even_where_none_is_needed(service: Service, vendor: ScriptedVendor) -> None:
    """A typo in a key does not pass silently as nobody."""
    async with client(service.url, "wrong") as web:
        refused = await web.post("/api/analyze", content=photo())
    assert (refused.status_code, problem(refused)) == (401, "unauthorized")


async def test_tenants_do_not_share(keyed: Service, vendor: ScriptedVendor) -> None:
    """Colleagues share answers; another tenant pays for himself, under another key, and cannot tell."""
    content = photo()
    async with (
        client(keyed.url, KEYS["ann"]) as ann,
        client(keyed.url, KEYS["amy"]) as amy,
        client(keyed.url, KEYS["bob"]) as bob,
    ):
        answers = [await one.post("/api/analyze", content=content) for one in (ann, amy, bob)]
    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", "HIT", "MISS"]
    assert len({answer.headers["X-Cache-Key"] for answer in answers}) == 2
    assert vendor.ledger.by_digest[sha256(content).hexdigest()] == 2


@pytest.mark.parametrize(("method", "path"), ADMIN_PAGES)
async def test_administration_is_for_admins(keyed: Service, method: str, path: str) -> None:
    """Without a key 401, with an unknown one 401, with a user's 403; an admin's opens."""
    expected = {None: (401, "unauthorized"), "wrong": (401, "unauthorized"), KEYS["ann"]: (403, "forbidden")}
    for key, told in expected.items():
        async with client(keyed.url, key) as web:
            refused = await web.request(method, path)
        assert (refused.status_code, problem(refused)) == told, key
        assert ("WWW-Authenticate" in refused.headers) == (refused.status_code == 401)
    async with client(keyed.url, KEYS["root"]) as root:
        assert (await root.request(method, path)).status_code not in {401, 403, 500, 503}


@pytest.mark.parametrize(("method", "path"), ADMIN_PAGES)
async def test_administration_needs_a_key_where_nobody_else_does(
    web: httpx.AsyncClient, method: str, path: str
) -> None:
    """That everybody may analyse does not mean that everybody may administer."""
    refused = await web.request(method, path)
    assert (refused.status_code, problem(refused)) == (401, "unauthorized")


async def test_administration_without_any_admin_is_closed(closed: Service) -> None:
    """Where no admin's key exists the admin routes are 403 and say how to open them, whatever key is sent."""
    for key in (None, "wrong"):
        async with client(closed.url, key) as web:
            for method, path in ADMIN_PAGES:
                refused = await web.request(method, path)
                assert (refused.status_code, problem(refused)) == (403, "forbidden")
                assert "HASHCACHE_ADMIN_TOKEN" in refused.json()["detail"]


async def test_a_key_is_checked_before_the_body_is_read(keyed: Service, vendor: ScriptedVendor) -> None:
    """Who may not upload is told so before he has: the 401 comes while the body is still missing."""
    form = multipart(part(photo()))
    raw = request("POST", "/api/analyze", form[:50], Content_Type=MULTIPART, Content_Length=len(form))
    refused = await exchange(keyed.url, raw, within=5)
    assert (refused.status, refused.problem, refused.closes) == (401, "unauthorized", True)


async def test_keys_are_never_logged(keyed: Service) -> None:
    """No key that was ever presented stands in the log, right or wrong."""
    async with client(keyed.url, "a-wrong-key-that-nobody-may-read") as web:
        await web.get("/api/analyses/" + "0" * 64)
    assert not [key for key in (*KEYS.values(), "a-wrong-key-that-nobody-may-read") if key in keyed.log()]
