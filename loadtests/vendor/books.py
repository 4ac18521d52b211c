"""
What a vendor billed, so that whatever was paid twice can be seen.

Rule: a purchase is booked when its content has arrived, before the answer; what was refused costs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

_MICRO = 1_000_000


@dataclass
class Account:
    """
    What one vendor billed, at *price* micro-dollars a *unit*, and how often each content was bought.

    *lost*: purchases whose answer was cut off, billed like others. *refused*: calls by status, not billed.
    """

    unit: str
    price: int
    units: int = 0
    lost: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    by_digest: Counter[str] = field(default_factory=Counter)

    @property
    def micro_dollars(self) -> int:
        """The bill."""
        return self.units * self.price

    def book(self, digest: str, units: int) -> None:
        """One more purchase, of the content with this *digest*."""
        self.units += units
        self.by_digest[digest] += 1

    def told(self) -> dict[str, Any]:
        """As JSON."""
        calls, contents = self.by_digest.total(), len(self.by_digest)
        return {
            "calls": calls,
            "contents": contents,
            "duplicates": calls - contents,
            "lost": self.lost,
            "refused": {str(status): times for status, times in sorted(self.refused.items())},
            "unit": self.unit,
            "units": self.units,
            "price_usd": dollars(self.price),
            "micro_dollars": self.micro_dollars,
            "billed_usd": dollars(self.micro_dollars),
        }


def summed(accounts: Mapping[str, Account]) -> dict[str, Any]:
    """All *accounts*, by the vendor's name, and what they come to."""
    told = {name: account.told() for name, account in accounts.items()}
    total = sum(account.micro_dollars for account in accounts.values())
    sums = {name: sum(one[name] for one in told.values()) for name in ("calls", "duplicates", "lost")}
    return {**sums, "micro_dollars": total, "billed_usd": dollars(total), "vendors": told}


def dollars(micro: int) -> str:
    """*micro* dollars in dollars, without an exponent: 2900 is 0.0029."""
    return f"{(Decimal(micro) / _MICRO).normalize():f}"


def micro_dollars(text: str) -> int:
    """The micro-dollars in a *text* such as `0.0029`. Raises ValueError: it is no sum, or finer than that."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        raise ValueError(f"{text!r} is no price in US dollars, such as 0.0029")
    micro = Decimal(text) * _MICRO
    if micro != int(micro):
        raise ValueError(f"{text} is finer than a millionth of a dollar")
    return int(micro)
