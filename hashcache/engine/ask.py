"""What a flight is asked for, and the right to buy that it gets."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from hashcache.core.barrier import Barrier
from hashcache.core.entry import Entry, Instant
from hashcache.core.freshness import Cause
from hashcache.core.policy import Policy
from hashcache.engine.flights import Flight
from hashcache.engine.load import Load
from hashcache.ports import Claim


class Ask(msgspec.Struct, frozen=True):
    """
    What one flight is to find: an answer bought not before *not_before*, searched since *began* (monotonic).
    *background*: nobody waits for it, so a stale answer will not do. *refresh*: the one of the same key that was under
    way in this process. *looked*: who asks has just found nothing in the store, for this cause, or the store *away*.
    """

    flight: Flight
    policy: Policy
    load: Load
    not_before: Instant
    began: float
    background: bool = False
    refresh: Flight | None = None
    looked: Cause | None = None
    away: bool = False

    def waited(self) -> Ask:
        """The same for who has seen a purchase under way: one that ended in the very millisecond of asking will do."""
        return self if self.background else replace(self, not_before=Instant(self.not_before - 1))


class Grant(msgspec.Struct, frozen=True):
    """
    The right to buy: under *claim* (None: the store is away), because of *cause*, as of *barrier*.

    *generation* is the view's when the right was asked for, *at* when it was granted, by the store's clock;
    *before* the answer that will be replaced, *fallback* the one that may be served if buying fails.
    """

    claim: Claim | None
    barrier: Barrier
    cause: Cause
    generation: int
    at: Instant
    before: Entry | None = None
    fallback: Entry | None = None
