"""The outbox in the file: made in files of earlier releases, and emptied by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from importlib import resources
from pathlib import Path

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.key import Key, Names
from hashcache.ports import Bounds, Sealed
from hashcache.stores.sqlite import SqliteStore
from hashcache.stores.sqlite.file import APPLICATION, VERSION
from tests.harness.clock import HandClock

NAMES = Names("test")
HOUR = timedelta(hours=1)


def store_at(path: Path, clock: HandClock) -> SqliteStore:
    """A store in the file at *path*, not opened."""
    return SqliteStore(path, NAMES, Envelope(most=1000), clock, timedelta(seconds=20))


async def test_a_file_of_version_3_learns_to_keep_letters(tmp_path: Path) -> None:
    """What an earlier release counted is there, and the outbox works at once."""
    path = tmp_path / "store.sqlite3"
    schema = resources.files("hashcache.stores.sqlite")
    steps = "".join(schema.joinpath(f"schema_{step}.sql").read_text("utf-8") for step in (1, 2, 3))
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(steps)
        file.execute(f"PRAGMA application_id = {APPLICATION}")
        file.execute("PRAGMA user_version = 3")
        file.execute("INSERT INTO counters (book, counter, total) VALUES (?, 'hits', 3)", (NAMES.counters,))
    store = store_at(path, HandClock())
    await store.open()
    letter = Sealed("msg_1", "red", b"sealed", Instant(store.now() + 1000))
    assert await store.outbox.put(letter, "a", hold=timedelta(0), bounds=Bounds(1, 1)) is None
    assert list((await store.outbox.take("b", hold=HOUR, most=1)).letters) == [letter]
    assert await store.ledger.totals() == {"hits": 3}
    await store.close()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (VERSION,)


async def test_letters_end_where_nobody_delivers_any_more(tmp_path: Path) -> None:
    """Webhooks were switched off: a commit of the store removes what is over, and nothing else."""
    clock = HandClock()
    store = store_at(tmp_path / "store.sqlite3", clock)
    await store.open()
    for name, life in (("msg_1", 1000), ("msg_2", 10**9)):
        letter = Sealed(name, "red", b"sealed", Instant(store.now() + life))
        assert await store.outbox.put(letter, "a", hold=timedelta(0), bounds=Bounds(9, 9)) is None
    clock.advance(HOUR)
    key = Key("analysis", "a" * 64, "variant")
    bid = await store.claim(key, "token", HOUR)
    assert bid.claim is not None
    label, until = Label("image", "red", "provenance"), Instant(store.now() + 1000)
    assert await store.commit(bid.claim, Entry(key, label, b"{}", 0, store.now(), until))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as file:
        names = [name for (name,) in file.execute("SELECT name FROM outbox")]
    assert names == [f"{NAMES.outbox}:msg_2"]
