"""Popular answers are computed before they expire, and never more often than the budget allows."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from hashcache import Cache, Prefetch, SyncCache, Type
from hashcache.integrations.prefetching import Prefetching
from hashcache.testing import Bench, in_memory, in_memory_sync
from tests.harness.turns import until

PAGES = Type("pages", ttl=100)


class Desk:
    """A cache that prefetches, and a function with a ledger of its runs."""

    def __init__(self, prefetch: Prefetch | None) -> None:
        self.cache = cache = Cache("memory://", prefetch=prefetch)
        self.ledger: Counter[int] = Counter()
        self.failing = False

        @cache.cached(PAGES)
        async def page(number: int) -> int:
            self.ledger[number] += 1
            if self.failing:
                raise OSError("the source is away")
            return self.ledger[number]

        self.page = page

    async def ask(self, number: int, times: int) -> None:
        """So often."""
        for _ in range(times):
            await self.page(number)

    async def look(self) -> int:
        """What the cache does each second; how many calls that were."""
        prefetching = self.cache.answering.prefetching
        assert isinstance(prefetching, Prefetching)
        begun = await prefetching.look()
        await until(lambda: not self.cache.answering.opened.orders)
        return begun


async def test_a_popular_answer_never_expires_for_who_asks() -> None:
    """It is computed anew in the last fifth of its life, once; what nobody asks for any more is not."""
    desk = Desk(Prefetch(calls_per_minute=10, popular=3))
    async with in_memory(desk.cache) as bench:
        await desk.ask(1, times=4)
        await desk.ask(2, times=3)  # a miss and two hits: not popular
        bench.clock.advance(79)
        assert await desk.look() == 0
        bench.clock.advance(1)
        assert [await desk.look(), await desk.look()] == [1, 0]
        bench.clock.advance(30)
        assert await desk.page(1) == 2
        assert (bench.calls[-1].status, desk.ledger) == ("HIT", {1: 2, 2: 1})
        bench.clock.advance(60)
        assert await desk.look() == 0


async def test_off_unless_it_is_asked_for(cache: Cache, bench: Bench) -> None:
    """Nothing is watched, nothing runs."""
    assert cache.answering.prefetching is None


async def test_there_are_never_more_calls_than_the_budget() -> None:
    """
    Fifty popular answers, all due at once, and a budget of seven: in no minute there are more, failures count as well,
    and the most popular come first.
    """
    desk = Desk(Prefetch(calls_per_minute=7, popular=1, ahead=0.9))
    async with in_memory(desk.cache) as bench:
        for number in range(50):
            await desk.ask(number, times=2 + number)
        desk.ledger.clear()
        begun: list[tuple[int, int]] = []
        bench.clock.advance(11)
        for second in range(80):
            desk.failing = second % 3 == 0
            begun.append((second, await desk.look()))
            bench.clock.advance(1)
        for start in range(80):
            assert sum(calls for second, calls in begun if start <= second < start + 60) <= 7
        assert sum(desk.ledger.values()) == sum(calls for _, calls in begun) == 14
        assert {49, 48, 47} <= set(desk.ledger)


async def test_what_was_forgotten_is_not_computed_again() -> None:
    """And a failure leaves the old answer where it is."""
    desk = Desk(Prefetch(calls_per_minute=10, popular=1))
    async with in_memory(desk.cache) as bench:
        await desk.ask(1, times=3)
        await desk.ask(2, times=3)
        await desk.cache.forget(desk.page, 1)
        bench.clock.advance(90)
        desk.failing = True
        assert await desk.look() == 1
        assert desk.ledger == {1: 1, 2: 2}
        assert await desk.page(2) == 1
        assert (await desk.cache.stats()).errors == 1


async def test_no_more_is_watched_than_is_said() -> None:
    """Those go first for which nobody has asked for longest."""
    desk = Desk(Prefetch(calls_per_minute=10, popular=1, most=2))
    async with in_memory(desk.cache) as bench:
        for number in (1, 2, 1, 3, 1, 3, 2):
            await desk.page(number)
        bench.clock.advance(90)
        assert await desk.look() == 2
        assert desk.ledger == {1: 1, 2: 2, 3: 2}


async def test_of_several_processes_one_computes(redis_url: str, environment: str) -> None:
    """On a real server: both find it due at the same moment, the function runs once, and both have what it gave."""
    prefetch = Prefetch(calls_per_minute=10, popular=1, ahead=0.999_999)
    one, two = (Cache(redis_url, environment=environment, prefetch=prefetch) for _ in range(2))
    runs = 0

    async def page() -> int:
        nonlocal runs
        runs += 1
        return runs

    async with one, two:
        for cache in (one, two, one, two):
            assert await cache.get_or_load("page", page, type=PAGES) == 1
        looking = [cache.answering.prefetching.look() for cache in (one, two) if cache.answering.prefetching]
        assert sum(await asyncio.gather(*looking)) >= 1
        await asyncio.gather(*one.answering.opened.orders, *two.answering.opened.orders)
        assert [await cache.get_or_load("page", page, type=PAGES) for cache in (one, two)] == [2, 2]
        assert runs == 2


def test_plain_functions_run_in_threads() -> None:
    """Nobody waits for them; a cache without a loop prefetches as well, by itself."""
    cache = SyncCache("memory://", prefetch=Prefetch(calls_per_minute=10, popular=1))
    runs = 0

    @cache.cached(PAGES)
    def page() -> int:
        nonlocal runs
        runs += 1
        return runs

    async def renewed() -> None:
        prefetching = cache.answering.prefetching
        assert prefetching is not None
        await prefetching.look()
        await asyncio.gather(*cache.answering.opened.orders)

    with in_memory_sync(cache) as bench:
        assert [page(), page()] == [1, 1]
        bench.clock.advance(90)
        cache.run(renewed())
        assert [page(), runs] == [2, 2]


@pytest.mark.parametrize("wrong", [{"calls_per_minute": 0}, {"popular": 0}, {"ahead": 1.0}, {"most": 0}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """At once."""
    with pytest.raises(ValueError, match=r"1 or more|share"):
        Prefetch(**{"calls_per_minute": 1, **wrong})  # type: ignore[arg-type]  # that is what is shown
