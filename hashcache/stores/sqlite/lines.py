"""
The lines of days and of all days, as rows of the file.

Rule: what is here runs inside a transaction of the caller: of the accounts, or of a batch of the ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date

from hashcache.core.key import Names
from hashcache.core.spend import KEPT_DAYS
from hashcache.ports import Day

_FIRST = date(1970, 1, 1).toordinal()


class Lines:
    """The lines of one environment."""

    def __init__(self, names: Names) -> None:
        self._book = names.accounts

    def add(self, file: sqlite3.Connection, day: date, lines: Mapping[str, int]) -> None:
        """Add *lines* to *day* and to all days. What is too old goes when a day begins."""
        if not lines:
            return
        number = day.toordinal() - _FIRST
        begun = file.execute("SELECT 1 FROM days WHERE book = ? AND day = ? LIMIT 1", (self._book, number)).fetchone()
        sql = (
            "INSERT INTO days (book, day, line, total) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (book, day, line) DO UPDATE SET total = total + excluded.total"
        )
        file.executemany(sql, [(self._book, number, line, amount) for line, amount in lines.items()])
        sql = (
            "INSERT INTO totals (book, line, total) VALUES (?, ?, ?)"
            " ON CONFLICT (book, line) DO UPDATE SET total = total + excluded.total"
        )
        file.executemany(sql, [(self._book, line, amount) for line, amount in lines.items()])
        if not begun:
            file.execute("DELETE FROM days WHERE book = ? AND day < ?", (self._book, number - KEPT_DAYS))

    def days(self, file: sqlite3.Connection, since: date) -> Sequence[Day]:
        """The days from *since* on."""
        sql = "SELECT day, line, total FROM days WHERE book = ? AND day >= ? AND total <> 0 ORDER BY day, line"
        found: dict[int, dict[str, int]] = {}
        for number, line, total in file.execute(sql, (self._book, since.toordinal() - _FIRST)).fetchall():
            found.setdefault(number, {})[line] = total
        return [Day(date.fromordinal(number + _FIRST), lines) for number, lines in found.items()]

    def totals(self, file: sqlite3.Connection) -> Mapping[str, int]:
        """The lines of all days."""
        sql = "SELECT line, total FROM totals WHERE book = ? AND total <> 0"
        return dict(file.execute(sql, (self._book,)).fetchall())
