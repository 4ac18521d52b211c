"""
Money as integer micro-dollars: what a call costs, what a hit saves.

Rule 1: an amount is an int of 10**-6 US dollars; floats never enter, so sums are exact.
Rule 2: amounts leave as decimal strings ("0.01"), because JSON numbers are floats to most readers.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NewType

from hashcache.core.errors import MoneyError

MicroDollars = NewType("MicroDollars", int)

FREE = MicroDollars(0)
_PER_DOLLAR = 1_000_000
_MOST = 10**9 * _PER_DOLLAR


def dollars(text: str) -> MicroDollars:
    """
    Read an amount such as `0.01` or `25`.

    Raises:
        MoneyError: not a decimal number, negative, over a thousand million, or with more than six decimals.
    """
    try:
        amount = Decimal(text.strip()) * _PER_DOLLAR
    except InvalidOperation:
        raise MoneyError(f"{text!r} is not an amount in US dollars, such as 0.01") from None
    if not amount.is_finite() or amount < 0 or amount > _MOST:
        raise MoneyError(f"{text!r} is not an amount between 0 and 1000000000 US dollars")
    if amount != amount.to_integral_value():
        raise MoneyError(f"{text!r} has more than six decimals; the smallest amount is 0.000001 US dollars")
    return MicroDollars(int(amount))


@lru_cache(1024)
def decimal(amount: int) -> str:
    """Write *amount* in dollars, as short as it is exact: 10000 -> "0.01", 0 -> "0"."""
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), _PER_DOLLAR)
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:06d}".rstrip("0")
