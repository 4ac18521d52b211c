"""
How many calls to a vendor may be repeated, as data: a vendor in trouble is not given three times the work.

Rule 1: nothing here waits or reads a clock; *now* is handed in, in seconds of any monotonic clock.
Rule 2: of the calls of the last *window* seconds at most *share* are repeated, and *floor* more, so that a service
        with few calls still survives a hiccup.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: The window moves in so many steps.
STEPS = 6


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """
    *counted*: for each step of the window in which something happened its number, its calls and its retries, the
    oldest first. A call that is repeated twice counts as one call and two retries.
    """

    share: float = 0.1
    floor: int = 10
    window: float = 60.0
    counted: tuple[tuple[int, int, int], ...] = ()

    def called(self, now: float) -> RetryBudget:
        """A new call is made at *now*."""
        return self._count(now, calls=1, retries=0)

    def allows(self, now: float) -> bool:
        """Whether a call may be repeated at *now*."""
        counted = self._recent(now)
        calls, retries = sum(one[1] for one in counted), sum(one[2] for one in counted)
        return retries + 1 <= self.floor + self.share * calls

    def retried(self, now: float) -> RetryBudget:
        """A call is repeated at *now*."""
        return self._count(now, calls=0, retries=1)

    def _recent(self, now: float) -> tuple[tuple[int, int, int], ...]:
        """What happened in the window that ends at *now*, to a step."""
        oldest = int(now // (self.window / STEPS)) - STEPS
        return tuple(one for one in self.counted if one[0] > oldest)

    def _count(self, now: float, *, calls: int, retries: int) -> RetryBudget:
        recent = self._recent(now)
        step = int(now // (self.window / STEPS))
        if recent and recent[-1][0] >= step:
            step, before, repeated = recent[-1]
            recent, calls, retries = recent[:-1], before + calls, repeated + retries
        return replace(self, counted=(*recent, (step, calls, retries)))
