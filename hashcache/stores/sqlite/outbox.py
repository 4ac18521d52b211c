"""
The outbox in the SQLite file of the store.

Rule: each verb is one transaction. Letters whose time is over go with the next one that is put, or with a commit of
the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.core.key import Names
from hashcache.ports import Bounds, Full, Sealed, Taken
from hashcache.stores.sqlite.transactions import Transactions

_MILLISECOND = timedelta(milliseconds=1)


class SqliteOutbox:
    """The outbox of one environment in *file*. *clock* gives milliseconds since 1970."""

    def __init__(self, file: Transactions, names: Names, clock: Callable[[], int]) -> None:
        self._file = file
        self._book = names.outbox
        self._clock = clock

    async def put(self, letter: Sealed, holder: str, *, hold: timedelta, bounds: Bounds) -> Full | None:
        """Keep *letter*, if there is room."""

        def work(file: sqlite3.Connection) -> Full | None:
            now = self._clock()
            file.execute("DELETE FROM outbox WHERE expires <= ?", (now,))
            if file.execute("SELECT 1 FROM outbox WHERE name = ?", (self._name(letter.id),)).fetchone():
                return None
            if self._count(file, "book = ? AND tenant = ?", letter.tenant) >= bounds.tenant:
                return Full.TENANT
            if self._count(file, "book = ?") >= bounds.total:
                return Full.TOTAL
            due = now + hold // _MILLISECOND
            row = (self._name(letter.id), self._book, letter.tenant, holder, due, letter.expires, letter.sealed)
            sql = "INSERT INTO outbox (name, book, tenant, holder, due, expires, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)"
            file.execute(sql, row)
            return None

        return await self._file.write(work)

    async def take(self, holder: str, *, hold: timedelta, most: int) -> Taken:
        """Take what is due. Nothing is written when nothing is."""
        now = self._clock()
        earliest = await self._file.read(self._earliest)
        if earliest is None or earliest > now:
            return Taken((), earliest)

        def work(file: sqlite3.Connection) -> Taken:
            sql = (
                "SELECT name, tenant, CAST(sealed AS BLOB), expires FROM outbox WHERE book = ? AND due <= ?"
                " ORDER BY due LIMIT ?"
            )
            rows = file.execute(sql, (self._book, now, most)).fetchall()
            sql = "UPDATE outbox SET holder = ?, due = ? WHERE name = ?"
            file.executemany(sql, [(holder, now + hold // _MILLISECOND, name) for name, *_ in rows])
            letters = [
                Sealed(name.removeprefix(self._name("")), tenant, sealed, Instant(expires))
                for name, tenant, sealed, expires in rows
            ]
            return Taken(letters, self._earliest(file))

        return await self._file.write(work)

    async def defer(self, letter: Sealed, holder: str, due: Instant) -> bool:
        """Put *letter* back."""
        sql = "UPDATE outbox SET due = ?, sealed = ? WHERE name = ? AND holder = ?"
        row = (due, letter.sealed, self._name(letter.id), holder)
        return await self._file.write(lambda file: file.execute(sql, row).rowcount == 1)

    async def drop(self, letter: str) -> bool:
        """Forget it."""
        row = (self._name(letter),)
        return await self._file.write(lambda file: file.execute("DELETE FROM outbox WHERE name = ?", row).rowcount == 1)

    def _name(self, letter: str) -> str:
        return f"{self._book}:{letter}"

    # What follows runs inside a transaction.

    def _earliest(self, file: sqlite3.Connection) -> Instant | None:
        (due,) = file.execute("SELECT min(due) FROM outbox WHERE book = ?", (self._book,)).fetchone()
        return None if due is None else Instant(due)

    def _count(self, file: sqlite3.Connection, where: str, *more: str) -> int:
        sql = f"SELECT count(*) FROM outbox WHERE {where}"  # noqa: S608 - words of ours
        count: int = file.execute(sql, (self._book, *more)).fetchone()[0]
        return count
