"""
The bytes of a request's body as they come in, whatever they mean.

Rule 1: a body that stalls or trickles is given up (408), whichever route it was sent to.
Rule 2: a client that leaves before its body is complete is nobody to answer.
Rule 3: JSON is read strictly: UTF-8, no repeated name (RFC 8259 section 4), no NaN, no nesting without end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Generator
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

from starlette.requests import Request
from starlette.types import Message

from hashcache.api.admission import Share
from hashcache.api.connection import ClientGone
from hashcache.api.problems import Problem
from hashcache.core.errors import ContentTooLarge

#: How long a slow body is watched before its rate counts, in seconds.
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly a body may come: seconds of silence (*idle*), bytes a second on average (*rate*; 0: any)."""

    idle: float
    rate: int


async def pieces(request: Request, pace: Pace) -> AsyncIterator[bytes]:
    """
    The body of *request* as it comes; time in which nobody asks for the next piece does not count.

    Raises:
        Problem: `stalled`. ClientGone: the client left before its body was complete.
    """
    waited, size = 0.0, 0
    while True:
        asked = monotonic()
        try:
            message = await _Patient(request.receive(), pace.idle)
        except TimeoutError:
            raise _stalled(pace) from None
        waited += monotonic() - asked
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        size += len(piece)
        if piece:
            yield piece
        if not message.get("more_body", False):
            return
        if waited > min(PATIENCE, pace.idle) and size < pace.rate * waited:
            raise _stalled(pace)


class _Patient:
    """
    Awaits *message* for so many *seconds*. What has come already is taken at once: the timer, and entering and leaving
    its block, are for those who wait.

    Raises:
        TimeoutError: it did not come.
    """

    def __init__(self, message: Awaitable[Message], seconds: float) -> None:
        self._message = message
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, Message]:
        """The message."""
        steps = self._message.__await__()
        try:
            first = next(steps)
        except StopIteration as done:
            return cast("Message", done.value)
        return (yield from self._watched(steps, first).__await__())

    async def _watched(self, steps: Generator[Any, Any, Message], first: object) -> Message:
        async with asyncio.timeout(self._seconds):
            return await _Rest(steps, first)


class _Rest:
    """What is left of an await that has taken the *first* of its *steps*; PEP 380 spells out such a `yield from`."""

    def __init__(self, steps: Generator[Any, Any, Message], first: object) -> None:
        self._steps = steps
        self._first = first

    def __await__(self) -> Generator[Any, Any, Message]:
        """Its end."""
        step = self._first
        try:
            while True:
                try:
                    sent = yield step
                except BaseException as error:  # noqa: BLE001 - a cancellation too is for the one who waits
                    step = self._steps.throw(error)
                else:
                    step = self._steps.send(sent)
        except StopIteration as done:
            return cast("Message", done.value)


async def whole(request: Request, pace: Pace, *, most: int, share: Share) -> bytes:
    """
    The whole body of *request*, of at most *most* bytes, held in *share*, which the caller closes. Where there is no
    room for what it announces, nothing of it is read.

    Raises:
        ContentTooLarge: it is longer. SpoolFull: there is no room for it. And what `pieces` raises.
    """
    length = request.headers.get("content-length")
    if length is not None and int(length) > most:
        raise _too_long(most)
    share.announce(int(length) if length is not None else None, most=most)
    held = bytearray()
    async for piece in pieces(request, pace):
        held += piece
        if len(held) > most:
            raise _too_long(most)
        share.reach(len(held), most=most)
    return bytes(held)


def read_json(raw: bytes) -> object:
    """
    The JSON value that *raw* is.

    Raises:
        Problem: `malformed`.
    """
    try:
        return json.loads(raw.decode(), object_pairs_hook=_unrepeated, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Problem("malformed", "The body is not JSON in UTF-8, or repeats a name.") from None


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _too_long(most: int) -> ContentTooLarge:
    return ContentTooLarge(f"this body may have {most} bytes", limit=most)


def _stalled(pace: Pace) -> Problem:
    return Problem(
        "stalled",
        f"The body must not pause for {pace.idle:g} seconds, nor come slower than {pace.rate} bytes a second.",
        headers={"Connection": "close"},
    )
