"""
Notices and those who listen, as rows of the file.

Rule 1: what is here runs inside a transaction of the caller: of a commit that tells of itself, or of the channel.
Rule 2: a notice is only written when somebody listens, and kept for longer than a listener may be late: bounded by
        age and in number.
Rule 3: instants are milliseconds of the machine's monotonic clock, which is one for all its processes (documentation
        of time.monotonic). A wall clock that is set must not make a listener look dead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

#: The most notices that are kept.
MOST = 10_000
#: How many windows a notice is kept, and a listener that is not heard of any more.
_WINDOWS = 5


@dataclass(frozen=True, slots=True)
class News:
    """*bodies* of the notices of others, in order, and the *newest* number given to any."""

    bodies: Sequence[bytes]
    newest: int


class Notices:
    """
    The rows of one *channel* as the process *origin* sees them. *window*: for how many milliseconds a listener lives
    after it was heard of; *most*: how many bodies are read at once.
    """

    def __init__(self, channel: str, origin: str, *, window: int, most: int) -> None:
        self._channel = channel
        self._origin = origin
        self._window = window
        self._most = most

    def leave(self, file: sqlite3.Connection, body: bytes, now: int) -> int:
        """Leave *body* for the others who listen; how many there are. Nothing is written when there are none."""
        others = self.others(file, now)
        if others:
            sql = "INSERT INTO notices (channel, at, origin, body) VALUES (?, ?, ?, ?)"
            number = file.execute(sql, (self._channel, now, self._origin, body)).lastrowid
            file.execute("DELETE FROM notices WHERE id <= ?", ((number or 0) - MOST,))
        return others

    def others(self, file: sqlite3.Connection, now: int) -> int:
        """How many others listen."""
        sql = "SELECT count(*) FROM listeners WHERE channel = ? AND origin <> ? AND heard >= ?"
        count: int = file.execute(sql, (self._channel, self._origin, now - self._window)).fetchone()[0]
        return count

    def news(self, file: sqlite3.Connection, last: int) -> News:
        """What others have left since the notice number *last*, the first of it if it is very much."""
        # This first: what comes in between is seen next time.
        row = file.execute("SELECT seq FROM sqlite_sequence WHERE name = 'notices'").fetchone()
        newest: int = row[0] if row else 0
        sql = (
            "SELECT CAST(body AS BLOB) FROM notices WHERE id > ? AND id <= ? AND channel = ? AND origin <> ?"
            " ORDER BY id LIMIT ?"
        )
        rows = file.execute(sql, (last, newest, self._channel, self._origin, self._most)).fetchall()
        return News([body for (body,) in rows], newest)

    def listen(self, file: sqlite3.Connection, now: int) -> bool:
        """Be heard of, now; whether we were listed already. Forgets what is too old."""
        sql = "UPDATE listeners SET heard = ? WHERE origin = ?"
        known = file.execute(sql, (now, self._origin)).rowcount == 1
        if not known:
            sql = "INSERT INTO listeners (origin, channel, heard) VALUES (?, ?, ?)"
            file.execute(sql, (self._origin, self._channel, now))
        # What lies in the future is of the time before the machine was started anew.
        old = (now - self._window * _WINDOWS, now + self._window)
        file.execute("DELETE FROM listeners WHERE heard < ? OR heard > ?", old)
        file.execute("DELETE FROM notices WHERE at < ? OR at > ?", old)
        return known

    def go(self, file: sqlite3.Connection) -> None:
        """Be listed no longer."""
        file.execute("DELETE FROM listeners WHERE origin = ?", (self._origin,))
