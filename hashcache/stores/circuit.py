"""
The breaker of a provider that the whole fleet shares, as a record.

Rule 1: it opens after so many failures in a row, and at once when the vendor refuses our account or asks to wait.
Rule 2: once its time is over, one attempt is let through as the probe; the others wait until that ends or is given up.
Rule 3: whoever hears a word of the provider tells it: a late success closes it, a late failure prolongs it. A wait
        that the vendor asked for is kept all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from hashcache.core.entry import EPOCH, Instant
from hashcache.ports import Breaker, Health, Reason, Refused, Rules, Settlement

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Circuit:
    """
    *failures* in a row; open because of *reason* when *until* is not EPOCH. The attempt *probe* was let through and is
    given up at *given_up*.
    """

    failures: int = 0
    until: Instant = EPOCH
    reason: str = ""
    probe: str = ""
    given_up: Instant = EPOCH

    def refuses(self, now: Instant) -> Refused | None:
        """Why a new attempt must wait."""
        if self.until == EPOCH:
            return None
        if now < self.until:
            return Refused(Reason.BREAKER, self.reason, self.until)
        if self.probe and now < self.given_up:
            return Refused(Reason.BREAKER, self.reason, self.given_up)
        return None

    def admits(self, token: str, rules: Rules, now: Instant) -> Circuit:
        """As it is once the attempt *token* is let through: its probe, when it is open."""
        if self.until == EPOCH:
            return self
        return replace(self, probe=token, given_up=Instant(now + rules.probe // _MILLISECOND))

    def heeds(self, token: str, settlement: Settlement, rules: Rules, now: Instant) -> Circuit | None:
        """As it is once the attempt *token* has ended so; None: as good as new."""
        health = settlement.health
        if health is Health.WELL and not (self.reason == "throttled" and now < self.until):
            return None
        rest = replace(self, probe="", given_up=EPOCH) if self.probe == token else self
        if health in {Health.FAILED, Health.DENIED}:
            rest = replace(rest, failures=self.failures + 1)
        elif health is Health.WELL:
            rest = replace(rest, failures=0)
        if health is Health.DENIED:
            rest = _opened(rest, "denied", Instant(now + rules.denied_pause // _MILLISECOND))
        elif health is Health.THROTTLED:
            rest = _opened(rest, "throttled", Instant(now + settlement.pause // _MILLISECOND))
        elif health is Health.FAILED and (self.until != EPOCH or rest.failures >= rules.threshold):
            rest = _opened(rest, "failed", Instant(now + rules.pause // _MILLISECOND))
        return rest if rest != Circuit() else None

    def told(self, provider: str) -> Breaker:
        """For those who look."""
        return Breaker(provider, self.failures, self.until if self.until != EPOCH else None, self.reason)


def _opened(circuit: Circuit, reason: str, until: Instant) -> Circuit:
    return replace(circuit, reason=reason, until=until) if until > circuit.until else circuit
