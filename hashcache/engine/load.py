"""What the engine buys with: whatever is slow or paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hashcache.core.money import FREE, MicroDollars


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load gave: opaque bytes and what they cost. *keep* False: the answer is given, but must not be kept."""

    payload: bytes
    price: MicroDollars = FREE
    keep: bool = True


class Load(Protocol):
    """Whatever is slow or paid. *token* names this attempt across the fleet."""

    async def __call__(self, token: str) -> Loaded:
        """Buy the answer. Its errors reach everybody who waits for this flight."""
        ...

    async def close(self) -> None:
        """Free what the load holds; called once, whether it ran or not."""
        ...
