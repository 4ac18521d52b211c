"""Administration: the figures, and forgetting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import KEYS
from tests.harness.contents import clip, photo, text
from tests.harness.http import MULTIPART, client, exchange, problem, request
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import ScriptedVendor, gate, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATS = "/api/admin/cache/stats"
CLEAR = "/api/admin/cache/clear"
INVALIDATE = "/api/admin/cache/invalidate"


@pytest_asyncio.fixture(loop_scope="session")
async def root(keyed: Service) -> AsyncIterator[httpx.AsyncClient]:
    """The admin of `keyed`, who analyses for the tenant red."""
    async with client(keyed.url, KEYS["root"]) as root:
        yield root


async def figures(admin: httpx.AsyncClient) -> dict[str, Any]:
    """The present figures."""
    answer = await admin.get(STATS)
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def shape(document: Any) -> Any:
    """*document* with types for values."""
    if isinstance(document, dict):
        return {name: shape(value) for name, value in document.items()}
    return type(document).__name__


async def test_figures_are_complete(service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """Every member of the contract is there, with its type; what is not known is null."""
    for _ in range(2):
        await web.post("/api/analyze", content=b"a text for the figures")
    async with client(service.url, ADMIN_TOKEN) as admin:
        document = await figures(admin)
    counts = {"hits": "int", "misses": "int"}
    kinds = ("image", "video", "text")
    percentiles = dict.fromkeys(("p50", "p95", "p99"), "int")
    cache = document["cache"]
    assert document["success"] is True
    assert set(document) == {"success", "cache", "money", "processes"}
    assert [one["role"] for one in document["processes"]] == ["serve"]
    assert shape(cache) == {
        "enabled": "bool",
        "available": "bool",
        "status": "str",
        **dict.fromkeys(("hits", "misses", "stale", "collapsed", "stored", "invalidations", "errors"), "int"),
        **dict.fromkeys(("refused_entries", "duplicates", "total_requests"), "int"),
        "hit_rate": "float",
        "by_kind": dict.fromkeys(kinds, counts),
        "misses_by_cause": dict.fromkeys(("new", "expired", "cleared", "evicted", "refresh"), "int"),
        "levels": dict.fromkeys(("near", "store", "source"), "int"),
        "memory": {
            "used": "int",
            "max": shape(cache["memory"]["max"]),
            "percent": shape(cache["memory"]["percent"]),
            "keys": dict.fromkeys(kinds, "int"),
            **{name: shape(cache["memory"][name]) for name in ("evicted", "keyspace_hits", "keyspace_misses")},
        },
        "commands": dict.fromkeys(("total", "per_request", "month"), "NoneType"),
        "latency_ms": {"hit": percentiles, "miss": percentiles},
    }
    assert (cache["enabled"], cache["available"], cache["status"]) == (True, True, "embedded")
    assert shape(document["money"]) == {
        **dict.fromkeys(("spent_usd", "saved_usd", "wasted_usd"), "str"),
        "calls": "int",
        "by_provider": {"generic": {"calls": "int", **dict.fromkeys(("spent_usd", "saved_usd", "wasted_usd"), "str")}},
    }


async def test_figures_add_up(root: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """Each request is counted once, by kind, cause and level; the money is what the vendor was paid."""
    before = await figures(root)
    calls = vendor.ledger.calls
    picture, film, words = photo(), clip(), text()
    await root.post("/api/analyze", content=picture)
    await root.post("/api/analyze", content=picture)
    await root.get(f"/api/analyses/{sha256(picture).hexdigest()}")
    await root.get("/api/analyses/" + "0" * 64)
    await root.post("/api/analyze", content=picture, headers={"X-Force-Refresh": "true"})
    await root.post("/api/analyze", content=film, headers={"Cache-Control": "no-store"})
    await root.post("/api/analyze", json={"text": words})
    await root.post("/api/analyze", content=b"", headers={"Content-Type": "text/plain"})
    vendor.then(status(500))
    await root.post("/api/analyze", content=photo())
    after = await figures(root)

    def grown(*path: str) -> Any:
        old, new = before, after
        for name in path:
            old, new = old[name], new[name]
        return new - old if not isinstance(new, str) else round((float(new) - float(old)) * 100)

    assert {name: grown("cache", name) for name in ("hits", "misses", "total_requests", "stored", "errors")} == {
        "hits": 2,
        "misses": 4,
        "total_requests": 6,
        "stored": 3,
        "errors": 1,
    }
    assert [grown("cache", "by_kind", kind, "hits") for kind in ("image", "video", "text")] == [2, 0, 0]
    assert [grown("cache", "by_kind", kind, "misses") for kind in ("image", "video", "text")] == [2, 1, 1]
    assert [grown("cache", "misses_by_cause", cause) for cause in ("new", "refresh")] == [3, 1]
    near, store, source = (grown("cache", "levels", level) for level in ("near", "store", "source"))
    assert (near + store, source) == (2, 4)
    assert (grown("money", "calls"), vendor.ledger.calls - calls) == (5, 5)
    assert (grown("money", "spent_usd"), grown("money", "saved_usd")) == (4, 2)
    cache = after["cache"]
    assert cache["hit_rate"] == round(100 * cache["hits"] / (cache["hits"] + cache["misses"]), 2)
    assert cache["total_requests"] == cache["hits"] + cache["misses"]
    assert sum(kind["hits"] for kind in cache["by_kind"].values()) == cache["hits"]
    assert sum(cache["misses_by_cause"].values()) == cache["misses"]
    assert sum(cache["levels"].values()) == cache["total_requests"]


async def test_clear_forgets_what_matches(root: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A pattern clears what it matches and nothing else; a dry run touches nothing; the log says who and why."""
    picture, other, words = photo(), photo(), text()
    pattern = f"analysis:{sha256(picture).hexdigest()}"
    for content in (picture, other, words.encode()):
        await root.post("/api/analyze", content=content)
    dry = await root.post(CLEAR, json={"pattern": pattern, "dry_run": True})
    assert (dry.status_code, dry.json()) == (
        200,
        {
            "success": True,
            "deleted": 1,
            "pattern": pattern,
            "dry_run": True,
            "complete": True,
            "id": None,
            "done": True,
        },
    )
    assert (await root.post("/api/analyze", content=picture)).headers["X-Cache"] == "HIT"
    cleared = await root.post(CLEAR, json={"pattern": pattern, "reason": "a test"})
    assert cleared.status_code == 200
    assert cleared.json() | {"id": ""} == {
        "success": True,
        "deleted": 1,
        "pattern": pattern,
        "dry_run": False,
        "complete": True,
        "id": "",
        "done": True,
    }
    answers = [await root.post("/api/analyze", content=content) for content in (picture, other, words.encode())]
    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", "HIT", "HIT"]


async def test_clear_without_a_word_is_everything(
    keyed: Service, root: httpx.AsyncClient, web: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """No body means `*`: every entry of every tenant here, none of another environment in the same file, no book."""
    content = photo()
    await web.post("/api/analyze", content=content)
    await root.post("/api/analyze", content=content)
    async with client(keyed.url, KEYS["bob"]) as bob:
        await bob.post("/api/analyze", content=content)
        before = await figures(root)
        cleared = await root.post(CLEAR)
        assert cleared.status_code == 200
        assert cleared.json()["deleted"] == sum(before["cache"]["memory"]["keys"].values()) >= 2
        after = await figures(root)
        assert sum(after["cache"]["memory"]["keys"].values()) == 0
        assert after["money"] == before["money"]
        assert after["cache"]["hits"] == before["cache"]["hits"]
        assert after["cache"]["invalidations"] == before["cache"]["invalidations"] + 1
        for caller in (root, bob):
            assert (await caller.get(f"/api/analyses/{sha256(content).hexdigest()}")).status_code == 404
    assert (await web.post("/api/analyze", content=content)).headers["X-Cache"] == "HIT"
    assert (await root.post(CLEAR, json={})).json()["deleted"] == 0


async def test_what_was_cleared_while_it_was_bought_is_not_kept(
    root: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """A clear during a purchase: the buyer gets his answer, nobody gets it afterwards."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok()))
    bought = vendor.ledger.calls
    async with asyncio.TaskGroup() as group:
        upload = group.create_task(root.post("/api/analyze", content=content))
        await vendor.called(bought + 1)
        assert (await root.post(CLEAR)).status_code == 200
        opened.set()
    assert upload.result().status_code == 200
    assert (await root.post("/api/analyze", content=content)).headers["X-Cache"] == "MISS"


@pytest.mark.parametrize(
    ("page", "content", "named"),
    [
        ("/image", photo(), {"kind": "image"}),
        ("/video", clip(), {"kind": "video"}),
        ("/text", text().encode(), {"kind": "text"}),
        ("?provider=generic", photo(), {"provider": "generic"}),
    ],
    ids=["image", "video", "text", "provider"],
)
async def test_invalidate(
    root: httpx.AsyncClient, vendor: ScriptedVendor, page: str, content: bytes, named: dict[str, str]
) -> None:
    """By kind and by provider: what is named is forgotten, the rest stays."""
    rest = text().encode() if page != "/text" else photo()
    for one in (content, rest):
        await root.post("/api/analyze", content=one)
    done = await root.post(INVALIDATE + page, json={"reason": "a test"})
    assert done.status_code == 200
    assert done.json() | {"id": "", "deleted": 0} == {
        "success": True,
        "deleted": 0,
        "pattern": None,
        **named,
        "dry_run": False,
        "complete": True,
        "id": "",
        "done": True,
    }
    assert done.json()["deleted"] >= 1
    assert (await root.post("/api/analyze", content=content)).headers["X-Cache"] == "MISS"
    expected = "MISS" if "provider" in named else "HIT"
    assert (await root.post("/api/analyze", content=rest)).headers["X-Cache"] == expected


async def test_what_was_tagged_is_forgotten_by_its_tag(root: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A tag of the upload that bought selects its answer, and nothing else; who is given that answer adds none."""
    tagged, other, plain = photo(), photo(), photo()
    await root.post("/api/analyze", content=tagged, headers={"X-Cache-Tags": "campaign-7, customer/42 ,campaign-7"})
    await root.post("/api/analyze", content=other, headers={"X-Cache-Tags": "customer/43"})
    await root.post("/api/analyze", content=plain)
    await root.post("/api/analyze", content=plain, headers={"X-Cache-Tags": "customer/42"})
    assert (await root.post(INVALIDATE + "?tag=customer/42")).json()["deleted"] == 1
    found = [
        (await root.post("/api/analyze", content=content)).headers["X-Cache"] for content in (tagged, other, plain)
    ]
    assert found == ["MISS", "HIT", "HIT"]


@pytest.mark.parametrize("tags", ["a b", "a" * 65, "ä", "*", ",".join("abcdefghi"), "{x}"])
async def test_what_is_no_list_of_tags(root: httpx.AsyncClient, tags: str) -> None:
    """Nine tags, a long one, blanks, other letters: 400, and nothing is bought."""
    refused = await root.post("/api/analyze", content=photo(), headers={"X-Cache-Tags": tags.encode()})
    assert (refused.status_code, problem(refused)) == (400, "malformed")


async def test_a_tenant_can_be_forgotten(root: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """`?tenant=` selects all that it has, and nothing of others."""
    content = photo()
    await root.post("/api/analyze", content=content)
    assert (await root.post(INVALIDATE + "?tenant=nobody")).json()["deleted"] == 0
    forgotten = (await root.post(INVALIDATE + "?tenant=red")).json()
    assert (forgotten["tenant"], forgotten["deleted"] >= 1) == ("red", True)
    assert (await root.post("/api/analyze", content=content)).headers["X-Cache"] == "MISS"


async def test_invalidate_an_unknown_tag_or_provider_forgets_nothing(
    root: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """Names that nothing carries are no error; they mean nothing."""
    content = photo()
    await root.post("/api/analyze", content=content)
    for query in ("?tag=unknown", "?provider=sightengine", "?tag=*"):
        assert (await root.post(INVALIDATE + query)).json()["deleted"] == 0
    assert (await root.post("/api/analyze", content=content)).headers["X-Cache"] == "HIT"


async def test_progress_can_be_asked_for(root: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A clear is a resource: how far it is, why, and when; an unknown one is 404."""
    await root.post("/api/analyze", content=photo())
    cleared = (await root.post(CLEAR, json={"pattern": "analysis:*", "reason": "new model ü"})).json()
    progress = await root.get(f"/api/admin/cache/clears/{cleared['id']}")
    assert progress.status_code == 200
    assert progress.json() | {"at": ""} == {
        "success": True,
        "id": cleared["id"],
        "deleted": cleared["deleted"],
        "done": True,
        "reason": "new model ü",
        "at": "",
    }
    assert progress.json()["at"].endswith("Z")
    for unknown in ("0", "999999999", "9" * 30, "x", "-1", "%00", "\u0661", "1.0", " 1"):
        refused = await root.get(f"/api/admin/cache/clears/{unknown}")
        assert (refused.status_code, problem(refused)) == (404, "not-found"), unknown


async def test_who_cleared_what_is_logged(keyed: Service, root: httpx.AsyncClient) -> None:
    """One line a clear: the selector, the count, the reason made safe, and who."""
    cleared = await root.post(CLEAR, json={"pattern": "text:*", "reason": "line\nbreak \u202e"})
    told = [line for line in keyed.events("cache.invalidate") if line["request"] == cleared.headers["X-Request-Id"]]
    assert [(line["selector"], line["count"], line["who"]) for line in told] == [
        ("pattern=text:*", cleared.json()["deleted"], "root")
    ]
    assert "\n" not in told[0]["reason"]
    assert "\u202e" not in told[0]["reason"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"*"',
        b'{"patern": "*"}',
        b'{"pattern": 7}',
        b'{"pattern": null}',
        b'{"pattern": ""}',
        b'{"pattern": "\\u0000"}',
        b'{"pattern": "\\ud800"}',
        b'{"pattern": "\xff"}',
        b'{"pattern": "analysis:*", "pattern": "*"}',
        b'{"pattern": "' + b"a" * 1025 + b'"}',
        b'{"dry_run": "yes"}',
        b'{"dry_run": NaN}',
        b'{"reason": "' + b"a" * 201 + b'"}',
        b'{"a":' * 3000,
        b"\xef\xbb\xbf{}",
        b"pattern=*",
    ],
)
async def test_a_clear_that_is_not_understood_clears_nothing(
    root: httpx.AsyncClient, vendor: ScriptedVendor, body: bytes
) -> None:
    """Whatever is wrong with the body: 400, and everything is still there."""
    content = photo()
    await root.post("/api/analyze", content=content)
    refused = await root.post(CLEAR, content=body)
    assert (refused.status_code, problem(refused)) == (400, "malformed")
    assert (await root.post("/api/analyze", content=content)).headers["X-Cache"] == "HIT"


@pytest.mark.parametrize(
    ("page", "status", "slug"),
    [
        ("", 400, "malformed"),
        ("?", 400, "malformed"),
        ("?other=1", 400, "malformed"),
        ("?provider=generic&other=1", 400, "malformed"),
        ("?provider=generic&tag=a", 400, "malformed"),
        ("?provider=generic&provider=generic", 400, "malformed"),
        ("?provider=", 400, "malformed"),
        ("?tag=" + "a" * 129, 400, "malformed"),
        ("/audio", 404, "not-found"),
        ("/IMAGE", 404, "not-found"),
        ("/image/", 404, "not-found"),
        ("/%00", 404, "not-found"),
    ],
)
async def test_an_invalidation_that_is_not_understood(
    root: httpx.AsyncClient, page: str, status: int, slug: str
) -> None:
    """Neither or both named, another parameter, an empty name, an unknown kind: refused."""
    refused = await root.post(INVALIDATE + page)
    assert (refused.status_code, problem(refused)) == (status, slug)


async def test_the_body_of_a_clear_is_bounded(keyed: Service, root: httpx.AsyncClient) -> None:
    """More than 16 KiB are refused, announced or not, and a body that stalls is given up."""
    for content in (b" " * 16_385, b'{"reason": "' + b"a" * 20_000):
        refused = await root.post(CLEAR, content=content)
        assert (refused.status_code, problem(refused), refused.json()["limit"]) == (413, "too-large", 16_384)
    head = {"Authorization": f"Bearer {KEYS['root']}", "Content_Type": MULTIPART, "Content_Length": 100}
    stalled = await exchange(keyed.url, request("POST", CLEAR, b"{", **head))
    assert (stalled.status, stalled.problem, stalled.closes) == (408, "stalled", True)
