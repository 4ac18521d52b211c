"""What `hashcache doctor` thinks of a set-up: which finding leads to which verdict, and to which advice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from hashcache.cli.checks import Check, of_money, of_server, of_store
from hashcache.ports import StoreFacts, StoreHealth
from hashcache.service.survey import survey
from hashcache.settings import Settings, load

UPSTASH = {"REDIS_URL": "rediss://default:secret@eu1-fox-12345.upstash.io:6379"}
OWN = {"REDIS_URL": "redis://127.0.0.1:6379"}
SECRET = "32 random characters or even more"
WELL = StoreFacts(
    version="9.0",
    milliseconds=(0.4, 0.5, 300.0),
    skew=-3,
    policy="noeviction",
    persistent=True,
    used=10_000_000,
    most=100_000_000,
    clients=10,
    most_clients=100,
    scanned=50,
    ours=50,
    other_environments={},
    foreign=0,
    strangers=0,
)
#: Upstash tells none of these.
SILENT: dict[str, Any] = {"skew": None, "policy": None, "persistent": None, "used": None, "clients": None}


def settings(environment: Mapping[str, str]) -> Settings:
    """What *environment* sets."""
    return load(environment)


def store(environment: Mapping[str, str], status: str = "connected", reason: str | None = None) -> dict[str, Check]:
    """What is said of the store that *environment* names, in that state."""
    return named(of_store(settings(environment), StoreHealth(status, "the store", reason=reason)))


def server(environment: Mapping[str, str] = OWN, **told: Any) -> dict[str, Check]:
    """What is said of a server that is well but for what it has *told*."""
    return named(of_server(settings(environment), replace(WELL, **told)))


def money(**environment: str) -> dict[str, Check]:
    """What is said of providers, budgets and callers; of several providers, what is said of the last."""
    chosen = settings(environment)
    return named(of_money(chosen, survey(chosen)))


def named(checks: Iterable[Check]) -> dict[str, Check]:
    """*checks* by what they looked at; each that is not well says how to mend it, and no other does."""
    found = {one.what: one for one in checks}
    assert all(bool(one.mend) is (one.state != "ok") for one in found.values()), found
    assert not any("secret@" in one.said + one.mend for one in found.values())
    return found


def test_a_server_that_is_well() -> None:
    """Nothing is said against it, and one slow round trip of several does not count."""
    assert {one.state for one in server().values()} == {"ok"}
    assert set(server()) == {"latency", "clock", "memory", "eviction", "persistence", "connections", "prefix"}


@pytest.mark.parametrize(
    ("status", "environment", "state", "mend"),
    [
        ("connected", OWN, "ok", ""),
        ("embedded", {}, "ok", ""),
        ("embedded", {"HASHCACHE_STORE": "memory://"}, "warn", "set REDIS_URL"),
        ("off", {"HASHCACHE_STORE": "off"}, "warn", "remove HASHCACHE_STORE=off"),
        ("degraded", OWN, "fail", "check REDIS_URL"),
    ],
)
def test_whether_the_store_is_there(status: str, environment: dict[str, str], state: str, mend: str) -> None:
    """Away is broken, and it is said which variable named it; what forgets everything could be better."""
    found = store(environment, status, "refused")["store"]
    assert (found.state, mend in found.mend) == (state, True)


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("rediss://cache.example.com", "ok"),
        ("redis://127.0.0.1", "ok"),
        ("redis://[::1]:6379", "ok"),
        ("redis://localhost", "ok"),
        ("redis://cache.example.com", "warn"),
        ("redis://127.0.0.1.example.com", "warn"),
        ("rediss+cluster://a.example.com,b.example.com", "ok"),
        ("redis+cluster://127.0.0.1:7000,127.0.0.1:7001", "ok"),
        ("redis+cluster://127.0.0.1:7000,b.example.com:7001", "warn"),
        ("redis+sentinel://a.example.com/main/0", "warn"),
        ("rediss+sentinel://a.example.com/main/0", "ok"),
    ],
)
def test_tls(url: str, state: str) -> None:
    """Without TLS the way must end on this machine, for each host that is named."""
    found = store({"HASHCACHE_STORE": url})["tls"]
    assert (found.state, "rediss://" in found.mend) == (state, state == "warn")


def test_signatures() -> None:
    """On a server that others may write to, entries should be signed; encrypted ones are."""
    assert "HASHCACHE_SECRET" in store(OWN)["signatures"].mend
    assert store({**OWN, "HASHCACHE_SECRET": SECRET})["signatures"].said == "entries are signed"
    both = store({**OWN, "HASHCACHE_SECRET": SECRET, "HASHCACHE_ENCRYPT": "1"})["signatures"]
    assert both.said == "entries are signed and encrypted"
    assert "signatures" not in store({}, "embedded")


def test_a_cluster() -> None:
    """Its nodes are not asked: what cannot be seen is said, once, with where to look."""
    assert store({"HASHCACHE_STORE": "redis+cluster://127.0.0.1:7000"})["nodes"].state == "unseen"
    assert "nodes" not in store(OWN)


def test_what_only_the_console_of_upstash_shows() -> None:
    """Upstash tells neither its policy nor what is left of the plan: both say where to look. What it keeps is known."""
    found = server(UPSTASH, **SILENT)
    assert {name: one.state for name, one in found.items()} == {
        "latency": "ok",
        "clock": "unseen",
        "memory": "unseen",
        "eviction": "unseen",
        "persistence": "ok",
        "plan": "unseen",
        "prefix": "ok",
    }
    assert "console.upstash.com" in found["eviction"].mend
    assert "console.upstash.com" in found["plan"].mend
    assert "Upstash" in found["persistence"].said


def test_what_another_host_does_not_tell() -> None:
    """Elsewhere than at Upstash its console is not named, and nothing is claimed of what is kept."""
    found = server({"REDIS_URL": "rediss://cache.example.com"}, **SILENT)
    assert {name for name, one in found.items() if one.state == "unseen"} == {
        "clock",
        "memory",
        "eviction",
        "persistence",
    }
    assert not any("upstash" in (one.said + one.mend).lower() for one in found.values())
    # A host that only sounds like it is another one.
    assert "plan" not in server({"REDIS_URL": "rediss://upstash.io.example.com"})


@pytest.mark.parametrize(
    ("policy", "state"),
    [("noeviction", "ok"), ("volatile-lru", "ok"), ("volatile-ttl", "ok"), ("allkeys-lru", "warn"), ("new", "warn")],
)
def test_eviction(policy: str, state: str) -> None:
    """What may evict a key without an expiry may evict the books."""
    found = server(policy=policy)["eviction"]
    assert (found.state, "CONFIG SET" in found.mend) == (state, state == "warn")


def test_persistence() -> None:
    """A server that loses everything with a restart loses what was paid for."""
    found = server(persistent=False)["persistence"]
    assert (found.state, found.mend) == ("warn", "CONFIG SET appendonly yes")


@pytest.mark.parametrize(
    ("used", "most", "limit", "state"),
    [
        (80, 100, None, "ok"),
        (81, 100, None, "warn"),
        (90, 100, None, "warn"),
        (91, 100, None, "fail"),
        (81, None, "100000000", "warn"),
        (91, 100, "1000000000", "fail"),  # what the server says of itself counts
        (1, None, None, "warn"),
    ],
)
def test_memory(used: int, most: int | None, limit: str | None, state: str) -> None:
    """Over 80 % is a warning, over 90 % broken; a limit that nobody tells is a warning."""
    environment = {**OWN, **({"HASHCACHE_REDIS_MAX_MEMORY": limit} if limit else {})}
    found = server(environment, used=used * 1_000_000, most=most * 1_000_000 if most else None)["memory"]
    assert found.state == state
    assert ("HASHCACHE_REDIS_MAX_MEMORY" in found.mend) is (most is None and limit is None)


@pytest.mark.parametrize(("skew", "state"), [(2000, "ok"), (-2000, "ok"), (2001, "warn"), (-86_400_000, "warn")])
def test_clocks(skew: int, state: str) -> None:
    """Clocks that differ by more than two seconds are told, and which one is ahead."""
    found = server(skew=skew)["clock"]
    assert (found.state, "NTP" in found.mend) == (state, state == "warn")
    if state == "warn":
        assert ("ahead of" if skew > 0 else "behind") in found.said


@pytest.mark.parametrize(
    ("environment", "milliseconds", "state"),
    [(OWN, 10.0, "ok"), (OWN, 10.1, "warn"), (UPSTASH, 50.0, "ok"), (UPSTASH, 50.1, "warn")],
)
def test_latency(environment: dict[str, str], milliseconds: float, state: str) -> None:
    """The middle one of several round trips: 10 ms, or over TLS 50, is what an operator should hear of."""
    found = server(environment, milliseconds=(milliseconds, milliseconds, 1.0))["latency"]
    assert (found.state, "region" in found.mend) == (state, state == "warn")


def test_connections() -> None:
    """Over 80 % of what the server allows is a warning, with how many each process opens."""
    assert server(clients=80)["connections"].state == "ok"
    found = server(clients=81)["connections"]
    assert (found.state, "HASHCACHE_REDIS_CONNECTIONS (20 a process)" in found.mend) == ("warn", True)


def test_whose_keys_lie_there() -> None:
    """Neighbours are told; whoever writes under our prefix and is none of ours is broken."""
    shared = server(ours=1, other_environments={"prod": 3}, foreign=7)["prefix"]
    assert shared.state == "ok"
    assert "shared with 3 of environment prod, 7 of other applications" in shared.said
    found = server(strangers=2)["prefix"]
    assert (found.state, "HASHCACHE_ENV" in found.mend) == ("fail", True)
    assert "hashcache:dev:" in found.said


def test_who_is_asked_and_what_it_costs() -> None:
    """A price of nothing and an account that is not used are told; free analysis on this machine is well."""
    assert money()["provider"].said == "provenance for image, video, text: free of charge"
    free = money(HASHCACHE_PROVIDER="generic", HASHCACHE_GENERIC_URL="http://127.0.0.1:9/")["provider"]
    assert (free.state, free.mend) == ("warn", "set HASHCACHE_GENERIC_PRICE_USD")
    unused = money(HIVE_API_KEY="one")["provider"]
    assert (unused.state, unused.mend) == ("warn", "name it in HASHCACHE_PROVIDER")
    used = money(HASHCACHE_IMAGE_PROVIDER="hive", HIVE_API_KEY="one", HASHCACHE_HIVE_PRICE_USD="0.02")
    assert used["provider"].state == "ok"
    assert "hive for image: $0.02" in used["provider"].said


def test_budgets() -> None:
    """Where money can be spent without end that is told; a budget, or nothing to pay, is well."""
    paid = {"HASHCACHE_PROVIDER": "hive", "HIVE_API_KEY": "one"}
    assert money()["budgets"].state == "ok"
    assert "HASHCACHE_DAILY_BUDGET_USD" in money(**paid)["budgets"].mend
    held = money(**paid, HASHCACHE_DAILY_BUDGET_USD="25")["budgets"]
    assert (held.state, held.said) == ("ok", "all $25 a day")


def test_who_may_spend() -> None:
    """Without keys a service that others reach spends anybody's wish; one on this machine does not."""
    paid = {"HASHCACHE_PROVIDER": "hive", "HIVE_API_KEY": "one"}
    assert "callers" not in money()
    assert money(**paid)["callers"].state == "ok"
    assert "keys new" in money(**paid, HASHCACHE_PUBLIC="1")["callers"].mend
    entry = f"ann:red:user:{sha256(b'one').hexdigest()}"
    assert money(**paid, HASHCACHE_PUBLIC="1", HASHCACHE_API_KEYS=entry)["callers"].state == "ok"
