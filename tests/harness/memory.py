"""
How much memory a service takes while something happens, and a video that is too large to lie about it.

Rule 1: what is measured is resident memory, of all processes of the service together, sampled while they work;
        a page that two of them share counts twice, so the sum may be too large, never too small.
Rule 2: the video is never in the memory of whoever sends it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import psutil

from tests.harness.media import mp4
from tests.harness.service import Service

_SAMPLE_SECONDS = 0.01
_LOOK_SECONDS = 0.05
_PIECE = 1024 * 1024


@dataclass
class Growth:
    """Resident memory in bytes: *before* something happened, and the highest *peak* since."""

    before: int
    peak: int

    @property
    def bytes(self) -> int:
        """By how much it rose."""
        return self.peak - self.before


@contextmanager
def watched(service: Service) -> Iterator[Growth]:
    """Sample the resident memory of *service* and its children until the end of the block."""
    growth = Growth(before := _resident(service), before)

    def look() -> None:
        growth.peak = max(growth.peak, _resident(service))

    with _repeated(look, every=_SAMPLE_SECONDS):
        yield growth


@dataclass
class Footprint:
    """
    What uploads may take of a machine, in bytes: memory of the processes that serve and their spool files, together.

    A page that several of these processes share counts once in all (PSS). *before*, and the highest *peak* since.
    """

    before: int
    peak: int


@contextmanager
def footprint(service: Service) -> Iterator[Footprint]:
    """Look at it every 50 ms until the end of the block."""
    found = Footprint(before := held(service), before)

    def look() -> None:
        found.peak = max(found.peak, held(service))

    with _repeated(look, every=_LOOK_SECONDS):
        yield found


@contextmanager
def _repeated(look: Callable[[], None], *, every: float) -> Iterator[None]:
    """Call *look* in a thread *every* so many seconds, until the end of the block."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(every):
            look()

    thread = threading.Thread(target=run, name="memory of the service")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def held(service: Service) -> int:
    """The present footprint; see `Footprint`."""
    total = service.spooled()
    for process in service.workers():
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def _resident(service: Service) -> int:
    total = 0
    for process in service.processes():
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:  # a child that ended while we counted
            continue
    return total


@dataclass(frozen=True)
class LargeVideo:
    """An MP4 of *size* bytes: the small one that it begins with, and media data to the end."""

    size: int
    start: bytes = field(default_factory=mp4, repr=False)

    def _pieces(self) -> Iterator[bytes]:
        left = self.size - len(self.start)
        yield self.start + left.to_bytes(4, "big") + b"mdat"
        left -= 8
        piece = bytes(range(256)) * (_PIECE // 256)
        while left:
            yield piece[:left]
            left -= min(left, len(piece))

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its bytes."""
        for piece in self._pieces():
            yield piece

    @cached_property
    def sha256(self) -> str:
        """Its digest, as `sha256sum` prints it."""
        digest = hashlib.sha256()
        for piece in self._pieces():
            digest.update(piece)
        return digest.hexdigest()
