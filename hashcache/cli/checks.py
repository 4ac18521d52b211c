"""
What is wrong with a set-up, and how to mend it: judged from settings and from what the store's server tells.

Rule: nothing is claimed that was not seen. What only a host's console shows is `unseen`, with where to look.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from hashcache.cli.tables import size
from hashcache.core.money import decimal
from hashcache.ports import StoreFacts, StoreHealth
from hashcache.settings import Settings, clustered, is_loopback
from hashcache.settings.addresses import parse_redis
from hashcache.settings.clustered import Clustered
from hashcache.settings.watched import Watched

#: Milliseconds of a round trip: more on a private network, and over TLS, is worth a word.
_SLOW, _SLOW_TLS = 10.0, 50.0
_SKEW = 2_000
_MEMORY, _FULL = 80, 90
_KEEPS_BOOKS = {"noeviction", "volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"}


@dataclass(frozen=True)
class Check:
    """One finding: *what* was looked at, whether it is well, what is *said*, how to *mend* it ("" when it is well)."""

    what: str
    state: Literal["ok", "warn", "fail", "unseen"]
    said: str
    mend: str = ""


def of_store(settings: Settings, health: StoreHealth) -> Iterator[Check]:
    """Whether it is reachable, and what kind of place it is."""
    match health.status:
        case "connected":
            yield Check("store", "ok", f"{health.where} answers (from {settings.store_from})")
        case "embedded" if settings.store.startswith("memory:"):
            mend = "set REDIS_URL, or HASHCACHE_STORE=sqlite:///hashcache.sqlite3"
            yield Check("store", "warn", "memory: what was paid for is gone when the process ends", mend)
        case "embedded":
            yield Check("store", "ok", f"{health.where}: one machine; answers survive a restart")
        case "off":
            yield Check("store", "warn", "off: nothing is kept, every upload is bought", "remove HASHCACHE_STORE=off")
        case _:
            mend = f"check {settings.store_from}: host, port, password, and that a firewall lets this machine through"
            yield Check("store", "fail", f"{health.where} does not answer ({health.reason or 'no answer'})", mend)
    if "redis" in urlsplit(settings.store).scheme:
        yield _tls(settings)
        yield _secret(settings)
    if settings.store.startswith(clustered.SCHEMES):
        mend = "INFO and CONFIG GET '*' on each node, or its host's console"
        yield Check(
            "nodes", "unseen", "a cluster's nodes are not asked for memory, eviction, persistence, clocks", mend
        )


def _tls(settings: Settings) -> Check:
    if settings.store.startswith("rediss"):
        return Check("tls", "ok", "encrypted, and the server's certificate is verified")
    if all(map(is_loopback, _hosts(settings))):
        return Check("tls", "ok", "not encrypted, on this machine alone")
    return Check(
        "tls",
        "warn",
        "not encrypted: password and answers can be read on the way",
        "write rediss:// instead of redis://",
    )


def _hosts(settings: Settings) -> list[str]:
    """Every host that the store's URL names."""
    match parse_redis(settings.store):
        case Clustered(seeds):
            return [host for host, _ in seeds]
        case Watched(sentinels):
            return [host for host, _ in sentinels]
        case one:
            return [one.host]


def _secret(settings: Settings) -> Check:
    if settings.secrets:
        return Check("signatures", "ok", "entries are signed" + (" and encrypted" if settings.encrypt else ""))
    mend = "set HASHCACHE_SECRET to 32 random characters or more, the same in every process"
    return Check("signatures", "warn", "entries are not signed: who can write to the store can write answers", mend)


def of_server(settings: Settings, facts: StoreFacts) -> Iterator[Check]:
    """What the server tells of itself."""
    secure = settings.store.startswith("rediss")
    middle = statistics.median(facts.milliseconds)
    slow = middle > (_SLOW_TLS if secure else _SLOW)
    mend = "put the service and the store into one region" if slow else ""
    yield Check("latency", "warn" if slow else "ok", f"{middle:.1f} ms for a round trip", mend)
    yield from _clock(facts)
    yield from _memory(facts, settings)
    hosted = (urlsplit(settings.store).hostname or "").endswith(".upstash.io")
    yield _policy(facts, hosted=hosted)
    yield _persistence(facts, hosted=hosted)
    if hosted:
        where = "console.upstash.com, the database, Usage and Details"
        yield Check("plan", "unseen", "commands and bandwidth left this month, daily limits", f"look at {where}")
    yield from _clients(facts, settings)
    yield from _neighbours(facts, settings)


def _clock(facts: StoreFacts) -> Iterator[Check]:
    if facts.skew is None:
        yield Check("clock", "unseen", "the server does not tell its time", "compare its host's clock by NTP")
    elif abs(facts.skew) > _SKEW:
        said = f"{abs(facts.skew) / 1000:.1f} s {'ahead of' if facts.skew > 0 else 'behind'} this machine's"
        yield Check("clock", "warn", said, "let NTP set both clocks: lifetimes are counted on the store's")
    else:
        yield Check("clock", "ok", f"within {max(abs(facts.skew), 1)} ms of this machine's")


def _memory(facts: StoreFacts, settings: Settings) -> Iterator[Check]:
    most = facts.most or settings.redis_max_memory
    if facts.used is None:
        yield Check("memory", "unseen", "the server does not tell what it uses", "look at its host's console")
    elif most is None:
        mend = "set maxmemory on the server, or HASHCACHE_REDIS_MAX_MEMORY to the plan's limit"
        yield Check("memory", "warn", f"{size(facts.used)} used, of an unknown limit", mend)
    else:
        percent = 100 * facts.used / most
        state: Literal["ok", "warn", "fail"] = "fail" if percent > _FULL else "warn" if percent > _MEMORY else "ok"
        mend = "" if state == "ok" else "take a larger plan, clear what is not needed, or shorten HASHCACHE_MEDIA_TTL"
        yield Check("memory", state, f"{size(facts.used)} of {size(most)} used ({percent:.0f} %)", mend)


def _policy(facts: StoreFacts, *, hosted: bool) -> Check:
    if facts.policy is None:
        mend = (
            "console.upstash.com, the database, Eviction: off keeps the books"
            if hosted
            else "ask its host: noeviction keeps the books"
        )
        return Check("eviction", "unseen", "the server does not tell its policy", mend)
    if facts.policy in _KEEPS_BOOKS:
        return Check("eviction", "ok", f"{facts.policy}: the books are never evicted")
    mend = "CONFIG SET maxmemory-policy volatile-ttl"
    return Check("eviction", "warn", f"{facts.policy} may evict the books: budgets and what was spent", mend)


def _persistence(facts: StoreFacts, *, hosted: bool) -> Check:
    if hosted:
        return Check("persistence", "ok", "Upstash keeps every write on disk")
    if facts.persistent is None:
        return Check(
            "persistence", "unseen", "the server does not tell", "ask its host whether a restart loses everything"
        )
    if facts.persistent:
        return Check("persistence", "ok", "what was paid for survives a restart of the server")
    return Check("persistence", "warn", "a restart of the server loses what was paid for", "CONFIG SET appendonly yes")


def _clients(facts: StoreFacts, settings: Settings) -> Iterator[Check]:
    if facts.clients is None or not facts.most_clients:
        return
    percent = 100 * facts.clients / facts.most_clients
    said = f"{facts.clients} of {facts.most_clients} connections in use"
    mend = "" if percent <= _MEMORY else f"lower HASHCACHE_REDIS_CONNECTIONS ({settings.redis_connections} a process)"
    yield Check("connections", "warn" if mend else "ok", said, mend)


def _neighbours(facts: StoreFacts, settings: Settings) -> Iterator[Check]:
    prefix = f"hashcache:{settings.environment}:"
    looked = f"of {facts.scanned:,} keys that were looked at"
    if facts.strangers:
        mend = "something else writes under this prefix: give it another one, or set HASHCACHE_ENV"
        yield Check("prefix", "fail", f"{facts.strangers} {looked} begin with {prefix} and are none of ours", mend)
        return
    others = [f"{number} of environment {name}" for name, number in facts.other_environments.items()]
    others += [f"{facts.foreign} of other applications"] if facts.foreign else []
    shared = f"; shared with {', '.join(others)}" if others else ""
    yield Check("prefix", "ok", f"{facts.ours} {looked} are ours, under {prefix}{shared}")


def of_money(settings: Settings, found: list[dict[str, Any]]) -> Iterator[Check]:
    """Providers with their keys and prices, budgets, and who may spend. *found*: `service.survey`'s."""
    for one in found:
        if one["asked_for"] and not one["embedded"] and one["price_usd"] == "0":
            said = f"{one['name']} costs nothing as far as is known: no budget holds it, nothing counts as saved"
            yield Check("provider", "warn", said, f"set {one['price_setting']}")
        elif one["asked_for"]:
            price = "free of charge" if one["embedded"] else f"${one['price_usd']} per {one['unit']}, its key is set"
            yield Check("provider", "ok", f"{one['name']} for {', '.join(one['asked_for'])}: {price}")
        elif one["configured"] and not one["embedded"]:
            said = f"{one['name']} has a key and is not asked"
            yield Check("provider", "warn", said, "name it in HASHCACHE_PROVIDER")
    if not settings.paid:
        yield Check("budgets", "ok", "nothing can be spent: no paid provider is asked")
        return
    shown = [f"{one.scope} ${decimal(one.most)} a {one.period}" for one in settings.budgets]
    if shown:
        yield Check("budgets", "ok", ", ".join(shown))
    else:
        yield Check("budgets", "warn", "none: a mistake may spend without end", "set HASHCACHE_DAILY_BUDGET_USD=25")
    if settings.api_keys:
        yield Check("callers", "ok", f"{len(settings.api_keys)} keys; nobody spends without one")
    else:
        mend = "`hashcache keys new`, then set HASHCACHE_API_KEYS"
        state: Literal["warn", "ok"] = "warn" if settings.public else "ok"
        said = (
            "everybody who reaches the service spends your money"
            if settings.public
            else "no keys: it serves this machine alone"
        )
        yield Check("callers", state, said, mend if settings.public else "")
