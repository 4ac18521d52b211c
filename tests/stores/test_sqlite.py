"""The SQLite file: what an operator is told when it cannot be used, and what happens when it fails later."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.errors import SettingsError, StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.stores.sqlite import SqliteStore
from hashcache.stores.sqlite.file import APPLICATION, VERSION
from tests.harness.booking import book
from tests.harness.clock import HandClock

NAMES = Names("test")
LEASE = timedelta(seconds=30)
DEADLINE = timedelta(seconds=1)


def key(number: int = 1) -> Key:
    """One of many keys."""
    return Key("analysis", f"{number:064x}", "variant")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be: in a folder that is made with it."""
    return tmp_path / "folder" / "store.sqlite3"


@pytest.fixture
def clock() -> HandClock:
    """A clock that the test moves."""
    return HandClock()


@pytest.fixture
async def store(path: Path, clock: HandClock) -> AsyncIterator[SqliteStore]:
    """A new store."""
    store = SqliteStore(path, NAMES, Envelope(most=1_000_000), clock, deadline=DEADLINE)
    await store.open()
    yield store
    await store.close()


async def buy(store: SqliteStore, of: Key, *, size: int = 100, ttl: timedelta = timedelta(days=7)) -> bool:
    """Claim and commit an entry of *size* bytes; whether it was kept."""
    bid = await store.claim(of, "token", LEASE)
    expires = Instant(store.now() + ttl // timedelta(milliseconds=1))
    label = Label("image", "default", "provenance")
    assert bid.claim is not None
    return await store.commit(bid.claim, Entry(of, label, bytes(size), 0, store.now(), expires))


async def refusal(path: Path) -> str:
    """The line that a start fails with."""
    store = SqliteStore(path, NAMES, Envelope(most=1000), HandClock())
    with pytest.raises(SettingsError) as caught:
        await store.open()
    await store.close()
    assert str(path) in str(caught.value)
    assert "sqlite:///" in str(caught.value)
    return str(caught.value)


def smash(path: Path, start: int, end: int | None) -> None:
    """Overwrite a part of the file."""
    content = bytearray(path.read_bytes())
    content[start:end] = b"\xff" * len(content[start:end])
    path.write_bytes(content)


# Files that cannot be used


@pytest.mark.parametrize("content", [b"not a database" * 500, b"x", b"SQLite format 3\x00" + b"\xff" * 5000])
async def test_a_file_that_is_no_sqlite_file_fails_the_start(tmp_path: Path, content: bytes) -> None:
    """A start with such a file says so, and leaves the file as it was."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert "is damaged or no SQLite file" in await refusal(path)
    assert path.read_bytes() == content


async def test_a_damaged_file_fails_the_start(path: Path, store: SqliteStore) -> None:
    """Damage in the middle of the file is found when it is opened."""
    for number in range(200):
        await buy(store, key(number), size=500)
    await store.close()
    smash(path, 4096 * 3, 4096 * 6)
    assert "damaged" in await refusal(path)


async def test_a_newer_file_fails_the_start(path: Path, store: SqliteStore) -> None:
    """A file of a later format is not touched: whoever wrote it knows better."""
    await store.close()
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert "upgrade hashcache" in await refusal(path)


async def test_somebody_elses_file_fails_the_start(tmp_path: Path) -> None:
    """The database of another program is refused and gets no tables of ours."""
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE entries (title TEXT)")
    before = path.read_bytes()
    assert "another program" in await refusal(path)
    assert path.read_bytes() == before


async def test_a_folder_that_cannot_hold_it_fails_the_start(tmp_path: Path) -> None:
    """Where no file can be made, or only a folder is, the start says so."""
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be written to" in await refusal(tmp_path / "file" / "store.sqlite3")
    assert "cannot be written to" in await refusal(tmp_path)


# The file itself


async def test_only_the_owner_may_read_it(path: Path, store: SqliteStore) -> None:
    """The file and its companions have mode 0600: they tell who had what analysed."""
    await buy(store, key())
    files = list(path.parent.iterdir())
    assert {file.name for file in files} == {"store.sqlite3", "store.sqlite3-wal", "store.sqlite3-shm"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_it_survives_a_restart(path: Path, store: SqliteStore, clock: HandClock) -> None:
    """Entries, barrier and counters are there when the file is opened again; the file knows what it is."""
    await buy(store, key())
    barrier = await store.forbid(Selector(tag="x"), "test")
    await book(store, {"hits": 2})
    await store.close()
    again = SqliteStore(path, NAMES, Envelope(most=1_000_000), clock)
    await again.open()
    reading = await again.read([key()])
    assert reading.slots[0].entry is not None
    assert reading.barrier == barrier
    assert await again.ledger.totals() == {"hits": 2}
    await again.close()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_commits_remove_what_expired(path: Path, store: SqliteStore, clock: HandClock) -> None:
    """Each commit removes a bounded number of expired entries, claims and tombstones from the file."""
    for number in range(150):
        await buy(store, key(number), ttl=timedelta(minutes=1))
    await store.claim(key(900), "lost", LEASE)
    await store.forget([key(901)])
    clock.advance(timedelta(hours=2))

    def rows() -> list[int]:
        with closing(sqlite3.connect(path)) as file:
            tables = ("entries", "claims", "tombstones")
            return [file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 - ours

    assert rows() == [150, 1, 1]
    await buy(store, key(1000))
    assert rows() == [51, 0, 0]
    await buy(store, key(1001))
    assert rows() == [2, 0, 0]


_BUYER = """
import asyncio, sys
from datetime import timedelta
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.key import Key, Names
from hashcache.ports import Batch
from hashcache.stores.sqlite import SqliteStore

async def main(path, token):
    clock = lambda: 1_795_168_800_000
    store = SqliteStore(path, Names("test"), Envelope(most=1000), clock, deadline=timedelta(seconds=20))
    await store.open()
    bought = 0
    for number in range(40):
        key = Key("analysis", f"{number:064x}", "variant")
        bid = await store.claim(key, token, timedelta(hours=1))
        if bid.claim is not None and bid.entry is None:
            label = Label("image", "default", "provenance")
            expires = Instant(store.now() + 10**9)
            await store.commit(bid.claim, Entry(key, label, token.encode(), 0, store.now(), expires))
            bought += 1
        await store.ledger.book(Batch(token, number + 1, store.now(), {"asked": 1}))
    print(bought)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def test_processes_share_the_file(path: Path, clock: HandClock) -> None:
    """Three processes that start together on a file that is not there yet buy each of 40 answers once."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _BUYER, str(path), f"process {number}", stdout=asyncio.subprocess.PIPE
        )
        for number in range(3)
    ]
    answers = [await process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(int(printed) for printed, _ in answers) == 40
    store = SqliteStore(path, NAMES, Envelope(most=1000), clock)
    await store.open()
    assert await store.ledger.totals() == {"asked": 120}
    assert (await store.health()).keys == {"image": 40, "video": 0, "text": 0}
    await store.close()


# Failures later


async def test_a_locked_file_is_unavailable_within_the_deadline(path: Path, store: SqliteStore) -> None:
    """While another process writes for long, writing verbs fail in time, reading verbs go on, and all heals."""
    await buy(store, key())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught:
            await store.claim(key(2), "token", LEASE)
        assert time.monotonic() - began < DEADLINE.total_seconds() + 0.5
        assert caught.value.reason == "timeout"
        assert (await store.read([key()])).slots[0].entry is not None
        assert (await store.health()).status == "embedded"
        other.execute("ROLLBACK")
    assert await buy(store, key(2))


async def test_a_file_that_is_locked_at_the_start_is_opened_later(path: Path, store: SqliteStore) -> None:
    """A start while the file is wholly locked does not fail; the first call afterwards works."""
    await buy(store, key())
    await store.close()
    late = SqliteStore(path, NAMES, Envelope(most=1_000_000), HandClock(), deadline=timedelta(milliseconds=300))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        await late.open()
        with pytest.raises(StoreUnavailable):
            await late.read([key()])
        assert (await late.health()).status == "degraded"
    assert (await late.read([key()])).slots[0].entry is not None
    await late.close()


async def test_damage_while_it_is_open_is_unavailable_and_heals(path: Path, store: SqliteStore) -> None:
    """A file that breaks while it is used makes verbs fail as unavailable; once it is moved away a new one serves."""
    await buy(store, key())
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    smash(path, 0, None)
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as caught:
            await store.claim(key(2), "token", LEASE)
        assert caught.value.reason == "damaged"
    for file in path.parent.iterdir():
        file.unlink()
    assert await buy(store, key(2))


async def test_a_full_disk_is_unavailable_and_loses_nothing(path: Path, store: SqliteStore) -> None:
    """When SQLite cannot grow the file a commit fails as unavailable; what was there is still served."""
    await buy(store, key())
    await store.close()
    with closing(sqlite3.connect(path)) as file:
        pages = file.execute("PRAGMA page_count").fetchone()[0]
    full = SqliteStore(path, NAMES, Envelope(most=10_000_000), HandClock(), deadline=DEADLINE)
    await full.open()
    # max_page_count is how SQLite itself is told that the disk ends; it holds for one connection.
    await full._file.read(lambda file: file.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    bid = await full.claim(key(2), "token", LEASE)
    label = Label("image", "default", "provenance")
    noise = b"".join(f"{number * 2654435761 % 2**32:08x}".encode() for number in range(100_000))
    with pytest.raises(StoreUnavailable) as caught:
        await full.commit(bid.claim, Entry(key(2), label, noise, 0, full.now(), Instant(full.now() + 10**6)))
    assert caught.value.reason == "full"
    slots = (await full.read([key(), key(2)])).slots
    assert slots[0].entry is not None
    assert slots[1].entry is None
    assert await full.forget([key()]) == 1
    await full.close()


async def test_a_record_of_clears_that_cannot_be_read_serves_nothing(path: Path, store: SqliteStore) -> None:
    """Without knowing what was cleared nothing is served or cleared; the counters still count."""
    await buy(store, key())
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO barriers (name, record) VALUES (?, ?)", (NAMES.barrier, b"junk"))
    with pytest.raises(StoreUnavailable):
        await store.read([key()])
    with pytest.raises(StoreUnavailable):
        await store.forbid(Selector(), "test")
    await book(store, {"hits": 1})
    assert await store.ledger.totals() == {"hits": 1}


async def test_a_closed_store_is_unavailable(store: SqliteStore) -> None:
    """After closing, verbs fail as unavailable rather than with an error of a library."""
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.read([key()])
