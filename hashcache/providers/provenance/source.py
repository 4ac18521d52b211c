"""
The bytes under analysis, read by position and never as a whole.

Rule 1: reading moves no file offset: the descriptor's offset is shared with the service, which reads the same
        spool at the same time.
Rule 2: a read beyond the end gives fewer bytes; who needs all of them asks with `exactly`.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Protocol

from hashcache.providers.provenance.findings import Malformed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer  # not there at run time

#: A stream gives at most this many bytes at once, however much is asked for: the copy is ours to bound.
_AT_ONCE = 1 << 20


class Source(Protocol):
    """Bytes that can be read anywhere."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    def at(self, offset: int, length: int) -> bytes:
        """Up to *length* bytes from *offset* on; fewer at the end, none beyond it."""
        ...


class Window:
    """The first *size* bytes of the file behind *descriptor*, which stays the caller's to close."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size

    def at(self, offset: int, length: int) -> bytes:
        """As `Source.at`."""
        return os.pread(self._descriptor, max(0, min(length, self.size - offset)), offset) if offset >= 0 else b""


class Memory:
    """Bytes that were cut out of a file already."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def at(self, offset: int, length: int) -> bytes:
        """As `Source.at`."""
        return self._content[offset : offset + max(0, length)] if offset >= 0 else b""


def exactly(source: Source, offset: int, length: int) -> bytes:
    """
    *length* bytes from *offset* on.

    Raises:
        Malformed: the file ends before.
    """
    found = source.at(offset, length)
    if len(found) < length:
        raise Malformed("the file ends in the middle of a structure")
    return found


class Stream(io.RawIOBase):
    """A source as a read-only binary file with a position of its own, for code that wants a file."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into *buffer* from the position on; the number of bytes, perhaps fewer than it holds, 0 at the end."""
        with memoryview(buffer).cast("B") as view:
            found = self._source.at(self._position, min(len(view), _AT_ONCE))
            view[: len(found)] = found
        self._position += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, also beyond the end; the new position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        if start + offset < 0:
            raise ValueError("a position is not negative")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position
