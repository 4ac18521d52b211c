"""The report on money: sums of lines, budgets, a projection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.budget import Budget, Period
from hashcache.core.entry import Instant
from hashcache.core.money import FREE, MicroDollars, dollars
from hashcache.core.spend import Account
from hashcache.ports import Breaker, Day
from hashcache.service.spend import Books, StorePrice, report

NOON = Instant(int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() * 1000))
IMAGES = Account("hive", "image", "acme")
TEXTS = Account("gptzero", "text", "default")
NOTHING = StorePrice(FREE, FREE)


def books(*days: tuple[date, Mapping[str, int]], **more: Any) -> Books:
    """Books of *days*, with nothing else in them but *more*."""
    plain: dict[str, Any] = {
        "now": NOON,
        "since": date(2026, 11, 1),
        "days": [Day(day, lines) for day, lines in days],
        "totals": {},
        "budgets": (),
        "used": (),
        "attempts": (),
        "breakers": (),
        "commands": None,
    }
    return Books(**plain | more)


def test_the_seeds_projection() -> None:
    """1,000 analyses a month at 70 % hits and $0.01: $10 without the cache, $3 with it, 70 % less."""
    days = [
        (date(2026, 10, 22), IMAGES.lines({"calls": 150, "stored": 150, "spent": 1_500_000})),
        (date(2026, 11, 21), IMAGES.lines({"calls": 150, "stored": 150, "spent": 1_500_000})),
        (date(2026, 11, 20), IMAGES.lines({"hits": 600, "collapsed": 100, "saved": 7_000_000})),
    ]
    noon = Instant(int(datetime(2026, 11, 21, tzinfo=UTC).timestamp() * 1000))
    said = report(books(*days, now=noon), NOTHING)["projection"]
    assert said["sentence"] == (
        "At this rate: 1,000 analyses a month, $10.00 without the cache, $3.00 with it, 70 % less."
    )
    assert (said["analyses"], said["less_percent"], said["net_usd"], said["pays"]) == (1000, 70.0, "7.00", True)


def test_a_cache_that_does_not_pay_says_so() -> None:
    """The store's price, and its commands, are taken off what was saved."""
    day = (date(2026, 11, 21), IMAGES.lines({"calls": 10, "stored": 10, "spent": 100_000, "hits": 1, "saved": 10_000}))
    said = report(books(day, commands=41_000), StorePrice(dollars("10"), dollars("0.2")))["projection"]
    # 60 times half a day; 41,000 commands in 20.5 days are 60,000 a month, $0.12.
    assert said["store_usd"] == "10.12"
    assert said["net_usd"] == "-9.52"
    assert not said["pays"]
    assert "does not pay: it costs $9.52 a month more" in said["sentence"]


def test_nothing_to_project() -> None:
    """No line, or less than an hour of them: no projection; nothing paid: a plain word."""
    assert report(books(), NOTHING)["projection"] is None
    early = Instant(int(datetime(2026, 11, 21, 0, 59, tzinfo=UTC).timestamp() * 1000))
    day = (date(2026, 11, 21), TEXTS.lines({"calls": 1, "stored": 1}))
    assert report(books(day, now=early), NOTHING)["projection"] is None
    assert "nothing to save" in report(books(day), NOTHING)["projection"]["sentence"]


def test_budgets_and_breakers() -> None:
    """What is left, never less than nothing, and until when."""
    budgets = (
        Budget(dollars("1"), Period.DAY),
        Budget(dollars("2"), Period.MONTH, provider="hive"),
        Budget(dollars("3"), Period.MONTH, tenant="acme"),
    )
    used = (MicroDollars(400_000), MicroDollars(2_100_000), FREE)
    breakers = (Breaker("hive", 5, Instant(NOON + 1), "failed"), Breaker("gptzero", 2), Breaker("x", 9, NOON, "denied"))
    said = report(books(budgets=budgets, used=used, breakers=breakers), NOTHING)
    assert [(one["scope"], one["left_usd"], one["resets"]) for one in said["budgets"]] == [
        ("all", "0.6", "2026-11-22T00:00:00Z"),
        ("provider=hive", "0", "2026-12-01T00:00:00Z"),
        ("tenant=acme", "3", "2026-12-01T00:00:00Z"),
    ]
    assert [one["state"] for one in said["breakers"]] == ["open", "closed", "half-open"]


_figures = st.dictionaries(
    st.sampled_from(["spent", "saved", "wasted", "hits", "calls", "stored", "failed", "units.words"]),
    st.integers(0, 10**9),
)
_accounts = st.builds(
    Account, st.sampled_from(["hive", "gptzero"]), st.sampled_from(["image", "text"]), st.sampled_from(["a", "b"])
)
_days = st.dictionaries(st.dates(date(2026, 1, 1), date(2026, 11, 21)), st.dictionaries(_accounts, _figures))


@given(_days)
def test_the_parts_add_up_to_the_whole(days: dict[date, dict[Account, dict[str, int]]]) -> None:
    """By provider, by kind, by tenant and by day: each sum of any figure is the same."""
    lines = [
        (day, {line: count for one, figures in found.items() for line, count in one.lines(figures).items()})
        for day, found in sorted(days.items())
    ]
    said = report(books(*lines), NOTHING)
    for parts in (
        said["by_provider"].values(),
        said["by_kind"].values(),
        said["by_tenant"].values(),
        said["by_day"],
    ):
        for name in ("spent_usd", "saved_usd", "wasted_usd"):
            assert sum(dollars(part[name]) for part in parts) == dollars(said[name]) if parts else said[name] == "0"
        assert sum(part["calls"]["sent"] for part in parts) == said["calls"]["sent"]
        assert sum(part["units"].get("words", 0) for part in parts) == said["units"].get("words", 0)


@pytest.mark.parametrize(
    ("at", "day", "month", "ends"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "2026-12-31", "2026-12", datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), "2028-02-29", "2028-02", datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_windows_are_calendar_days_and_months_in_utc(at: datetime, day: str, month: str, ends: datetime) -> None:
    """Leap days and the end of a year included."""
    now = Instant(int(at.timestamp() * 1000))
    assert Period.DAY.window(now)[0] == day
    assert Period.MONTH.window(now) == (month, int(ends.timestamp() * 1000))
