"""
Decide what a stored entry permits at a given instant, and how long a new one lives.

Rule 1: nothing here reads a clock or draws a number; the caller passes *now* and *chance*.
Rule 2: a verdict carries the entry it speaks of, so nobody looks it up twice.
Rule 3: what an invalidation forbids is missing, however fresh, and is never served stale.
"""

from __future__ import annotations

import math
from datetime import timedelta
from enum import StrEnum

import msgspec

from hashcache.core.barrier import Barrier
from hashcache.core.entry import EPOCH, Entry, Instant
from hashcache.core.policy import NEVER, Policy

_MILLISECOND = timedelta(milliseconds=1)


class Cause(StrEnum):
    """Why an answer is missing, as far as that is known."""

    NEW = "new"
    EXPIRED = "expired"
    CLEARED = "cleared"
    EVICTED = "evicted"
    REFRESH = "refresh"


class Fresh(msgspec.Struct, frozen=True):
    """*entry* may be served."""

    entry: Entry


class Stale(msgspec.Struct, frozen=True):
    """*entry* may be served now, while a new one is bought in the background (RFC 5861 section 3)."""

    entry: Entry


class Missing(msgspec.Struct, frozen=True):
    """There is nothing to serve, because of *cause*. *fallback* may be served if buying fails (RFC 5861 section 4)."""

    cause: Cause
    fallback: Entry | None = None


def judge(
    entry: Entry | None,
    *,
    now: Instant,
    barrier: Barrier,
    not_before: Instant = EPOCH,
    stale_while_revalidate: timedelta = NEVER,
    stale_if_error: timedelta = NEVER,
) -> Fresh | Stale | Missing:
    """
    What *entry* permits at *now* under *barrier*.

    An entry bought before *not_before* is not good enough for who asks: that is how a forced refresh says
    that it wants a purchase which was still under way when it asked, or a new one. A negative entry is never stale.
    """
    if entry is None:
        return Missing(Cause.NEW)
    if barrier.forbids(entry):
        return Missing(Cause.CLEARED)
    good_enough = entry.created >= not_before
    if entry.expires > now:
        return Fresh(entry) if good_enough else Missing(Cause.REFRESH)
    late = (now - entry.expires) * _MILLISECOND
    if good_enough and not entry.error and late < stale_while_revalidate:
        return Stale(entry)
    return Missing(Cause.EXPIRED, entry if not entry.error and late < stale_if_error else None)


def refresh_is_due(entry: Entry, *, now: Instant, beta: float, chance: float) -> bool:
    """
    Whether this read should refresh a fresh *entry* ahead of its end (XFetch, figure 3 of the paper).

    *chance* is uniform in (0, 1]: the longer a purchase takes and the nearer the end, the likelier. A negative entry is
    never refreshed: its life is how long nobody tries again.
    """
    return beta > 0 and not entry.error and now - entry.took * beta * math.log(chance) >= entry.expires


def lifetime(policy: Policy, *, chance: float, before: Entry | None, payload: bytes) -> timedelta:
    """
    How long a new answer *payload* is fresh. *chance* is uniform in [0, 1); *before* is the answer that it replaces.
    """
    life = policy.ttl
    if policy.shortest is not None and policy.longest is not None and before is not None and not before.error:
        last = (before.expires - before.created) * _MILLISECOND
        life = min(max(last * 2 if before.payload == payload else last / 2, policy.shortest), policy.longest)
    return life - life * (policy.jitter * chance)


def prolonged(entry: Entry, *, now: Instant, policy: Policy) -> Instant | None:
    """
    Until when a read at *now* lets *entry* live; None when it changes nothing. Negative and expired ones never gain.

    The share of `Policy.late` is one of a single ttl, not of all that it has lived: otherwise what was prolonged a few
    times would be prolonged again by every read.
    """
    life = min(entry.expires - entry.created, policy.ttl // _MILLISECOND)
    if entry.error or not policy.late or not entry.expires - life * policy.late <= now < entry.expires:
        return None
    later = Instant(now + policy.ttl // _MILLISECOND)
    return later if later > entry.expires else None
