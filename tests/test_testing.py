"""What users test their own code with: forced hits and misses, a clock, a ledger of calls."""

from __future__ import annotations

import asyncio

import pytest

from hashcache import Cache, SyncCache, Type
from hashcache.testing import Call, in_memory, in_memory_sync

cache = Cache("redis://nowhere.invalid", environment="prod")
blocking = SyncCache("redis://nowhere.invalid")
ran: list[int] = []


@cache.cached("dashboard", key="dashboard:{org}")
async def dashboard(org: int) -> dict[str, int]:
    """The code of a user, as it is in production."""
    ran.append(org)
    if org < 0:
        raise ValueError("no such organisation")
    return {"org": org, "runs": len(ran)}


@blocking.cached("dashboard", key="dashboard:{org}")
def plain(org: int) -> int:
    """The same without an event loop."""
    ran.append(org)
    return len(ran)


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Nothing ran yet."""
    ran.clear()


async def test_a_forced_hit_runs_nothing() -> None:
    """The call gives what the test says, as if it had been kept."""
    async with in_memory(cache) as bench:
        await bench.give({"open": 3}, dashboard, org=7)
        assert await dashboard(7) == {"open": 3}
        assert bench.calls == [Call("dashboard:7", "dashboard", "HIT", ran=False)]
    assert ran == []


async def test_a_forced_miss_runs_every_time() -> None:
    """Whatever is kept, also while time stands still; what it gives is kept."""
    async with in_memory(cache) as bench:
        await dashboard(7)
        with bench.forced_miss():
            assert (await dashboard(7))["runs"] == 2
            assert (await dashboard(7))["runs"] == 3
        assert (await dashboard(7))["runs"] == 3
        assert [call.status for call in bench.calls] == ["MISS", "MISS", "MISS", "HIT"]


async def test_time_is_in_the_tests_hand() -> None:
    """An answer expires when the test says so."""
    async with in_memory(cache) as bench:
        await dashboard(7)
        bench.clock.advance(299)
        await dashboard(7)
        bench.clock.advance(1)
        await dashboard(7)
    assert ran == [7, 7]


async def test_the_ledger_tells_errors_and_who_ran() -> None:
    """Of two who asked together one ran."""
    async with in_memory(cache) as bench:
        await asyncio.gather(dashboard(1), dashboard(1))
        with pytest.raises(ValueError, match="no such"):
            await dashboard(-1)
        assert sorted((call.status, call.ran) for call in bench.calls) == [
            ("ERROR", True),
            ("MISS", False),
            ("MISS", True),
        ]


async def test_each_bench_begins_empty() -> None:
    """And the cache is closed afterwards."""
    for _ in range(2):
        async with in_memory(cache):
            assert await cache.get("dashboard:7") is None
            await dashboard(7)
    with pytest.raises(RuntimeError, match="not open"):
        await dashboard(7)


async def test_what_is_never_kept_cannot_be_forced() -> None:
    """The error says why."""

    @cache.cached(Type("letters", personal=True))
    async def letter() -> int:
        return 1

    async with in_memory(cache) as bench:
        with pytest.raises(ValueError, match="personal data"):
            await bench.give(1, letter)


def test_the_same_without_an_event_loop() -> None:
    """A forced hit, a forced miss, the clock, the ledger."""
    with in_memory_sync(blocking) as bench:
        bench.give_sync(70, plain, 7)
        assert plain(7) == 70
        with bench.forced_miss():
            assert plain(7) == 1
        bench.clock.advance(300)
        assert plain(7) == 2
        assert [call.ran for call in bench.calls] == [False, True, True]
