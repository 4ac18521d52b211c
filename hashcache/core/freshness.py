"""
Decide what a stored entry permits at a given instant.

Rule 1: nothing here reads a clock; the caller passes *now*.
Rule 2: a verdict carries the entry it speaks of, so nobody looks it up twice.
Rule 3: what an invalidation forbids is missing, however fresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hashcache.core.barrier import Barrier
from hashcache.core.entry import EPOCH, Entry, Instant


class Cause(StrEnum):
    """Why an answer is missing, as far as that is known."""

    NEW = "new"
    EXPIRED = "expired"
    CLEARED = "cleared"
    EVICTED = "evicted"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class Fresh:
    """*entry* may be served."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Missing:
    """There is nothing to serve, because of *cause*."""

    cause: Cause


def judge(entry: Entry | None, *, now: Instant, barrier: Barrier, not_before: Instant = EPOCH) -> Fresh | Missing:
    """
    What *entry* permits at *now* under *barrier*.

    An entry bought before *not_before* is not good enough for who asks: that is how a forced refresh says
    that it wants a purchase which was still under way when it asked, or a new one.
    """
    if entry is None:
        return Missing(Cause.NEW)
    if barrier.forbids(entry):
        return Missing(Cause.CLEARED)
    if entry.expires <= now:
        return Missing(Cause.EXPIRED)
    if entry.created < not_before:
        return Missing(Cause.REFRESH)
    return Fresh(entry)
