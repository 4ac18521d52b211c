"""
What the systems that this library replaces tested of themselves, against the library, on a real server.

Other tests prove the rest of their claims: docs/library.md names the test of each.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from hashcache import Cache
from hashcache.integrations.asked import asked_of
from hashcache.integrations.values import Values
from tests.harness.turns import until, until_waiting
from tests.harness.valkey import Valkey
from tests.integrations.conftest import Work

Make = Callable[[], Awaitable[Cache]]
#: As many connections as a process opens for its commands unless it is told otherwise.
CONNECTIONS = 20


async def test_users_are_isolated_in_every_process(make_cache: Make, work: Work) -> None:
    """Each has an answer of his own, in whichever process he asks; forgetting one's leaves the other's."""
    one, two = await make_cache(), await make_cache()

    def decorated(cache: Cache) -> Callable[[str], Awaitable[int]]:
        @cache.cached("user", key="profile", per="user")
        async def profile(user: str) -> int:
            return await work()

        return profile

    here, there = decorated(one), decorated(two)
    assert [await here("ann"), await here("bob"), await there("bob"), await there("ann")] == [1, 2, 2, 1]
    assert await one.get("profile") is None
    assert await one.invalidate(user="ann") == 1
    assert [await there("bob"), await there("ann"), await here("ann")] == [2, 3, 3]


async def test_the_server_lets_an_answer_expire(valkey: Valkey, work: Work) -> None:
    """It lies there with the time to live of its type; when that is over it is gone, and the function runs again."""
    async with Cache(valkey.url) as cache:

        @cache.cached("dashboard")
        async def dashboard() -> int:
            return await work()

        @cache.cached(ttl=timedelta(milliseconds=150))
        async def brief() -> int:
            return await work()

        assert await dashboard() == 1
        with valkey.client() as client:
            (long,) = _entries(client)
            assert 299_000 < client.pttl(long) <= 300_000
            assert await brief() == 2
            (short,) = _entries(client) - {long}
            assert 0 < client.pttl(short) <= 150
            await until(lambda: not client.exists(short))
        assert [await brief(), await dashboard()] == [3, 1]


async def test_one_request_passes_by_what_is_kept_and_replaces_it(make_cache: Make, work: Work) -> None:
    """For that request alone: everybody else, in every process, is given what it left."""
    one, two = await make_cache(), await make_cache()
    assert [await cache.get_or_load("a", work) for cache in (one, two)] == [1, 1]
    assert await one.get_or_load("a", work, refresh=True) == 2
    await until(lambda: two.answering.opened.engine.glance([_key(two, "a")]) is None)
    assert [await cache.get_or_load("a", work) for cache in (one, two)] == [2, 2]


async def test_switched_off_as_a_whole_it_leaves_nothing_on_the_server(valkey: Valkey, work: Work) -> None:
    """With `off` the same program runs its functions, and no server is asked."""

    async def program(url: str) -> list[int]:
        async with Cache(url) as cache:
            return [await cache.get_or_load("a", work) for _ in range(2)]

    assert await program("off") == [1, 2]
    with valkey.client() as client:
        assert _entries(client) == set()
        assert await program(valkey.url) == [3, 3]
        assert len(_entries(client)) == 1


async def test_without_the_server_functions_run_and_the_cache_comes_back(
    valkey: Valkey, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    """The server dies: nothing is raised, `cache.error` is logged. It returns, empty: answers are kept there again."""
    async with Cache(valkey.url) as cache:

        @cache.cached()
        async def number(one: int) -> int:
            return await work()

        assert await number(1) == 1
        valkey.kill()
        assert [await number(one) for one in (2, 3, 4)] == [2, 3, 4]
        assert not await cache.set("a", 1)
        assert "cache.error operation=connect" in caplog.text
        assert "cache.error operation=set" in caplog.text
        assert (await cache.stats()).status == "degraded"
        caplog.clear()
        caplog.set_level(logging.INFO)
        valkey.start()
        await until(lambda: not cache.answering.opened.store._server.away)  # the probe of the breaker, once a second
        assert await cache.set("a", 1)
        assert await number(5) == 5
        assert await number(5) == 5
        assert "cache.available" in caplog.text
        assert (await cache.stats()).available
        with valkey.client() as client:
            assert len(_entries(client)) >= 2


async def test_what_can_be_compressed_takes_less_room(valkey: Valkey) -> None:
    """A list of 1,000 rows takes less than a fifth of its JSON; what is random takes hardly more; both come back."""
    rows = [{"id": number, "name": f"agent {number}", "state": "waiting for an answer"} for number in range(1000)]
    noise = [secrets.token_hex(16) for _ in range(1000)]
    async with Cache(valkey.url, near_bytes=0) as cache:
        with valkey.client() as client:
            for value, most in ((rows, 0.2), (noise, 1.01)):
                before = _entries(client)
                assert await cache.set(f"key:{most}", value)
                (entry,) = _entries(client) - before
                assert client.strlen(entry) < most * len(json.dumps(value, separators=(",", ":")))
                assert await cache.get(f"key:{most}") == value


async def test_a_hundred_calls_at_once_share_a_bounded_pool(valkey: Valkey, work: Work) -> None:
    """Misses and then hits in the store: nobody is lost, and no more connections are ever opened than the pool has."""
    async with Cache(valkey.url, near_bytes=0) as cache:

        @cache.cached()
        async def square(number: int) -> int:
            await work()
            return number * number

        with valkey.client() as client:
            before = client.info("stats")["total_connections_received"]
            for _ in range(2):
                given = await asyncio.gather(*(square(number) for number in range(100)))
                assert given == [number * number for number in range(100)]
            opened = client.info("stats")["total_connections_received"] - before
        assert work.calls == 100
        assert opened <= CONNECTIONS
        assert (await cache.stats()).errors == 0


async def test_a_herd_costs_the_store_two_reads(valkey: Valkey) -> None:
    """A hundred callers of one call that the store knows, near memory off: one looks, all others share a flight."""
    async with Cache(valkey.url, near_bytes=0) as cache:
        await cache.set("a", {"x": 1})
        with valkey.client() as client:
            client.config_resetstat()
            given = await asyncio.gather(*(cache.get_or_load("a", _never) for _ in range(100)))
            assert given == [{"x": 1}] * 100
            assert client.info("commandstats")["cmdstat_mget"]["calls"] == 2
        hits = cache.answering.opened.engine.hits
        assert (hits._looking, hits._alone) == (set(), True)


async def test_hits_of_one_moment_share_reads(valkey: Valkey) -> None:
    """
    Thirty-three callers of different calls, near memory off: the first reads by himself, the others sixteen at a time.
    One who leaves takes nobody along; what was missing among them is computed.
    """
    async with Cache(valkey.url, near_bytes=0) as cache:

        @cache.cached(key="square:{number}")
        async def square(number: int) -> int:
            return number * number

        assert [await square(number) for number in range(32)] == [number * number for number in range(32)]
        with valkey.client() as client:
            client.config_resetstat()
            callers = [asyncio.create_task(square(number)) for number in range(33)]
            await until_waiting(callers)
            callers[5].cancel()
            given = await asyncio.gather(*callers, return_exceptions=True)
            assert isinstance(given.pop(5), asyncio.CancelledError)
            assert given == [number * number for number in range(33) if number != 5]
            assert client.info("commandstats")["cmdstat_mget"]["calls"] == 3
        assert [await square(number) for number in (5, 32)] == [25, 1024]


async def test_hits_of_one_moment_survive_a_server_that_is_gone(valkey: Valkey, work: Work) -> None:
    """The functions of all of them run; nothing is raised."""
    async with Cache(valkey.url, near_bytes=0) as cache:

        @cache.cached()
        async def number(one: int) -> int:
            return await work()

        valkey.kill()
        assert sorted(await asyncio.gather(*map(number, range(20)))) == list(range(1, 21))


async def test_who_looks_and_leaves_takes_nobody_along(valkey: Valkey, work: Work) -> None:
    """The first caller is cancelled while the server is slow; the second is given the answer that lies there."""
    async with Cache(valkey.url, near_bytes=0) as cache:
        await cache.set("a", "kept")
        valkey.freeze()
        first, second = (asyncio.create_task(cache.get_or_load("a", work)) for _ in range(2))
        await until_waiting([first, second])
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        valkey.thaw()
        assert await second == "kept"
        assert await cache.get_or_load("a", work) == "kept"
        assert work.calls == 0


async def test_a_frozen_server_is_waited_for_once(valkey: Valkey, work: Work) -> None:
    """Whoever has found it away runs the function, without asking it again first."""
    async with Cache(valkey.url, near_bytes=0) as cache:
        await cache.set("a", "kept")
        valkey.freeze()
        asked = len(cache.answering.opened.store._server.took)
        assert await cache.get_or_load("b", work) == 1
        assert len(cache.answering.opened.store._server.took) == asked + 1
        valkey.thaw()


async def _never() -> Any:
    raise AssertionError("it is kept")


def _entries(client: Redis) -> set[bytes]:
    """Where the entries of the library lie."""
    return {name for name in client.scan_iter("hashcache:*:app:*") if not name.endswith((b":claim", b":forgotten"))}


def _key(cache: Cache, name: str) -> Any:
    return asked_of(name, cache.answering.type_of("default"), (), None, Values()).key
