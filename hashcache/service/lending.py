"""
One body for several purchases in turn: freed when nobody holds it any more.

Rule: whoever is lent it closes what he was lent; the bytes are freed with the last of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from hashcache.ports import Body


class Lender:
    """Lends *body*. The lender holds it too, until `close`."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._holders = 1

    def lend(self) -> Body:
        """The body, to be closed by whoever is given it."""
        self._holders += 1
        return _Lent(self._body, self)

    async def close(self) -> None:
        """Lend no more. Call it once."""
        await self.give_back()

    async def give_back(self) -> None:
        """One holder less."""
        self._holders -= 1
        if not self._holders:
            await self._body.close()


class _Lent:
    """What one borrower has."""

    def __init__(self, body: Body, lender: Lender) -> None:
        self._body = body
        self._lender: Lender | None = lender

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self._body.size

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the start."""
        return self._body.chunks()

    def descriptor(self) -> int | None:
        """The file, if it lies in one."""
        return self._body.descriptor()

    async def close(self) -> None:
        """Give it back. Safe to call twice."""
        lender, self._lender = self._lender, None
        if lender is not None:
            await lender.give_back()
