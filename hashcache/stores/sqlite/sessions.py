"""
Sessions in the SQLite file of the store.

Rule: whoever signs in removes those that have ended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.core.key import Names
from hashcache.ports.sessions import Session
from hashcache.stores.sessions import decode, encode, until
from hashcache.stores.sqlite.transactions import Transactions


class SqliteSessions:
    """The sessions of one environment in *file*. *clock* gives milliseconds since 1970."""

    def __init__(self, file: Transactions, names: Names, clock: Callable[[], int]) -> None:
        self._file = file
        self._book = names.prefix
        self._clock = clock

    async def begin(self, name: str, session: Session, idle: timedelta) -> None:
        """Keep *session*."""
        now = self._clock()
        row = (self._book, name, until(session, now, idle), encode(session))

        def work(file: sqlite3.Connection) -> None:
            file.execute("DELETE FROM sessions WHERE until <= ?", (now,))
            file.execute("INSERT OR REPLACE INTO sessions (book, name, until, record) VALUES (?, ?, ?, ?)", row)

        await self._file.write(work)

    async def find(self, name: str, idle: timedelta) -> Session | None:
        """The session, kept for *idle* from now on."""
        now, row = self._clock(), (self._book, name)

        def work(file: sqlite3.Connection) -> Session | None:
            found = file.execute(
                "SELECT record FROM sessions WHERE book = ? AND name = ? AND until > ?", (*row, now)
            ).fetchone()
            session = decode(found[0], Instant(now)) if found else None
            if session is not None:
                sql = "UPDATE sessions SET until = ? WHERE book = ? AND name = ?"
                file.execute(sql, (until(session, now, idle), *row))
            return session

        return await self._file.write(work)

    async def end(self, name: str) -> bool:
        """Forget the session."""
        row = (self._book, name, self._clock())
        sql = "DELETE FROM sessions WHERE book = ? AND name = ? AND until > ?"
        return await self._file.write(lambda file: file.execute(sql, row).rowcount > 0)
