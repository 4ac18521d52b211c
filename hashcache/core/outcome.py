"""
What one request did. Built once, at the end of a stage; feeds headers, counters and the log.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from hashcache.core.entry import Entry, Instant
from hashcache.core.freshness import Cause
from hashcache.core.money import FREE, MicroDollars


class Status(StrEnum):
    """`X-Cache-Status`."""

    HIT = "HIT"
    MISS = "MISS"
    STALE = "STALE"
    BYPASS = "BYPASS"


_CACHED = (Status.HIT, Status.STALE)


class Level(StrEnum):
    """Where the answer was found."""

    NEAR = "near"
    STORE = "store"
    SOURCE = "source"


class Outcome(msgspec.Struct, frozen=True):
    """
    One answered question.

    *cause*: why it had to be bought (None for a hit). *collapsed*: somebody else's purchase was joined.
    *stored*: the answer is kept. *store_away*: the store did not take part. *at*: when, on the store's clock.
    *duplicate*: somebody else may have bought the same meanwhile.
    *looked*, *bought*: milliseconds spent looking and buying.
    """

    entry: Entry
    status: Status
    level: Level
    at: Instant
    cause: Cause | None = None
    collapsed: bool = False
    stored: bool = True
    store_away: bool = False
    duplicate: bool = False
    looked: float = 0.0
    bought: float = 0.0

    @property
    def cached(self) -> bool:
        """Whether nothing was bought for it, now or by the purchase it joined."""
        return self.status in _CACHED

    @property
    def spent(self) -> MicroDollars:
        """What this request cost."""
        return FREE if self.collapsed or self.status in _CACHED else self.entry.price

    @property
    def saved(self) -> MicroDollars:
        """What this request would have cost without the cache."""
        return self.entry.price if self.collapsed or self.status in _CACHED else FREE

    def as_seen(self, *, joined: bool, keep: bool) -> Outcome:
        """The same as a caller saw it who *joined* a purchase, or made it, and wants the answer kept, or not."""
        if self.cached:
            return self
        seen = replace(self, collapsed=True) if joined else self
        return seen if keep else replace(seen, status=Status.BYPASS)

    @property
    def cache_status(self) -> str:
        """The `Cache-Status` field of RFC 9211."""
        ttl, detail = self.entry.ttl(self.at), "store-away" if self.store_away else self.level
        if self.status in _CACHED:
            joined = "; collapsed" if self.collapsed else ""
            return f"hashcache; hit; ttl={ttl}{joined}; detail={detail}"
        parts = [f"hashcache; fwd={_FORWARD.get(self.cause or Cause.NEW, 'uri-miss')}"]
        if self.stored:
            parts.append(f"ttl={ttl}")
        if self.collapsed:
            parts.append("collapsed")
        elif self.stored:
            parts.append("stored")
        parts.append(f"detail={detail}")
        return "; ".join(parts)


# RFC 9211 section 2.2: `stale` for what was there and expired, `request` for a client's directive.
_FORWARD = {Cause.NEW: "uri-miss", Cause.EXPIRED: "stale", Cause.REFRESH: "request"}
