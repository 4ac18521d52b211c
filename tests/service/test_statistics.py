"""The figures: what one answer adds, and the report that is made of the sums."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.freshness import Cause
from hashcache.core.key import Key, Question
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.ports import StoreHealth
from hashcache.service.statistics import BUCKETS, count, report

KEY = Key.of("0" * 64, Question(Kind.IMAGE, "default", "shop", "model"))
ENTRY = Entry(KEY, Label("image", "default", "shop"), b"{}", 0, Instant(0), Instant(1000), MicroDollars(10_000))
HIT = Outcome(ENTRY, Status.HIT, Level.STORE, Instant(1))
MISS = Outcome(ENTRY, Status.MISS, Level.SOURCE, Instant(1), cause=Cause.NEW)
CONNECTED = StoreHealth(
    "connected", "redis://example", used=50, most=200, keys={"image": 3}, evicted=1, found=8, missed=2
)


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
