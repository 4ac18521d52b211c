"""
No store: nothing is kept, everything is bought.

Rule 1: a claim is always granted and a commit keeps nothing, so whoever asks, buys.
Rule 2: the barrier, the counters and the accounts live in this process: what the near memory holds can still be
        invalidated, and the budgets hold here.
Rule 3: its channel reaches nobody and is never alive: whether other processes serve the same callers is not known
        here, so nothing that one of them clears may be served by another from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from hashcache.core.barrier import NONE, Barrier, Selector
from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.key import Key
from hashcache.core.notice import Notice
from hashcache.ports import Bid, Claim, Page, Reading, Slot, StoreHealth, Traffic
from hashcache.stores.accounts import MemoryAccounts
from hashcache.stores.hearing import PACE, Hearing, message
from hashcache.stores.ledger import MemoryLedger
from hashcache.stores.outbox import MemoryOutbox
from hashcache.stores.sessions import MemorySessions


class OffStore:
    """
    A Store that holds nothing, with a Channel to nobody, and a Ledger, Accounts, an Outbox and Sessions that end with
    this process, as *channel*, *ledger*, *accounts*, *outbox* and *sessions*. *clock* gives milliseconds since 1970.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._barrier = NONE
        self.channel = OffChannel(self.now)
        self.accounts = MemoryAccounts(clock)
        self.ledger = MemoryLedger(clock, lines=self.accounts.lines)
        self.outbox = MemoryOutbox(clock)
        self.sessions = MemorySessions(clock)

    @property
    def keeps(self) -> bool:
        """Nothing is."""
        return False

    def now(self) -> Instant:
        """The clock's time."""
        return Instant(self._clock())

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def read(self, keys: Sequence[Key]) -> Reading:
        """Nothing lies under any key."""
        return Reading(tuple(Slot(None) for _ in keys), self._barrier)

    async def claim(self, key: Key, token: str, lease: timedelta) -> Bid:  # noqa: ARG002 - the port's shape
        """Always granted."""
        return Bid(Claim(key, token, "", self.now()), timedelta(0), None, self._barrier)

    async def renew(self, claim: Claim, lease: timedelta) -> bool:  # noqa: ARG002 - the port's shape
        """Nobody can have taken it."""
        return True

    async def release(self, claim: Claim) -> None:
        """Nothing to give back."""

    async def commit(self, claim: Claim, entry: Entry) -> bool:  # noqa: ARG002 - the port's shape
        """False: nothing is kept."""
        return False

    async def prolong(self, entry: Entry, until: Instant) -> bool:  # noqa: ARG002 - the port's shape
        """It does not lie there."""
        return False

    async def forget(self, keys: Sequence[Key]) -> int:  # noqa: ARG002 - the port's shape
        """Nothing was there."""
        return 0

    async def barrier(self) -> Barrier:
        """The barrier of this process."""
        return self._barrier

    async def forbid(self, selector: Selector, reason: str) -> Barrier:
        """Raise the barrier of this process."""
        self._barrier = self._barrier.raised(selector, now=self.now(), reason=reason)
        return self._barrier

    async def advance(self, provider: str, reason: str) -> Barrier:
        """Raise the epoch of *provider* in this process."""
        self._barrier = self._barrier.advanced(provider, now=self.now(), reason=reason)
        return self._barrier

    async def restore(self, known: Barrier) -> Barrier:  # noqa: ARG002 - the port's shape
        """This process loses nothing while it lives."""
        return self._barrier

    async def progress(self, sequence: int, *, deleted: int, swept: bool) -> None:
        """Note it in the barrier of this process."""
        self._barrier = self._barrier.progressed(sequence, deleted=deleted, swept=swept)

    async def scan(self, cursor: str | None, limit: int) -> Page:  # noqa: ARG002 - the port's shape
        """An empty page."""
        return Page((), None)

    async def remove(self, heads: Sequence[Head]) -> int:  # noqa: ARG002 - the port's shape
        """Nothing was there."""
        return 0

    async def health(self) -> StoreHealth:
        """Off."""
        return StoreHealth("off", "off")

    @property
    def refused(self) -> int:
        """Nothing is stored, so nothing is refused."""
        return 0


class OffChannel:
    """A Channel to nobody, so nothing is ever missed on it. *now* is the store's clock."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._hearing = Hearing(now, PACE.flood)
        self.alive = True

    @property
    def origin(self) -> str:
        """This process's name."""
        return self._hearing.origin

    async def open(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """Nobody will be heard."""

    async def close(self) -> None:
        """Nothing to close."""

    async def publish(self, notice: Notice) -> int:
        """Nobody listens."""
        message(notice)
        self._hearing.sent()
        return 0

    @property
    def traffic(self) -> Traffic:
        """What was sent to nobody."""
        return self._hearing.traffic
