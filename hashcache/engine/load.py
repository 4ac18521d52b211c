"""What the engine buys with, and how it fails."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import msgspec

from hashcache.core.money import FREE, MicroDollars


class Loaded(msgspec.Struct, frozen=True):
    """What a load gave: opaque bytes and what they cost. *keep* False: the answer is given, but must not be kept."""

    payload: bytes
    price: MicroDollars = FREE
    keep: bool = True


class Kept(Enum):
    """
    What became of a loaded answer: stored; not kept, as was asked, or since nothing is; or refused, since it was
    cleared meanwhile.
    """

    STORED = "stored"
    UNKEPT = "unkept"
    FENCED = "fenced"

    @classmethod
    def of(cls, *, stored: bool, keeps: bool) -> Kept:
        """What became of an answer that was *stored* or refused by a store that *keeps* anything, or nothing."""
        if stored:
            return cls.STORED
        return cls.FENCED if keeps else cls.UNKEPT


class LoadFailed(Exception):
    """
    There is no answer. *kind* is the class of the failure, which the policy may remember; *payload* says in the
    load's own bytes what failed. *remembered*: an earlier failure, remembered for *retry_after* seconds more.
    """

    def __init__(self, kind: str, payload: bytes, *, remembered: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(kind)
        self.kind = kind
        self.payload = payload
        self.remembered = remembered
        self.retry_after = retry_after


class Load(Protocol):
    """Whatever is slow or paid. *token* names this attempt across the fleet."""

    async def __call__(self, token: str) -> Loaded:
        """Buy the answer, or raise LoadFailed. Its errors reach everybody who waits for this flight."""
        ...

    async def kept(self, how: Kept, *, duplicate: bool) -> None:
        """
        What became of the answer that it gave; called once after it gave one, and late when the store was away.
        *duplicate*: somebody else bought the same meanwhile. Must not raise.
        """
        ...

    async def close(self) -> None:
        """Free what the load holds; called once, whether it ran or not, and perhaps before `kept`."""
        ...
