"""The page that Prometheus reads, read back with its own parser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import prometheus_client
import pytest
from msgspec import structs
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from hashcache.api.exposition import expose
from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.freshness import Cause
from hashcache.core.key import Key, Question
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.ports import Process
from hashcache.service.statistics import count
from tests.harness.clock import START

KEY = Key.of("0" * 64, Question(Kind.IMAGE, "default", "shop", "model"))
ENTRY = Entry(KEY, Label("image", "default", "shop"), b"{}", 0, Instant(0), Instant(1000), MicroDollars(10_000))
HIT = Outcome(ENTRY, Status.HIT, Level.STORE, Instant(1))
MISS = Outcome(ENTRY, Status.MISS, Level.SOURCE, Instant(1), cause=Cause.NEW)
ME = Process("me", "web-1", 7, "serve", "1.2.3", Instant(START), Instant(START), {"flights": 2, "notice_lag_ms": 12})
OTHER = replace(ME, name="other", host='we"b\\2\n', gauges={"flights": 0, "near_bytes": 4096, "unheard": 1})

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def read(totals: Mapping[str, int] | None, *processes: Process) -> Samples:
    """The samples of a page, in the text format."""
    page, content_type = expose(totals, processes, accept="")
    assert content_type.startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(page.decode())
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """How `read` names a sample."""
    return name, frozenset(labels.items())


def test_each_request_is_in_exactly_one_outcome() -> None:
    """Stale are not hits here, collapsed not misses: the outcomes add up to all requests."""
    totals: Counter[str] = Counter()
    for outcome in [
        HIT,
        HIT,
        structs.replace(HIT, status=Status.STALE),
        MISS,
        MISS,
        MISS,
        structs.replace(MISS, collapsed=True),
    ]:
        totals += count(outcome, kind="image", milliseconds=3)
    totals += count(HIT, kind="text", milliseconds=3)
    samples = read(totals)
    expected = {("hit", "image"): 2, ("stale", "image"): 1, ("miss", "image"): 3, ("collapsed", "image"): 1}
    expected |= {("hit", "text"): 1, ("stale", "text"): 0}
    found = {key: value for key, value in samples.items() if key[0] == "hashcache_requests_total"}
    assert found == {
        sample("hashcache_requests_total", outcome=outcome, kind=kind): number
        for (outcome, kind), number in expected.items()
    }


def test_durations_are_a_histogram() -> None:
    """Buckets add up from the smallest, in seconds; the sum is exact to the microsecond, the count is the requests."""
    totals: Counter[str] = Counter()
    for milliseconds in (0.5, 1.0, 1.25, 40.0, 999_999.0):
        totals += count(HIT, kind="image", milliseconds=milliseconds)
    samples = read(totals)
    name = "hashcache_request_seconds"
    bounds = {"0.001": 2, "0.002": 3, "0.02": 3, "0.05": 4, "180.0": 4, "+Inf": 5}
    assert {le: samples[sample(f"{name}_bucket", outcome="hit", le=le)] for le in bounds} == bounds
    assert samples[sample(f"{name}_count", outcome="hit")] == 5
    assert samples[sample(f"{name}_sum", outcome="hit")] == pytest.approx(1000.04175, abs=1e-9)
    assert samples[sample(f"{name}_count", outcome="miss")] == 0


def test_money_and_counters_are_the_ledgers() -> None:
    """By provider, level, cause and direction; the commands of all months are one counter."""
    samples = read(
        {
            "spent.shop": 10_000,
            "saved.shop": 30_000,
            "wasted.hive": 1,
            "calls.shop": 2,
            "failed.shop": 1,
            "errors": 5,
            "level.near": 7,
            "cause.expired": 8,
            "duplicates": 9,
            "notices.published": 10,
            "commands.2026-10": 11,
            "commands.2026-11": 12,
            "unheard": 1,
            "unheard.of": 1,
            "refused": 13,
        }
    )
    shop = {"provider": "shop"}
    expected = {
        sample("hashcache_spent_microdollars_total", **shop): 10_000,
        sample("hashcache_saved_microdollars_total", **shop): 30_000,
        sample("hashcache_wasted_microdollars_total", provider="hive"): 1,
        sample("hashcache_provider_calls_total", **shop): 2,
        sample("hashcache_provider_failures_total", **shop): 1,
        sample("hashcache_errors_total"): 5,
        sample("hashcache_answers_total", level="near"): 7,
        sample("hashcache_misses_total", cause="expired"): 8,
        sample("hashcache_duplicates_total"): 9,
        sample("hashcache_notices_total", direction="published"): 10,
        sample("hashcache_store_commands_total"): 23,
        sample("hashcache_refused_entries_total"): 13,
    }
    assert {key: samples.get(key) for key in expected} == expected
    assert not [name for name, _ in samples if "unheard" in name]


def test_gauges_are_told_of_each_process() -> None:
    """Of every one that lives, under its own name; what it does not tell is left out; nothing breaks the page."""
    samples = read({}, ME, OTHER)
    assert {key: value for key, value in samples.items() if key[0] == "hashcache_flights"} == {
        sample("hashcache_flights", process="me"): 2,
        sample("hashcache_flights", process="other"): 0,
    }
    assert samples[sample("hashcache_notice_lag_seconds", process="me")] == 0.012
    assert samples[sample("hashcache_near_bytes", process="other")] == 4096
    assert sample("hashcache_near_bytes", process="me") not in samples
    started = "hashcache_process_start_time_seconds"
    assert samples[sample(started, process="me", host="web-1", role="serve", version="1.2.3")] == START / 1000
    assert samples[sample(started, process="other", host=OTHER.host, role="serve", version="1.2.3")] == START / 1000


def test_counters_are_left_out_while_the_ledger_is_away() -> None:
    """A zero would look like a restart of everything. The store is said to be down, and this process's gauges stay."""
    samples = read(None, ME)
    assert samples[sample("hashcache_store_up")] == 0
    assert samples[sample("hashcache_flights", process="me")] == 2
    assert not [name for name, _ in samples if name.endswith(("_total", "_bucket", "_count", "_sum"))]
    assert read({})[sample("hashcache_store_up")] == 1


def test_openmetrics_where_it_is_asked_for() -> None:
    """As Prometheus does; its strict parser finds no fault."""
    totals = count(HIT, kind="image", milliseconds=3) | {"spent.shop": 1}
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    page, content_type = expose(totals, [ME, OTHER], accept=accept)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in parse_openmetrics(page.decode())}
    assert {"hashcache_requests", "hashcache_request_seconds", "hashcache_spent_microdollars"} <= names


def test_nothing_of_it_is_global() -> None:
    """The library's own registry gets nothing, and nothing of its own comes out."""
    before = prometheus_client.generate_latest()
    page, _ = expose({"errors": 1}, [ME], accept="")
    assert b"hashcache" not in before + prometheus_client.generate_latest()
    assert b"python_info" not in page
