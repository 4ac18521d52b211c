"""
Backing off where an older answer still serves: a purchase that was to replace it and failed is not tried at once again.

Rule 1: the pauses are those of the policy's memory of failures. A class that it does not remember pauses as well: with
        an answer at hand nobody needs each request to try.
Rule 2: bounded in number; what is dropped is tried earlier. Each process has its own: across processes claims see to
        it that one tries at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.policy import Policy, Remembered

MOST = 10_000
#: For failures that the policy does not remember.
OTHERWISE = Remembered(timedelta(seconds=1), timedelta(minutes=5))
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Pause:
    """After *failures* in a row, *until* then. One that comes after *over* is the first of a new row."""

    failures: int
    until: Instant
    over: Instant


class Pauses:
    """The keys that pause. Instants are on the store's clock."""

    def __init__(self) -> None:
        self._pauses: OrderedDict[Key, _Pause] = OrderedDict()

    def pauses(self, key: Key, now: Instant) -> bool:
        """Whether *key* is not to be bought now, as long as an older answer serves."""
        pause = self._pauses.get(key)
        return pause is not None and now < pause.until

    def failed(self, key: Key, kind: str, policy: Policy, now: Instant) -> None:
        """Buying *key* failed again, in the class *kind*."""
        before = self._pauses.pop(key, None)
        failures = before.failures + 1 if before is not None and now < before.over else 1
        life = policy.negatives.get(kind, OTHERWISE).life
        until, over = now + life(failures) // _MILLISECOND, now + 2 * life(failures + 1) // _MILLISECOND
        self._pauses[key] = _Pause(failures, Instant(until), Instant(over))
        if len(self._pauses) > MOST:
            self._pauses.popitem(last=False)

    def succeeded(self, key: Key) -> None:
        """*key* was bought."""
        self._pauses.pop(key, None)

    def __len__(self) -> int:
        return len(self._pauses)
