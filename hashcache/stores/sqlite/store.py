"""
The store in one SQLite file: what costs money survives a restart, and nothing else needs to be installed.

Rule 1: each verb is one transaction; several processes on one machine may share the file.
Rule 2: rows whose time is over are as good as gone: no verb sees them, and each commit removes a bounded number of
        them.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from hashcache.core.barrier import Barrier, Selector
from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.envelope import LONGEST_HEAD, Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.ports import OLDEST, TOMBSTONE, Bid, Claim, Page, Reading, Slot, StoreHealth
from hashcache.stores.hearing import PACE, Pace
from hashcache.stores.sealing import MARK_FROM, MARK_TO, Sealing, mark, prolonged
from hashcache.stores.sqlite.accounts import SqliteAccounts
from hashcache.stores.sqlite.books import Books, decode
from hashcache.stores.sqlite.channel import SqliteChannel
from hashcache.stores.sqlite.ledger import SqliteLedger
from hashcache.stores.sqlite.outbox import SqliteOutbox
from hashcache.stores.sqlite.sessions import SqliteSessions
from hashcache.stores.sqlite.transactions import Transactions

#: How many expired rows of a table one commit removes at most.
_BATCH = 100
_MILLISECOND = timedelta(milliseconds=1)
#: Whether under this name lies the entry with this mark.
_IS = f"name = ? AND substr(sealed, {MARK_FROM + 1}, {MARK_TO - MARK_FROM}) = ?"
#: Sorts after every name that begins with a prefix.
_LAST = "\U0010ffff"


class SqliteStore:
    """
    Store in the file at *path*, which is made when it is absent, with its Channel, Ledger, Accounts, Outbox and
    Sessions as *channel*, *ledger*, *accounts*, *outbox* and *sessions*. *clock* gives milliseconds since 1970; all
    processes that share the file share the machine's. *monotonic*, in seconds, one for all processes too, *poll*, how
    often it looks for notices, and *pace* are the channel's.

    Other than the port says, `open` raises SettingsError when the file cannot be used: a start must fail with a
    clear line rather than buy every answer again.
    """

    def __init__(
        self,
        path: str | Path,
        names: Names,
        envelope: Envelope,
        clock: Callable[[], int],
        deadline: timedelta = timedelta(seconds=2),
        *,
        monotonic: Callable[[], float] = time.monotonic,
        poll: timedelta = timedelta(milliseconds=25),
        pace: Pace = PACE,
    ) -> None:
        self._path = Path(path)
        self._names = names
        self._sealing = Sealing(names, envelope)
        self._clock = clock
        self._file = Transactions(self._path, deadline)
        self._books = Books(self._file, names)
        self.channel = SqliteChannel(self._file, names, now=self.now, monotonic=monotonic, poll=poll, pace=pace)
        self.ledger = SqliteLedger(self._file, names, clock)
        self.accounts = SqliteAccounts(self._file, names, clock)
        self.outbox = SqliteOutbox(self._file, names, clock)
        self.sessions = SqliteSessions(self._file, names, clock)

    @property
    def keeps(self) -> bool:
        """In the file."""
        return True

    def now(self) -> Instant:
        """The clock's time."""
        return Instant(self._clock())

    async def open(self) -> None:
        """Open the file. Raises SettingsError when it cannot be used."""
        await self._file.open()

    async def close(self) -> None:
        """Close the channel and the file."""
        await self.channel.close()
        await self._file.close()

    async def read(self, keys: Sequence[Key]) -> Reading:
        """What lies under *keys*, all at one moment."""
        now = self.now()

        def work(file: sqlite3.Connection) -> tuple[list[tuple[bytes | None, bool]], bytes | None]:
            found = [(self._sealed(file, key, now), self._holder(file, key, now) is not None) for key in keys]
            return found, self._books.record(file)

        found, record = await self._file.read(work)
        slots = (
            Slot(self._sealing.open(key, sealed), claimed) for key, (sealed, claimed) in zip(keys, found, strict=True)
        )
        return Reading(tuple(slots), decode(record))

    async def claim(self, key: Key, token: str, lease: timedelta) -> Bid:
        """Claim *key* unless somebody else holds it."""
        now = self.now()

        def work(file: sqlite3.Connection) -> tuple[int, str, bytes | None, bytes | None]:
            holder = self._holder(file, key, now)
            held = 0
            if holder is not None and holder[0] != token:
                held = holder[1] - now
            else:
                row = (self._names.claim(key), token, now + lease // _MILLISECOND)
                file.execute("INSERT OR REPLACE INTO claims (name, token, until) VALUES (?, ?, ?)", row)
            return held, self._tombstone(file, key, now), self._sealed(file, key, now), self._books.record(file)

        held, tombstone, sealed, record = await self._file.write(work)
        claim = None if held else Claim(key, token, tombstone, now)
        return Bid(claim, held * _MILLISECOND, self._sealing.open(key, sealed), decode(record))

    async def renew(self, claim: Claim, lease: timedelta) -> bool:
        """Hold *claim* for *lease* from now."""
        now = self.now()
        row = (now + lease // _MILLISECOND, self._names.claim(claim.key), claim.token, now)
        sql = "UPDATE claims SET until = ? WHERE name = ? AND token = ? AND until > ?"
        return await self._file.write(lambda file: file.execute(sql, row).rowcount == 1)

    async def release(self, claim: Claim) -> None:
        """Give *claim* back if it is still ours."""
        done = self.channel.done(claim.key)

        def work(file: sqlite3.Connection) -> bool:
            released = self._give_back(file, claim)
            if released:
                self.channel.leave(file, done)
            return released

        if await self._file.write(work):
            self.channel.sent()

    async def commit(self, claim: Claim, entry: Entry) -> bool:
        """Keep *entry*; False as well when its time is over already or it cannot be sealed."""
        sealed = self._sealing.seal(entry)
        done = self.channel.done(entry.key)
        row = (self._names.entry(entry.key), entry.label.kind, entry.kept, sealed)

        def work(file: sqlite3.Connection) -> bool:
            now = self.now()  # only here: until we may write, any time may pass
            in_time = self._give_back(file, claim) or now - claim.granted < OLDEST // _MILLISECOND
            self.channel.leave(file, done)
            if not in_time or entry.kept <= now or not sealed or self._refuses(file, claim, entry, now):
                return False
            file.execute("INSERT OR REPLACE INTO entries (name, kind, expires, sealed) VALUES (?, ?, ?, ?)", row)
            _drop_expired(file, now)
            return True

        kept = await self._file.write(work)
        self.channel.sent()
        return kept

    async def prolong(self, entry: Entry, until: Instant) -> bool:
        """Let *entry*, if it still lies there, live until *until*."""
        now, longer = self.now(), prolonged(entry, until)
        sealed = self._sealing.seal(longer)
        if until <= now or sealed is None:
            return False
        sql = f"UPDATE entries SET sealed = ?, expires = ? WHERE {_IS} AND expires > ?"  # noqa: S608 - words of ours
        row = (sealed, longer.kept, self._names.entry(entry.key), mark(entry), now)
        return await self._file.write(lambda file: file.execute(sql, row).rowcount == 1)

    async def forget(self, keys: Sequence[Key]) -> int:
        """Remove the entries under *keys* and refuse the purchases under way."""

        def work(file: sqlite3.Connection) -> int:
            now, removed = self.now(), 0
            until = now + TOMBSTONE // _MILLISECOND
            for key in keys:
                name = self._names.entry(key)
                removed += file.execute("DELETE FROM entries WHERE name = ? AND expires > ?", (name, now)).rowcount
                file.execute("DELETE FROM claims WHERE name = ?", (self._names.claim(key),))
                row = (self._names.tombstone(key), secrets.token_hex(8), until)
                file.execute("INSERT OR REPLACE INTO tombstones (name, value, until) VALUES (?, ?, ?)", row)
            return removed

        return await self._file.write(work)

    async def barrier(self) -> Barrier:
        """The barrier in force."""
        return await self._books.barrier()

    async def forbid(self, selector: Selector, reason: str) -> Barrier:
        """Raise the barrier."""
        now = self.now()
        return await self._books.change(lambda barrier: barrier.raised(selector, now=now, reason=reason))

    async def advance(self, provider: str, reason: str) -> Barrier:
        """Raise the epoch of *provider*."""
        now = self.now()
        return await self._books.change(lambda barrier: barrier.advanced(provider, now=now, reason=reason))

    async def restore(self, known: Barrier) -> Barrier:
        """Put back what was lost of *known*."""
        now = self.now()
        return await self._books.change(lambda barrier: barrier.restored(known, now=now))

    async def progress(self, sequence: int, *, deleted: int, swept: bool) -> None:
        """Note how far a sweep is."""
        await self._books.change(lambda barrier: barrier.progressed(sequence, deleted=deleted, swept=swept))

    async def scan(self, cursor: str | None, limit: int) -> Page:
        """Heads in the order of their names; the cursor is the last name seen."""
        prefix = self._names.prefix
        row = (LONGEST_HEAD, max(cursor or "", prefix), prefix + _LAST, self.now(), limit)
        sql = (
            "SELECT name, substr(CAST(sealed AS BLOB), 1, ?), length(CAST(sealed AS BLOB)) FROM entries"
            " WHERE name > ? AND name < ? AND expires > ? ORDER BY name LIMIT ?"
        )
        rows = await self._file.read(lambda file: file.execute(sql, row).fetchall())
        heads = (self._sealing.head(name, start, size) for name, start, size in rows)
        return Page(tuple(head for head in heads if head), rows[-1][0] if len(rows) == limit else None)

    async def remove(self, heads: Sequence[Head]) -> int:
        """Remove the entries that are still the ones that *heads* describe."""
        sql = f"DELETE FROM entries WHERE {_IS}"  # noqa: S608 - words of ours
        rows = [(self._names.entry(head.key), mark(head)) for head in heads]
        return await self._file.write(lambda file: sum(file.execute(sql, row).rowcount for row in rows))

    async def health(self) -> StoreHealth:
        """Whether the file answers, its size, and what it holds."""
        try:
            used, keys, sizes = await self._file.read(self._figures)
        except StoreUnavailable as away:
            return StoreHealth("degraded", str(self._path), reason=away.reason)
        return StoreHealth("embedded", str(self._path), used=used, keys=keys, sizes=sizes)

    @property
    def refused(self) -> int:
        """How many stored entries were refused."""
        return self._sealing.refused

    # What follows runs inside a transaction.

    def _sealed(self, file: sqlite3.Connection, key: Key, now: int) -> bytes | None:
        sql = "SELECT CAST(sealed AS BLOB) FROM entries WHERE name = ? AND expires > ?"
        row = file.execute(sql, (self._names.entry(key), now)).fetchone()
        return row[0] if row else None

    def _holder(self, file: sqlite3.Connection, key: Key, now: int) -> tuple[str, int] | None:
        sql = "SELECT token, until FROM claims WHERE name = ? AND until > ?"
        row: tuple[str, int] | None = file.execute(sql, (self._names.claim(key), now)).fetchone()
        return row

    def _tombstone(self, file: sqlite3.Connection, key: Key, now: int) -> str:
        sql = "SELECT value FROM tombstones WHERE name = ? AND until > ?"
        row = file.execute(sql, (self._names.tombstone(key), now)).fetchone()
        return row[0] if row else ""

    def _give_back(self, file: sqlite3.Connection, claim: Claim) -> bool:
        row = (self._names.claim(claim.key), claim.token)
        return file.execute("DELETE FROM claims WHERE name = ? AND token = ?", row).rowcount == 1

    def _refuses(self, file: sqlite3.Connection, claim: Claim, entry: Entry, now: Instant) -> bool:
        """Whether *entry* is forgotten or forbidden, or negative where an answer lives."""
        barrier = decode(self._books.record(file))
        forgotten = self._tombstone(file, claim.key, now) not in ("", claim.tombstone)
        if forgotten or barrier.refuses(entry):
            return True
        there = self._sealed(file, entry.key, now) if entry.error else None
        return self._sealing.lives(entry.key, there, now=now, barrier=barrier)

    def _figures(self, file: sqlite3.Connection) -> tuple[int, Mapping[str, int], Mapping[str, int]]:
        pages, free, size = (
            file.execute(f"PRAGMA {figure}").fetchone()[0] for figure in ("page_count", "freelist_count", "page_size")
        )
        sql = (
            "SELECT kind, count(*), sum(length(sealed)) FROM entries WHERE name > ? AND name < ? AND expires > ?"
            " GROUP BY kind"
        )
        prefix = self._names.prefix
        found = {kind: rest for kind, *rest in file.execute(sql, (prefix, prefix + _LAST, self.now()))}
        keys, sizes = ({kind.value: found.get(kind, (0, 0))[at] for kind in Kind} for at in (0, 1))
        return (pages - free) * size, keys, sizes


def _drop_expired(file: sqlite3.Connection, now: int) -> None:
    for table, column in (("entries", "expires"), ("claims", "until"), ("tombstones", "until"), ("outbox", "expires")):
        sql = f"DELETE FROM {table} WHERE name IN (SELECT name FROM {table} WHERE {column} <= ? LIMIT {_BATCH})"  # noqa: S608 - words of ours
        file.execute(sql, (now,))
