"""
Everything that the dashboard shows, in one answer that costs the store little, however many look.

Rule 1: it is made at most once in so many seconds in one process (Pace); whoever asks in between gets the same one.
Rule 2: what changes slowly or costs more commands (the series, the money) is read less often. So is the barrier, which
        tells what is being cleared, unless this process has heard of a newer one or keys are still being removed.
Rule 3: while the store is away the rest is shown, and what is not known is null.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from hashcache.core.barrier import Barrier
from hashcache.core.budget import Budget
from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.core.money import MicroDollars
from hashcache.ports import Breaker, Ledger, Store
from hashcache.service.alerts import Alert, Signs, judge
from hashcache.service.plan import runs_out
from hashcache.service.recent import Recent, total
from hashcache.service.statistics import Figures, latencies, report
from hashcache.service.times import rfc3339
from hashcache.settings import Thresholds

_HOUR = 3600.0
#: How often it is noted how many entries the store has evicted so far, in seconds.
_NOTED = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """
    Seconds for which figures are good enough (*quick*), and those that change slowly (*slow*); how often it is looked
    for alerts when nobody looks (*watch*).
    """

    quick: float = 1.5
    slow: float = 15.0
    watch: float = 60.0


#: Where each command is billed.
FRUGAL = Pace(quick=10.0, slow=60.0, watch=900.0)


@dataclass(frozen=True, slots=True)
class Purse:
    """What alerts need to know of money."""

    breakers: Sequence[Breaker]
    budgets: Sequence[Budget]
    used: Sequence[MicroDollars]


@dataclass(frozen=True, slots=True)
class Sights:
    """
    What is looked at: the *store*, its *ledger*, the *figures* of the fleet, the *spend* report of so many days and
    the *purse*. *heard*: the sequence of the newest barrier that this process knows of. The month's commands that the
    *plan* allows (None: nobody said); whether the store is reached over *tls*; the *environment*'s name and the
    *version* that runs.
    """

    store: Store
    ledger: Ledger
    figures: Callable[[], Awaitable[Figures]]
    spend: Callable[[int], Awaitable[dict[str, Any]]]
    purse: Callable[[], Awaitable[Purse]]
    heard: Callable[[], int]
    plan: int | None
    tls: bool
    environment: str
    version: str


@dataclass(frozen=True, slots=True)
class _Slowly:
    """What is read less often; None: the store was away."""

    spend: dict[str, Any] | None
    purse: Purse
    barrier: Barrier | None
    since: float


class Overview:
    """Looks at *sights* at that *pace*, and judges by *thresholds*. *monotonic* gives seconds."""

    def __init__(
        self, sights: Sights, thresholds: Thresholds, *, monotonic: Callable[[], float], pace: Pace | None = None
    ) -> None:
        self._sights = sights
        self._thresholds = thresholds
        self._monotonic = monotonic
        self._pace = pace or Pace()
        self._recent = Recent(sights.ledger)
        self._evicted: deque[tuple[float, int]] = deque()
        self._slowly: _Slowly | None = None
        self._seen: tuple[float, dict[str, Any], list[Alert]] | None = None
        self._looking = asyncio.Lock()

    async def look(self) -> dict[str, Any]:
        """The answer of `GET /api/admin/overview`."""
        return (await self._look())[1]

    async def alerts(self) -> list[Alert]:
        """What there is to say, the worst first."""
        return (await self._look())[2]

    async def _look(self) -> tuple[float, dict[str, Any], list[Alert]]:
        async with self._looking:  # who comes meanwhile gets what is being made
            if self._seen is None or self._monotonic() - self._seen[0] >= self._pace.quick:
                found, alerts = await self._make()
                self._seen = (self._monotonic(), found, alerts)
            return self._seen

    async def _make(self) -> tuple[dict[str, Any], list[Alert]]:
        sights = self._sights
        health, figures = await sights.store.health(), await sights.figures()
        now = sights.store.now()
        slowly = await self._look_slowly(now)
        document = report(figures.totals, health, now=now, processes=figures.processes)
        month = document["cache"]["commands"]["month"]
        out = runs_out(month, sights.plan, now)
        hour = self._recent.last_hour(now)
        signs = Signs(
            health,
            hits=total(hour, "hits"),
            misses=total(hour, "misses"),
            causes={name.partition(".")[2]: count for name, count in hour.items() if name.startswith("cause.")},
            evicted=self._evicted_lately(health.evicted),
            breakers=slowly.purse.breakers,
            budgets=slowly.purse.budgets,
            used=slowly.purse.used,
            runs_out=out,
            tls=sights.tls,
        )
        alerts = judge(signs, self._thresholds)
        document |= {
            "at": rfc3339(now),
            "environment": sights.environment,
            "version": sights.version,
            "refresh_seconds": max(2.0, self._pace.quick),
            "alerts": [asdict(alert) for alert in alerts],
            "store": {
                "status": health.status,
                "where": health.where,
                "reason": health.reason,
                "p95_ms": health.p95,
                "connections": health.connections,
                "most_connections": health.most_connections,
                "evicted_last_hour": signs.evicted,
                "bytes": dict(health.sizes) if health.sizes is not None else None,
            },
            "thresholds": {
                "memory": list(self._thresholds.memory),
                "connections": self._thresholds.connections,
                "budget": self._thresholds.budget,
            },
            "latency": latencies(figures.totals),
            "series": self._recent.series(now),
            "plan": {"commands": month, "limit": sights.plan, "runs_out": _written(out)},
            "spend": slowly.spend,
            "clearing": _clearing(slowly.barrier),
        }
        return document, alerts

    async def _look_slowly(self, now: Instant) -> _Slowly:
        asked = self._monotonic()
        before = self._slowly
        if before is not None and before.spend is not None and asked - before.since < self._pace.slow:
            self._slowly = await self._look_at_sweeps(before)
            return self._slowly
        try:
            await self._recent.read(now)
            spend, purse = await self._sights.spend(30), await self._sights.purse()
            self._slowly = _Slowly(spend, purse, await self._sights.store.barrier(), asked)
        except StoreUnavailable:
            self._slowly = _Slowly(None, Purse((), (), ()), None, asked)
        return self._slowly

    async def _look_at_sweeps(self, before: _Slowly) -> _Slowly:
        """*before*, with the barrier as it is now where that is worth a command."""
        barrier = before.barrier
        if barrier is None or not (any(barrier.unswept()) or barrier.sequence < self._sights.heard()):
            return before
        try:
            return replace(before, barrier=await self._sights.store.barrier())
        except StoreUnavailable:
            return before

    def _evicted_lately(self, evicted: int | None) -> int | None:
        """How many entries went for room within the last hour, as far as this process has seen it."""
        if evicted is None:
            return None
        now = self._monotonic()
        if self._evicted and evicted < self._evicted[-1][1]:
            self._evicted.clear()  # the server began to count anew
        while len(self._evicted) > 1 and self._evicted[1][0] <= now - _HOUR:
            self._evicted.popleft()
        if not self._evicted or now - self._evicted[-1][0] >= _NOTED:
            self._evicted.append((now, evicted))
        return evicted - self._evicted[0][1]


def _clearing(barrier: Barrier | None) -> list[dict[str, Any]]:
    """What is cleared and not gone yet."""
    return [
        {
            "id": str(one.sequence),
            "selector": str(one.selector),
            "deleted": one.deleted,
            "reason": one.reason,
            "at": rfc3339(Instant(one.at)),
        }
        for one in (barrier.unswept() if barrier is not None else ())
    ]


def _written(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
