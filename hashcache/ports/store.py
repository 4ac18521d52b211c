"""Where entries live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import msgspec

from hashcache.core.barrier import Barrier, Selector
from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.key import Key

#: How long a forgotten key refuses purchases that were under way: longer than any may take (an hour, the longest
#: deadline that can be set), and than OLDEST.
TOMBSTONE = timedelta(minutes=70)
#: What was claimed longer ago, and lost its claim, is not kept any more: soon nobody can tell whether it was forgotten.
#: So much less than TOMBSTONE that it does not matter by how much clocks differ.
OLDEST = timedelta(minutes=65)


class Slot(msgspec.Struct, frozen=True):
    """What lies under one key: its entry, if one verifies, and whether somebody holds a claim on it."""

    entry: Entry | None
    claimed: bool = False


class Reading(msgspec.Struct, frozen=True):
    """
    *slots* in the order of the keys asked for, and the barrier that was in force when they were read; where nothing
    was found there is nothing to judge, and it may be one from before.
    """

    slots: tuple[Slot, ...]
    barrier: Barrier


@dataclass(frozen=True, slots=True)
class Claim:
    """
    The time-bounded right to buy *key*, known by its *token*.

    *tombstone* is what `forget` had left there when it was *granted* ("" for nothing): a commit under another one
    is refused, because the key was forgotten meanwhile. *granted* is an instant on the store's clock, not later than
    the tombstone was read.
    """

    key: Key
    token: str
    tombstone: str
    granted: Instant


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
    Figures that it does not tell are None. *keys* and *sizes*: entries and their bytes by kind, as of a moment ago.

    *p95*: of the last few hundred commands of this process 5 in 100 took longer, in milliseconds. *connections*: how
    many there are to it, from everybody, of *most_connections* that it allows.
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
    sizes: Mapping[str, int] | None = None
    p95: float | None = None
    connections: int | None = None
    most_connections: int | None = None


class Store(Protocol):
    """
    Where entries live.

    All verbs but `now` raise `StoreUnavailable` when the store does not answer in time. Entries that do not verify
    are counted (`refused`) and treated as absent.
    """

    @property
    def keeps(self) -> bool:
        """Whether anything is kept here at all; False: a commit says no to everything."""
        ...

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
        a key that was forgotten since the claim does, and so does the barrier in force (`Barrier.refuses`): False,
        and nothing is kept. The same for a claim that was lost and is as old as OLDEST by the store's clock at the
        moment of keeping, whatever this process did in between; one that is still held is never too old, because
        `forget` takes claims away. A negative entry never replaces a positive one that is not dead or expired. Whoever
        waits for the key hears of it on the channel (`done`), also when the claim is released.
        """
        ...

    async def prolong(self, entry: Entry, until: Instant) -> bool:
        """Let *entry*, if it still is the one that lies there, live until *until*; whether it does."""
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
        """
        Raise the barrier: older entries that *selector* means are dead from now on. The last open is the new
        invalidation, or one that means more, where there was no room for it (`Barrier.begun`).
        """
        ...

    async def advance(self, provider: str, reason: str) -> Barrier:
        """
        Raise the epoch of *provider* by one: what was bought there before is dead from now on, but stays until it
        expires. The barrier that says so; safe to repeat, then it is raised by two.
        """
        ...

    async def restore(self, known: Barrier) -> Barrier:
        """
        Put back what the store has lost of the barrier *known*, once read from it (`Barrier.restored`); does nothing
        when nothing was. The barrier in force.
        """
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
