"""
The figures of the fleet: which counters there are, and the answers made of them.

Rule 1: counters only grow, are integers, and are added up over all processes in the ledger.
Rule 2: what is not known is None, never a made-up zero.
Rule 3: percentiles come from counted buckets, so they can be added up over processes.
Rule 4: a name is `<what>` or `<what>.<of which>`; all `<of which>` together are the whole. Hits include the stale,
        misses the collapsed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from hashcache.core.content import Kind
from hashcache.core.entry import Instant
from hashcache.core.freshness import Cause
from hashcache.core.money import decimal
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.core.spend import Account, summed
from hashcache.ports import Minute, Process, StoreHealth, Traffic

#: Upper bounds of the buckets of a duration, in milliseconds; the last is open.
BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 180000)
#: What is told of each minute, in sums over all providers; hits and misses are told by kind, and causes.
_PER_MINUTE = frozenset({"stale", "collapsed", "errors", "calls", "spent", "saved", "wasted"})
_PER_MINUTE_EACH = frozenset({"hits", "misses", "cause"})
#: Counters of which each month is kept apart: hosts bill by the month.
_BY_MONTH = frozenset({"commands"})


@dataclass(frozen=True, slots=True)
class Figures:
    """What the fleet has counted, and the *processes* that live (None: not known)."""

    totals: Mapping[str, int]
    processes: Sequence[Process] | None


def count(outcome: Outcome, *, kind: str, milliseconds: float) -> dict[str, int]:
    """What one answered question adds."""
    cached = outcome.cached
    word = "hit" if cached else "miss"
    bucket = bisect_left(BUCKETS, milliseconds)
    hit_or_miss, level, latency, took, microseconds = _names(word, kind, f"{outcome.level}", bucket)
    counts = {hit_or_miss: 1, level: 1, latency: 1, took: 1, microseconds: round(milliseconds * 1000)}
    if outcome.status is Status.STALE:
        counts[f"stale.{kind}"] = 1
    if outcome.collapsed:
        counts[f"collapsed.{kind}"] = 1
    if outcome.duplicate and not outcome.collapsed:
        counts["duplicates"] = 1
    if outcome.status is Status.BYPASS:
        counts["bypass"] = 1
    if not cached and outcome.cause is not None:
        counts[f"cause.{outcome.cause.value}"] = 1
    saved = outcome.saved
    if saved:
        counts[f"saved.{outcome.entry.label.provider}"] = saved
    if not cached and not outcome.collapsed:
        counts["stored"] = int(outcome.stored)
    return counts


def booked(outcome: Outcome) -> dict[str, int]:
    """The lines that one answered question adds to the books: what it did not cost."""
    if not (outcome.collapsed or outcome.cached):
        return {}
    label, saved = outcome.entry.label, outcome.saved
    what, line = _lines("collapsed" if outcome.collapsed else "hits", label.provider, label.kind, label.tenant)
    return {what: 1, line: saved} if saved else {what: 1}


@lru_cache(1024)
def _names(word: str, kind: str, level: str, bucket: int) -> tuple[str, str, str, str, str]:
    """The counters that every answer adds to; they are few, and each is spelt once."""
    counter = f"{'hits' if word == 'hit' else 'misses'}.{kind}"
    return counter, f"level.{level}", f"latency.{word}.{bucket}", f"took.{level}.{bucket}", f"microseconds.{word}"


@lru_cache(4096)
def _lines(what: str, provider: str, kind: str, tenant: str) -> tuple[str, str]:
    """The lines of *what* and of what was saved, in one account."""
    account = Account(provider, kind, tenant)
    return account.line(what), account.line("saved")


def grown(traffic: Traffic, refused: int, commands: int) -> dict[str, int]:
    """The counters that a process's store and channel count themselves."""
    return {
        "refused": refused,
        "commands": commands,
        "notices.published": traffic.published,
        "notices.received": traffic.received,
        "notices.junk": traffic.junk,
    }


def with_money(totals: Mapping[str, int], lines: Mapping[str, int]) -> dict[str, int]:
    """*totals* with what the books' *lines* say of money in place of what processes have counted of it."""
    sums = summed(lines, lambda account: account.provider)
    counted = ("calls", "spent", "wasted", "saved")
    return {
        **totals,
        **{f"{what}.{name}": sums[name][what] for name in sums for what in counted if sums[name]["calls"]},
    }


def per_minute(counts: Mapping[str, int]) -> dict[str, int]:
    """The few of *counts* that the series of minutes tells."""
    few: Counter[str] = Counter()
    for name, number in counts.items():
        what = name.partition(".")[0]
        if what in _PER_MINUTE:
            few[what] += number
        elif what in _PER_MINUTE_EACH:
            few[name] += number
    return dict(few)


def counter_of(name: str, now: Instant) -> str:
    """The counter that *name* means at *now*: `commands` means `commands.2026-11` in that month (UTC)."""
    return f"{name}.{_at(now):%Y-%m}" if name in _BY_MONTH else name


def report(
    totals: Mapping[str, int], health: StoreHealth, *, now: Instant, processes: Sequence[Process] | None
) -> dict[str, Any]:
    """The answer of `GET /api/admin/cache/stats` *now* on the store's clock; *processes* None: not known."""
    hits, misses = _sum(totals, "hits."), _sum(totals, "misses.")
    return {
        "success": True,
        "cache": {
            "enabled": health.status != "off",
            "available": health.status in {"connected", "embedded"},
            "status": health.status,
            "hits": hits,
            "misses": misses,
            "stale": _sum(totals, "stale."),
            "collapsed": _sum(totals, "collapsed."),
            "stored": totals.get("stored", 0),
            "invalidations": totals.get("invalidations", 0),
            "errors": totals.get("errors", 0),
            "refused_entries": totals.get("refused", 0),
            "duplicates": totals.get("duplicates", 0),
            "total_requests": hits + misses,
            "hit_rate": round(100 * hits / (hits + misses), 2) if hits + misses else 0.0,
            "by_kind": {
                kind.value: {"hits": totals.get(f"hits.{kind}", 0), "misses": totals.get(f"misses.{kind}", 0)}
                for kind in Kind
            },
            "misses_by_cause": {cause.value: totals.get(f"cause.{cause}", 0) for cause in Cause},
            "levels": {level.value: totals.get(f"level.{level}", 0) for level in Level},
            "memory": _memory(health),
            "commands": _commands(totals, hits + misses, now),
            "latency_ms": {word: _percentiles(totals, word) for word in ("hit", "miss")},
        },
        "money": money(totals),
        "processes": None if processes is None else [_process(one) for one in processes],
    }


def latencies(totals: Mapping[str, int]) -> dict[str, Any]:
    """How long answers of each level took: how many in each bucket, and percentiles in milliseconds."""
    levels = {}
    for level in Level:
        counts = [totals.get(f"took.{level}.{index}", 0) for index in range(len(BUCKETS) + 1)]
        shares = {f"p{share}": _percentile(counts, share) for share in (50, 95, 99)}
        levels[level.value] = {"counts": counts, **shares}
    return {"bounds_ms": list(BUCKETS), "levels": levels}


def series(minutes: Iterable[Minute]) -> dict[str, Any]:
    """The answer of `GET /api/admin/cache/minutes`: what happened in each of *minutes*."""
    return {"success": True, "step_seconds": 60, "minutes": [_minute(one) for one in minutes]}


def money(totals: Mapping[str, int]) -> dict[str, Any]:
    """Spent, saved and wasted, in all and by provider, as decimal strings of US dollars."""
    providers = sorted({name.split(".", 1)[1] for name in totals if name.startswith(("calls.", "saved."))})
    return {
        "spent_usd": decimal(_sum(totals, "spent.")),
        "saved_usd": decimal(_sum(totals, "saved.")),
        "wasted_usd": decimal(_sum(totals, "wasted.")),
        "calls": _sum(totals, "calls."),
        "by_provider": {
            name: {
                "calls": totals.get(f"calls.{name}", 0),
                "spent_usd": decimal(totals.get(f"spent.{name}", 0)),
                "saved_usd": decimal(totals.get(f"saved.{name}", 0)),
                "wasted_usd": decimal(totals.get(f"wasted.{name}", 0)),
            }
            for name in providers
        },
    }


def _minute(minute: Minute) -> dict[str, Any]:
    counts = minute.counts
    return {
        "at": _written(minute.at),
        "hits": _sum(counts, "hits."),
        "misses": _sum(counts, "misses."),
        "stale": counts.get("stale", 0),
        "collapsed": counts.get("collapsed", 0),
        "errors": counts.get("errors", 0),
        "by_kind": {
            kind.value: {"hits": counts.get(f"hits.{kind}", 0), "misses": counts.get(f"misses.{kind}", 0)}
            for kind in Kind
        },
        "calls": counts.get("calls", 0),
        "spent_usd": decimal(counts.get("spent", 0)),
        "saved_usd": decimal(counts.get("saved", 0)),
        "wasted_usd": decimal(counts.get("wasted", 0)),
    }


def _process(process: Process) -> dict[str, Any]:
    return {
        "id": process.name,
        "host": process.host,
        "pid": process.pid,
        "role": process.role,
        "version": process.version,
        "started_at": _written(process.started),
        "seen_at": _written(process.seen),
    }


def _commands(totals: Mapping[str, int], requests: int, now: Instant) -> dict[str, int | float | None]:
    """Of a store that counts its commands; an embedded one has none."""
    if not any(name.startswith("commands.") for name in totals):
        return {"total": None, "per_request": None, "month": None}
    total = _sum(totals, "commands.")
    return {
        "total": total,
        "per_request": round(total / requests, 2) if requests else None,
        "month": totals.get(counter_of("commands", now), 0),
    }


def _at(instant: Instant) -> datetime:
    return datetime.fromtimestamp(instant / 1000, UTC)


def _written(instant: Instant) -> str:
    return _at(instant).isoformat(timespec="seconds").replace("+00:00", "Z")


def _memory(health: StoreHealth) -> dict[str, Any]:
    percent = round(100 * health.used / health.most, 2) if health.used is not None and health.most else None
    return {
        "used": health.used,
        "max": health.most,
        "percent": percent,
        "keys": {kind.value: health.keys.get(kind, 0) if health.keys is not None else None for kind in Kind},
        "evicted": health.evicted,
        "keyspace_hits": health.found,
        "keyspace_misses": health.missed,
    }


def _percentiles(totals: Mapping[str, int], word: str) -> dict[str, int | None]:
    """Upper bounds of the buckets in which the 50th, 95th and 99th of a hundred lie, in milliseconds."""
    counts = [totals.get(f"latency.{word}.{index}", 0) for index in range(len(BUCKETS) + 1)]
    return {f"p{share}": _percentile(counts, share) for share in (50, 95, 99)}


def _percentile(counts: list[int], share: int) -> int | None:
    total = sum(counts)
    if not total:
        return None
    seen = 0
    for index, number in enumerate(counts):
        seen += number
        if seen * 100 >= share * total:
            return BUCKETS[min(index, len(BUCKETS) - 1)]
    return BUCKETS[-1]


def _sum(totals: Mapping[str, int], prefix: str) -> int:
    return sum(number for name, number in totals.items() if name.startswith(prefix))
