"""The ledger in a real SQLite file: nothing in it grows for ever, and another process's write is waited for once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache.core.entry import EPOCH, Instant
from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.ports.ledger import Batch, Process
from hashcache.stores.sqlite import SqliteStore
from tests.harness.clock import HandClock

HIT = Key("analysis", "0" * 64, "v")
PATIENT = timedelta(seconds=20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "store.sqlite3"


def rows(path: Path, table: str) -> int:
    """How many rows *table* holds."""
    with closing(sqlite3.connect(path)) as file:
        count: int = file.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - words of ours
        return count


async def test_what_is_old_is_dropped_by_and_by(path: Path) -> None:
    """Two days of batches from new processes leave the rows of one; processes that died leave none."""
    clock = HandClock()
    store = SqliteStore(path, Names("test"), Envelope(most=1000), clock, deadline=PATIENT)
    for sender in range(48):
        at = Instant(clock())
        await store.ledger.book(Batch(f"{sender}", 1, at, {"hits": 1}, {"hits": 1}))
        await store.ledger.beat(Process(f"{sender}", "host", 1, "serve", "1", at, at), timedelta(minutes=1))
        clock.advance(timedelta(hours=1))
    await store.close()
    assert (rows(path, "minutes"), rows(path, "batches"), rows(path, "processes")) == (26, 26, 1)


async def test_a_batch_that_met_a_lock_is_added_once(path: Path) -> None:
    """While another process writes it is refused; sent again, it is added, once."""
    names, clock = Names("test"), HandClock()
    store = SqliteStore(path, names, Envelope(most=1000), clock, deadline=timedelta(milliseconds=200))
    await store.open()
    batch = Batch("a", 1, Instant(clock()), {"hits": 1}, {"hits": 1}, {HIT: 1})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.ledger.book(batch)
        other.execute("COMMIT")
    await store.ledger.book(batch)
    assert not await store.ledger.book(batch)
    assert await store.ledger.totals() == {"hits": 1}
    assert await store.ledger.hits([HIT]) == [1]
    await store.close()


async def test_a_minute_that_is_old_is_not_told_although_it_lies_there(path: Path) -> None:
    """Nobody may have booked anything since."""
    clock = HandClock()
    store = SqliteStore(path, Names("test"), Envelope(most=1000), clock, deadline=PATIENT)
    await store.ledger.book(Batch("a", 1, Instant(clock()), {"hits": 1}, {"hits": 1}))
    clock.advance(timedelta(hours=25, minutes=1))
    assert await store.ledger.minutes(EPOCH) == []
    assert rows(path, "minutes") == 1
    await store.close()
