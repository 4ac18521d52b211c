"""
The seams of the house, as Protocols: what the engine, the service and the pages ask of the technologies below.

Rule 1: an implementation raises only errors of `core.errors`; a store's are all `StoreUnavailable`.
Rule 2: each verb of a Store is one atomic act.
Rule 3: every verb has a deadline of its own; none waits for ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from hashcache.core.barrier import Barrier, Selector
from hashcache.core.content import Content, Kind
from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.key import Key, Question
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Outcome
from hashcache.core.result import Result


@dataclass(frozen=True, slots=True)
class Slot:
    """What lies under one key: its entry, if one verifies, and whether somebody holds a claim on it."""

    entry: Entry | None
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """*slots* in the order of the keys asked for, and the barrier that was in force when they were read."""

    slots: tuple[Slot, ...]
    barrier: Barrier


@dataclass(frozen=True, slots=True)
class Claim:
    """
    The time-bounded right to buy *key*, known by its *token*.

    *tombstone* is what `forget` had left there when it was granted ("" for nothing): a commit under another one
    is refused, because the key was forgotten meanwhile.
    """

    key: Key
    token: str
    tombstone: str


@dataclass(frozen=True, slots=True)
class Bid:
    """
    What came of asking for a claim.

    *claim* is None when somebody else holds it, for at most *held* longer. *entry* is what lies under the key now:
    the second look. *barrier* is the one in force.
    """

    claim: Claim | None
    held: timedelta
    entry: Entry | None
    barrier: Barrier


@dataclass(frozen=True, slots=True)
class Page:
    """Some heads, and the cursor of the next page (None: there is none)."""

    heads: tuple[Head, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """
    How the store is. *status*: `connected`, `embedded`, `degraded` or `off`; *where*: for people, without secrets.
    Figures that it does not tell are None.
    """

    status: str
    where: str
    used: int | None = None
    most: int | None = None
    keys: Mapping[str, int] | None = None
    evicted: int | None = None
    found: int | None = None
    missed: int | None = None
    reason: str | None = None


class Store(Protocol):
    """
    Where entries live.

    All verbs but `now` raise `StoreUnavailable` when the store does not answer in time. Entries that do not verify
    are counted (`refused`) and treated as absent.
    """

    def now(self) -> Instant:
        """The store's clock, as last sampled and carried on by a monotonic one."""
        ...

    async def open(self) -> None:
        """Connect. Never raises because the store is away: later verbs do, and try again by themselves."""
        ...

    async def close(self) -> None:
        """Close everything that was opened. Safe to call twice."""
        ...

    async def read(self, keys: Sequence[Key]) -> Reading:
        """What lies under *keys*, in one round trip."""
        ...

    async def claim(self, key: Key, token: str, lease: timedelta) -> Bid:
        """
        Claim *key* for *lease* unless somebody else holds it. Safe to repeat after a lost reply: the same *token*
        recognises its own claim.
        """
        ...

    async def renew(self, claim: Claim, lease: timedelta) -> bool:
        """Hold *claim* for *lease* from now; False when it is not ours any more."""
        ...

    async def release(self, claim: Claim) -> None:
        """Give *claim* back if it is still ours; does nothing otherwise."""
        ...

    async def commit(self, claim: Claim, entry: Entry) -> bool:
        """
        Keep *entry* until it expires and give the claim back. A lost claim does not refuse it (the money is spent);
        a key that was forgotten since the claim does: False, and nothing is kept.
        """
        ...

    async def forget(self, keys: Sequence[Key]) -> int:
        """
        Remove the entries under *keys* and see to it that purchases under way do not come back; the number of
        entries removed.
        """
        ...

    async def barrier(self) -> Barrier:
        """The barrier in force."""
        ...

    async def forbid(self, selector: Selector, reason: str) -> Barrier:
        """Raise the barrier: older entries that *selector* means are dead from now on. The new one is the last open."""
        ...

    async def progress(self, sequence: int, *, deleted: int, swept: bool) -> None:
        """Note how far the sweep of the invalidation *sequence* is."""
        ...

    async def scan(self, cursor: str | None, limit: int) -> Page:
        """
        About *limit* heads of entries, from *cursor* on (None: from the start), dead ones included.

        Every entry that exists during the whole scan is seen at least once; it may be seen twice.
        """
        ...

    async def remove(self, heads: Sequence[Head]) -> int:
        """Remove the entries that are still the ones these *heads* describe; how many there were."""
        ...

    async def health(self) -> StoreHealth:
        """How the store is now. Never raises."""
        ...

    @property
    def refused(self) -> int:
        """How many stored entries this process has refused since it started."""
        ...


class Ledger(Protocol):
    """Counters of the whole fleet, which no invalidation touches."""

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add *counts* in one batch, all or none."""
        ...

    async def totals(self) -> Mapping[str, int]:
        """All counters."""
        ...


class Body(Protocol):
    """The bytes of one upload. Can be read several times, at the same time, until closed."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the start, in pieces of at most 256 KiB."""
        ...

    def descriptor(self) -> int | None:
        """A file descriptor whose file holds just these bytes, open for reading; None for a body in memory."""
        ...

    async def close(self) -> None:
        """Free memory and spool. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's finished answer and what it cost. *units*: what the vendor bills by, such as `operations`."""

    result: Result
    price: MicroDollars
    units: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """The vendor took the job: ask again with *receipt*, not before *after*. The price may be due already."""

    receipt: str
    after: timedelta


class Provider(Protocol):
    """Who is paid for an analysis (or does it here, free of charge)."""

    @property
    def name(self) -> str:
        """As in settings and in `result.provider`."""
        ...

    @property
    def kinds(self) -> frozenset[Kind]:
        """What it analyses."""
        ...

    def question(self, kind: Kind, tenant: str) -> Question:
        """What will be asked about a content of *kind*: all that changes the answer."""
        ...

    def price(self, content: Content) -> MicroDollars:
        """What analysing *content* will cost, as far as it is known beforehand."""
        ...

    async def start(self, content: Content, body: Body) -> Answer | Pending:
        """
        Ask. Reads *body*, does not close it.

        Raises:
            ProviderError: one of its kinds; nothing that is not an answer ever comes back as one.
        """
        ...

    async def resume(self, receipt: str) -> Answer | Pending:
        """Ask for the answer of a job that was taken; only called by those whose `start` gives Pending."""
        ...

    async def close(self) -> None:
        """Close connections and child processes. Safe to call twice."""
        ...


class Observer(Protocol):
    """Who is told what happened: metrics, counters, the log. Must not raise and must not wait."""

    def answered(self, outcome: Outcome, content: Content | None, *, milliseconds: float) -> None:
        """One question was answered, in so many *milliseconds*; *content* is None when only its digest was sent."""
        ...

    def refused(self, slug: str, *, status: int, method: str, path: str) -> None:
        """A request was answered with the problem *slug*."""
        ...

    def aborted(self, *, path: str) -> None:
        """A client left before its upload was complete."""
        ...

    def bought(self, provider: str, price: MicroDollars, *, duration: float, stored: bool) -> None:
        """A provider answered a call after *duration* seconds."""
        ...

    def lost(self, provider: str, *, duration: float, error: Exception, price: MicroDollars) -> None:
        """A call to a provider gave no answer; *price* is what may be billed all the same."""
        ...

    def invalidated(self, selector: Selector, *, deleted: int, reason: str, who: str) -> None:
        """Somebody cleared something."""
        ...

    def forgotten(self, sha256: str, *, deleted: int, who: str) -> None:
        """A tenant had one content forgotten."""
        ...

    def store(self, *, available: bool, reason: str) -> None:
        """The store went away or came back."""
        ...
