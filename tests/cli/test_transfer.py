"""`hashcache export` and `hashcache import`: answers move between real stores, and nothing is bought again."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.harness.contents import photo
from tests.harness.http import client
from tests.harness.process import hashcache
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor
from tests.system.conftest import Services

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "c0nfidential-3fe1c0a8b2d94e77-0000"


async def sell(services: Services, contents: list[bytes], **environment: str) -> list[dict[str, object]]:
    """What a service answers to *contents*; it has stopped then."""
    service = services.make(**environment)
    async with service, client(service.url) as web:
        return [(await web.post("/api/analyze", content=content)).json() for content in contents]


async def test_from_sqlite_to_redis(
    services: Services, paid: dict[str, str], vendor: ScriptedVendor, valkey: Valkey, tmp_path: Path
) -> None:
    """What was bought on SQLite is served from Redis with the same result and no longer life; the file is private."""
    contents = [photo() for _ in range(5)]
    here = {"HASHCACHE_STORE": f"sqlite:///{tmp_path}/here.sqlite3"}
    there = {"REDIS_URL": valkey.url, "HASHCACHE_SECRET": SECRET}
    bought = await sell(services, contents, **paid, **here)
    ended = await hashcache(tmp_path, "export", "all.jsonl", environment=here)
    assert (ended.code, ended.out, ended.err) == (0, "", "5 answers exported\n")
    assert stat.S_IMODE((tmp_path / "all.jsonl").stat().st_mode) == 0o600
    for said in ("5 answers imported\n", "0 answers imported, 5 there already\n"):
        ended = await hashcache(tmp_path, "import", "all.jsonl", environment=there)
        assert (ended.code, ended.out, ended.err) == (0, said, "")
    served = await sell(services, contents, **paid, **there)
    assert [one["result"] for one in served] == [one["result"] for one in bought]
    assert {one["cached"] for one in served} == {True}
    assert vendor.ledger.calls == 5
    again = await hashcache(tmp_path, "export", "-", environment=there)
    before, after = (
        {line["key"]: line for line in map(json.loads, text.splitlines()[1:])}
        for text in ((tmp_path / "all.jsonl").read_text(), again.out)
    )
    assert before == after


async def test_what_is_newer_stays(
    services: Services, paid: dict[str, str], vendor: ScriptedVendor, tmp_path: Path
) -> None:
    """An answer that was bought later is not replaced; what was cleared since the export does not come back."""
    store = {"HASHCACHE_STORE": f"sqlite:///{tmp_path}/here.sqlite3"}
    content = photo()
    await sell(services, [content], **paid, **store)
    await hashcache(tmp_path, "export", "old.jsonl", environment=store)
    service = services.make(**paid, **store)
    async with service, client(service.url, "an-admin-token-of-tests") as web:
        assert (await web.post("/api/admin/cache/clear")).json()["deleted"] == 1
        cleared = await hashcache(tmp_path, "import", "old.jsonl", "--json", environment=store)
        assert json.loads(cleared.out)["cleared"] == 1
        newer = (await web.post("/api/analyze", content=content)).json()
        assert newer["cached"] is False
        kept = await hashcache(tmp_path, "import", "old.jsonl", "--json", environment=store)
        assert json.loads(kept.out)["newer"] == 1
        assert (await web.post("/api/analyze", content=content)).json()["result"] == newer["result"]


async def test_lines_are_checked(
    services: Services, paid: dict[str, str], vendor: ScriptedVendor, tmp_path: Path
) -> None:
    """Each wrong line is told with its number and stops no other; a file that is no export is refused as a whole."""
    store = {"HASHCACHE_STORE": f"sqlite:///{tmp_path}/here.sqlite3"}
    empty = {"HASHCACHE_STORE": f"sqlite:///{tmp_path}/there.sqlite3"}
    await sell(services, [photo()], **paid, **store)
    exported = (await hashcache(tmp_path, "export", "-", environment=store)).out
    heading, good = exported.splitlines()
    line = json.loads(good)
    worse = [
        "not json",
        json.dumps({**line, "more": 1}),
        json.dumps({**line, "key": "text:" + line["key"].partition(":")[2]}),
        json.dumps({**line, "expires": line["created"] + 500 * 86_400_000}),
        json.dumps({**line, "created": line["created"] + 86_400_000}),
        json.dumps({**line, "price_usd": "-1"}),
        json.dumps({**line, "result": {**line["result"], "score_ai": 7}}),
        json.dumps({**line, "result": {**line["result"], "verdict": "maybe"}}),
    ]
    (tmp_path / "mixed.jsonl").write_text("\n".join([heading, *worse, good]) + "\n")
    ended = await hashcache(tmp_path, "import", "mixed.jsonl", environment=empty)
    assert (ended.code, ended.out) == (1, "1 answers imported, 8 wrong lines\n")
    assert [one.partition(":")[0] for one in ended.err.splitlines()] == [f"line {number}" for number in range(2, 10)]
    (tmp_path / "no.jsonl").write_text(good)
    assert "no export" in (await hashcache(tmp_path, "import", "no.jsonl", environment=empty)).refusal(1)
    (tmp_path / "later.jsonl").write_text(heading.replace(":1", ":2", 1))
    assert "version 2" in (await hashcache(tmp_path, "import", "later.jsonl", environment=empty)).refusal(1)


async def test_encrypted_answers_are_not_written_unasked(
    services: Services, paid: dict[str, str], tmp_path: Path
) -> None:
    """Where entries are encrypted an export is refused, and nothing is left, unless plain text is asked for."""
    store = {
        "HASHCACHE_STORE": f"sqlite:///{tmp_path}/here.sqlite3",
        "HASHCACHE_SECRET": SECRET,
        "HASHCACHE_ENCRYPT": "1",
    }
    await sell(services, [photo()], **paid, **store)
    assert "--plain" in (await hashcache(tmp_path, "export", "all.jsonl", environment=store)).refusal(1)
    assert not (tmp_path / "all.jsonl").exists()
    assert (await hashcache(tmp_path, "export", "--plain", "all.jsonl", environment=store)).code == 0
