"""Alerts: which figures raise which, and what they say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from hashcache.core.budget import Budget, Period
from hashcache.core.entry import Instant
from hashcache.ports import Breaker, StoreHealth
from hashcache.service.alerts import TELLING, Alert, Signs, judge
from hashcache.settings import Thresholds
from tests.harness.clock import START

WELL = Signs(StoreHealth("connected", "redis://host", used=10, most=100))
DEFAULT = Thresholds()


def only(signs: Signs, thresholds: Thresholds = DEFAULT) -> Alert | None:
    """The one alert that *signs* raise, if they raise any."""
    found = judge(signs, thresholds)
    assert len(found) <= 1
    return found[0] if found else None


def test_all_is_well() -> None:
    """Nothing is said where nothing is known, and where all is well."""
    assert judge(Signs(StoreHealth("off", "off")), DEFAULT) == []
    assert judge(replace(WELL, hits=99, misses=1, evicted=1000, causes={"new": 1}), DEFAULT) == []


@pytest.mark.parametrize(
    ("hits", "level", "threshold"),
    [(70, None, None), (69, "notice", 70), (50, "notice", 70), (49, "warning", 50), (19, "critical", 20)],
)
def test_a_hit_rate_under_a_threshold(hits: int, level: str | None, threshold: float | None) -> None:
    """Under 70, 50 and 20 %: the worst that was passed is told, and exactly on it nothing is."""
    alert = only(replace(WELL, hits=hits, misses=100 - hits, causes={"new": 3, "expired": 1}))
    assert (alert and alert.level, alert and alert.threshold) == (level, threshold)


@pytest.mark.parametrize(
    ("cause", "word"),
    [("new", "never seen"), ("expired", "TTL"), ("cleared", "cleared"), ("evicted", "memory"), ("refresh", "Refresh")],
)
def test_the_dominating_cause_decides_the_advice(cause: str, word: str) -> None:
    """What can be done about misses depends on why most of them happened."""
    alert = only(replace(WELL, misses=100, causes={"new": 9, "expired": 9, "cleared": 9, "evicted": 9, cause: 10}))
    assert alert is not None
    assert word in alert.advice


def test_few_requests_tell_no_rate() -> None:
    """A service that has just started does not raise an alarm about its first requests."""
    assert only(replace(WELL, misses=TELLING - 1)) is None
    assert only(replace(WELL, misses=TELLING)) is not None


@pytest.mark.parametrize(("used", "level"), [(80, None), (81, "warning"), (90, "warning"), (91, "critical")])
def test_memory(used: int, level: str | None) -> None:
    """Over 80 %, over 90 %."""
    alert = only(replace(WELL, health=replace(WELL.health, used=used)))
    assert (alert and alert.level) == level


def test_evictions() -> None:
    """More than a thousand in an hour."""
    assert only(replace(WELL, evicted=1000)) is None
    alert = only(replace(WELL, evicted=1001))
    assert alert is not None
    assert (alert.name, alert.value, alert.threshold) == ("evictions", 1001, 1000)


@pytest.mark.parametrize(
    ("p95", "tls", "said", "slow"),
    [
        (10, False, None, False),
        (10.1, False, None, True),
        (50, True, None, False),
        (50.1, True, None, True),
        (25, True, 20, True),
        (25, False, 30, False),
    ],
)
def test_a_slow_store(p95: float, *, tls: bool, said: int | None, slow: bool) -> None:
    """10 ms on a private network, 50 over TLS, or what the operator says."""
    thresholds = replace(DEFAULT, store_p95=timedelta(milliseconds=said) if said else None)
    alert = only(replace(WELL, tls=tls, health=replace(WELL.health, p95=p95)), thresholds)
    assert (alert is not None) == slow


def test_connections() -> None:
    """Over 80 % of what the server allows."""
    health = replace(WELL.health, connections=80, most_connections=100)
    assert only(replace(WELL, health=health)) is None
    alert = only(replace(WELL, health=replace(health, connections=81)))
    assert alert is not None
    assert alert.name == "connections"


def test_breakers() -> None:
    """One that is open, and worse: one whose vendor refuses our account. One that only failed a little is none."""
    until = Instant(START)
    assert only(replace(WELL, breakers=[Breaker("hive", 3)])) is None
    failed = only(replace(WELL, breakers=[Breaker("hive", 5, until, "failed")]))
    denied = only(replace(WELL, breakers=[Breaker("hive", 1, until, "denied")]))
    assert failed is not None
    assert denied is not None
    assert (failed.name, failed.level) == ("breaker.hive", "warning")
    assert (denied.name, denied.level) == ("breaker.hive", "critical")


@pytest.mark.parametrize(("used", "level"), [(79, None), (80, "warning"), (99, "warning"), (100, "critical")])
def test_budgets(used: int, level: str | None) -> None:
    """From 80 % on it is near its end; then it is spent."""
    alert = only(replace(WELL, budgets=[Budget(100, Period.DAY)], used=[used]))
    assert (alert and alert.level) == level
    assert alert is None or alert.name == "budget.all.day"


def test_the_worst_comes_first() -> None:
    """A store that is away before a plan that runs out, before a hit rate that is a little low."""
    away = replace(WELL, health=StoreHealth("degraded", "redis://host", reason="timeout"), hits=60, misses=40)
    found = judge(replace(away, runs_out=date(2026, 11, 25)), DEFAULT)
    assert [alert.name for alert in found] == ["store", "commands", "hit_rate"]
    assert "2026-11-25" in found[1].detail


def test_one_threshold_of_ones_own_is_a_warning() -> None:
    """Who sets a single threshold is warned when it is passed; with none of a hundred percent, never."""
    alert = only(replace(WELL, misses=100), replace(DEFAULT, hit_rate=(40,)))
    assert alert is not None
    assert alert.level == "warning"
    assert only(replace(WELL, misses=100), replace(DEFAULT, hit_rate=(0,))) is None
