"""Bytes of an upload for those who are given them: `ports.Body` over a bytes object."""

from __future__ import annotations

from collections.abc import AsyncIterator


class HeldBody:
    """*whole* in memory; *closed* tells whether it was freed."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole
        self.size = len(whole)
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """In pieces of at most 256 KiB."""
        for at in range(0, len(self._whole), 256 * 1024):
            yield self._whole[at : at + 256 * 1024]

    def descriptor(self) -> int | None:
        """There is no file."""
        return None

    async def close(self) -> None:
        """Note it."""
        self.closed = True
