"""
One bought answer and the instants that bound it.

Rule 1: no entry without an expiry; nothing here extends it.
Rule 2: the payload is opaque bytes, sent on as they are.
Rule 3: instants are integer milliseconds since 1970 on the store's clock, never on a process's own.
Rule 4: what is held by the ten thousand is not looked at by the collector of garbage (`gc=False`): nothing in it can be
        part of a cycle, and a collection that looks at all of near memory stops a process for tens of milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

import msgspec

from hashcache.core.key import Key
from hashcache.core.money import FREE, MicroDollars

#: Milliseconds since 1970-01-01T00:00Z, on the store's clock.
Instant = NewType("Instant", int)


#: Before everything: what is required of an entry by whom any will do.
EPOCH = Instant(0)


class Label(msgspec.Struct, frozen=True, gc=False):
    """
    Whose answer it is and under which invalidations it falls.

    *kind*, *tenant*, *provider* and *tags* are what selectors look at.
    """

    kind: str
    tenant: str
    provider: str
    tags: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, gc=False):
    """
    One answer. *sequence* is the barrier's, read before it was bought; *price* is what it cost,
    and so what each hit on it saves. *expires* ends its freshness; *kept* is until when it stays in the store to be
    used stale (the same, unless a policy says otherwise). *took*: milliseconds that it took to buy.

    A negative entry remembers that there is no answer: *error* is the class of what went wrong, *failures* how often
    in a row.
    """

    key: Key
    label: Label
    payload: bytes
    sequence: int
    created: Instant
    expires: Instant
    price: MicroDollars = FREE
    kept: Instant = EPOCH
    took: int = 0
    error: str = ""
    failures: int = 0

    def __post_init__(self) -> None:
        if self.kept < self.expires:
            msgspec.structs.force_setattr(self, "kept", self.expires)

    def ttl(self, now: Instant) -> int:
        """Whole seconds left at *now*, never negative."""
        return max(0, (self.expires - now) // 1000)

    def age(self, now: Instant) -> int:
        """Whole seconds since it was bought, never negative (RFC 9111 section 4.2.3)."""
        return max(0, (now - self.created) // 1000)


@dataclass(frozen=True, slots=True)
class Head:
    """What a store tells of an entry without its payload: enough to browse, to select and to remove just it."""

    key: Key
    label: Label
    sequence: int
    created: Instant
    expires: Instant
    price: MicroDollars
    size: int
