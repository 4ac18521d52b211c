"""Bodies as the service makes them of uploads: in memory, or in a file without a name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator

from hashcache.core.content import Content, Kind, sniff
from hashcache.core.digest import Hasher


class Held:
    """A body in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    async def chunks(self) -> AsyncIterator[bytes]:
        """In pieces of 64 KiB."""
        for at in range(0, self.size, 1 << 16):
            yield self._content[at : at + (1 << 16)]

    def descriptor(self) -> int | None:
        """None."""
        return None

    async def close(self) -> None:
        """Nothing to do."""


class Counted:
    """A body in memory that tells how often it was read (*begun*) and whether each reading was *ended*."""

    def __init__(self, content: bytes, chunk: int = 256 * 1024) -> None:
        self.content = content
        self.begun = self.ended = 0
        self._chunk = chunk

    @property
    def size(self) -> int:
        """Its length."""
        return len(self.content)

    async def chunks(self) -> AsyncIterator[bytes]:
        """In pieces of the size that was asked for."""
        self.begun += 1
        try:
            for at in range(0, len(self.content), self._chunk):
                yield self.content[at : at + self._chunk]
        finally:
            self.ended += 1

    def descriptor(self) -> int | None:
        """None."""
        return None

    async def close(self) -> None:
        """Nothing to free."""


class Spooled:
    """A body in an unnamed file: *start*, filled up with a hole to *size* bytes."""

    def __init__(self, start: bytes, *, size: int | None = None) -> None:
        self.size = size or len(start)
        with tempfile.TemporaryFile() as file:
            file.write(start)
            file.truncate(self.size)
            file.flush()
            self._descriptor = os.dup(file.fileno())

    async def chunks(self) -> AsyncIterator[bytes]:
        """In pieces of 64 KiB."""
        for at in range(0, self.size, 1 << 16):
            yield os.pread(self._descriptor, 1 << 16, at)

    def descriptor(self) -> int:
        """The file's."""
        return self._descriptor

    async def close(self) -> None:
        """Close the file, which is then gone."""
        os.close(self._descriptor)


def described(head: bytes, size: int) -> Content:
    """What the service would say of a body that begins with *head* and has *size* bytes."""
    kind, media_type = sniff(head[:4096]) or (Kind.TEXT, "text/plain")
    hasher = Hasher()
    hasher.update(head)
    digest = hasher.finish([head])
    return Content(kind, media_type, type(digest)(digest.value, size))
