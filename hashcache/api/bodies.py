"""
The bytes of one upload, in memory or in an unnamed spool file (`ports.Body`).

Rule 1: a spool file has no name, so nothing is left behind, whatever ends the process.
Rule 2: readers do not disturb each other: a spool is read by position.
Rule 3: a body holds its share of the room for uploads until it is closed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from typing import IO

from hashcache.api.admission import Share

PIECE = 256 * 1024


class MemoryBody:
    """Bytes held as the chunks in which they came."""

    def __init__(self, chunks: Sequence[bytes], share: Share) -> None:
        self._chunks: Sequence[bytes] = chunks
        self._share = share
        self.size = sum(map(len, chunks))

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the start, in pieces of at most 256 KiB."""
        for chunk in self._chunks:
            if len(chunk) <= PIECE:
                yield chunk
            else:
                for at in range(0, len(chunk), PIECE):
                    yield chunk[at : at + PIECE]

    def descriptor(self) -> int | None:
        """There is no file."""
        return None

    async def close(self) -> None:
        """Let the memory go."""
        self._chunks = ()
        self._share.close()


class SpooledBody:
    """Bytes in *file*, an unnamed temporary file of *size* bytes."""

    def __init__(self, file: IO[bytes], size: int, share: Share) -> None:
        self._file = file
        self._share = share
        self.size = size

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the start, read in a thread in pieces of at most 256 KiB."""
        descriptor, at = self._file.fileno(), 0
        while at < self.size:
            piece = await asyncio.to_thread(os.pread, descriptor, PIECE, at)
            if not piece:
                raise OSError("the spool file is shorter than what was written to it")
            at += len(piece)
            yield piece

    def descriptor(self) -> int | None:
        """The open file."""
        return self._file.fileno()

    async def close(self) -> None:
        """Free the space on disk."""
        self._file.close()
        self._share.close()
