"""
Whenever the process that buys is killed, the books, the vendor's ledger and the store agree afterwards; what cannot be
known is counted as unknown, and is the whole difference.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hashcache.stores.redis.scripts import Script
from tests.harness.books import books_agree, spend_of
from tests.harness.contents import photo
from tests.harness.faults import Hold, Side
from tests.harness.fleet import Caller, Fleet, Numbered, number
from tests.harness.proxy import FaultProxy
from tests.harness.service import Service, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

#: Seconds that a call may take; as long again, and it is given up by whoever looks. Twice what a step needs.
TIMEOUT = 5
SETTLING = (b"EVALSHA", Script.load("sums", "settle").digest.encode())
#: Never ends, as far as a test is concerned: what is about to be written waits for it.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"


class RedisShelf:
    """A store on a server: the first service reaches it through *proxy*."""

    def __init__(self, server: Valkey, proxy: FaultProxy) -> None:
        self._server = server
        self._proxy = proxy
        self.first = {"HASHCACHE_STORE": proxy.url}
        self.others = {"HASHCACHE_STORE": server.url}

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        """Inside, nothing is written; what was to be written waits at the server and goes with its connection."""
        with self._server.client() as there:
            there.client_pause(60_000, all=False)
            try:
                yield
            finally:
                there.client_unpause()

    @asynccontextmanager
    async def never_settled(self) -> AsyncIterator[None]:
        """Inside, the first service cannot settle; it is dead at the end."""
        async with self._proxy.under(Hold(Side.REQUESTS, to=SETTLING)):
            yield
            self._proxy.reset()
            await self._proxy.until_open(0)

    async def settles(self) -> None:
        """Wait until the first service is about to."""
        await self._proxy.until_held()


class SqliteShelf:
    """A store in the file *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.first = self.others = {"HASHCACHE_STORE": f"sqlite:///{path}"}

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        """Inside, nothing is written."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            yield
            file.execute("ROLLBACK")

    @asynccontextmanager
    async def never_settled(self) -> AsyncIterator[None]:
        """Inside, whoever settles gets stuck in the middle of it; it is dead at the end."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as file:
            file.execute(f"CREATE TRIGGER stuck BEFORE DELETE ON attempts BEGIN {ENDLESS}; END")
            yield
            file.execute("DROP TRIGGER stuck")

    async def settles(self) -> None:
        """Wait until somebody is about to: nobody else holds the file for long."""
        await until(self._is_stuck, what="somebody is stuck in the middle of settling")

    async def _is_stuck(self) -> bool:
        def tried() -> bool:
            with closing(sqlite3.connect(self._path, isolation_level=None, timeout=0.2)) as file:
                try:
                    file.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    return True
                file.execute("ROLLBACK")
                return False

        return await asyncio.to_thread(tried)


Shelf = RedisShelf | SqliteShelf


@pytest_asyncio.fixture
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    """A store that two services share; its parameter says which."""
    if request.param == "sqlite":
        yield SqliteShelf(tmp_path / "shared.sqlite3")
        return
    with Valkey() as server:
        async with FaultProxy(server.port) as proxy:
            yield RedisShelf(server, proxy)


@dataclass
class Scene:
    """Two services on *shelf*; the first one is about to die, of *content*."""

    fleet: Fleet
    shelf: Shelf
    vendor: ScriptedVendor
    script: Numbered
    content: bytes

    @property
    def first(self) -> Service:
        """Who dies."""
        return self.fleet.services[0]

    async def buys(self, content: bytes | None = None) -> tuple[asyncio.Task[Any], asyncio.Event]:
        """The first service has sent a call of *content*, which waits at the vendor until the event is set."""
        gate, calls = self.script.hold(), self.vendor.ledger.calls
        asked = asyncio.create_task(self.fleet.callers(1, self.first)[0].upload(content or self.content))
        await self.vendor.called(calls + 1)
        return asked, gate

    async def die(self) -> None:
        """Kill the first service."""
        await self.fleet.kill(self.first)


async def before_the_call(scene: Scene) -> None:
    """On record, not sent: the only line to the vendor is taken."""
    busy, gate = await scene.buys(photo())
    calls = scene.vendor.ledger.calls
    asked = asyncio.create_task(scene.fleet.callers(1, scene.first)[0].upload(scene.content))
    await until(lambda: on_record(scene.fleet.services[1], 2), what="the second call is on record")
    await scene.die()
    assert scene.vendor.ledger.calls == calls
    gate.set()
    await gone(busy, asked)


async def while_it_runs(scene: Scene) -> None:
    """The vendor has it, and has not answered."""
    asked, gate = await scene.buys()
    await scene.die()
    gate.set()
    await gone(asked)


async def before_the_commit(scene: Scene) -> None:
    """The vendor has answered, and so has the service; nothing can be written."""
    asked, gate = await scene.buys()
    async with scene.shelf.read_only():
        gate.set()
        assert number(await asked) == scene.vendor.ledger.calls
        await scene.die()


async def before_the_end(scene: Scene) -> None:
    """It is in the store, and not settled."""
    asked, gate = await scene.buys()
    async with scene.shelf.never_settled():
        gate.set()
        await scene.shelf.settles()
        (other,) = scene.fleet.callers(1, scene.fleet.services[1])
        await finds(other, scene.content)
        await scene.die()
    await gone(asked)


async def finds(caller: Caller, content: bytes) -> None:
    """
    Wait until the service that *caller* asks has found the answer in the store; it is near from then on. On a machine
    that is overloaded a command may take longer than the 250 ms that a request gives it: then the service goes on
    without the store, and an upload would rightly be bought, not hit.
    """
    digest = sha256(content).hexdigest()

    async def found() -> bool:
        return (await caller.known(digest)).status == 200

    await until(found, what="the answer is found in the store")


async def gone(*asked: asyncio.Task[Any]) -> None:
    """Nobody of those who *asked* waits any more, answered or not."""
    await asyncio.gather(*asked, return_exceptions=True)


async def on_record(service: Service, attempts: int) -> bool:
    """Whether so many calls are on record and not settled."""
    return len((await spend_of(service))["open_attempts"]) == attempts


async def overdue(service: Service) -> bool:
    """Whether nobody can run what is on record any more."""
    ends = [datetime.fromisoformat(one["until"]) for one in (await spend_of(service))["open_attempts"]]
    # An instant is told to the second: it may be up to one second later.
    return max(ends) + timedelta(seconds=1) < datetime.now(UTC)


@dataclass(frozen=True)
class Step:
    """Where a process dies: *kill* brings it there; *lost* calls are of unknown outcome, *unsent* never arrived."""

    kill: Callable[[Scene], Awaitable[None]]
    lost: int = 1
    unsent: int = 0
    is_kept: bool = False


STEPS = {
    "before the call": Step(before_the_call, lost=2, unsent=1),
    "while it runs": Step(while_it_runs),
    "before the commit": Step(before_the_commit),
    "before the end": Step(before_the_end, is_kept=True),
}


@asynccontextmanager
async def killed(
    step: Step, shelf: Shelf, vendor: ScriptedVendor, script: Numbered, folder: Path
) -> AsyncIterator[Scene]:
    """The first of two services has died at *step*, after each had bought something in peace."""
    common = {
        "HASHCACHE_LEASE": "1s",
        "HASHCACHE_PROVIDER_TIMEOUT": f"{TIMEOUT}s",
        "HASHCACHE_GENERIC_CONCURRENCY": "1",
    }
    async with Fleet(folder, vendor.url, [{**common, **shelf.first}, {**common, **shelf.others}]) as fleet:
        for caller in fleet.everywhere():
            number(await caller.upload(photo()))
        await books_agree(fleet.services[1], vendor.ledger)
        scene = Scene(fleet, shelf, vendor, script, photo())
        await step.kill(scene)
        yield scene


@pytest.mark.prove
@pytest.mark.timeout(120)
@pytest.mark.parametrize("shelf", ["redis", "sqlite"], indirect=True)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
async def test_killed_at_each_step_and_found_by_the_next_who_starts(
    step: Step, shelf: Shelf, vendor: ScriptedVendor, script: Numbered, tmp_path: Path
) -> None:
    """
    Before the call, while it runs, before the commit, before it is settled: when nobody can run the call any more, a
    process that starts says so and books it as unknown, which may have been billed. Asked again, the content is
    bought once more, or hit if it was kept. Books and vendor differ by what never arrived and by nothing else.
    """
    async with killed(step, shelf, vendor, script, tmp_path) as scene:
        dead, other = scene.fleet.services
        await until(lambda: overdue(other), within=6 * TIMEOUT, what="nobody can run it any more")
        await dead.start()
        await until(lambda: len(scene.fleet.said("attempt.unknown")) == step.lost, what="it was found")
        report = await books_agree(other, vendor.ledger, unsent=step.unsent)
        assert report["calls"] | {"refresh": 0} == {
            "sent": 2 + step.lost,
            "stored": 2,
            "unkept": 0,
            "fenced": 0,
            "failed": 0,
            "unknown": step.lost,
            "refresh": 0,
            "duplicate": 0,
        }
        calls = vendor.ledger.calls
        bought = 0 if step.is_kept else 1
        for caller, cached in zip(scene.fleet.everywhere(), ("HIT" if step.is_kept else "MISS", "HIT"), strict=True):
            if cached == "HIT":
                await finds(caller, scene.content)
            assert (await caller.upload(scene.content)).header("x-cache") == cached
        assert vendor.ledger.calls == calls + bought
        report = await books_agree(other, vendor.ledger, unsent=step.unsent)
        assert (report["calls"]["stored"], report["calls"]["unknown"]) == (2 + bought, step.lost)


@pytest.mark.prove
@pytest.mark.timeout(120)
@pytest.mark.parametrize("shelf", ["redis", "sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["while it runs", "before the commit"])
async def test_killed_and_found_by_who_asks_again(
    name: str, shelf: Shelf, vendor: ScriptedVendor, script: Numbered, tmp_path: Path
) -> None:
    """
    Whoever asks for the same content before that finds the call on record without its process: it is booked as
    unknown at once, and the content is bought again; whoever starts later finds nothing more.
    """
    async with killed(STEPS[name], shelf, vendor, script, tmp_path) as scene:
        dead, other = scene.fleet.services
        assert number(await scene.fleet.everywhere()[1].upload(scene.content)) == vendor.ledger.calls
        report = await books_agree(other, vendor.ledger)
        assert (report["calls"]["stored"], report["calls"]["unknown"]) == (3, 1)
        await dead.start()
        assert await books_agree(dead, vendor.ledger) | {"projection": 0} == report | {"projection": 0}
        assert scene.fleet.said("attempt.unknown") == []
