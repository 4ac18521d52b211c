"""Who is paid for an analysis, with what bytes, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from hashcache.core.content import Content, Kind
from hashcache.core.key import Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Result


class Body(Protocol):
    """The bytes of one upload. Can be read several times, at the same time, until closed."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the start, in pieces of at most 256 KiB."""
        ...

    def descriptor(self) -> int | None:
        """A file descriptor whose file holds just these bytes, open for reading; None for a body in memory."""
        ...

    async def close(self) -> None:
        """Free memory and spool. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's finished answer and what it cost. *units*: what the vendor bills by, such as `operations`."""

    result: Result
    price: MicroDollars
    units: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call will cost, as far as it is known beforehand; *units* as in `Answer`."""

    price: MicroDollars
    units: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What a provider takes and what its vendor bills, for people. *unit*: what is billed, such as `image`; *price* of
    one, as it was published on *read* (an ISO date; None: it costs nothing, or the operator said the price).
    *limits*: sentences such as "image: JPEG, PNG or WebP, at most 50 MB". *embedded*: it works in this house and bills
    nothing, so no budget, journal or breaker is kept of it. A score of *ai_above* or more means AI (None: it gives no
    score of its own).
    """

    unit: str
    price: MicroDollars
    read: str | None = None
    limits: tuple[str, ...] = ()
    embedded: bool = False
    ai_above: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """The vendor took the job: ask again with *receipt*, not before *after*. The price may be due already."""

    receipt: str
    after: timedelta


class Provider(Protocol):
    """Who is paid for an analysis (or does it here, free of charge)."""

    @property
    def name(self) -> str:
        """As in settings and in `result.provider`."""
        ...

    @property
    def kinds(self) -> frozenset[Kind]:
        """What it analyses."""
        ...

    def question(self, kind: Kind, tenant: str) -> Question:
        """What will be asked about a content of *kind*: all that changes the answer."""
        ...

    @property
    def terms(self) -> Terms:
        """What it takes and what it bills."""
        ...

    async def estimate(self, content: Content, body: Body) -> Estimate:
        """
        What analysing *content* will cost; asked before anything is reserved or sent, reads *body* if it must.

        Raises:
            ProviderRejected: the vendor does not take it: its format, size, length or duration. Nothing was sent.
        """
        ...

    async def start(self, content: Content, body: Body) -> Answer | Pending:
        """
        Ask. Reads *body*, does not close it.

        Raises:
            ProviderError: one of its kinds; nothing that is not an answer ever comes back as one.
        """
        ...

    async def resume(self, receipt: str) -> Answer | Pending:
        """
        Ask for the answer of a job that was taken; only called by those whose `start` gives Pending.

        Raises:
            ProviderError: one of its kinds.
        """
        ...

    async def close(self) -> None:
        """Close connections and child processes. Safe to call twice."""
        ...
