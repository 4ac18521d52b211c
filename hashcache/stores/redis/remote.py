"""What the store, its books and its catalogue need of the other side: one server, or a cluster of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from hashcache.stores.redis.scripts import Call, Command


class Remote(Protocol):
    """Answers commands."""

    @property
    def where(self) -> str:
        """For people, without secrets."""
        ...

    @property
    def commands(self) -> int:
        """How many commands were sent, those inside scripts not counted."""
        ...

    @property
    def took(self) -> Sequence[float]:
        """How long the last few hundred round trips took, in seconds, failed ones included."""
        ...

    async def open(self) -> None:
        """Connect, if it can be reached now."""
        ...

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        ...

    async def ask(self, *commands: Command | Call, within: timedelta, lenient: bool = False) -> list[Any]:
        """
        The replies to *commands*, in order. They are not one act: a Call is one by itself.

        *lenient*: a command that meets a value of another type answers None.

        Raises:
            StoreUnavailable: out of reach, late, or one of them was refused (the others may have taken effect).
        """
        ...
