"""How the channel over a SQLite file notices that it is late, what it costs, and what it leaves in the file."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.core.notice import Notice
from hashcache.stores.hearing import Pace
from hashcache.stores.sqlite import SqliteStore
from hashcache.stores.sqlite.file import APPLICATION, VERSION
from tests.contracts.ear import Ear, comes
from tests.harness.clock import START, HandClock

NAMES = Names("test")
KEY = Key("analysis", "a" * 64, "variant")
LEASE = timedelta(seconds=30)
DEADLINE = timedelta(seconds=20)
#: How much later than it is due something may come on a busy machine, in seconds.
MARGIN = 1.0
#: Shortened, so that tests are; still far longer than this machine needs for one write.
PACE = Pace(window=timedelta(seconds=1))
PATIENT = Pace(window=timedelta(seconds=20))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "store.sqlite3"


@asynccontextmanager
async def opened(path: Path, *, clock: Callable[[], int] = lambda: START, **more: Any) -> AsyncIterator[SqliteStore]:
    """A store on the file, opened and closed; its channel is not open."""
    store = SqliteStore(path, NAMES, Envelope(most=1_000_000), clock, **{"deadline": DEADLINE, "pace": PACE, **more})
    try:
        await store.open()
        yield store
    finally:
        await store.close()


def cleared(store: SqliteStore, reason: str = "test") -> Notice:
    """A notice of an invalidation."""
    origin, now = store.channel.origin, store.now()
    return Notice(kind="invalidate", origin=origin, timestamp=now, sequence=1, selector=Selector(), reason=reason)


def look(path: Path, sql: str, *row: object) -> list[Any]:
    """What another program reads in the file, or writes."""
    with closing(sqlite3.connect(path)) as file, file:
        return file.execute(sql, row).fetchall()


async def bought(store: SqliteStore) -> None:
    """Claim and commit the key."""
    bid = await store.claim(KEY, "token", LEASE)
    entry = Entry(KEY, Label("image", "t", "p"), b"x", 0, store.now(), Instant(store.now() + 10**6))
    assert await store.commit(bid.claim, entry)


# Late


async def test_whoever_cannot_write_himself_down_is_not_alive(path: Path) -> None:
    """While another process writes for longer than the window it is not alive, and reads go on; then there is a gap."""
    async with opened(path) as store, opened(path) as other:
        ear = await Ear.at(store.channel)
        await bought(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as busy:
            busy.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            await comes(lambda: not store.channel.alive)
            assert time.monotonic() - began < PACE.window.total_seconds() + MARGIN
            began = time.monotonic()
            assert (await store.read([KEY])).slots[0].entry
            assert time.monotonic() - began < MARGIN
            busy.execute("ROLLBACK")
        await comes(lambda: store.channel.alive)
        assert (ear.gaps > 0, ear.alive_in_gap) == (True, False)
        assert await other.channel.publish(cleared(other)) == 1
        assert len(await ear.hears(1)) == 1


async def test_what_was_said_while_somebody_could_not_be_counted_is_a_gap(path: Path) -> None:
    """A listener who was not counted, because he was late, never misses what was said without a gap."""
    clock = HandClock()
    async with opened(path, monotonic=clock.seconds) as store, opened(path, monotonic=clock.seconds) as other:
        ear = await Ear.at(store.channel)
        clock.advance(PACE.window + timedelta(milliseconds=1))
        assert not store.channel.alive
        said = await other.channel.publish(cleared(other))
        await comes(lambda: store.channel.alive)
        # Either he had written himself down again before, and heard it, or there is a gap.
        assert ear.gaps == 1
        assert (said, [notice.reason for notice in ear.notices]) in [(0, []), (1, ["test"])]


_LISTENER = """
import asyncio, sys, time
from datetime import timedelta
from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Names
from hashcache.stores.hearing import Pace
from hashcache.stores.sqlite import SqliteStore

async def main(path):
    pace = Pace(window=timedelta(seconds=1))
    store = SqliteStore(path, Names("test"), Envelope(most=1000), lambda: 0, pace=pace)
    await store.open()
    await store.channel.open(lambda notice: say("heard " + notice.reason), lambda: say("gap"))
    say("open")
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.005)
        now, alive = time.monotonic(), store.channel.alive
        if now - last > 1:
            say("thawed alive" if alive else "thawed not alive")
        last = now

def say(words):
    print(words, flush=True)

asyncio.run(main(sys.argv[1]))
"""


@asynccontextmanager
async def listener(path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Callable[[], Any]]]:
    """A process that listens and says what it hears; its next line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LISTENER, str(path), stdout=asyncio.subprocess.PIPE
    )

    async def line() -> str:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            return (await process.stdout.readline()).decode().strip()

    try:
        assert await line() == "open"
        yield process, line
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_frozen_process_does_not_trust_what_it_heard_before(path: Path) -> None:
    """A process that was stopped longer than the window is not counted, not alive when it goes on, and has a gap."""
    async with opened(path) as other, listener(path) as (process, line):
        assert await other.channel.publish(cleared(other, "before")) == 1
        assert await line() == "heard before"
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        await comes(lambda: time.monotonic() - began > 2.0)
        assert await other.channel.publish(cleared(other, "meanwhile")) == 0
        process.send_signal(signal.SIGCONT)
        said = [await line()]
        while said[-1] != "gap":
            said.append(await line())
        assert said == ["thawed not alive", "gap"]
        assert await other.channel.publish(cleared(other, "after")) == 1
        assert await line() == "heard after"


async def test_a_killed_process_is_counted_for_a_window_at_most(path: Path) -> None:
    """Somebody who was killed with -9 is taken for a listener until the window is over."""
    async with opened(path) as store:
        await Ear.at(store.channel)
        async with listener(path) as (process, _):
            assert await store.channel.publish(cleared(store)) == 1
            process.kill()
            await process.wait()
            assert await store.channel.publish(cleared(store)) == 1
            began = time.monotonic()
            await comes(lambda: time.monotonic() - began > PACE.window.total_seconds() + 0.1)
            assert await store.channel.publish(cleared(store)) == 0


async def test_row_27_a_wall_clock_that_is_set_changes_nothing(path: Path) -> None:
    """An hour forward or back: listeners are still counted, alive, and have no gap."""
    clock = HandClock()
    async with opened(path, clock=clock, pace=PATIENT) as store, opened(path, clock=clock, pace=PATIENT) as other:
        ear = await Ear.at(store.channel)
        for hours in (1, -2):
            clock.advance(timedelta(hours=hours))
            assert await other.channel.publish(cleared(other)) == 1
        await ear.hears(2)
        assert (ear.gaps, store.channel.alive) == (0, True)


async def test_a_file_that_is_locked_at_the_start_is_listened_to_later(path: Path) -> None:
    """Opening raises nothing while somebody else writes; later it is alive, with a gap."""
    async with opened(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as busy:
            busy.execute("BEGIN IMMEDIATE")
            ear = Ear(store.channel)
            await ear.listen()
            assert not store.channel.alive
            busy.execute("ROLLBACK")
        await comes(lambda: store.channel.alive)
        assert (ear.gaps, ear.alive_in_gap) == (1, False)


async def test_a_file_that_was_replaced_is_a_gap(path: Path) -> None:
    """When the file breaks and a new one is made in its place, listening goes on in that, with a gap."""
    async with opened(path) as store, opened(path) as other:
        ear = await Ear.at(store.channel)
        for _ in range(3):
            await other.channel.publish(cleared(other))
        await ear.hears(3)
        for store_ in (store, other):
            await store_._file.look(lambda file: file.close())  # as a disk that went away: the next call fails
        for one in path.parent.iterdir():
            one.unlink()
        await comes(lambda: ear.gaps == 1 and store.channel.alive)
        ear.notices.clear()
        with pytest.raises(StoreUnavailable):
            await published(other)
        assert await published(other) == 1
        assert len(await ear.hears(1)) == 1


async def published(store: SqliteStore) -> int:
    """Publish; who listens."""
    return await store.channel.publish(cleared(store))


# What it costs


async def test_while_nothing_changes_it_reads_one_pragma(path: Path) -> None:
    """Looking is PRAGMA data_version and nothing else until somebody writes; then two statements more, once."""
    clock, seen = HandClock(), []
    async with opened(path, monotonic=clock.seconds) as store, opened(path, monotonic=clock.seconds) as other:
        await Ear.at(other.channel)
        ear = await Ear.at(store.channel)
        await store._file.look(lambda file: file.set_trace_callback(seen.append))
        await comes(lambda: len(seen) > 20)
        assert set(seen[4:]) == {"PRAGMA data_version"}
        del seen[:]
        await other.channel.publish(cleared(other))
        await ear.hears(1)
        await comes(lambda: len(seen) > 20)
        others = [sql for sql in seen if sql != "PRAGMA data_version"]
        assert [sql.split()[0] for sql in others] == ["SELECT", "SELECT"]


async def test_it_writes_itself_down_twice_in_a_window_and_no_more(path: Path) -> None:
    """Half a window later it writes once; without listening nothing is written at all."""
    clock, seen = HandClock(), []
    async with opened(path, monotonic=clock.seconds) as store:
        await store._file.look(lambda file: file.set_trace_callback(seen.append))
        await Ear.at(store.channel)

        def writes() -> int:
            return sum(sql.startswith("BEGIN IMMEDIATE") for sql in seen)

        for count in (1, 2, 3):
            looks = len(seen)
            await comes(lambda looks=looks, count=count: writes() == count and len(seen) > looks + 5)
            clock.advance(PACE.window / 2)
        await store.channel.close()
        assert look(path, "SELECT * FROM listeners") == []


async def test_whoever_is_alone_looks_rarely(path: Path) -> None:
    """A process that nobody else could tell anything looks ten times rarer, until somebody else writes."""
    clock, seen = HandClock(), []
    poll, looks = timedelta(milliseconds=50), "PRAGMA data_version"
    async with (
        opened(path, monotonic=clock.seconds, poll=poll) as store,
        opened(path, monotonic=clock.seconds) as other,
    ):
        await store.channel.open(lambda _: None, lambda: None)
        await store._file.look(lambda file: file.set_trace_callback(seen.append))
        await comes(lambda: seen.count(looks) == 1)
        began = time.monotonic()
        await comes(lambda: seen.count(looks) == 2)
        assert time.monotonic() - began > 0.4
        await Ear.at(other.channel)
        await comes(lambda: seen.count(looks) == 3)
        began = time.monotonic()
        await comes(lambda: seen.count(looks) == 6)
        assert time.monotonic() - began < 0.4


async def test_nothing_is_written_when_nobody_listens(path: Path) -> None:
    """A process alone leaves no notices in the file, however much it buys, clears and listens itself."""
    async with opened(path) as store:
        await Ear.at(store.channel)
        for _ in range(3):
            await bought(store)
            await store.release((await store.claim(KEY, "token", LEASE)).claim)
            assert await store.channel.publish(cleared(store)) == 0
        assert look(path, "SELECT * FROM notices") == []
        assert store.channel.traffic.published == 9


async def test_notices_do_not_pile_up(path: Path) -> None:
    """They go when no listener can still be waiting for them, or when there are too many."""
    clock = HandClock()
    async with opened(path, monotonic=clock.seconds) as store, opened(path, monotonic=clock.seconds) as other:
        ear = await Ear.at(store.channel)
        for _ in range(10):
            await other.channel.publish(cleared(other))
        await ear.hears(10)
        look(path, "INSERT INTO listeners VALUES ('killed', 'x', ?)", int(clock.seconds() * 1000))
        clock.advance(PACE.window * 6)
        await comes(lambda: look(path, "SELECT * FROM notices") == [])
        assert look(path, "SELECT origin FROM listeners") == [(store.channel.origin,)]
        rows = [(f"{NAMES.prefix}channel", int(clock.seconds() * 1000), "somebody", b"junk")] * 12_000
        with closing(sqlite3.connect(path)) as file, file:
            file.executemany("INSERT INTO notices (channel, at, origin, body) VALUES (?, ?, ?, ?)", rows)
        await other.channel.publish(cleared(other))
        assert look(path, "SELECT count(*) FROM notices") == [(10_000,)]


async def test_somebody_who_is_far_behind_has_a_gap(path: Path) -> None:
    """When more was said than is kept, before he could look, he does not go on as if nothing were missing."""
    clock = HandClock()
    poll = timedelta(days=1)
    async with opened(path, monotonic=clock.seconds, poll=poll) as store:
        ear = await Ear.at(store.channel)
        look(path, "INSERT INTO notices (channel, at, origin, body) VALUES ('x', 0, 'somebody', '')")
        for gaps, advance in ((1, timedelta(0)), (2, PACE.window / 2)):
            clock.advance(advance)
            look(path, "UPDATE sqlite_sequence SET seq = seq + 20000 WHERE name = 'notices'")
            await store.channel._look()
            assert (ear.gaps, store.channel.alive) == (gaps, True)


async def test_what_an_earlier_boot_left_is_forgotten(path: Path) -> None:
    """Rows with instants of the future, from before the machine was started anew, are dropped."""
    async with opened(path) as store:
        for table, columns in (("listeners", "origin, channel, heard"), ("notices", "origin, channel, at, body")):
            marks = "'old', ?, ?" + (", ''" if table == "notices" else "")
            future = int(time.monotonic() * 1000) + 10**9
            look(path, f"INSERT INTO {table} ({columns}) VALUES ({marks})", f"{NAMES.prefix}channel", future)  # noqa: S608 - ours
        ear = await Ear.at(store.channel)
        assert look(path, "SELECT count(*) FROM listeners") == [(1,)]
        assert look(path, "SELECT count(*) FROM notices") == [(0,)]
        assert ear.notices == []


# The file of an earlier release


async def test_a_file_of_version_1_opens_and_keeps_what_it_holds(path: Path, tmp_path: Path) -> None:
    """Entries, barrier and counters of a file that an earlier release made are there, and its channel works."""
    async with opened(tmp_path / "new.sqlite3") as store:
        await bought(store)
        barrier = await store.forbid(Selector(tag="x"), "test")
    (entry,) = look(tmp_path / "new.sqlite3", "SELECT name, kind, expires, sealed FROM entries")
    (record,) = look(tmp_path / "new.sqlite3", "SELECT name, record FROM barriers")
    first = resources.files("hashcache.stores.sqlite").joinpath("schema_1.sql").read_text("utf-8")
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(first)
        file.execute(f"PRAGMA application_id = {APPLICATION}")
        file.execute("PRAGMA user_version = 1")
        file.execute("INSERT INTO entries (name, kind, expires, sealed) VALUES (?, ?, ?, ?)", entry)
        file.execute("INSERT INTO barriers (name, record) VALUES (?, ?)", record)
        file.execute("INSERT INTO counters (book, counter, total) VALUES (?, 'hits', 3)", (NAMES.counters,))
    async with opened(path) as store, opened(path) as other:
        reading = await store.read([KEY])
        assert reading.slots[0].entry is not None
        assert reading.barrier == barrier
        assert await store.ledger.totals() == {"hits": 3}
        ear = await Ear.at(other.channel)
        assert await published(store) == 1
        await ear.hears(1)
    assert look(path, "PRAGMA user_version") == [(VERSION,)]
