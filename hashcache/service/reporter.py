"""
What this process counts, on its way into the ledger of the fleet.

Rule 1: one batch a second at most, none when nothing happened. What a SIGKILL loses happened within that second.
Rule 2: a batch that may have got lost is sent again as it was: the ledger adds it once.
Rule 3: nothing here fails or delays a request. While the ledger is away counts add up here, and go when it is back,
        into the minute in which they go.
Rule 4: hits of single keys go at most every ten seconds, and are the one thing that is bounded by leaving out.
Rule 5: a beat goes with a batch, at most every half minute, or alone when nothing happened for *quiet*. Each lasts
        two and a half times that long: then a process that is gone is taken for dead.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.ports import Batch, Ledger, Process
from hashcache.service.statistics import counter_of, per_minute

#: How often single keys' hits are sent, in seconds; earlier when there are so many keys.
_HITS_EVERY, _HITS_BATCH = 10.0, 1_000
#: Keys whose hits are held while the ledger is away.
_HITS_MOST = 10_000
#: How often a beat goes with a batch, in seconds.
_BEAT_EVERY = 30.0
_NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Sources:
    """
    Where figures are read that others count. *grown*: sums since this process started, by the name of a counter, of
    which the growth is added to each batch (it causes none). *gauges*: figures of now, for the beat.
    """

    grown: Callable[[], Mapping[str, int]] = lambda: _NOTHING
    gauges: Callable[[], Mapping[str, int]] = lambda: _NOTHING


class Reporter:
    """
    Reports for *process* to *ledger*. *now* is the store's clock, *monotonic* gives seconds; *quiet*: how long this
    process says nothing when nothing happens; *pause*: seconds between batches.
    """

    def __init__(
        self,
        ledger: Ledger,
        process: Process,
        *,
        now: Callable[[], Instant],
        monotonic: Callable[[], float],
        sources: Sources,
        quiet: timedelta = timedelta(seconds=6),
        pause: float = 1.0,
    ) -> None:
        self._ledger = ledger
        self._process = process
        self._now = now
        self._monotonic = monotonic
        self._sources = sources
        self._quiet = quiet
        self._pause = pause
        self._counts: Counter[str] = Counter()
        self._lines: Counter[str] = Counter()
        self._hits: Counter[Key] = Counter()
        self._before: Mapping[str, int] = {}
        self._number = 0
        self._sent: Batch | None = None
        self._beaten: float | None = None
        self._beat_due = monotonic()
        self._hits_due = monotonic() + _HITS_EVERY
        self._dirty = asyncio.Event()
        self._booking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to report."""
        self._task = asyncio.create_task(self._report_for_ever(), name="reporter")

    async def close(self) -> None:
        """Report what is left, once, tell that this process ends, and stop. Safe to call twice."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._grow()
        with suppress(StoreUnavailable):
            # What was on its way; then what came since, hits that are not due yet included.
            while self._sent or self._counts or self._lines or self._hits:
                self._hits_due = self._monotonic()
                await self._book()
            await self._ledger.beat(self.process, timedelta(0))

    async def flush(self) -> None:
        """
        Report what was counted so far, now: whoever reads the books afterwards finds his own requests in them.

        Raises:
            StoreUnavailable: the ledger is away; nothing is lost.
        """
        while self._sent or self._counts or self._lines:
            await self._book()

    def add(self, counts: Mapping[str, int], lines: Mapping[str, int] = _NOTHING) -> None:
        """Count *counts*, and book *lines* (`core.spend`) on today's page."""
        mine = self._counts
        for name, number in counts.items():
            if number:
                mine[name] += number
        for line, number in lines.items():
            self._lines[line] += number
        if mine:
            self._dirty.set()

    def hit(self, key: Key) -> None:
        """The entry of *key* was hit."""
        if key in self._hits or len(self._hits) < _HITS_MOST:
            self._hits[key] += 1

    @property
    def process(self) -> Process:
        """This process as it is now."""
        return replace(self._process, seen=self._now(), gauges=self._sources.gauges())

    async def totals(self) -> Mapping[str, int]:
        """
        The counters of the fleet with what this process has not reported yet; only the latter while the ledger is
        away. For people: whoever looks sees his own requests at once. From process to process they may go down.
        """
        try:
            totals = Counter(await self._ledger.totals())
        except StoreUnavailable:
            totals = Counter()
        totals.update(self._counts)
        if self._sent is not None:
            totals.update(self._sent.counts)
        return totals

    @property
    def lines(self) -> Mapping[str, int]:
        """What is still to be booked on the pages of days."""
        return self._lines + Counter(self._sent.days if self._sent is not None else {})

    async def _report_for_ever(self) -> None:
        while True:
            await self._report()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rest()):
                    await self._dirty.wait()
            await asyncio.sleep(self._pause)  # the pace of batches: one a second

    async def _report(self) -> None:
        self._dirty.clear()
        now = self._monotonic()
        try:
            busy = await self._book()
            since = None if self._beaten is None else now - self._beaten
            if now >= self._beat_due or (busy and (since is None or since >= _BEAT_EVERY)):
                self._beat_due = now + self._quiet.total_seconds()
                await self._ledger.beat(self.process, self._quiet * 2.5)
                self._beaten = now
        except StoreUnavailable:
            pass  # the batch is kept; a beat is tried again when the next one is due
        if self._sent is not None or self._counts or len(self._hits) >= _HITS_BATCH:
            self._dirty.set()

    def _rest(self) -> float:
        """Seconds until there is something to send without anything having happened."""
        due = min(self._beat_due, self._hits_due) if self._hits else self._beat_due
        return max(0.0, due - self._monotonic())

    async def _book(self) -> bool:
        """Send the batch that is on its way, or the next one; False: there is none. Raises StoreUnavailable."""
        async with self._booking:
            self._sent = self._sent or self._next()
            if self._sent is None:
                return False
            await self._ledger.book(self._sent)
            self._sent = None
            return True

    def _next(self) -> Batch | None:
        hits = self._due_hits()
        if not self._counts and not self._lines and not hits:
            return None
        self._grow()
        self._number += 1
        counts, self._counts = self._counts, Counter()
        lines, self._lines = self._lines, Counter()
        return Batch(self._process.name, self._number, self._now(), counts, per_minute(counts), hits, lines)

    def _due_hits(self) -> Mapping[Key, int]:
        now = self._monotonic()
        if now < self._hits_due and len(self._hits) < _HITS_BATCH:
            return {}
        self._hits_due = now + _HITS_EVERY
        some = dict(self._hits.most_common(_HITS_BATCH)) if len(self._hits) > _HITS_BATCH else dict(self._hits)
        for key in some:
            del self._hits[key]
        return some

    def _grow(self) -> None:
        grown, before = self._sources.grown(), self._before
        now = self._now()
        for name, number in grown.items():
            if number > before.get(name, 0):
                self._counts[counter_of(name, now)] += number - before.get(name, 0)
        self._before = dict(grown)
