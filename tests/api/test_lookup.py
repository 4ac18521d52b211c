"""`POST /api/lookup`: many contents asked for at once."""

from __future__ import annotations

import asyncio
import secrets
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import KEYS, keyed_entries, settings
from tests.harness.contents import clip, photo, text
from tests.harness.http import Wire, client, problem, request
from tests.harness.service import Service
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor, gate, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/lookup"


def name(content: bytes) -> str:
    """The digest of *content*."""
    return sha256(content).hexdigest()


def unknown(sha256: str) -> dict[str, Any]:
    """What is told of a content that is not known."""
    nothing = dict.fromkeys(("kind", "result", "ttl", "cost", "problem"))
    return {"sha256": sha256, "status": "unknown", **nothing}


async def test_known_and_unknown(server: Service, vendor: ScriptedVendor) -> None:
    """All kinds in one question: in its order, each once, in lower case, with its result, and what that saved."""
    contents = [photo(), clip(), text().encode()]
    async with client(server.url) as web:
        results = [(await web.post("/api/analyze", content=one)).json()["result"] for one in contents]
        absent, digests = name(photo()), [name(one) for one in contents]
        answer = await web.post(PAGE, json={"sha256": [digests[2], absent, digests[0].upper(), *digests]})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-cache"
    told = answer.json()
    week, month = 7 * 86400, 30 * 86400
    for one in told["analyses"]:
        if one["status"] == "known":
            whole = month if one["kind"] == "text" else week
            assert whole - 60 < one.pop("ttl") <= whole
    known = {
        digest: {
            "sha256": digest,
            "status": "known",
            "kind": kind,
            "result": result,
            "cost": {"spent_usd": "0", "saved_usd": "0.01"},
            "problem": None,
        }
        for digest, kind, result in zip(digests, ("image", "video", "text"), results, strict=True)
    }
    assert told == {
        "success": True,
        "known": 3,
        "analyses": [known[digests[2]], unknown(absent), known[digests[0]], known[digests[1]]],
        "cost": {"spent_usd": "0", "saved_usd": "0.03"},
    }


async def test_pending_and_failed(server: Service, vendor: ScriptedVendor) -> None:
    """What is being bought is pending; what failed a moment ago says as which problem."""
    failed, waiting, opened = photo(), photo(), asyncio.Event()
    vendor.then(status(400), gate(opened, ok()))
    async with client(server.url) as web:
        assert (await web.post("/api/analyze", content=failed)).status_code == 422
        assert (await web.post("/api/analyze", content=waiting, headers={"Prefer": "respond-async"})).status_code == 202
        told = (await web.post(PAGE, json={"sha256": [name(failed), name(waiting)]})).json()["analyses"]
        opened.set()
    assert [one["status"] for one in told] == ["failed", "pending"]
    assert [one["problem"] for one in told] == ["urn:hashcache:problem:vendor-limit", None]


async def test_a_thousand_at_once(server: Service, vendor: ScriptedVendor) -> None:
    """A thousand are answered; one more, and none at all, are refused."""
    digests = [secrets.token_hex(32) for _ in range(1000)]
    async with client(server.url) as web:
        answer = await web.post(PAGE, json={"sha256": digests})
        assert answer.json()["analyses"] == [unknown(one) for one in digests]
        for wrong in ([], [*digests, "0" * 64]):
            refused = await web.post(PAGE, json={"sha256": wrong})
            assert (refused.status_code, problem(refused)) == (400, "malformed")


async def test_the_answer_is_bounded(server: Service, vendor: ScriptedVendor) -> None:
    """What does not fit into eight megabytes of results is known all the same, without its result."""
    vendor.default = ok(parts=list(range(150_000)))
    contents = [photo() for _ in range(10)]
    async with client(server.url) as web:
        for one in contents:
            await web.post("/api/analyze", content=one)
        answer = await web.post(PAGE, json={"sha256": [name(one) for one in contents]})
    told = answer.json()
    assert len(answer.content) < 8_100_000
    assert told["known"] == 10
    assert [one["result"] is not None for one in told["analyses"]] == [True] * 8 + [False] * 2
    # Where none is given, none was saved.
    assert [one["cost"] is not None for one in told["analyses"]] == [True] * 8 + [False] * 2
    assert told["cost"]["saved_usd"] == "0.08"


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"{}", "malformed"),
        (b'{"sha256": "0"}', "malformed"),
        (b'{"sha256": [], "sha256": []}', "malformed"),
        (b'{"sha256": [], "kind": "image"}', "unknown-field"),
    ],
)
async def test_what_is_no_question(web: httpx.AsyncClient, body: bytes, slug: str) -> None:
    """Another body than the one that is documented is refused."""
    refused = await web.post(PAGE, content=body, headers={"Content-Type": "application/json"})
    assert (refused.status_code, problem(refused)) == (400, slug)


async def test_what_is_no_digest(web: httpx.AsyncClient) -> None:
    """Malformed digests are refused, and it is said where they stand."""
    refused = await web.post(PAGE, json={"sha256": ["0" * 64, "x", "0" * 63, 7, None, "0" * 64]})
    assert (refused.status_code, problem(refused)) == (400, "bad-digest")
    assert refused.json()["positions"] == [1, 2, 3, 4]
    assert "sha256[2]" in refused.json()["detail"]


async def test_a_body_that_is_too_long(server: Service) -> None:
    """More bytes than a thousand digests can have are 413, before they have come when they are announced."""
    async with client(server.url) as web:
        refused = await web.post(PAGE, content=b" " * 200_000, headers={"Content-Type": "application/json"})
    assert (refused.status_code, problem(refused)) == (413, "too-large")


async def test_foreign_and_unknown_are_the_same(
    market: ScriptedVendor, vendor: ScriptedVendor, valkey: Valkey, tmp_path: Path
) -> None:
    """
    Unknown, another tenant's, and being bought by another tenant: the same answer but for the digest, and the same
    commands to the store, for each of lookup, GET, HEAD and a PUT that asks before it uploads; a known one takes as
    many.
    """
    more = {"HASHCACHE_STORE": valkey.url, "HASHCACHE_NEAR_BYTES": "0", "HASHCACHE_ENV": f"same-{secrets.token_hex(4)}"}
    environment = settings(market, tmp_path, HASHCACHE_API_KEYS=keyed_entries(), **more)
    foreign, in_flight, own, opened = photo(), photo(), photo(), asyncio.Event()
    async with (
        Service(tmp_path / "service", environment) as service,
        client(service.url, KEYS["ann"]) as ann,
        client(service.url, KEYS["bob"]) as bob,
    ):
        await bob.post("/api/analyze", content=own)
        await ann.post("/api/analyze", content=foreign)
        vendor.then(gate(opened, ok()))
        await ann.post("/api/analyze", content=in_flight, headers={"Prefer": "respond-async"})
        seen = {}
        for label, content in (("unknown", photo()), ("foreign", foreign), ("in flight", in_flight), ("own", own)):
            reads = [_reads(valkey)]
            looked = await bob.post(PAGE, json={"sha256": [name(content)]})
            reads.append(_reads(valkey))
            got = await bob.get(f"/api/analyses/{name(content)}")
            reads.append(_reads(valkey))
            head = await bob.head(f"/api/analyses/{name(content)}")
            reads.append(_reads(valkey))
            interim = await _asks(service, content, until_told=label != "own")
            reads.append(_reads(valkey))
            commands = [after - before for before, after in pairwise(reads)]
            answers = [(one.status_code, [*one.headers], one.headers["content-length"]) for one in (looked, got, head)]
            seen[label] = commands, looked.text.replace(name(content), ""), answers, interim
        opened.set()
    assert seen["unknown"] == seen["foreign"] == seen["in flight"]
    assert seen["unknown"][0] == seen["own"][0] == [1, 1, 1, 1]


def _reads(valkey: Valkey) -> int:
    """How many commands that read entries the server has seen."""
    with valkey.client() as there:
        ran = there.info("commandstats")
    return sum(ran.get(f"cmdstat_{one}", {"calls": 0})["calls"] for one in ("mget", "get", "evalsha", "eval", "set"))


async def _asks(service: Service, content: bytes, *, until_told: bool) -> int:
    """What bob is told who asks before he uploads *content*: 100, or the status of the answer. He then leaves."""
    async with await Wire.open(service.url) as wire:
        head = {"Content_Length": len(content), "Expect": "100-continue", "X_API_Key": KEYS["bob"]}
        await wire.send(request("PUT", f"/api/analyses/{name(content)}", b"", **head))
        return await wire.interim() if until_told else (await wire.answer(to="PUT")).status
