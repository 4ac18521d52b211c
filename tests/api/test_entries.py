"""Browsing, opening and forgetting single entries."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.api.conftest import KEYS
from tests.harness.contents import clip, photo, text
from tests.harness.http import client, problem
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENTRIES = "/api/admin/cache/entries"
ROW = {
    "key", "sha256", "kind", "tenant", "provider", "tags", "created", "expires", "age_seconds", "ttl_seconds",
    "cost_usd", "hits", "stored_bytes",
}  # fmt: skip


async def listed(admin: httpx.AsyncClient, **query: str | int) -> list[dict[str, Any]]:
    """All entries that *query* means, page by page."""
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = ""
    while cursor is not None:
        answer = (await admin.get(ENTRIES, params={**query, "cursor": cursor})).json()
        assert answer["success"] is True
        found |= {row["key"]: row for row in answer["entries"]}
        cursor = answer["cursor"]
    return list(found.values())


async def test_entries_are_browsed_page_by_page(keyed: Service, vendor: ScriptedVendor) -> None:
    """Every entry is on some page, with what an admin wants to know; filters leave out the rest."""
    contents = [photo(), photo(), clip()]
    words = text().encode()
    async with client(keyed.url, KEYS["bob"]) as bob, client(keyed.url, KEYS["root"]) as root:
        for content in contents:
            await bob.post("/api/analyze", content=content)
        await root.post("/api/analyze", content=words, headers={"Content-Type": "text/plain"})
        mine = {sha256(content).hexdigest() for content in contents}
        rows = [row for row in await listed(root, limit=1) if row["sha256"] in mine]
        assert {row["sha256"] for row in rows} == mine
        for row in rows:
            assert row.keys() == ROW
            assert (row["tenant"], row["provider"], row["cost_usd"]) == ("blue", "generic", "0.01")
            assert 0 < row["ttl_seconds"] <= 7 * 86_400
            assert row["stored_bytes"] > 0
        assert mine <= {row["sha256"] for row in await listed(root, tenant="blue")}
        assert {row["tenant"] for row in await listed(root, tenant="blue")} == {"blue"}
        assert {row["kind"] for row in await listed(root, kind="video")} == {"video"}
        only = await listed(root, pattern=f"text:{sha256(words).hexdigest()}")
        assert [(row["kind"], row["tenant"]) for row in only] == [("text", "red")]
        assert await listed(root, pattern="nothing:*") == []


async def test_an_entry_is_opened_by_key_or_digest(keyed: Service, vendor: ScriptedVendor) -> None:
    """Both name the same entry, of whichever tenant: what was said, by whom, when, and what it cost."""
    content = photo()
    digest = sha256(content).hexdigest()
    async with client(keyed.url, KEYS["bob"]) as bob, client(keyed.url, KEYS["root"]) as root:
        said = (await bob.post("/api/analyze", content=content)).json()["result"]
        (found,) = (await root.get(f"{ENTRIES}/{digest}")).json()["entries"]
        assert (await root.get(f"{ENTRIES}/{found['key']}")).json()["entries"][0]["key"] == found["key"]
        assert found["result"] == said
        assert (found["tenant"], found["kind"], found["cost_usd"]) == ("blue", "image", "0.01")
        assert (found["model_version"], found["analysed_at"]) == (said["model_version"], said["analysed_at"])
        assert found["error"] is None


async def test_one_entry_is_forgotten(service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """It is gone at once, is bought again the next time, and what is beside it stays."""
    gone, stays = photo(), photo()
    for content in (gone, stays):
        await web.post("/api/analyze", content=content)
    async with client(service.url, ADMIN_TOKEN) as admin:
        (found,) = (await admin.get(f"{ENTRIES}/{sha256(gone).hexdigest()}")).json()["entries"]
        assert (await admin.delete(f"{ENTRIES}/{found['key']}")).json() == {"success": True, "deleted": 1}
        assert (await admin.delete(f"{ENTRIES}/{found['key']}")).json()["deleted"] == 0
        assert problem(await admin.get(f"{ENTRIES}/{found['key']}")) == "not-found"
    assert (await web.post("/api/analyze", content=gone)).headers["X-Cache"] == "MISS"
    assert (await web.post("/api/analyze", content=stays)).headers["X-Cache"] == "HIT"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "kind=audio", "what=1", "kind=image&kind=text", "pattern=%00"]
)
async def test_a_wrong_question_is_refused(service: Service, query: str) -> None:
    """What is no such question is 400, never a page of something else."""
    async with client(service.url, ADMIN_TOKEN) as admin:
        assert problem(await admin.get(f"{ENTRIES}?{query}")) == "malformed"


async def test_what_is_no_name_is_refused(service: Service) -> None:
    """Neither a key nor a digest."""
    async with client(service.url, ADMIN_TOKEN) as admin:
        assert problem(await admin.get(f"{ENTRIES}/nonsense")) == "malformed"
        assert problem(await admin.get(f"{ENTRIES}/{'0' * 64}")) == "not-found"


async def test_a_count_says_whether_it_is_complete(
    service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """What a clear would remove is told before, and nothing is removed by asking."""
    content = photo()
    await web.post("/api/analyze", content=content)
    body = {"pattern": f"analysis:{sha256(content).hexdigest()}", "dry_run": True}
    async with client(service.url, ADMIN_TOKEN) as admin:
        counted = (await admin.post("/api/admin/cache/clear", json=body)).json()
    assert (counted["deleted"], counted["complete"], counted["dry_run"]) == (1, True, True)
    assert (await web.post("/api/analyze", content=content)).headers["X-Cache"] == "HIT"
