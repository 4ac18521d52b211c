"""
What a purchase becomes: the entry of an answer, or of a failure that is remembered.

Rule: an entry carries the barrier's *sequence* that was read before it was bought, and is as old as the moment in
      which it was (*now*, on the store's clock).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hashcache.core.entry import Entry, Instant
from hashcache.engine.flights import Flight
from hashcache.engine.load import Loaded, LoadFailed

_MILLISECOND = timedelta(milliseconds=1)


def answer(
    flight: Flight, loaded: Loaded, life: timedelta, *, stale: timedelta, sequence: int, now: Instant, took: timedelta
) -> Entry:
    """What *flight* has *loaded*, fresh for *life* and kept for *stale* longer; buying it *took* so long."""
    expires = now + life // _MILLISECOND
    return Entry(
        key=flight.key,
        label=flight.label,
        payload=loaded.payload,
        sequence=sequence,
        created=now,
        expires=Instant(expires),
        price=loaded.price,
        kept=Instant(expires + stale // _MILLISECOND),
        took=took // _MILLISECOND,
    )


def failure(
    flight: Flight,
    failed: LoadFailed,
    life: Callable[[int], timedelta],
    *,
    before: Entry | None,
    sequence: int,
    now: Instant,
) -> Entry:
    """The memory that *flight* *failed*, for the *life* of so many failures in a row; *before*: what lay there."""
    failures = (before.failures if before is not None and before.error else 0) + 1
    return Entry(
        key=flight.key,
        label=flight.label,
        payload=failed.payload,
        sequence=sequence,
        created=now,
        expires=Instant(now + life(failures) // _MILLISECOND),
        # Kept longer than it counts, so that the next failure is known to be the next.
        kept=Instant(now + 2 * life(failures + 1) // _MILLISECOND),
        error=failed.kind,
        failures=failures,
    )


def remembered(entry: Entry, now: Instant) -> LoadFailed:
    """The failure that a negative *entry* remembers."""
    return LoadFailed(entry.error, entry.payload, remembered=True, retry_after=max(0, entry.expires - now) / 1000)
