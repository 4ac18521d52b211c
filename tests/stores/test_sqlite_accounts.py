"""The accounts in a real SQLite file: they survive a restart, an older file learns to keep them, and nothing grows."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import pytest

from hashcache.core.budget import Budget, Charge, Period
from hashcache.core.entry import Instant
from hashcache.core.envelope import Envelope
from hashcache.core.key import Key, Names
from hashcache.core.money import MicroDollars
from hashcache.core.spend import Account, Fate
from hashcache.ports import Attempt, Batch, Breaker, Granted, Health, Rules, Settlement
from hashcache.stores.sqlite import SqliteStore
from hashcache.stores.sqlite.file import APPLICATION, VERSION
from tests.harness.clock import HandClock

NAMES = Names("test")
HIVE = Account("hive", "image", "default")
CENT = MicroDollars(10_000)
FAILED = Settlement(Fate.FAILED, wasted=CENT, health=Health.FAILED)
#: The tables of the accounts.
TABLES = ("attempts", "lapsed", "circuits", "windows", "days", "totals")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "store.sqlite3"


@asynccontextmanager
async def opened(path: Path, clock: HandClock) -> AsyncIterator[SqliteStore]:
    """A store on *path*, opened and closed."""
    store = SqliteStore(path, NAMES, Envelope(most=1000), clock, deadline=timedelta(seconds=20))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def attempt(store: SqliteStore, token: str, *, at: int = 1) -> Attempt:
    """An attempt at one of the keys, for a minute."""
    key = Key("analysis", f"{at:064x}", f"{at:032x}")
    return Attempt(token, key, HIVE, CENT, store.now(), Instant(store.now() + 60_000), "process")


def budget(store: SqliteStore) -> list[Charge]:
    """A dollar a day."""
    return [Budget(MicroDollars(1_000_000), Period.DAY).charge(store.now())]


async def granted(store: SqliteStore, one: Attempt) -> Attempt:
    """*one* as it is on record."""
    answer = await store.accounts.reserve(one, budget(store), Rules())
    assert isinstance(answer, Granted)
    return answer.attempt


def run(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """What the last of *statements* tells."""
    with closing(sqlite3.connect(path)) as file, file:
        return [file.execute(statement).fetchall() for statement in statements][-1]


async def test_they_survive_a_restart(path: Path) -> None:
    """What is on record, drawn, failing and booked is there when the file is opened again."""
    clock = HandClock()
    async with opened(path, clock) as store:
        await store.accounts.settle(await granted(store, attempt(store, "a")), FAILED)
        one = await granted(store, attempt(store, "b", at=2))
        await store.accounts.note(one, "job")
    async with opened(path, clock) as store:
        (kept,) = await store.accounts.attempts()
        assert (kept.token, kept.receipt, kept.charges) == ("b", "job", one.charges)
        assert await store.accounts.used(budget(store)) == [2 * CENT]
        assert await store.accounts.breakers() == [Breaker("hive", 1)]
        assert await store.accounts.totals() == HIVE.lines({"calls": 1, "failed": 1, "wasted": CENT})


async def test_a_file_of_version_2_learns_to_keep_them(path: Path) -> None:
    """What an earlier release counted is there, and accounts work at once."""
    schema = resources.files("hashcache.stores.sqlite")
    steps = "".join(schema.joinpath(f"schema_{step}.sql").read_text("utf-8") for step in (1, 2))
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(steps)
        file.execute(f"PRAGMA application_id = {APPLICATION}")
        file.execute("PRAGMA user_version = 2")
        file.execute("INSERT INTO counters (book, counter, total) VALUES (?, 'hits', 3)", (NAMES.counters,))
    async with opened(path, HandClock()) as store:
        assert await store.ledger.totals() == {"hits": 3}
        assert await store.accounts.totals() == {}
        await store.accounts.settle(await granted(store, attempt(store, "a")), FAILED)
        assert await store.ledger.book(Batch("a", 1, store.now(), days=HIVE.lines({"saved": 5})))
        assert (await store.accounts.totals())[HIVE.line("saved")] == 5
    assert run(path, "PRAGMA user_version") == [(VERSION,)]


async def test_nothing_of_them_grows_for_ever(path: Path) -> None:
    """500 days of attempts that nobody settles leave what the promises need: two days of tokens, 401 of lines."""
    clock = HandClock()
    async with opened(path, clock) as store:
        for day in range(500):
            await granted(store, attempt(store, f"t{day}", at=day))
            clock.advance(timedelta(days=1))
            assert len(await store.accounts.reap()) == 1
    counts = {table: run(path, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}  # noqa: S608 - words of ours
    assert counts == {"attempts": 1, "lapsed": 2, "circuits": 0, "windows": 7, "days": 3 * 401, "totals": 3}


async def test_damaged_rows_are_passed_over(path: Path) -> None:
    """Readers tell the rest, and a purchase goes on."""
    clock = HandClock()
    async with opened(path, clock) as store:
        kept = await granted(store, attempt(store, "a"))
        await store.accounts.settle(await granted(store, attempt(store, "b", at=2)), FAILED)
        book, other = NAMES.accounts, attempt(store, "c", at=3)
        run(
            path,
            f"INSERT INTO attempts VALUES ('{book}', x'{other.key.short.hex()}', 1, 'odd')",  # noqa: S608 - words of ours
            f"INSERT INTO attempts VALUES ('{book}', 'odd', 1, x'ff')",  # noqa: S608 - words of ours
            f"INSERT INTO lapsed VALUES ('{book}', 'c', 1, x'31')",  # noqa: S608 - words of ours
            "UPDATE circuits SET record = 'odd'",
        )
        assert await store.accounts.attempts() == [kept]
        assert await store.accounts.breakers() == []
        assert (await granted(store, other)).tries == 1
        assert await store.accounts.reap() == []
        assert await store.accounts.settle(other, FAILED)
        assert await store.accounts.breakers() == [Breaker("hive", 1)]
        assert [day.lines for day in await store.accounts.days(date(2000, 1, 1))] == [await store.accounts.totals()]
