"""
What an operator should know without looking for it, in plain words, and what he can do about it.

Rule 1: pure: what is seen comes in, alerts go out; who asks when, and the log, are `watch`'s.
Rule 2: each threshold is a setting. What is not known raises nothing, and neither does a rate of a few requests.
Rule 3: one alert for one cause: of several thresholds passed, the worst.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from hashcache.core.budget import Budget
from hashcache.core.money import MicroDollars
from hashcache.ports import Breaker, StoreHealth
from hashcache.settings import Thresholds

#: Of fewer requests in an hour a hit rate says nothing.
TELLING = 20
#: What a command may take, in milliseconds, on a private network and over TLS.
_SLOW, _SLOW_OVER_TLS = 10.0, 50.0
_WORST_LAST = ("notice", "warning", "critical")
_EVERY = {"day": "daily", "month": "monthly"}
#: What the cause of most misses means, and what can be done.
_CAUSES = {
    "new": "Most misses are contents that were never seen before: the traffic holds few repeats, or the same contents "
    "arrive with different bytes (resized, re-encoded, with new metadata). Send the original bytes.",
    "expired": "Most misses had been known and expired: a longer HASHCACHE_MEDIA_TTL or HASHCACHE_TEXT_TTL would keep "
    "them, as long as the answers stay right.",
    "cleared": "Most misses had been cleared by somebody: see who clears, and whether a narrower pattern would do.",
    "evicted": "Most misses had been evicted for room: give the store more memory, or let answers live shorter.",
    "refresh": "Most misses were asked for: clients send X-Force-Refresh or Cache-Control: no-cache.",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """
    *name* stays the same as long as it lasts, such as `memory` or `breaker.hive`; *level*: `notice`, `warning` or
    `critical`. *title* says what, *detail* how much, *advice* what to do. *value* passed *threshold*, where it is
    about a number.
    """

    name: str
    level: str
    title: str
    detail: str
    advice: str
    value: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Signs:
    """
    What is looked at. *hits*, *misses* and misses by their *causes* are those of the last hour, and so is *evicted*
    (None: not known). *used* is what was drawn on each of *budgets*. *runs_out*: the day of this month on which its
    commands are used up at this rate. *tls*: the store is reached over TLS.
    """

    health: StoreHealth
    hits: int = 0
    misses: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    evicted: int | None = None
    breakers: Sequence[Breaker] = ()
    budgets: Sequence[Budget] = ()
    used: Sequence[MicroDollars] = ()
    runs_out: date | None = None
    tls: bool = False


def judge(signs: Signs, thresholds: Thresholds) -> list[Alert]:
    """The alerts, the worst first."""
    found = [
        *_store_away(signs),
        *_hit_rate(signs, thresholds),
        *_memory(signs, thresholds),
        *_evictions(signs, thresholds),
        *_slow(signs, thresholds),
        *_connections(signs, thresholds),
        *_breakers(signs),
        *_budgets(signs, thresholds),
        *_plan(signs),
    ]
    return sorted(found, key=lambda alert: -_WORST_LAST.index(alert.level))


def _store_away(signs: Signs) -> Iterator[Alert]:
    if signs.health.status == "degraded":
        yield Alert(
            "store",
            "critical",
            "The store does not answer",
            f"{signs.health.where}: {signs.health.reason or 'no answer'}. Uploads are still analysed, and bought anew "
            "where this process's own memory does not know them.",
            "See whether the server runs, and whether address, password and certificate are right: `hashcache serve` "
            "says at its start what it finds. The cache comes back by itself.",
        )


def _hit_rate(signs: Signs, thresholds: Thresholds) -> Iterator[Alert]:
    total = signs.hits + signs.misses
    if total < TELLING:
        return
    rate = 100 * signs.hits / total
    passed = [one for one in thresholds.hit_rate if rate < one]
    if not passed:
        return
    cause = max(signs.causes, key=lambda name: signs.causes[name], default=None)
    yield Alert(
        "hit_rate",
        _level(len(thresholds.hit_rate), len(passed)),
        f"The hit rate is under {passed[-1]:g} %",
        f"{rate:.0f} % of {total:,} requests in the last hour were answered from the cache.",
        _CAUSES.get(cause or "", "A new service starts low: each content has to be seen once."),
        round(rate, 2),
        passed[-1],
    )


def _memory(signs: Signs, thresholds: Thresholds) -> Iterator[Alert]:
    used, most = signs.health.used, signs.health.most
    if used is None or not most:
        return
    percent = 100 * used / most
    passed = [one for one in thresholds.memory if percent > one]
    if passed:
        yield Alert(
            "memory",
            _level(len(thresholds.memory), len(passed)),
            f"The store's memory is over {passed[-1]:g} %",
            f"{percent:.0f} % is used: {used / 1e6:,.1f} of {most / 1e6:,.1f} MB. When it is full, the store evicts "
            "answers that were paid for, or refuses new ones.",
            "Take a larger plan, or let answers live shorter (HASHCACHE_MEDIA_TTL, HASHCACHE_TEXT_TTL).",
            round(percent, 2),
            passed[-1],
        )


def _evictions(signs: Signs, thresholds: Thresholds) -> Iterator[Alert]:
    if signs.evicted is not None and signs.evicted > thresholds.evictions:
        yield Alert(
            "evictions",
            "warning",
            f"More than {thresholds.evictions:,} answers were evicted in an hour",
            f"{signs.evicted:,} answers that were paid for went to make room for others.",
            "Give the store more memory; if others share it, give hashcache a store of its own.",
            signs.evicted,
            thresholds.evictions,
        )


def _slow(signs: Signs, thresholds: Thresholds) -> Iterator[Alert]:
    p95, said = signs.health.p95, thresholds.store_p95
    most = said.total_seconds() * 1000 if said is not None else _SLOW_OVER_TLS if signs.tls else _SLOW
    if p95 is not None and p95 > most:
        yield Alert(
            "store_p95",
            "warning",
            f"The store is slower than {most:g} ms",
            f"Of 100 commands of this process 5 take longer than {p95:g} ms, the network included.",
            "Put service and store into one region, and see whether the store is busy with something else.",
            p95,
            most,
        )


def _connections(signs: Signs, thresholds: Thresholds) -> Iterator[Alert]:
    now, most = signs.health.connections, signs.health.most_connections
    if now is None or not most:
        return
    percent = 100 * now / most
    if percent > thresholds.connections:
        yield Alert(
            "connections",
            "warning",
            f"Over {thresholds.connections:g} % of the store's connections are in use",
            f"{now:,} of {most:,}, from everybody who uses it.",
            "Lower HASHCACHE_REDIS_CONNECTIONS (each process opens that many), or take a plan that allows more.",
            round(percent, 2),
            thresholds.connections,
        )


def _breakers(signs: Signs) -> Iterator[Alert]:
    for one in signs.breakers:
        if one.until is None:
            continue
        denied = one.reason == "denied"
        yield Alert(
            f"breaker.{one.provider}",
            "critical" if denied else "warning",
            f"{one.provider} refuses our account" if denied else f"{one.provider} is not asked: it failed repeatedly",
            f"{one.failures} calls in a row failed. What is known is still answered; one call at a time looks whether "
            "it is back.",
            "See that its key is right and that the account is paid for."
            if denied
            else "See the vendor's status page. A second provider in HASHCACHE_PROVIDER would take over meanwhile.",
        )


def _budgets(signs: Signs, thresholds: Thresholds) -> Iterator[Alert]:
    for budget, used in zip(signs.budgets, signs.used, strict=True):
        percent = 100 * used / budget.most if budget.most else 100.0
        if percent < thresholds.budget:
            continue
        spent = percent >= 100
        of = "" if budget.scope == "all" else f" of {budget.scope}"
        yield Alert(
            f"budget.{budget.scope}.{budget.period.value}",
            "critical" if spent else "warning",
            f"The {_EVERY[budget.period.value]} budget{of} is {'spent' if spent else 'near its end'}",
            f"${used / 1e6:,.2f} of ${budget.most / 1e6:,.2f} ({percent:.0f} %) are spent or reserved.",
            "What is known is answered all the same; what is not, is refused from then on until the next "
            f"{budget.period.value} begins, or the budget is raised.",
            round(percent, 2),
            thresholds.budget,
        )


def _plan(signs: Signs) -> Iterator[Alert]:
    if signs.runs_out is not None:
        yield Alert(
            "commands",
            "warning",
            "The store's plan runs out before the month ends",
            f"At this rate its commands are used up on {signs.runs_out.isoformat()}.",
            "Take a larger plan in time. More near memory (HASHCACHE_NEAR_BYTES) saves commands.",
        )


def _level(of: int, passed: int) -> str:
    """The level of having passed the first *passed* of so many thresholds; the last of several is critical."""
    return "warning" if of == 1 else _WORST_LAST[len(_WORST_LAST) - of + passed - 1]
