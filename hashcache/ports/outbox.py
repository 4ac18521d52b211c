"""Webhooks that were promised and are not delivered yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from hashcache.core.entry import Instant


@dataclass(frozen=True, slots=True)
class Sealed:
    """A letter (`core.letter`) as it is kept, until *expires* at the latest: its id, its *tenant*, opaque bytes."""

    id: str
    tenant: str
    sealed: bytes
    expires: Instant


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many letters may wait: in all, and of one *tenant*."""

    total: int
    tenant: int


class Full(StrEnum):
    """For whom there is no room."""

    TENANT = "tenant"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Taken:
    """*letters* that were due, and when the *next* of all is (None: there is none)."""

    letters: Sequence[Sealed]
    next: Instant | None


class Outbox(Protocol):
    """
    The letters of the fleet. No invalidation touches them. Each letter is in the hands of one holder at a time: of
    whoever put or took it, until it is due again.

    Every verb is one atomic act and raises `StoreUnavailable`. A letter whose time is over may be gone by itself, or
    be handed out like others: whoever takes it drops it.
    """

    async def put(self, letter: Sealed, holder: str, *, hold: timedelta, bounds: Bounds) -> Full | None:
        """
        Keep *letter*, in the hands of *holder* for *hold*; or why there is no room, and nothing is kept.

        One of this id that is there already is left as it is: safe to repeat after a lost reply.
        """
        ...

    async def take(self, holder: str, *, hold: timedelta, most: int) -> Taken:
        """Take letters that are due, the one that waits longest first, at most so many, into the hands of *holder*."""
        ...

    async def defer(self, letter: Sealed, holder: str, due: Instant) -> bool:
        """
        Put *letter*, as it is now, back until it is *due*; until then it stays in the hands of *holder*. False, and
        nothing is changed, when it is gone, or somebody else has taken it meanwhile.
        """
        ...

    async def drop(self, letter: str) -> bool:
        """Forget the letter of this id, whoever holds it; whether it was there."""
        ...
