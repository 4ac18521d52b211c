"""
The records that no invalidation touches: the barrier. It never expires.

Rule: the barrier is changed by compare and set, so that of two clears at one moment none is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hashcache.core import barrier as barriers
from hashcache.core.barrier import Barrier, Selector
from hashcache.core.entry import Instant
from hashcache.core.errors import EntryRefused, StoreUnavailable
from hashcache.core.key import Names
from hashcache.stores.redis.remote import Remote
from hashcache.stores.redis.scripts import Script

#: How often a change is tried anew because somebody else changed the barrier meanwhile.
_ATTEMPTS = 16
_SWAP = Script.load("swap")


class Books:
    """
    The books of one environment on *server*; each verb may take *patience*.

    *lasting* is asked for what must not be lost when a server is replaced by its replica.
    """

    def __init__(self, server: Remote, lasting: Remote, names: Names, patience: timedelta) -> None:
        self._server = server
        self._lasting = lasting
        self._names = names
        self._patience = patience

    async def forbid(self, selector: Selector, *, now: Instant, reason: str) -> Barrier:
        """Raise the barrier at *now*."""

        def raised(barrier: Barrier) -> Barrier:
            return _begun(barrier, now).raised(selector, now=now, reason=reason)

        return await self._change(raised, self._lasting)

    async def advance(self, provider: str, *, now: Instant, reason: str) -> Barrier:
        """Raise the epoch of *provider* at *now*."""

        def advanced(barrier: Barrier) -> Barrier:
            return _begun(barrier, now).advanced(provider, now=now, reason=reason)

        return await self._change(advanced, self._lasting)

    async def restore(self, known: Barrier, *, now: Instant) -> Barrier:
        """Put back, at *now*, what was lost of *known*."""
        return await self._change(lambda barrier: barrier.restored(known, now=now), self._lasting)

    async def progress(self, sequence: int, *, deleted: int, swept: bool) -> None:
        """Note how far the sweep of *sequence* is."""
        await self._change(lambda barrier: barrier.progressed(sequence, deleted=deleted, swept=swept), self._server)

    async def _change(self, change: Callable[[Barrier], Barrier], server: Remote) -> Barrier:
        (stored,) = await self._server.ask(("GET", self._names.barrier), within=self._patience)
        for _ in range(_ATTEMPTS):
            before = decode(stored)
            after = change(before)
            if after == before:
                return before
            swap = _SWAP.call([self._names.barrier], stored or b"", barriers.encode(after))
            (stored,) = await server.ask(swap, within=self._patience)
            if stored is None:
                return after
        raise StoreUnavailable("the record of what was cleared is being changed all the time", reason="timeout")


def _begun(barrier: Barrier, now: Instant) -> Barrier:
    """
    *barrier*, or where there is none the one to begin with at *now*.

    A server that evicts can lose the barrier and keep entries that carry a higher sequence than a new one would begin
    with. Instants are higher than any sequence counted so far.
    """
    return barrier if barrier.sequence else Barrier(now)


def decode(record: bytes | None) -> Barrier:
    """The barrier that *record* holds. Without knowing it nothing may be served: then the store is away."""
    try:
        return barriers.decode(record or None)
    except EntryRefused:
        raise StoreUnavailable("the record of what was cleared cannot be read", reason="damaged") from None
