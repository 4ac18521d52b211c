"""
How an answer lives: how long it is fresh, what may be done when it is not, how long a claim on it lasts.

Rule 1: a duration is a `timedelta`; it is never mapped to a timer, so 30 days work like 30 seconds.
Rule 2: everything that lets an answer live longer, or buys it earlier, is off unless it is asked for. For a paid
        analysis it stays off: the bytes behind a SHA-256 never change, so buying again buys the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

NEVER = timedelta(0)


@dataclass(frozen=True, slots=True)
class Remembered:
    """How long a failure of one class is remembered: *ttl* the first time, doubled each time, at most *longest*."""

    ttl: timedelta
    longest: timedelta

    def life(self, failures: int) -> timedelta:
        """For the failure that is the *failures*-th in a row, from 1 on."""
        doubled: int = 2 ** min(failures - 1, 32)
        return self.longest if self.ttl > self.longest // doubled else self.ttl * doubled  # no overflow of timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """
    *ttl*: how long an answer is fresh.

    *stale_while_revalidate*, *stale_if_error*: how much longer it may be served while a new one is bought in the
    background, or when buying one fails (RFC 5861).
    *refresh_ahead*: beta of probabilistic early refresh (Vattani, Chierichetti, Lowenstein 2015, "XFetch"); 1 is
    their optimum, 0 turns it off.
    *jitter*: up to which share of its ttl an answer expires earlier, by chance, so that not all expire at once.
    *late*: a read in the last part of an answer's life, of this share, makes it live its ttl again; 0 turns it off.
    *shortest*, *longest*: bounds of a ttl that halves when a new answer differs from the old one and doubles when it
    does not; None: it does neither.
    *negatives*: which classes of failure are remembered, and how long.

    *lease*: how long a claim holds without being renewed; *renewal*: how often it is.
    *poll*, *longest_poll*: how soon and how late somebody who waits for another process looks again unasked.
    *patience*: how long a caller waits for somebody else's purchase.
    """

    ttl: timedelta
    stale_while_revalidate: timedelta = NEVER
    stale_if_error: timedelta = NEVER
    refresh_ahead: float = 0.0
    jitter: float = 0.0
    late: float = 0.0
    shortest: timedelta | None = None
    longest: timedelta | None = None
    negatives: Mapping[str, Remembered] = field(default_factory=dict)
    lease: timedelta = timedelta(seconds=8)
    renewal: timedelta = timedelta(seconds=2.5)
    poll: timedelta = timedelta(milliseconds=250)
    longest_poll: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(seconds=200)

    def __post_init__(self) -> None:
        if self.ttl <= NEVER:
            raise ValueError("an entry without a positive ttl is never stored")
        if self.renewal * 2 > self.lease:
            raise ValueError("a claim must be renewed at least twice within its lease")
        if not (0 <= self.jitter < 1 and 0 <= self.late <= 1 and self.refresh_ahead >= 0):
            raise ValueError("jitter and late are shares of a ttl, refresh_ahead is not negative")
        if (self.shortest is None) is not (self.longest is None):
            raise ValueError("a ttl by volatility has two bounds")
        if self.shortest is not None and not NEVER < self.shortest <= (self.longest or NEVER):
            raise ValueError("the bounds of a ttl by volatility are positive and in order")

    @property
    def stale(self) -> timedelta:
        """How long after it expired an answer stays in the store."""
        return max(self.stale_while_revalidate, self.stale_if_error)
