"""The books of the fleet: what all processes did, added up, and which of them live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from hashcache.core.entry import Instant
from hashcache.core.key import Key

#: For how long the series of minutes reaches back.
KEPT = timedelta(hours=25)
#: How many keys' hits are remembered, the least often hit forgotten first.
REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Batch:
    """
    What one process has to add, once, *at* an instant on the store's clock.

    *sender* is its `Process.name`; *number* is 1 for its first batch and one more for each further one. A batch that
    may have got lost is sent again as it was, same *number*, same *at*. *counts* are added to the totals, *minute* to
    the series, *hits* to what is remembered of keys, *days* to the accounts: to the lines (`core.spend`) of its day
    (UTC) and of all days.
    """

    sender: str
    number: int
    at: Instant
    counts: Mapping[str, int] = field(default_factory=dict)
    minute: Mapping[str, int] = field(default_factory=dict)
    hits: Mapping[Key, int] = field(default_factory=dict)
    days: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened in the minute that began *at*."""

    at: Instant
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Process:
    """
    One process of the fleet. *name* is new at each start; *role*: what it does there, such as `serve`.

    *gauges* are figures that go up and down, such as flights under way, as they were when it was last *seen*.
    """

    name: str
    host: str
    pid: int
    role: str
    version: str
    started: Instant
    seen: Instant
    gauges: Mapping[str, int] = field(default_factory=dict)


class Ledger(Protocol):
    """
    Counters of the whole fleet, which no invalidation touches. All verbs raise `StoreUnavailable`.

    Totals are kept for ever; everything else ends by itself.
    """

    async def book(self, batch: Batch) -> bool:
        """
        Add *batch* in one act, all or nothing; False when it had been added already, by the same *sender* under the
        same *number*. That is known for as long as the series of minutes reaches back.
        """
        ...

    async def totals(self) -> Mapping[str, int]:
        """All counters since the store was first used."""
        ...

    async def minutes(self, since: Instant) -> Sequence[Minute]:
        """The minutes that ended after *since* and in which something happened, in order; KEPT at most."""
        ...

    async def hits(self, keys: Sequence[Key]) -> Sequence[int | None]:
        """
        How often each of *keys* was hit, as far as it is remembered: at least so often. None: not remembered, because
        more than REMEMBERED keys are hit.
        """
        ...

    async def beat(self, process: Process, lasting: timedelta) -> None:
        """*process* lives, and will say so again before *lasting* has passed; 0: it ends now."""
        ...

    async def processes(self) -> Sequence[Process]:
        """Those whose last beat still lasts, the one that started first before the others."""
        ...
