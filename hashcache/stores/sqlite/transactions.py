"""
One thread that owns the connection: each call is one transaction, with a deadline.

Rule 1: SQLite is only ever touched in that thread, so the event loop never waits for a disk or a lock. No cursor
        leaves it either: one that is finalised in another thread breaks the statement that runs just then.
Rule 2: reading takes no write lock; writing takes it at once (BEGIN IMMEDIATE), so it cannot fail half-way.
Rule 3: whoever asked goes after the deadline; a statement that is stuck in the thread may still take effect later.
Rule 4: after damage or an unreadable file the connection is opened anew by the next call: it heals by itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from hashcache.core.errors import SettingsError, StoreUnavailable
from hashcache.stores.sqlite.file import connect, primary

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_REASONS = {
    sqlite3.SQLITE_BUSY: ("timeout", "another process holds it locked"),
    sqlite3.SQLITE_LOCKED: ("timeout", "another process holds it locked"),
    sqlite3.SQLITE_FULL: ("full", "the disk is full"),
    sqlite3.SQLITE_READONLY: ("readonly", "it may not be written to"),
    sqlite3.SQLITE_CORRUPT: ("damaged", "it is damaged"),
    sqlite3.SQLITE_NOTADB: ("damaged", "it is damaged"),
    sqlite3.SQLITE_CANTOPEN: ("unreachable", "it cannot be opened"),
    sqlite3.SQLITE_IOERR: ("unreachable", "it cannot be read or written"),
}
_OPEN_ANEW = frozenset({"damaged", "unreachable", "readonly"})
#: How long a statement waits for a lock, as a part of the deadline: SQLite's own answer should come first.
_BUSY = 0.8


class Transactions:
    """Runs work on the file at *path*, each within *deadline*."""

    def __init__(self, path: Path, deadline: timedelta) -> None:
        self._path = path
        self._deadline = deadline
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hashcache-sqlite")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def open(self) -> None:
        """
        Open the file, or leave that to the first call when another process has it locked.

        Raises:
            SettingsError: the file cannot be used.
        """
        try:
            await self._within_deadline(self._open)
        except (StoreUnavailable, sqlite3.Error):
            return

    async def read(self, work: Work[T]) -> T:
        """What *work* reads, all of it at one moment. Raises StoreUnavailable."""
        return await self._run(lambda: self._transact(work, "BEGIN", None))

    async def write(self, work: Work[T], *, patience: timedelta | None = None) -> T:
        """
        What *work* answers, once all or none of it is kept; *patience*: how long to wait for others who write.
        Raises StoreUnavailable.
        """
        return await self._run(lambda: self._transact(work, "BEGIN IMMEDIATE", patience))

    async def look(self, work: Work[T]) -> T:
        """What *work* reads without a transaction, each statement at a moment of its own. Raises StoreUnavailable."""
        return await self._run(lambda: self._attempt(work))

    async def close(self) -> None:
        """Close the file and let the thread end. Safe to call twice."""
        if self._closed:
            return
        with suppress(StoreUnavailable):  # a thread that is stuck in a statement ends when that returns
            await self._within_deadline(self._disconnect)
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await self._within_deadline(call)
        except SettingsError as error:
            raise StoreUnavailable(str(error), reason="damaged") from None
        except sqlite3.Error as error:
            raise self._translate(error) from None

    async def _within_deadline(self, call: Callable[[], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed", reason="closed")
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except TimeoutError:
            raise StoreUnavailable(f"{self._path} did not answer in time", reason="timeout") from None

    def _translate(self, error: sqlite3.Error) -> StoreUnavailable:
        reason, words = _REASONS.get(primary(error), ("error", f"SQLite said: {error}"))
        return StoreUnavailable(f"the store's file {self._path}: {words}", reason=reason)

    # What follows runs in the thread.

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self._path, self._deadline * _BUSY)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, work: Work[T], begin: str, patience: timedelta | None) -> T:
        def whole(connection: sqlite3.Connection) -> T:
            self._begin(connection, begin, patience)
            answer = work(connection)
            connection.execute("COMMIT")
            return answer

        return self._attempt(whole)

    def _begin(self, connection: sqlite3.Connection, begin: str, patience: timedelta | None) -> None:
        if patience is None:
            connection.execute(begin)
            return
        (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {patience // timedelta(milliseconds=1)}")
        try:
            connection.execute(begin)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {usual}")

    def _attempt(self, work: Work[T]) -> T:
        connection = self._open()
        try:
            return work(connection)
        except BaseException as error:
            self._recover(error)
            raise

    def _recover(self, error: BaseException) -> None:
        """Leave no transaction open; drop a connection that may be worth nothing."""
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()
        if isinstance(error, sqlite3.Error) and self._translate(error).reason in _OPEN_ANEW:
            self._disconnect()
