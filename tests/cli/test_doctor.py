"""`hashcache doctor`: what it finds on real stores, and what it says to do."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import redis

from tests.harness.process import Ended, hashcache
from tests.harness.valkey import Valkey

SECRET = "c0nfidential-3fe1c0a8b2d94e77-0000"


def states(ended: Ended) -> dict[str, str]:
    """The state of each check; each that is not well says what to do, and no secret is shown."""
    assert SECRET not in ended.out + ended.err
    made = json.loads(ended.out)["checks"]
    assert all(one["mend"] for one in made if one["state"] != "ok")
    assert not any(one["mend"] for one in made if one["state"] == "ok")
    return {one["what"]: one["state"] for one in made}


async def test_without_any_setting(tmp_path: Path) -> None:
    """SQLite and the embedded analysis are well; nothing is left behind but the store's own file."""
    ended = await hashcache(tmp_path, "doctor", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert set(states(ended).values()) == {"ok"}
    shown = await hashcache(tmp_path, "doctor")
    assert shown.out.splitlines()[0].split()[:2] == ["ok", "store"]


async def test_a_server_that_will_do(tmp_path: Path, valkey: Valkey) -> None:
    """A Valkey with a limit and a policy that keeps the books, signed entries, a budget and keys: nothing fails."""
    with redis.Redis(port=valkey.port) as server:
        server.config_set("maxmemory", "100mb")
        server.config_set("maxmemory-policy", "volatile-ttl")
        server.config_set("appendonly", "yes")
    environment = {"REDIS_URL": valkey.url, "HASHCACHE_SECRET": SECRET}
    found = states(await hashcache(tmp_path, "doctor", "--json", environment=environment))
    for what in ("store", "tls", "signatures", "latency", "clock", "memory", "eviction", "persistence", "prefix"):
        assert found[what] == "ok", found


async def test_a_server_that_bites(tmp_path: Path, valkey: Valkey) -> None:
    """No limit, a policy that evicts the books, no persistence, no signatures, a stranger in our prefix: each told."""
    with redis.Redis(port=valkey.port) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
        server.set("hashcache:dev:somebody-else", "1")
        server.set("hashcache:prod:books:counters", "1")
        server.set("sessions:1", "1")
    ended = await hashcache(tmp_path, "doctor", "--json", environment={"REDIS_URL": valkey.url})
    assert ended.code == 1
    found = states(ended)
    assert found["prefix"] == "fail"
    assert {found[what] for what in ("memory", "eviction", "persistence", "signatures")} == {"warn"}
    with redis.Redis(port=valkey.port) as server:
        server.delete("hashcache:dev:somebody-else")
    ended = await hashcache(tmp_path, "doctor", environment={"REDIS_URL": valkey.url})
    assert ended.code == 0
    assert "shared with 1 of environment prod, 1 of other applications" in ended.out


async def test_a_store_that_is_away(tmp_path: Path) -> None:
    """It fails, names where the address came from without its password, and exits with 1."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"redis://:{SECRET}@127.0.0.1:{probe.getsockname()[1]}"
    ended = await hashcache(tmp_path, "doctor", "--json", environment={"REDIS_URL": url})
    assert ended.code == 1
    assert states(ended)["store"] == "fail"
    assert "REDIS_URL" in ended.out


async def test_money(tmp_path: Path) -> None:
    """A price that is not known, a key that is not used and no budget are warnings; with them set all is well."""
    account = {"HASHCACHE_PROVIDER": "generic", "HASHCACHE_GENERIC_URL": "http://127.0.0.1:9/", "HIVE_API_KEY": SECRET}
    found = states(await hashcache(tmp_path, "doctor", "--json", environment=account))
    assert (found["provider"], found["budgets"]) == ("warn", "warn")
    account |= {
        "HASHCACHE_PROVIDER": "generic,hive",
        "HASHCACHE_GENERIC_PRICE_USD": "0.01",
        "HASHCACHE_DAILY_BUDGET_USD": "5",
    }
    found = states(await hashcache(tmp_path, "doctor", "--json", environment=account))
    assert set(found.values()) == {"ok"}


async def test_wrong_settings(tmp_path: Path) -> None:
    """A setting that is wrong is said as by every command: exit code 2."""
    said = (await hashcache(tmp_path, "doctor", environment={"HASHCACHE_MEDIA_TTL": "soon"})).refusal(2)
    assert "HASHCACHE_MEDIA_TTL" in said
