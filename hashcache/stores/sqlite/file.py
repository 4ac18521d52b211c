"""
One SQLite file of ours: made, recognised, checked, upgraded.

Rule 1: a file that is not ours is never written to.
Rule 2: what an operator must put right is a SettingsError that names the file and says what to do.
Rule 3: only its owner may read it: entries tell who had what analysed.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from importlib import resources
from pathlib import Path

from hashcache.core.errors import SettingsError

#: PRAGMA application_id: tells our files from other people's. Four letters, HCSH.
APPLICATION = 0x48435348
#: PRAGMA user_version: of how many of the schema's steps (schema_1.sql, ...) the tables are made.
VERSION = 5
#: A file up to this size is checked from end to end when it is opened; a larger one shows its damage later.
_CHECKED_UP_TO = 64 * 1024 * 1024
#: What every SQLite file begins with (sqlite.org/fileformat.html, section 1.3).
_HEADER = b"SQLite format 3\x00"
_BROKEN = ("is damaged or no SQLite file", "restore a copy of it")
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNWRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})


def connect(path: Path, patience: timedelta) -> sqlite3.Connection:
    """
    A connection to the store's file at *path*, which is made when it is absent. The caller closes it.

    *patience*: how long a statement waits for another process that writes.

    Raises:
        SettingsError: the file cannot be used; the message says why.
        sqlite3.OperationalError: another process has it locked.
    """
    _make(path)
    with path.open("rb") as file:
        if file.read(len(_HEADER)) not in (b"", _HEADER):  # a file shorter than a page is empty to SQLite
            raise _unusable(path, *_BROKEN)
    try:
        connection = sqlite3.connect(path, timeout=patience.total_seconds(), isolation_level=None)
    except sqlite3.Error as error:
        raise SettingsError(f"the store's file {path} cannot be opened: {error}") from None
    try:
        _recognise(connection, path)
        # WAL: readers wait for nobody (sqlite.org/wal.html). NORMAL: a crash of ours loses nothing, a power cut
        # at most the last moments, and never the file's consistency.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _upgrade(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if primary(error) in _DAMAGED:
            raise _unusable(path, *_BROKEN) from None
        if primary(error) in _UNWRITABLE:
            raise _unusable(path, "cannot be written to", "let this user write to it and to its folder") from None
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code of *error* (sqlite.org/rescode.html); -1 when it has none."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code


def _unusable(path: Path, fault: str, remedy: str) -> SettingsError:
    return SettingsError(
        f"the store's file {path} {fault}: {remedy}, move it away (a new one is made), "
        "or name another file, such as HASHCACHE_STORE=sqlite:///./other.sqlite3"
    )


def _make(path: Path) -> None:
    """Make an empty file that only its owner may read; SQLite gives its companions (-wal, -shm) the same rights."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600))
    except OSError as error:
        raise _unusable(path, f"cannot be written to ({error.strerror})", "let this user write there") from None


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    """Raise unless the file is empty or ours, of a version that we know, and sound."""
    connection.execute("BEGIN")  # one moment: another process may be making the tables just now
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if application != APPLICATION and (tables or version or application):
        raise _unusable(path, "is a SQLite file of another program", "leave it alone")
    if version > VERSION:
        raise _unusable(
            path, f"was written by a newer hashcache (format {version}; this one knows {VERSION})", "upgrade hashcache"
        )
    if path.stat().st_size <= _CHECKED_UP_TO:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise _unusable(path, *_BROKEN)


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to VERSION, in one transaction; of several processes that start together one does it."""
    if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in range(version + 1, VERSION + 1):
            for statement in _statements(step):
                connection.execute(statement)
        if version < VERSION:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    _recognise(connection, path)


def _statements(step: int) -> list[str]:
    """The statements of one step; executescript would commit the transaction that they belong in."""
    script = resources.files(__package__).joinpath(f"schema_{step}.sql").read_text(encoding="utf-8")
    lines = (line for line in script.splitlines() if not line.startswith("--"))
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]
