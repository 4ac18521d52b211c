"""
A ledger in the memory of one process, for the stores that live there or nowhere.

Rule: bounded: series and batches are dropped when they are old, hits when they are too many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from heapq import nsmallest

from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.spend import day_of
from hashcache.ports.ledger import KEPT, REMEMBERED, Batch, Minute, Process
from hashcache.stores.accounts import MemoryLines

MINUTE = 60_000
_MILLISECOND = timedelta(milliseconds=1)


class MemoryLedger:
    """
    *clock* gives milliseconds since 1970; *remembered*: how many keys' hits are kept; *lines*: where the accounts
    keep those of days.
    """

    def __init__(
        self, clock: Callable[[], int], remembered: int = REMEMBERED, *, lines: MemoryLines | None = None
    ) -> None:
        self._clock = clock
        self._lines = lines or MemoryLines()
        self._remembered = remembered
        self._totals: Counter[str] = Counter()
        self._minutes: dict[int, Counter[str]] = {}
        self._booked: dict[str, tuple[int, Instant]] = {}
        self._hits: Counter[bytes] = Counter()
        self._processes: dict[str, tuple[Process, int]] = {}

    async def book(self, batch: Batch) -> bool:
        """Add *batch*, once."""
        number, _ = self._booked.get(batch.sender, (0, batch.at))
        if number >= batch.number:
            return False
        self._drop_old()
        self._booked[batch.sender] = (batch.number, batch.at)
        self._totals.update(batch.counts)
        if batch.minute:
            self._minutes.setdefault(batch.at // MINUTE, Counter()).update(batch.minute)
        self._lines.add(day_of(batch.at), batch.days)
        self._hits.update({key.short: count for key, count in batch.hits.items()})
        for name in nsmallest(len(self._hits) - self._remembered, self._hits, key=self._hits.__getitem__):
            del self._hits[name]
        return True

    async def totals(self) -> Mapping[str, int]:
        """All counters."""
        return dict(self._totals)

    async def minutes(self, since: Instant) -> Sequence[Minute]:
        """The series."""
        first = max(since, self._oldest())
        return [
            Minute(Instant(minute * MINUTE), dict(counts))
            for minute, counts in sorted(self._minutes.items())
            if (minute + 1) * MINUTE > first
        ]

    async def hits(self, keys: Sequence[Key]) -> Sequence[int | None]:
        """What is remembered of *keys*."""
        unknown = 0 if len(self._hits) < self._remembered else None
        return [self._hits.get(key.short, unknown) for key in keys]

    async def beat(self, process: Process, lasting: timedelta) -> None:
        """*process* lives for *lasting* from now."""
        now = self._clock()
        self._processes = {name: kept for name, kept in self._processes.items() if kept[1] > now}
        self._processes.pop(process.name, None)
        if lasting:
            self._processes[process.name] = (process, now + lasting // _MILLISECOND)

    async def processes(self) -> Sequence[Process]:
        """Those that live."""
        now = self._clock()
        alive = (process for process, until in self._processes.values() if until > now)
        return sorted(alive, key=lambda process: (process.started, process.name))

    def _oldest(self) -> int:
        return self._clock() - KEPT // _MILLISECOND

    def _drop_old(self) -> None:
        oldest = self._oldest()
        for minute in [minute for minute in self._minutes if (minute + 1) * MINUTE <= oldest]:
            del self._minutes[minute]
        for sender in [sender for sender, (_, at) in self._booked.items() if at <= oldest]:
            del self._booked[sender]
