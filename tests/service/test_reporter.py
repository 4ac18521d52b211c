"""What is counted here reaches the ledger, once, whatever happens on the way; and silence costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from hashcache.core.entry import EPOCH, Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.ports import Batch, Process
from hashcache.service.reporter import Reporter, Sources
from hashcache.stores.ledger import MemoryLedger
from tests.harness.clock import START, HandClock
from tests.harness.turns import until

ME = Process("me", "host", 1, "serve", "1.2.3", Instant(START), Instant(START))
HIT = Key("analysis", "0" * 64, "v")
TURNS = 200


class Line(MemoryLedger):
    """A ledger at the end of a line: *away* refuses, *deaf* does what it is told and loses the reply, and while it is
    not *quick* batches stay on their way.
    """

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock)
        self.away = self.deaf = False
        self.quick = asyncio.Event()
        self.quick.set()
        self.sent: list[Batch] = []
        self.beats: list[tuple[Process, timedelta]] = []

    async def book(self, batch: Batch) -> bool:
        self.sent.append(batch)
        await self.quick.wait()
        if self.away:
            raise StoreUnavailable("away")
        added = await super().book(batch)
        if self.deaf:
            raise StoreUnavailable("no reply")
        return added

    async def totals(self) -> Mapping[str, int]:
        if self.away:
            raise StoreUnavailable("away")
        return await super().totals()

    async def beat(self, process: Process, lasting: timedelta) -> None:
        self.beats.append((process, lasting))
        if self.away:
            raise StoreUnavailable("away")
        await super().beat(process, lasting)


@pytest.fixture
def clock() -> HandClock:
    """The time, which stands still."""
    return HandClock()


@pytest.fixture
def line(clock: HandClock) -> Line:
    """An empty ledger."""
    return Line(clock)


@asynccontextmanager
async def reporting(
    line: Line, clock: HandClock, sources: Sources | None = None, **more: Any
) -> AsyncIterator[Reporter]:
    """A reporter at work, closed at the end; it has said that it lives."""
    reporter = Reporter(
        line,
        ME,
        now=lambda: Instant(clock()),
        monotonic=clock.seconds,
        sources=sources or Sources(),
        **{"pause": 0.0, **more},
    )
    reporter.start()
    beats = len(line.beats)
    await until(lambda: len(line.beats) > beats)
    try:
        yield reporter
    finally:
        await reporter.close()


def booked(line: Line) -> Callable[[], bool]:
    """Whether anything was sent since now."""
    before = len(line.sent)
    return lambda: len(line.sent) > before


async def test_many_events_are_one_batch(line: Line, clock: HandClock) -> None:
    """With what a minute tells of them; and nothing more is sent."""
    async with reporting(line, clock) as reporter:
        for _ in range(100):
            reporter.add({"hits.image": 1, "level.near": 1, "stored": 0})
        await until(booked(line))
        await turns()
        assert len(line.sent) == 1
        assert await line.totals() == {"hits.image": 100, "level.near": 100}
        assert [minute.counts for minute in await line.minutes(EPOCH)] == [{"hits.image": 100}]
    assert len(line.sent) == 1


async def turns() -> None:
    """Let everybody do what he has to do now."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def test_what_is_counted_while_the_ledger_is_away_goes_when_it_is_back(line: Line, clock: HandClock) -> None:
    """In two batches: the one that failed, as it was, and everything since."""
    async with reporting(line, clock) as reporter:
        line.away = True
        reporter.add({"hits.image": 1})
        await until(booked(line))
        clock.advance(timedelta(minutes=3))
        for _ in range(5):
            reporter.add({"hits.image": 1})
            await turns()
        assert await reporter.totals() == {"hits.image": 6}
        line.away = False
        await until(lambda: not line.away and reporter._sent is None and not reporter._counts)
        assert await line.totals() == {"hits.image": 6}
        assert {batch.number for batch in line.sent} == {1, 2}
        minutes = await line.minutes(EPOCH)
        assert [(minute.at - START, minute.counts["hits.image"]) for minute in minutes] == [(0, 1), (180_000, 5)]


async def test_a_lost_reply_counts_nothing_twice(line: Line, clock: HandClock) -> None:
    """The batch is sent again under its number until somebody says that it arrived."""
    async with reporting(line, clock) as reporter:
        line.deaf = True
        reporter.add({"spent.shop": 10_000})
        reporter.hit(HIT)
        clock.advance(timedelta(seconds=11))
        await until(lambda: len(line.sent) >= 3)
        line.deaf = False
        reporter.add({"spent.shop": 5})
        await until(lambda: line.sent[-1].number == 2)
    assert await line.totals() == {"spent.shop": 10_005}
    assert await line.hits([HIT]) == [1]


async def test_the_end_reports_the_rest(line: Line, clock: HandClock) -> None:
    """What was on its way, what came since, hits before their time; then the process is gone. Twice is once."""
    async with reporting(line, clock, pause=3600.0) as reporter:
        line.deaf = True
        reporter.add({"hits.image": 1})
        reporter.hit(HIT)
        await reporter._report()  # the pause is long, so that the rest is left to the end
        reporter.add({"hits.image": 1})
        reporter.hit(HIT)
        line.deaf = False
        assert len(await line.processes()) == 1
        await reporter.close()
        assert await line.totals() == {"hits.image": 2}
        assert await line.hits([HIT]) == [2]
        assert await line.processes() == []
        count = len(line.sent)
    assert len(line.sent) == count


async def test_the_end_does_not_need_the_ledger(line: Line, clock: HandClock) -> None:
    """While it is away the process ends all the same."""
    async with reporting(line, clock) as reporter:
        line.away = True
        reporter.add({"hits.image": 1})
    assert line.sent


async def test_the_growth_of_others_figures_goes_along(line: Line, clock: HandClock) -> None:
    """Only the growth, once, by month where hosts bill by the month; by itself it causes no batch until the end."""
    grown = {"refused": 3, "commands": 10}
    async with reporting(line, clock, Sources(grown=lambda: grown)) as reporter:
        await turns()
        assert line.sent == []
        reporter.add({"hits.image": 1})
        await until(booked(line))
        assert await line.totals() == {"hits.image": 1, "refused": 3, "commands.2026-11": 10}
        grown = {"refused": 3, "commands": 14}
        clock.advance(timedelta(days=11))
        await turns()
    assert await line.totals() == {"hits.image": 1, "refused": 3, "commands.2026-11": 10, "commands.2026-12": 4}


async def test_a_process_that_did_nothing_reports_nothing(line: Line, clock: HandClock) -> None:
    """Not even at its end."""
    async with reporting(line, clock, Sources(grown=lambda: {"refused": 0})):
        await turns()
    assert line.sent == []


async def test_hits_go_every_ten_seconds(line: Line, clock: HandClock) -> None:
    """Not with each batch; and without another event when their time has come."""
    async with reporting(line, clock) as reporter:
        for _ in range(3):
            reporter.add({"hits.image": 1})
            reporter.hit(HIT)
            await until(booked(line))
        assert [batch.hits for batch in line.sent] == [{}, {}, {}]
        clock.advance(timedelta(seconds=10))
        reporter.add({"hits.image": 1})
        await until(booked(line))
        assert line.sent[-1].hits == {HIT: 3}


async def test_hits_are_bounded(line: Line, clock: HandClock) -> None:
    """At most a thousand keys a batch, sent early; while the ledger is away ten thousand are held, and counted on."""
    keys = [Key("analysis", f"{number:064x}", "v") for number in range(12_000)]
    async with reporting(line, clock) as reporter:
        line.away = True
        for one in keys:
            reporter.hit(one)
        reporter.hit(keys[0])
        reporter.add({"hits.image": 1})
        await until(booked(line))
        line.away = False
        await until(lambda: not reporter._hits)
    assert max(len(batch.hits) for batch in line.sent) == 1_000
    assert await line.hits([keys[0], keys[9_999], keys[10_000]]) == [2, 1, 0]


async def test_a_quiet_process_says_that_it_lives(line: Line, clock: HandClock) -> None:
    """Every *quiet*, for two and a half times as long, with its gauges of that moment; and it sends no batch."""
    gauges = {"flights": 1}
    quiet = timedelta(milliseconds=20)
    async with reporting(line, clock, Sources(gauges=lambda: gauges), quiet=quiet):
        gauges = {"flights": 2}
        clock.advance(timedelta(seconds=7))
        await until(lambda: len(line.beats) >= 2)
        (process, lasting) = line.beats[-1]
        assert (process.gauges, process.seen, lasting) == ({"flights": 2}, START + 7000, quiet * 2.5)
        await turns()
        assert line.sent == []
    assert await line.processes() == []


async def test_a_busy_process_beats_with_its_batches(line: Line, clock: HandClock) -> None:
    """Every half minute, where a quiet one would say nothing for long."""
    async with reporting(line, clock, quiet=timedelta(minutes=5)) as reporter:
        for seconds, beats in ((29, 1), (1, 2), (29, 2), (1, 3)):
            clock.advance(timedelta(seconds=seconds))
            reporter.add({"hits.image": 1})
            await until(booked(line))
            await turns()
            assert len(line.beats) == beats


async def test_closing_what_never_started_is_safe(line: Line, clock: HandClock) -> None:
    """Nothing is sent."""
    reporter = Reporter(line, ME, now=lambda: EPOCH, monotonic=clock.seconds, sources=Sources())
    await reporter.close()
    assert (line.sent, line.beats) == ([], [])


async def test_flushed_is_booked(line: Line, clock: HandClock) -> None:
    """
    After `flush` the books hold what was counted before, lines of money included, however long the pause; several at
    once, beside a batch on its way whose reply was lost, book it once.
    """
    async with reporting(line, clock, pause=3600.0) as reporter:
        line.deaf = True
        reporter.add({"hits.image": 1}, {"saved|shop|image|default": 7})
        with pytest.raises(StoreUnavailable):
            await reporter.flush()
        line.deaf = False
        reporter.add({"hits.image": 1}, {"saved|shop|image|default": 2})
        await asyncio.gather(*(reporter.flush() for _ in range(5)))
        assert await line.totals() == {"hits.image": 2}
        assert [dict(batch.days) for batch in line.sent[-2:]] == [
            {"saved|shop|image|default": 7},
            {"saved|shop|image|default": 2},
        ]
        assert [batch.number for batch in line.sent] == [1, 1, 2]
        assert not reporter.lines
        await reporter.flush()
        assert len(line.sent) == 3


async def test_batches_go_one_at_a_time(line: Line, clock: HandClock) -> None:
    """Who flushes while a batch is on its way waits for it: none is sent twice at once, and none forgotten."""
    async with reporting(line, clock, pause=3600.0) as reporter:
        line.quick.clear()
        reporter.add({"hits.image": 1})
        flushing = [asyncio.create_task(reporter.flush()) for _ in range(3)]
        await turns()
        assert [batch.number for batch in line.sent] == [1]
        reporter.add({"hits.image": 2})
        line.quick.set()
        await asyncio.gather(*flushing)
        assert [batch.number for batch in line.sent] == [1, 2]
        assert await line.totals() == {"hits.image": 3}
