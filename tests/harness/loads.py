"""
Loads that tests hold in their hand: they count, wait at a gate, fail on demand, and know whether they were closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hashcache.core.money import MicroDollars
from hashcache.engine.load import Kept, Loaded

PRICE = MicroDollars(10_000)


@dataclass
class Shop:
    """Where loads buy. *gate* open: at once. *paid* counts purchases; *open_loads* those not closed yet;
    *kept* what became of each answer, and whether it was bought twice, noted when it is *booked*: at once, unless that
    is cleared. *booking*: it is about to be.
    """

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    paid: int = 0
    tokens: list[str] = field(default_factory=list)
    open_loads: int = 0
    closed_twice: int = 0
    failing: Exception | None = None
    kept: list[tuple[Kept, bool]] = field(default_factory=list)
    booked: asyncio.Event = field(default_factory=asyncio.Event)
    booking: bool = False
    price: MicroDollars = PRICE

    def __post_init__(self) -> None:
        self.booked.set()

    def load(self, payload: Callable[[int], bytes] = lambda number: b'{"bought":%d}' % number) -> ShopLoad:
        """One more load; *payload* makes its answer from the number of the purchase."""
        self.open_loads += 1
        return ShopLoad(self, payload)


class ShopLoad:
    """An `engine.load.Load` that buys in a shop."""

    def __init__(self, shop: Shop, payload: Callable[[int], bytes]) -> None:
        self._shop = shop
        self._payload = payload
        self.closed = False

    async def __call__(self, token: str) -> Loaded:
        """Buy, when the gate is open."""
        shop = self._shop
        shop.paid += 1
        number = shop.paid
        shop.tokens.append(token)
        shop.entered.set()
        await shop.gate.wait()
        if shop.failing is not None:
            raise shop.failing
        return Loaded(self._payload(number), shop.price)

    async def kept(self, how: Kept, *, duplicate: bool) -> None:
        """Note it."""
        self._shop.booking = True
        await self._shop.booked.wait()
        self._shop.kept.append((how, duplicate))

    async def close(self) -> None:
        """Count it."""
        if self.closed:
            self._shop.closed_twice += 1
            return
        self.closed = True
        self._shop.open_loads -= 1
