"""
The accounts in the SQLite file of the store.

Rule: each verb is one transaction; what is decided in it lies in `accounting`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from hashcache.core.budget import Charge
from hashcache.core.entry import Instant
from hashcache.core.key import Names
from hashcache.core.money import MicroDollars
from hashcache.core.spend import KEPT_DAYS, day_of
from hashcache.ports import Attempt, Breaker, Day, Granted, Refused, Rules, Settlement
from hashcache.stores import accounting, records
from hashcache.stores.accounting import REMEMBERED, WINDOW_KEPT, Change, Draw, Found, Noted, Tried
from hashcache.stores.sqlite.lines import Lines
from hashcache.stores.sqlite.transactions import Transactions


class SqliteAccounts:
    """The accounts of one environment in *file*. *clock* gives milliseconds since 1970."""

    def __init__(self, file: Transactions, names: Names, clock: Callable[[], int]) -> None:
        self._file = file
        self._book = names.accounts
        self._clock = clock
        self._lines = Lines(names)

    async def reserve(
        self, attempt: Attempt, charges: Sequence[Charge], rules: Rules, *, force: bool = False
    ) -> Granted | Refused:
        """Put *attempt* on record, or say why not."""
        new = accounting.noted(attempt, charges, rules)

        def work(file: sqlite3.Connection) -> Granted | Refused:
            found = self._found(file, attempt, charges)
            answer, change = accounting.reserve(found, new, charges, now=self._now(), force=force)
            self._apply(file, attempt, found, change)
            return answer

        return await self._file.write(work)

    async def note(self, attempt: Attempt, receipt: str) -> bool:
        """Put *receipt* on record."""

        def work(file: sqlite3.Connection) -> bool:
            found = self._found(file, attempt)
            there = found.there
            if not isinstance(there, Noted) or there.attempt.token != attempt.token:
                return False
            noted = replace(there, attempt=replace(there.attempt, receipt=receipt))
            self._apply(file, attempt, found, Change(noted, found.circuit))
            return True

        return await self._file.write(work)

    async def settle(self, attempt: Attempt, settlement: Settlement) -> bool:
        """End *attempt*."""

        def work(file: sqlite3.Connection) -> bool:
            found = self._found(file, attempt)
            known = accounting.ended(found, attempt.token)
            if known is not None:
                self._apply(file, attempt, found, accounting.settle(found, known, settlement, self._now()))
            return known is not None

        return await self._file.write(work)

    async def reap(self) -> Sequence[Attempt]:
        """Book what nobody runs any more as unknown; drop what is too old."""
        return await self._file.write(self._reap)

    async def attempts(self) -> Sequence[Attempt]:
        """What is on record."""
        sql = "SELECT CAST(record AS BLOB) FROM attempts WHERE book = ?"
        rows = await self._file.read(lambda file: file.execute(sql, (self._book,)).fetchall())
        found = (records.read_there(record) for (record,) in rows)
        return accounting.in_order(there.attempt for there in found if isinstance(there, Noted))

    async def used(self, charges: Sequence[Charge]) -> Sequence[MicroDollars]:
        """What was drawn on each of *charges*."""
        drawn = await self._file.read(lambda file: self._drawn(file, charges))
        return [MicroDollars(amount) for amount in drawn]

    async def breakers(self) -> Sequence[Breaker]:
        """Those that are not as good as new."""
        sql = "SELECT provider, CAST(record AS BLOB) FROM circuits WHERE book = ? ORDER BY provider"
        rows = await self._file.read(lambda file: file.execute(sql, (self._book,)).fetchall())
        found = ((provider, records.read_circuit(record)) for provider, record in rows)
        return [circuit.told(provider) for provider, circuit in found if circuit is not None]

    async def days(self, since: date) -> Sequence[Day]:
        """The days from *since* on."""
        oldest = max(since, day_of(self._now()) - timedelta(days=KEPT_DAYS))
        return await self._file.read(lambda file: self._lines.days(file, oldest))

    async def totals(self) -> Mapping[str, int]:
        """The lines of all days."""
        return await self._file.read(self._lines.totals)

    def _now(self) -> Instant:
        return Instant(self._clock())

    # What follows runs inside a transaction.

    def _found(self, file: sqlite3.Connection, attempt: Attempt, charges: Sequence[Charge] = ()) -> Found:
        return Found(
            records.read_there(self._record(file, "attempts", "key", attempt.key.short)),
            records.read_lapsed(self._record(file, "lapsed", "token", attempt.token)),
            records.read_circuit(self._record(file, "circuits", "provider", attempt.account.provider)),
            self._drawn(file, charges),
        )

    def _record(self, file: sqlite3.Connection, table: str, column: str, name: str | bytes) -> bytes | None:
        sql = f"SELECT CAST(record AS BLOB) FROM {table} WHERE book = ? AND {column} = ?"  # noqa: S608 - words of ours
        row = file.execute(sql, (self._book, name)).fetchone()
        return row[0] if row else None

    def _drawn(self, file: sqlite3.Connection, charges: Sequence[Charge]) -> list[int]:
        sql = "SELECT drawn FROM windows WHERE book = ? AND name = ?"
        rows = (file.execute(sql, (self._book, charge.name)).fetchone() for charge in charges)
        return [row[0] if row else 0 for row in rows]

    def _apply(self, file: sqlite3.Connection, attempt: Attempt, found: Found, change: Change) -> None:
        if change.there != found.there:
            self._place(file, attempt.key.short, change.there)
        if change.circuit != found.circuit:
            record = records.write_circuit(change.circuit) if change.circuit is not None else None
            self._keep(file, "circuits", {"provider": attempt.account.provider}, record)
        for token, lapsed in change.lapsed.items():
            record = records.write_lapsed(lapsed) if lapsed is not None else None
            booked = {"booked": lapsed.booked} if lapsed is not None else {}
            self._keep(file, "lapsed", {"token": token, **booked}, record)
        for draw in change.draws:
            self._draw(file, draw)
        for day, lines in change.lines.items():
            self._lines.add(file, day, lines)

    def _place(self, file: sqlite3.Connection, key: bytes, there: Noted | Tried | None) -> None:
        if there is None:
            self._keep(file, "attempts", {"key": key}, None)
            return
        due = there.until if isinstance(there, Tried) else there.attempt.until
        self._keep(file, "attempts", {"key": key, "due": due}, records.write_there(there))

    def _keep(
        self, file: sqlite3.Connection, table: str, columns: Mapping[str, str | bytes | int], record: bytes | None
    ) -> None:
        """Keep *record* in the row that the first of *columns* names; None: remove that row."""
        first, *_ = columns
        if record is None:
            sql = f"DELETE FROM {table} WHERE book = ? AND {first} = ?"  # noqa: S608 - words of ours
            file.execute(sql, (self._book, columns[first]))
            return
        marks = "?, " * (len(columns) + 1)
        sql = f"INSERT OR REPLACE INTO {table} (book, {', '.join(columns)}, record) VALUES ({marks}?)"  # noqa: S608 - words of ours
        file.execute(sql, (self._book, *columns.values(), record))

    def _draw(self, file: sqlite3.Connection, draw: Draw) -> None:
        row = (draw.amount, self._book, draw.name)
        sql = "UPDATE windows SET drawn = max(0, drawn + ?) WHERE book = ? AND name = ?"
        if not file.execute(sql, row).rowcount and draw.ends is not None:
            sql = "INSERT INTO windows (drawn, book, name, ends) VALUES (?, ?, ?, ?)"
            file.execute(sql, (*row, draw.ends))

    def _reap(self, file: sqlite3.Connection) -> Sequence[Attempt]:
        now = self._now()
        sql = "SELECT key, CAST(record AS BLOB) FROM attempts WHERE book = ? AND due <= ?"
        reaped = []
        for key, record in file.execute(sql, (self._book, now)).fetchall():
            there = records.read_there(record)
            if isinstance(there, Noted) and there.attempt.key.short == key:
                found = Found(there)
                self._apply(file, there.attempt, found, accounting.lapse(there, found.circuit, now))
                reaped.append(there.attempt)
            else:
                self._place(file, key, None)
        for table, column, oldest in (("lapsed", "booked", now - REMEMBERED), ("windows", "ends", now - WINDOW_KEPT)):
            file.execute(f"DELETE FROM {table} WHERE book = ? AND {column} <= ?", (self._book, oldest))  # noqa: S608 - words of ours
        return accounting.in_order(reaped)
