"""The rows that no invalidation touches: the barrier and the counters of one environment. They never expire."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from hashcache.core import barrier as barriers
from hashcache.core.barrier import Barrier
from hashcache.core.errors import EntryRefused, StoreUnavailable
from hashcache.core.key import Names
from hashcache.stores.sqlite.transactions import Transactions


class Books:
    """The books in *file*."""

    def __init__(self, file: Transactions, names: Names) -> None:
        self._file = file
        self._names = names

    async def barrier(self) -> Barrier:
        """The barrier in force."""
        return decode(await self._file.read(self.record))

    async def change(self, change: Callable[[Barrier], Barrier]) -> Barrier:
        """The barrier once *change* has been made to it."""

        def work(file: sqlite3.Connection) -> Barrier:
            changed = change(decode(self.record(file)))
            row = (self._names.barrier, barriers.encode(changed))
            file.execute("INSERT OR REPLACE INTO barriers (name, record) VALUES (?, ?)", row)
            return changed

        return await self._file.write(work)

    def record(self, file: sqlite3.Connection) -> bytes | None:
        """The barrier as it is kept, inside a transaction."""
        row = file.execute("SELECT record FROM barriers WHERE name = ?", (self._names.barrier,)).fetchone()
        return row[0] if row else None


def decode(record: bytes | None) -> Barrier:
    """The barrier that *record* holds. Without knowing it nothing may be served: then the store is away."""
    try:
        return barriers.decode(record)
    except EntryRefused:
        raise StoreUnavailable("the record of what was cleared cannot be read", reason="damaged") from None
