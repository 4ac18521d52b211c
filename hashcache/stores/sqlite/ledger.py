"""
The ledger in the SQLite file of the store.

Rule: each batch drops a bounded number of rows that are too old to matter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import msgspec

from hashcache.core.entry import Instant
from hashcache.core.key import Key, Names
from hashcache.core.spend import day_of
from hashcache.ports.ledger import KEPT, REMEMBERED, Batch, Minute, Process
from hashcache.stores.sqlite.lines import Lines
from hashcache.stores.sqlite.transactions import Transactions

_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = 60_000
#: How many rows of a table one batch removes at most.
_BATCH = 200


class SqliteLedger:
    """The ledger of one environment in *file*. *clock* gives milliseconds since 1970."""

    def __init__(
        self, file: Transactions, names: Names, clock: Callable[[], int], remembered: int = REMEMBERED
    ) -> None:
        self._file = file
        self._ledger = names.counters
        self._clock = clock
        self._remembered = remembered
        self._lines = Lines(names)

    async def book(self, batch: Batch) -> bool:
        """Add *batch*, once."""
        return await self._file.write(lambda file: self._book(file, batch))

    async def totals(self) -> Mapping[str, int]:
        """All counters."""
        sql = "SELECT counter, total FROM counters WHERE book = ?"
        return dict(await self._file.read(lambda file: file.execute(sql, (self._ledger,)).fetchall()))

    async def minutes(self, since: Instant) -> Sequence[Minute]:
        """The series."""
        first = max(since, self._oldest())
        sql = "SELECT minute, counter, total FROM minutes WHERE book = ? AND minute > ? ORDER BY minute, counter"
        row = (self._ledger, first // _MINUTE - 1)
        found: dict[int, dict[str, int]] = {}
        for minute, counter, total in await self._file.read(lambda file: file.execute(sql, row).fetchall()):
            found.setdefault(minute, {})[counter] = total
        return [Minute(Instant(minute * _MINUTE), counts) for minute, counts in found.items()]

    async def hits(self, keys: Sequence[Key]) -> Sequence[int | None]:
        """What is remembered of *keys*."""
        sql = "SELECT total FROM hits WHERE book = ? AND key = ?"

        def work(file: sqlite3.Connection) -> Sequence[int | None]:
            unknown = 0 if self._hit(file) < self._remembered else None
            found = (file.execute(sql, (self._ledger, key.short)).fetchone() for key in keys)
            return [row[0] if row else unknown for row in found]

        return await self._file.read(work)

    async def beat(self, process: Process, lasting: timedelta) -> None:
        """*process* lives for *lasting* from now."""
        now = self._clock()
        row = (self._ledger, process.name, now + lasting // _MILLISECOND, msgspec.json.encode(process))

        def work(file: sqlite3.Connection) -> None:
            file.execute("INSERT OR REPLACE INTO processes (book, name, until, record) VALUES (?, ?, ?, ?)", row)
            file.execute("DELETE FROM processes WHERE until <= ?", (now,))

        await self._file.write(work)

    async def processes(self) -> Sequence[Process]:
        """Those that live."""
        sql = "SELECT record FROM processes WHERE book = ? AND until > ?"
        row = (self._ledger, self._clock())
        rows = await self._file.read(lambda file: file.execute(sql, row).fetchall())
        found = (msgspec.json.decode(record, type=Process) for (record,) in rows)
        return sorted(found, key=lambda process: (process.started, process.name))

    def _oldest(self) -> int:
        return self._clock() - KEPT // _MILLISECOND

    # What follows runs inside a transaction.

    def _book(self, file: sqlite3.Connection, batch: Batch) -> bool:
        sql = (
            "INSERT INTO batches (book, sender, number, at) VALUES (?, ?, ?, ?) ON CONFLICT (book, sender)"
            " DO UPDATE SET number = excluded.number, at = excluded.at WHERE number < excluded.number"
        )
        if not file.execute(sql, (self._ledger, batch.sender, batch.number, batch.at)).rowcount:
            return False
        self._add(file, "counters", "counter", {(name,): count for name, count in batch.counts.items()})
        minute = batch.at // _MINUTE
        self._add(file, "minutes", "minute, counter", {(minute, name): n for name, n in batch.minute.items()})
        self._add(file, "hits", "key", {(key.short,): count for key, count in batch.hits.items()})
        self._lines.add(file, day_of(batch.at), batch.days)
        self._drop_old(file)
        if batch.hits:
            self._forget_hits(file)
        return True

    def _add(
        self, file: sqlite3.Connection, table: str, columns: str, sums: Mapping[tuple[str | int | bytes, ...], int]
    ) -> None:
        marks = ", ".join("?" * (columns.count(",") + 3))
        sql = (
            f"INSERT INTO {table} (book, {columns}, total) VALUES ({marks})"  # noqa: S608 - words of ours
            f" ON CONFLICT (book, {columns}) DO UPDATE SET total = total + excluded.total"
        )
        file.executemany(sql, [(self._ledger, *name, count) for name, count in sums.items()])

    def _drop_old(self, file: sqlite3.Connection) -> None:
        oldest = self._oldest()
        for table, column, bound in (("minutes", "minute", oldest // _MINUTE), ("batches", "at", oldest)):
            older = f"SELECT rowid FROM {table} WHERE {column} < ? LIMIT {_BATCH}"  # noqa: S608 - words of ours
            file.execute(f"DELETE FROM {table} WHERE rowid IN ({older})", (bound,))  # noqa: S608 - words of ours

    def _forget_hits(self, file: sqlite3.Connection) -> None:
        over = self._hit(file) - self._remembered
        if over > 0:
            least = "SELECT rowid FROM hits WHERE book = ? ORDER BY total LIMIT ?"
            file.execute(f"DELETE FROM hits WHERE rowid IN ({least})", (self._ledger, over))  # noqa: S608 - words of ours

    def _hit(self, file: sqlite3.Connection) -> int:
        count: int = file.execute("SELECT count(*) FROM hits WHERE book = ?", (self._ledger,)).fetchone()[0]
        return count
