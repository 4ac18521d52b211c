"""Who carries a webhook to its receiver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hashcache.core.target import Target


@dataclass(frozen=True, slots=True)
class Posted:
    """
    What came of one try: the *status* that the receiver answered with, None: none came, because of *why*, a word for
    the log. *retry_after*: seconds that it asks us to wait, None: it does not.
    """

    status: int | None
    why: str = ""
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


class Postman(Protocol):
    """Carries one message at a time to wherever it is told, within a deadline of its own."""

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Posted:
        """Send *body* to *target*, once. Never raises: what goes wrong is told."""
        ...
