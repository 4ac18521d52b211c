"""Counters added as a process would: each time a batch of a sender of its own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Protocol

from hashcache.core.entry import Instant
from hashcache.ports import Batch, Ledger


class Booked(Protocol):
    """A store with its ledger."""

    ledger: Ledger

    def now(self) -> Instant: ...


async def book(store: Booked, counts: Mapping[str, int]) -> None:
    """Add *counts* to the ledger of *store*."""
    await store.ledger.book(Batch(secrets.token_hex(8), 1, store.now(), counts))
