"""
What may go wrong between a client and a server, as data: `FaultProxy.impose` makes it happen.

Rule 1: a fault says what happens to bytes; *on* says to whose. Both are looked at when a piece is about to be passed
        on, so a fault takes hold of what the proxy still has, and lifting it lets that go on.
Rule 2: a piece is one whole request or reply where the connection speaks RESP, else what was read at once.
Rule 3: `DropReply` counts over all the connections that it is imposed on, and is over when it has dropped *times*
        replies. `Truncate` and `FlipByte` count on each connection for itself, from when they were imposed.
Rule 4: *to* are the first words of a request, in any case: (b"EVALSHA",), (b"EVALSHA", sha), (b"CLIENT", b"SETINFO").
        Empty, it is any request. For what a server says unasked it is that itself: (b"message", b"channel").
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeAlias, TypeVar

Words: TypeAlias = tuple[bytes, ...]


class Side(enum.Enum):
    """A direction: from the client, or from the server."""

    REQUESTS = "requests"
    REPLIES = "replies"


class Connected(Protocol):
    """What a fault may know of a connection: the how-manieth it is, from 1, and whether it listens to channels."""

    @property
    def number(self) -> int:
        """From 1."""

    @property
    def subscribed(self) -> bool:
        """It has subscribed to a channel, a pattern or a shard channel."""


class On(enum.Enum):
    """Which connections: all, those there are, those to come, those that listen to channels, those that do not."""

    ALL = "all"
    EXISTING = "existing"
    NEW = "new"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


class Then(enum.Enum):
    """After a dropped reply the connection goes on (the next reply is taken for it), falls silent, or is reset."""

    GOES_ON = "goes on"
    SILENT = "silent"
    RESET = "reset"


@dataclass(frozen=True)
class Delay:
    """Each piece arrives so much later; pieces do not wait for each other. The latest that applies counts."""

    requests: timedelta = timedelta()
    replies: timedelta = timedelta()


@dataclass(frozen=True)
class Throttle:
    """So many bytes a second; None: as fast as it goes. The latest that applies counts."""

    requests: int | None = None
    replies: int | None = None


@dataclass(frozen=True)
class Hold:
    """Requests beginning with *to*, or the replies to them, stay here with all behind them until this is lifted."""

    side: Side = Side.REPLIES
    to: Words = ()


@dataclass(frozen=True)
class DropReply:
    """The request is served; reply *number* (from 1) of those to *to*, and so many *times*, never arrives."""

    number: int = 1
    to: Words = ()
    times: int = 1
    then: Then = Then.GOES_ON


@dataclass(frozen=True)
class HalfOpen:
    """Every byte vanishes, both ways, and no end of a connection is passed on: both sides think it open."""


@dataclass(frozen=True)
class Truncate:
    """After so many bytes of this direction the connection is closed, in order, on both sides."""

    after: int
    side: Side = Side.REPLIES


@dataclass(frozen=True)
class FlipByte:
    """The byte at *offset* (from 0) of this direction is changed in the bits of *mask*."""

    offset: int
    side: Side = Side.REPLIES
    mask: int = 0x01


Fault: TypeAlias = Delay | Throttle | Hold | DropReply | HalfOpen | Truncate | FlipByte
F = TypeVar("F", bound=Fault)


@dataclass(eq=False)
class Imposed:
    """A fault at work, on whom, and how far it has come: replies counted, bytes passed on each connection."""

    fault: Fault
    hits: Callable[[Connected], bool]
    replies: int = 0
    passed: Counter[int] = field(default_factory=Counter)


class Faults:
    """All faults at work on one proxy."""

    def __init__(self) -> None:
        self._imposed: list[Imposed] = []

    def add(self, fault: Fault, hits: Callable[[Connected], bool]) -> None:
        """Let *fault* be at work on those that it *hits*."""
        self._imposed.append(Imposed(fault, hits))

    def lift(self, *faults: Fault) -> None:
        """End these faults; without any, all."""
        self._imposed = [one for one in self._imposed if faults and one.fault not in faults]

    def at_work(self, kind: type[F], connection: Connected) -> list[tuple[F, Imposed]]:
        """The faults of *kind* that hit *connection*, the latest first."""
        return [
            (one.fault, one) for one in reversed(self._imposed) if isinstance(one.fault, kind) and one.hits(connection)
        ]

    def delay(self, side: Side, connection: Connected) -> float:
        """Seconds."""
        for fault, _ in self.at_work(Delay, connection):
            return (fault.requests if side is Side.REQUESTS else fault.replies).total_seconds()
        return 0.0

    def rate(self, side: Side, connection: Connected) -> int | None:
        """Bytes a second; None: unbounded."""
        for fault, _ in self.at_work(Throttle, connection):
            return fault.requests if side is Side.REQUESTS else fault.replies
        return None

    def holds(self, side: Side, words: Words, connection: Connected) -> bool:
        """A piece with these *words* has to wait."""
        return any(fault.side is side and begins(words, fault.to) for fault, _ in self.at_work(Hold, connection))

    def silent(self, connection: Connected) -> bool:
        """Nothing passes."""
        return bool(self.at_work(HalfOpen, connection))

    def dropped(self, words: Words, connection: Connected, *, answers: bool) -> Then | None:
        """What follows the loss of a reply to *words* (of a push that does not answer); None: it is not lost."""
        for fault, imposed in self.at_work(DropReply, connection):
            if not begins(words, fault.to) or not (answers or fault.to):
                continue
            imposed.replies += 1
            if imposed.replies == fault.number + fault.times - 1:
                self._imposed.remove(imposed)
            if imposed.replies >= fault.number:
                return fault.then
        return None

    def damaged(self, side: Side, content: bytes, connection: Connected) -> tuple[bytes, bool]:
        """What is left of *content*, and whether the connection ends with it."""
        for flip, imposed in self.at_work(FlipByte, connection):
            at = flip.offset - imposed.passed[connection.number]
            if flip.side is side:
                imposed.passed[connection.number] += len(content)
                if 0 <= at < len(content):
                    content = content[:at] + bytes([content[at] ^ flip.mask]) + content[at + 1 :]
        for cut, imposed in self.at_work(Truncate, connection):
            left = cut.after - imposed.passed[connection.number]
            if cut.side is side:
                imposed.passed[connection.number] += len(content)
                if left <= len(content):
                    return content[:left], True
        return content, False


def begins(words: Words, to: Words) -> bool:
    """*words* begin with *to*, in any case."""
    return len(words) >= len(to) and all(
        word.upper() == wanted.upper() for word, wanted in zip(words, to, strict=False)
    )
