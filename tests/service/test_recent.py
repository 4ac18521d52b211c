"""What happened lately, from the ledger's series."""

from __future__ import annotations

from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.ports import Batch
from hashcache.service.recent import Recent, total
from hashcache.stores.ledger import MemoryLedger
from tests.harness.clock import START, HandClock

MINUTE = 60_000


async def test_the_series_ends_now_and_adds_up() -> None:
    """Sixty minutes and ninety-six quarters, the last one the present; all that is in reach is in them, once."""
    clock = HandClock(START + 7 * MINUTE)
    ledger = MemoryLedger(clock)
    now = Instant(clock())
    for number, ago in enumerate((0, 1, 59, 60, 23 * 60), start=1):
        minute = {"hits.image": 10**number, "misses.text": 1, "saved": 20_000}
        await ledger.book(Batch("a", number, Instant(now - ago * MINUTE), minute=minute))
    recent = Recent(ledger)
    await recent.read(now)
    series = recent.series(now)
    assert len(series["hour"]["hits"]) == 60
    assert (series["hour"]["hits"][-1], series["hour"]["hits"][-2], series["hour"]["hits"][0]) == (10, 100, 1000)
    assert series["hour"]["from"] == "2026-11-20T09:08:00Z"
    assert len(series["day"]["hits"]) == 96
    assert sum(series["day"]["hits"]) == 111_110
    assert series["day"]["hits"][-1] == 110
    assert series["day"]["saved_usd"][-1] == "0.04"
    assert total(recent.last_hour(now), "hits") == 1110


async def test_the_past_is_read_once() -> None:
    """Later only the last minutes are asked for, and what came late into them is seen."""
    clock = HandClock(START)
    ledger = MemoryLedger(clock)
    asked: list[int] = []
    minutes = ledger.minutes

    async def noting(since: Instant) -> object:
        asked.append((clock() - since) // MINUTE)
        return await minutes(since)

    ledger.minutes = noting  # type: ignore[method-assign,assignment]  # passes everything on, and notes it
    recent = Recent(ledger)
    await recent.read(Instant(clock()))
    await ledger.book(Batch("a", 1, Instant(clock()), minute={"hits.image": 1}))
    clock.advance(timedelta(minutes=1))
    await ledger.book(Batch("b", 1, Instant(clock() - MINUTE), minute={"hits.image": 1}))
    await recent.read(Instant(clock()))
    assert recent.series(Instant(clock()))["hour"]["hits"][-2:] == [2, 0]
    assert asked == [24 * 60, 4]
