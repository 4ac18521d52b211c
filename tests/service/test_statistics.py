"""The figures: what one answer adds, and the report that is made of the sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.freshness import Cause
from hashcache.core.key import Key, Question
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.ports import Minute, Process, StoreHealth
from hashcache.service import statistics
from hashcache.service.statistics import BUCKETS, count, counter_of, per_minute, series
from tests.harness.clock import START

KEY = Key.of("0" * 64, Question(Kind.IMAGE, "default", "shop", "model"))
ENTRY = Entry(KEY, Label("image", "default", "shop"), b"{}", 0, Instant(0), Instant(1000), MicroDollars(10_000))
HIT = Outcome(ENTRY, Status.HIT, Level.STORE, Instant(1))
MISS = Outcome(ENTRY, Status.MISS, Level.SOURCE, Instant(1), cause=Cause.NEW)
NOVEMBER = Instant(START)
CONNECTED = StoreHealth(
    "connected", "redis://example", used=50, most=200, keys={"image": 3}, evicted=1, found=8, missed=2
)


def report(totals: Mapping[str, int], health: StoreHealth) -> dict[str, Any]:
    """The report of November, when no process is known to live."""
    return statistics.report(totals, health, now=NOVEMBER, processes=[])


def test_each_answer_is_counted_in_its_classes() -> None:
    """Hits and misses add up to all requests; collapsed is within misses, stale within hits."""
    totals: Counter[str] = Counter()
    answers = [HIT, HIT, replace(HIT, status=Status.STALE), MISS, replace(MISS, collapsed=True)]
    for outcome in answers:
        totals += count(outcome, kind="image", milliseconds=3)
    cache = report(totals, CONNECTED)["cache"]
    assert (cache["hits"], cache["misses"], cache["stale"], cache["collapsed"], cache["stored"]) == (3, 2, 1, 1, 1)
    assert cache["total_requests"] == 5
    assert cache["hit_rate"] == 60.0
    assert cache["by_kind"]["image"] == {"hits": 3, "misses": 2}
    assert cache["misses_by_cause"]["new"] == 2
    assert cache["levels"] == {"near": 0, "store": 3, "source": 2}


def test_money_saved_is_the_price_of_each_hit_and_of_each_who_joined() -> None:
    """Three hits and one collapsed caller at one cent."""
    totals: Counter[str] = Counter({"spent.shop": 10_000, "calls.shop": 1})
    for outcome in [HIT, HIT, HIT, MISS, replace(MISS, collapsed=True)]:
        totals += count(outcome, kind="image", milliseconds=3)
    money = report(totals, CONNECTED)["money"]
    assert (money["spent_usd"], money["saved_usd"], money["calls"]) == ("0.01", "0.04", 1)
    assert money["by_provider"]["shop"]["saved_usd"] == "0.04"


def test_what_is_unknown_is_null_and_never_absent() -> None:
    """A store that tells nothing leaves nulls, in the same shape."""
    known, unknown = report({}, CONNECTED), report({}, StoreHealth("degraded", "redis://example", reason="timeout"))
    assert shape(known) == shape(unknown)
    assert unknown["cache"]["memory"] == {
        "used": None,
        "max": None,
        "percent": None,
        "keys": {"image": None, "video": None, "text": None},
        "evicted": None,
        "keyspace_hits": None,
        "keyspace_misses": None,
    }
    assert known["cache"]["memory"]["percent"] == 25.0
    assert (unknown["cache"]["enabled"], unknown["cache"]["available"]) == (True, False)
    assert report({}, StoreHealth("off", "off"))["cache"]["enabled"] is False


def shape(value: object) -> object:
    """The names in *value*, without its figures."""
    return {name: shape(inner) for name, inner in value.items()} if isinstance(value, dict) else None


@given(st.lists(st.floats(0, 170_000), min_size=1, max_size=200))
def test_percentiles_are_upper_bounds_of_the_true_ones(durations: list[float]) -> None:
    """At least the share lies at or below the bound, and less than the share below the bucket before it."""
    totals: Counter[str] = Counter()
    for milliseconds in durations:
        totals += count(HIT, kind="image", milliseconds=milliseconds)
    latency = report(totals, CONNECTED)["cache"]["latency_ms"]["hit"]
    for share in (50, 95, 99):
        bound = latency[f"p{share}"]
        below = BUCKETS[BUCKETS.index(bound) - 1] if bound != BUCKETS[0] else -1
        assert sum(one <= bound for one in durations) * 100 >= share * len(durations)
        assert sum(one <= below for one in durations) * 100 < share * len(durations)
    assert report(totals, CONNECTED)["cache"]["latency_ms"]["miss"] == {"p50": None, "p95": None, "p99": None}


def test_a_duplicate_is_counted_where_it_was_bought() -> None:
    """Once: those who joined that purchase bought nothing."""
    bought = replace(MISS, duplicate=True)
    totals = Counter(count(bought, kind="image", milliseconds=3))
    totals.update(count(replace(bought, collapsed=True), kind="image", milliseconds=3))
    assert report(totals, CONNECTED)["cache"]["duplicates"] == 1


def test_commands_are_told_in_all_per_request_and_of_this_month() -> None:
    """A month is the store's, in UTC; without a request there is no share; an embedded store has no commands."""
    end = Instant(1_796_083_199_999)  # 2026-11-30T23:59:59.999Z
    assert [counter_of("commands", at) for at in (end, Instant(end + 1))] == ["commands.2026-11", "commands.2026-12"]
    assert counter_of("refused", end) == "refused"
    totals = {"commands.2026-10": 70, "commands.2026-11": 30, "hits.image": 20, "misses.text": 10}
    assert report(totals, CONNECTED)["cache"]["commands"] == {"total": 100, "per_request": 3.33, "month": 30}
    december = statistics.report(totals, CONNECTED, now=Instant(end + 1), processes=[])
    assert december["cache"]["commands"]["month"] == 0
    assert report({"commands.2026-11": 3}, CONNECTED)["cache"]["commands"]["per_request"] is None
    assert set(report({"hits.image": 1}, CONNECTED)["cache"]["commands"].values()) == {None}


def test_the_series_tells_each_minute() -> None:
    """Of all that is counted a minute keeps the few that are drawn, summed over providers; money is in dollars."""
    counts = {
        **count(HIT, kind="image", milliseconds=3),
        **count(replace(MISS, collapsed=True), kind="text", milliseconds=3),
        "saved.shop": 20_000,
        "saved.hive": 5,
        "spent.shop": 10_000,
        "calls.shop": 1,
        "errors": 2,
        "refused": 1,
        "commands.2026-11": 9,
        "stale.image": 1,
    }
    few = per_minute(counts)
    assert few == {
        "hits.image": 1,
        "misses.text": 1,
        "cause.new": 1,
        "collapsed": 1,
        "saved": 20_005,
        "spent": 10_000,
        "calls": 1,
        "errors": 2,
        "stale": 1,
    }
    assert series([Minute(NOVEMBER, few)]) == {
        "success": True,
        "step_seconds": 60,
        "minutes": [
            {
                "at": "2026-11-20T10:00:00Z",
                "hits": 1,
                "misses": 1,
                "stale": 1,
                "collapsed": 1,
                "errors": 2,
                "by_kind": {
                    "image": {"hits": 1, "misses": 0},
                    "video": {"hits": 0, "misses": 0},
                    "text": {"hits": 0, "misses": 1},
                },
                "calls": 1,
                "spent_usd": "0.01",
                "saved_usd": "0.020005",
                "wasted_usd": "0",
            }
        ],
    }


def test_processes_are_told_and_null_when_nobody_knows() -> None:
    """With when they started and when they were last heard of; without their gauges, which are for machines."""
    one = Process("4f1d", "web-1", 7, "serve", "1.2.3", NOVEMBER, Instant(NOVEMBER + 61_500), {"flights": 1})
    told = statistics.report({}, CONNECTED, now=NOVEMBER, processes=[one])["processes"]
    assert told == [
        {
            "id": "4f1d",
            "host": "web-1",
            "pid": 7,
            "role": "serve",
            "version": "1.2.3",
            "started_at": "2026-11-20T10:00:00Z",
            "seen_at": "2026-11-20T10:01:01Z",
        }
    ]
    assert statistics.report({}, CONNECTED, now=NOVEMBER, processes=None)["processes"] is None
