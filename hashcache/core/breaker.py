"""
Closed, open, half-open, as data: when to stop asking something that does not answer.

Rule 1: nothing here waits or reads a clock; *now* is handed in, in seconds of any monotonic clock.
Rule 2: half-open lets one probe through at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Breaker:
    """
    *failures* in a row so far; *opened* when it opened (None: closed); *probing* since when a probe is under way.

    It opens after *threshold* failures in a row and lets a probe through every *pause* seconds.
    """

    threshold: int = 3
    pause: float = 1.0
    failures: int = 0
    opened: float | None = None
    probing: float | None = None

    def allows(self, now: float) -> bool:
        """Whether to ask at *now*. When it is open and True: announce the probe with `probe` first."""
        if self.opened is None:
            return True
        since = self.probing if self.probing is not None else self.opened
        return now - since >= self.pause

    def probe(self, now: float) -> Breaker:
        """A probe starts at *now*; nothing changes while closed."""
        return self if self.opened is None else replace(self, probing=now)

    def succeeded(self) -> Breaker:
        """It answered: closed again."""
        return (
            self if self.opened is None and not self.failures else replace(self, failures=0, opened=None, probing=None)
        )

    def failed(self, now: float) -> Breaker:
        """It did not answer."""
        failures = self.failures + 1
        if self.opened is not None or failures >= self.threshold:
            return replace(self, failures=failures, opened=now, probing=None)
        return replace(self, failures=failures)
