"""
How an answer lives: how long it is fresh, how long a claim on it lasts.

Rule: a duration is a `timedelta`; it is never mapped to a timer, so 30 days work like 30 seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """
    *ttl*: how long an answer is fresh; nothing extends it.
    *lease*: how long a claim holds without being renewed; *renewal*: how often it is.
    *poll*, *longest_poll*: how soon and how late somebody who waits for another process looks again.
    *patience*: how long a caller waits for somebody else's purchase.
    """

    ttl: timedelta
    lease: timedelta = timedelta(seconds=8)
    renewal: timedelta = timedelta(seconds=2.5)
    poll: timedelta = timedelta(milliseconds=50)
    longest_poll: timedelta = timedelta(seconds=1)
    patience: timedelta = timedelta(seconds=200)

    def __post_init__(self) -> None:
        if self.ttl <= timedelta(0):
            raise ValueError("an entry without a positive ttl is never stored")
        if self.renewal * 2 > self.lease:
            raise ValueError("a claim must be renewed at least twice within its lease")
