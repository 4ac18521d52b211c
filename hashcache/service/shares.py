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
        self._alone: dict[str, Attempt] = {}

    def saw(self, left: Mapping[str, MicroDollars]) -> None:
        """The store told what is *left* of some charges: from now on that counts, not what was drawn before."""
        self._seen_any = True
        for name, amount in left.items():
            self._left[name] = amount
            self._drawn.pop(name, None)

    def draw(self, attempt: Attempt, charges: Sequence[Charge]) -> Charge | None:
        """Draw the estimate of *attempt* on this process's share of all *charges*; the first that is spent, if any."""
        for charge in charges:
            if self._drawn.get(charge.name, 0) + attempt.estimate > self._share(charge):
                return charge
        for charge in charges:
            self._drawn[charge.name] = self._drawn.get(charge.name, 0) + attempt.estimate
        self._alone[attempt.token] = attempt
        return None

    def is_alone(self, token: str) -> bool:
        """Whether the attempt *token* was admitted without the store."""
        return token in self._alone

    def settled(self, attempt: Attempt, settlement: Settlement) -> None:
        """Correct what *attempt* drew by what it cost."""
        if attempt.token in self._alone:
            cost = settlement.price + settlement.wasted
            for name in attempt.charges:
                self._drawn[name] = self._drawn.get(name, 0) + cost - attempt.estimate

    def forget(self, token: str) -> None:
        """The attempt *token* is booked."""
        self._alone.pop(token, None)

    def _share(self, charge: Charge) -> int:
        """A window that began since the last contact is untouched, as far as we know."""
        left = self._left.get(charge.name, charge.most if self._seen_any else MicroDollars(0))
        return left // max(1, self.peers)
