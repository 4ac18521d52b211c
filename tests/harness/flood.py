"""
A great many uploads at one time, each of a content of its own, and what became of each.

Rule 1: most clients ask before they upload (`Expect: 100-continue`) and do not begin before all others of their kind
        have been told whether they may; the rest write without looking until nobody reads, and then read.
Rule 2: nobody is lost: each upload ends with an answer, or the flood fails.
Rule 3: contents differ in their first bytes and share the others, so that any number of them takes little memory here.
"""

from __future__ import annotations

import asyncio
import hashlib
import resource
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from time import monotonic

from tests.harness.http import Answer, Wire, chunked, request
from tests.harness.service import Service

_PIECE = 256 * 1024
_START = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
#: So many clients connect at the same moment: fewer than the server's queue holds.
_CONNECTING = 500


@contextmanager
def open_files(most: int) -> Iterator[int]:
    """
    Inside, this process and those that it starts may have *most* files open, or as many as the hard limit allows: how
    many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with soft_limit(max(soft, allowed)) as given:
        yield given


@contextmanager
def soft_limit(most: int) -> Iterator[int]:
    """Inside, this process and those that it starts begin with a soft limit of *most* open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Contents:
    """*count* contents of *size* bytes each: JPEGs by their first bytes."""

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size
        self._names = secrets.token_bytes(12)
        left = size - len(self._start(0))
        self._rest = [bytes(min(_PIECE, left - at)) for at in range(0, left, _PIECE)]

    def pieces(self, which: int) -> Iterator[bytes]:
        """The bytes of one."""
        return chain([self._start(which)], self._rest)

    def sha256(self, which: int) -> str:
        """Its digest."""
        digest = hashlib.sha256()
        for piece in self.pieces(which):
            digest.update(piece)
        return digest.hexdigest()

    def _start(self, which: int) -> bytes:
        return _START + self._names + which.to_bytes(4, "big")


@dataclass(frozen=True)
class Ending:
    """
    What became of the upload of content number *which*: its *answer*, *took* seconds after it was *sent*: so many bytes
    of it went out. *asked*: it asked first.
    """

    which: int
    answer: Answer
    took: float
    sent: int
    asked: bool

    @property
    def admitted(self) -> bool:
        """Whether it was let in: it was not refused for want of room."""
        return not (self.answer.status == 503 and self.answer.problem == "spool-full")


class Flood:
    """
    Uploads of all *contents* to *service* at one time; in HTTP chunks, without a length, where *in_chunks*. One in
    *blind* writes without looking, the others ask.

    *told* counts answers by status while they come. Whoever waits for anything longer than *patience* seconds fails.
    """

    def __init__(
        self, service: Service, contents: Contents, *, patience: float, in_chunks: bool = False, blind: int = 2
    ) -> None:
        self.told: Counter[int] = Counter()
        self._service = service
        self._contents = contents
        self._patience = patience
        self._in_chunks = in_chunks
        self._connecting = asyncio.Semaphore(_CONNECTING)
        self._blind = blind
        self._asking = contents.count - len(range(0, contents.count, blind))
        self._all_told = asyncio.Event()

    async def run(self) -> list[Ending]:
        """Send them all; what became of each, in order of their numbers."""
        return list(await asyncio.gather(*(self._send(which) for which in range(self._contents.count))))

    async def _send(self, which: int) -> Ending:
        asks = which % self._blind != 0
        async with self._connecting:
            wire = await Wire.open(self._service.url, within=self._patience)
            await wire.send(self._head(asks), within=self._patience)
        async with wire:
            sent = 0
            if not asks or await self._may(wire):
                sent = await wire.pour(self._body(which), within=self._patience)
            began = monotonic()
            answer = await wire.answer(within=self._patience)
        self.told[answer.status] += 1
        return Ending(which, answer, monotonic() - began, sent, asks)

    async def _may(self, wire: Wire) -> bool:
        may = await wire.goes_on(within=self._patience)
        self._asking -= 1
        if not self._asking:
            self._all_told.set()
        if may:
            await self._all_told.wait()
        return may

    def _head(self, asks: bool) -> bytes:  # noqa: FBT001 - one caller, who knows what it asks
        framing: dict[str, str | int] = {"Content_Length": self._contents.size}
        if self._in_chunks:
            framing = {"Transfer_Encoding": "chunked"}
        expect = {"Expect": "100-continue"} if asks else {}
        return request("POST", "/api/analyze", b"", Content_Type="image/jpeg", **framing, **expect)

    def _body(self, which: int) -> Iterator[bytes]:
        pieces = self._contents.pieces(which)
        if not self._in_chunks:
            return pieces
        return chain((chunked(piece)[:-5] for piece in pieces), [b"0\r\n\r\n"])


async def checked(
    endings: list[Ending], contents: Contents, calls: Callable[[str], int], again: Callable[[int], Awaitable[Answer]]
) -> tuple[list[Ending], list[Ending]]:
    """
    The endings of who was admitted and of who was refused. AssertionError where something was lost: an answer that is
    neither the analysis of the content nor a 503 that says when to come back; a content that was admitted and not
    paid for once (*calls* tells how often one was), or refused and paid for; or one that is refused *again* in peace.
    """
    admitted = [one for one in endings if one.admitted]
    refused = [one for one in endings if not one.admitted]
    for one in admitted:
        sha256 = contents.sha256(one.which)
        assert one.answer.status == 200, (one.answer.status, one.answer.body[:300])
        assert one.answer.json["sha256"] == sha256
        assert calls(sha256) == 1
    for one in refused:
        assert 2 <= int(one.answer.header("retry-after") or "0") <= 10
        assert one.answer.closes or not one.asked  # a small body that has come along is read
    if refused:
        assert len({one.answer.header("retry-after") for one in refused}) > 1 or len(refused) < 20
        assert (await again(refused[0].which)).status == 200
        assert all(calls(contents.sha256(one.which)) == 0 for one in refused[1:20])
    return admitted, refused
