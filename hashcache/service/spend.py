"""
Where the money went: the answer of `GET /api/admin/spend`, made of the books.

Rule 1: every figure is a sum of lines of the books, so all parts add up to the whole.
Rule 2: what would have been paid without the cache is what was spent and what was saved; what was wasted would not
        have been. So the cache is charged with it.
Rule 3: a projection is the time that was seen, scaled to thirty days; none is made of less than an hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from hashcache.core.budget import Budget, Charge
from hashcache.core.entry import Instant
from hashcache.core.money import MicroDollars, decimal
from hashcache.core.spend import DAY, Fate, added, day_of, summed
from hashcache.ports import Attempt, Breaker, Day
from hashcache.service.times import rfc3339

_MONTH_DAYS = 30
_HOUR = 3_600_000
_PER = 100_000


@dataclass(frozen=True, slots=True)
class StorePrice:
    """What the store costs in US dollars: a *month*, and per 100,000 *commands*."""

    month: MicroDollars
    commands: MicroDollars


@dataclass(frozen=True, slots=True)
class Books:
    """
    What a report is made of, as of *now*: *days* in order, *totals* of all time, the *budgets* with what is *used* of
    each charge, open *attempts*, *breakers*, and how many *commands* this month has seen (None: not counted).
    """

    now: Instant
    since: date
    days: Sequence[Day]
    totals: Mapping[str, int]
    budgets: Sequence[Budget]
    used: Sequence[MicroDollars]
    attempts: Sequence[Attempt]
    breakers: Sequence[Breaker]
    commands: int | None


def report(books: Books, price: StorePrice) -> dict[str, Any]:
    """The answer, with amounts as decimal strings of US dollars."""
    lines = added(day.lines for day in books.days)
    whole = summed(lines, lambda _: "all").get("all", Counter())
    return {
        "success": True,
        "since": books.since.isoformat(),
        "until": day_of(books.now).isoformat(),
        **_figures(whole),
        "by_provider": _parts(lines, "provider"),
        "by_kind": _parts(lines, "kind"),
        "by_tenant": _parts(lines, "tenant"),
        "by_day": [
            {"day": day.day.isoformat(), **_figures(summed(day.lines, lambda _: "all").get("all", Counter()))}
            for day in books.days
        ],
        "all_time": _figures(summed(books.totals, lambda _: "all").get("all", Counter())),
        "budgets": [
            _budget(budget, budget.charge(books.now), used)
            for budget, used in zip(books.budgets, books.used, strict=True)
        ],
        "open_attempts": [_attempt(attempt) for attempt in books.attempts],
        "breakers": [breaker_report(breaker, books.now) for breaker in books.breakers],
        "projection": _projection(books, whole, price),
    }


def _figures(sums: Mapping[str, int]) -> dict[str, Any]:
    spent, saved, wasted = (sums.get(name, 0) for name in ("spent", "saved", "wasted"))
    units = {name.removeprefix("units."): count for name, count in sorted(sums.items()) if name.startswith("units.")}
    return {
        "spent_usd": decimal(spent),
        "saved_usd": decimal(saved),
        "wasted_usd": decimal(wasted),
        "hits": sums.get("hits", 0),
        "collapsed": sums.get("collapsed", 0),
        "calls": {
            "sent": sums.get("calls", 0),
            **{fate.value: sums.get(fate.value, 0) for fate in Fate},
            "refresh": sums.get("refresh", 0),
            "duplicate": sums.get("duplicate", 0),
        },
        "units": units,
    }


def _parts(lines: Mapping[str, int], name: str) -> dict[str, Any]:
    sums = summed(lines, lambda account: str(getattr(account, name)))
    return {one: _figures(counts) for one, counts in sorted(sums.items())}


def _budget(budget: Budget, charge: Charge, used: MicroDollars) -> dict[str, Any]:
    return {
        "scope": budget.scope,
        "period": budget.period.value,
        "limit_usd": decimal(budget.most),
        "used_usd": decimal(used),
        "left_usd": decimal(max(0, budget.most - used)),
        "resets": rfc3339(charge.ends),
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "provider": attempt.account.provider,
        "kind": attempt.account.kind,
        "tenant": attempt.account.tenant,
        "key": attempt.key.logical,
        "estimate_usd": decimal(attempt.estimate),
        "started": rfc3339(attempt.started),
        "until": rfc3339(attempt.until),
        "process": attempt.process,
        "tries": attempt.tries,
        "has_receipt": bool(attempt.receipt),
    }


def breaker_report(breaker: Breaker, now: Instant) -> dict[str, Any]:
    """The state of *breaker* at *now*, for people."""
    opened = breaker.until is not None
    return {
        "provider": breaker.provider,
        "state": "closed"
        if not opened
        else "open"
        if breaker.until is not None and breaker.until > now
        else "half-open",
        "failures": breaker.failures,
        "reason": breaker.reason or None,
        "until": rfc3339(breaker.until) if breaker.until is not None else None,
    }


def _projection(books: Books, whole: Mapping[str, int], price: StorePrice) -> dict[str, Any] | None:
    """A month at the rate of the time that was seen; None when that is too short to say."""
    first = next((day.day for day in books.days if day.lines), None)
    if first is None:
        return None
    began = int(datetime.combine(first, time(), UTC).timestamp() * 1000)
    seen = books.now - began
    if seen < _HOUR:
        return None
    factor = _MONTH_DAYS * DAY / seen
    answers = sum(whole.get(fate.value, 0) for fate in (Fate.STORED, Fate.UNKEPT, Fate.FENCED))
    analyses = round((answers + whole.get("hits", 0) + whole.get("collapsed", 0)) * factor)
    without = round((whole.get("spent", 0) + whole.get("saved", 0)) * factor)
    with_cache = round((whole.get("spent", 0) + whole.get("wasted", 0)) * factor)
    store = _store_cost(books, price)
    net = without - with_cache - store
    return {
        "days_seen": round(seen / DAY, 2),
        "analyses": analyses,
        "without_cache_usd": _cents(without),
        "with_cache_usd": _cents(with_cache),
        "less_percent": round(100 * (without - with_cache) / without, 1) if without else None,
        "store_usd": _cents(store),
        "net_usd": _cents(net),
        "pays": net > 0,
        "sentence": _sentence(analyses, without, with_cache, store, net),
    }


def _store_cost(books: Books, price: StorePrice) -> int:
    """What the store costs a month, with this month's commands scaled to thirty days."""
    if not books.commands or not price.commands:
        return price.month
    at = datetime.fromtimestamp(books.now / 1000, UTC)
    seen = max(_HOUR, books.now - int(at.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000))
    return price.month + round(books.commands * (_MONTH_DAYS * DAY / seen) * price.commands / _PER)


def _sentence(analyses: int, without: int, with_cache: int, store: int, net: int) -> str:
    costs = f"${_cents(without)} without the cache, ${_cents(with_cache)} with it"
    rate = f"At this rate: {analyses:,} analyses a month, {costs}"
    if not without:
        return f"{rate}. Nothing is paid for analyses, so there is nothing to save."
    less = 100 * (without - with_cache) / without
    rate += f", {less:.0f} % less."
    if net > 0:
        return f"{rate} After ${_cents(store)} for the store it saves ${_cents(net)} a month." if store else rate
    return f"{rate} After ${_cents(store)} for the store the cache does not pay: it costs ${_cents(-net)} a month more."


def _cents(amount: int) -> str:
    """*amount* in dollars to the cent: a projection is no more exact than that."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{(abs(amount) + 5_000) // 10_000 / 100:.2f}"
