"""
What one process may spend of the budgets while it cannot ask the store.

Rule: its share is what was left at the last contact, divided by the processes that share the budgets. Where nothing
is known, because the store was never reached, nothing may be spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hashcache.core.budget import Charge
from hashcache.core.money import MicroDollars
from hashcache.ports import Attempt, Settlement


class Shares:
    """The shares of this process, which is one of *peers*."""

    def __init__(self) -> None:
        self.peers = 1
        self._left: dict[str, MicroDollars] = {}
        self._seen_any = False
        self._drawn: dict[str, int] = {}
        #: What was admitted without the store and is not booked, with what it drew.
        self._alone: dict[str, tuple[Attempt, int]] = {}

    def saw(self, left: Mapping[str, MicroDollars]) -> None:
        """
        The store told what is *left* of some charges: from now on that counts, and of what was drawn before only what
        is not booked there yet. Or else a store that comes and goes would give the share anew each time.
        """
        self._seen_any = True
        for name, amount in left.items():
            self._left[name] = amount
            self._drawn[name] = self._unbooked(name)

    def exhausted(self, attempt: Attempt, charges: Sequence[Charge]) -> Charge | None:
        """
        The first of *charges* that has no room for *attempt* because of what the store does not know of yet: what was
        drawn without it is booked only when it has ended.
        """
        for charge in charges:
            unbooked = self._unbooked(charge.name)
            if unbooked and unbooked + attempt.estimate > self._left.get(charge.name, charge.most):
                return charge
        return None

    def draw(self, attempt: Attempt, charges: Sequence[Charge]) -> Charge | None:
        """Draw the estimate of *attempt* on this process's share of all *charges*; the first that is spent, if any."""
        for charge in charges:
            if self._drawn.get(charge.name, 0) + attempt.estimate > self._share(charge):
                return charge
        for charge in charges:
            self._drawn[charge.name] = self._drawn.get(charge.name, 0) + attempt.estimate
        self._alone[attempt.token] = (attempt, attempt.estimate)
        return None

    def is_alone(self, token: str) -> bool:
        """Whether the attempt *token* was admitted without the store."""
        return token in self._alone

    def settled(self, attempt: Attempt, settlement: Settlement) -> None:
        """Correct what *attempt* drew by what it cost."""
        if attempt.token in self._alone:
            cost = settlement.price + settlement.wasted
            self._alone[attempt.token] = (attempt, cost)
            for name in attempt.charges:
                self._drawn[name] = self._drawn.get(name, 0) + cost - attempt.estimate

    def forget(self, token: str) -> None:
        """The attempt *token* is booked."""
        self._alone.pop(token, None)

    def _share(self, charge: Charge) -> int:
        """A window that began since the last contact is untouched, as far as we know."""
        left = self._left.get(charge.name, charge.most if self._seen_any else MicroDollars(0))
        return left // max(1, self.peers)

    def _unbooked(self, name: str) -> int:
        """What was drawn on the charge *name* without the store, and is not booked."""
        return sum(cost for attempt, cost in self._alone.values() if name in attempt.charges)
