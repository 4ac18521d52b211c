"""Budgets as operators write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hashcache.core.budget import Budget, Period
from hashcache.settings import shapes
from hashcache.settings.credentials import NAME
from hashcache.settings.shapes import Malformed

_WORDS = "must be a list, parted by commas, of tenant:dollars/day or tenant:dollars/month"


def tenants(text: str) -> tuple[Budget, ...]:
    """`acme:5/day,acme:100/month`: budgets of single tenants, each period of each at most once."""
    found: dict[tuple[str, Period], Budget] = {}
    for part in text.split(","):
        tenant, colon, rest = part.strip().partition(":")
        amount, slash, period = rest.partition("/")
        if not (colon and slash and NAME.fullmatch(tenant) and period in set(Period)):
            raise Malformed(_WORDS)
        where = (tenant, Period(period))
        if where in found:
            raise Malformed(f"{_WORDS}, each once")
        found[where] = Budget(shapes.price(amount), where[1], tenant=tenant)
    return tuple(found.values())


def gathered(values: Mapping[str, Any]) -> tuple[Budget, ...]:
    """All budgets that *values*, by the knobs' attributes, speak of: in all, by provider, by tenant."""
    return (*_plain(values), *(values["budget.tenants"] or ()))


def _plain(values: Mapping[str, Any]) -> Iterator[Budget]:
    for name, amount in values.items():
        parts = name.split(".")
        if parts[0] != "budget" or parts[-1] not in set(Period) or amount is None:
            continue
        yield Budget(amount, Period(parts[-1]), provider=parts[1] if len(parts) == 3 else None)
