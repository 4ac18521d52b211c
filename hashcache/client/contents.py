"""
What may be analysed: a path, bytes, a text or an open file, each as bytes that can be read twice.

Rule 1: nothing is ever in memory as a whole that was not there before: it is read PIECE bytes at a time.
Rule 2: it is read from its start once for its digest, and again only when it is uploaded; what differs the second
        time is noticed before its last byte is sent.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Protocol, Self, TypeAlias, cast

from hashcache.client.problems import ContentChanged
from hashcache.core.content import Kind

PIECE = 256 * 1024
_BYTES = "application/octet-stream"  # the bytes tell the kind
_TEXT = "text/plain"


class Readable(Protocol):
    """An open binary file."""

    def read(self, size: int = -1, /) -> bytes:
        """At most *size* bytes, none at the end."""
        ...


#: What `analyze` takes: the path of a file, bytes, or a file that is open for reading in binary mode.
Source: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview | Readable


@dataclass(frozen=True, slots=True)
class Content:
    """
    Bytes with their name: *size* bytes, *sha256* in hexadecimal. *kind* is None unless it is known to be a text.

    A context manager, which lets go of the copy of what could be read only once.
    """

    sha256: str
    size: int
    kind: Kind | None
    _again: Again

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._again.close()

    @property
    def media_type(self) -> str:
        """As what it is uploaded."""
        return _TEXT if self.kind is Kind.TEXT else _BYTES

    def pieces(self) -> Iterator[bytes]:
        """
        Its bytes from the start.

        Raises:
            ContentChanged: there are fewer or more of them than were hashed.
            OSError: they cannot be read.
        """
        left = self.size
        with self._again.opened() as file:
            while left:
                piece = file.read(min(PIECE, left))
                if not piece:
                    raise ContentChanged("the file has become shorter since it was hashed")
                left -= len(piece)
                if not left and file.read(1):
                    raise ContentChanged("the file has become longer since it was hashed")
                yield piece


def naming(source: Source | None, text: str | None) -> Generator[None, None, Content]:
    """
    Read *source*, or *text*, a piece at each step; the generator returns the content, which the caller closes.

    Raises:
        TypeError: neither or both are given, or what is given cannot be read.
        ValueError: the text has no bytes in UTF-8 (a lone surrogate).
        OSError: it cannot be read.
    """
    if (source is None) is (text is None):
        raise TypeError("give one content: a path, bytes or a binary file; or text=...")
    again = _again(text.encode() if text is not None else source)
    digest, size = hashlib.sha256(), 0
    try:
        with again.opened() as file:
            while piece := file.read(4 * PIECE):
                digest.update(piece)
                size += len(piece)
                yield
    except BaseException:
        again.close()
        raise
    return Content(digest.hexdigest(), size, Kind.TEXT if text is not None else None, again)


@dataclass(frozen=True, slots=True)
class Again:
    """What can be *opened* at its start any number of times, until `close` is called."""

    opened: Callable[[], AbstractContextManager[Readable]]
    close: Callable[[], None] = lambda: None


def _again(source: Source | None) -> Again:
    if isinstance(source, (str, PathLike)):
        path = Path(source)
        return Again(lambda: path.open("rb"))
    if isinstance(source, (bytes, bytearray, memoryview)):
        held = bytes(source)
        return Again(lambda: io.BytesIO(held))
    if source is None or not hasattr(source, "read"):
        raise TypeError(f"a path, bytes or a binary file, not {type(source).__name__}")
    if not isinstance(source.read(0), bytes):
        raise TypeError("open the file in binary mode ('rb'): a content is named by its bytes")
    able = getattr(source, "seekable", None)
    if able is not None and able():
        return Again(_from_here(cast("IO[bytes]", source)))
    copy = spooled(source)
    return Again(_from_here(copy), copy.close)


def _from_here(file: IO[bytes]) -> Callable[[], AbstractContextManager[Readable]]:
    """Opens *file* where it stands now; it is never closed."""
    start = file.tell()

    @contextmanager
    def opened() -> Iterator[Readable]:
        file.seek(start)
        yield file

    return opened


def spooled(file: Readable) -> IO[bytes]:
    """All that *file* (a pipe) still gives, in an unnamed temporary file that goes when it is closed."""
    copy = tempfile.SpooledTemporaryFile(max_size=4 * PIECE)  # noqa: SIM115 - the caller closes it
    try:
        shutil.copyfileobj(file, copy, PIECE)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy
