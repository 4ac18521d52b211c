"""The cache for code without an event loop: the same engine, driven from threads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from hashcache import Invalidated, SettingsError, SyncCache, Type
from hashcache.testing import SyncBench, in_memory_sync
from tests.harness.valkey import Valkey


@pytest.fixture
def cache() -> SyncCache:
    """A cache that is not open yet."""
    return SyncCache("memory://")


@pytest.fixture
def bench(cache: SyncCache) -> Iterator[SyncBench]:
    """It is open now, with time in the test's hand."""
    with in_memory_sync(cache) as bench:
        yield bench


def test_the_verbs_are_those_of_the_cache(cache: SyncCache, bench: SyncBench) -> None:
    """Set, get, delete, invalidate, clear, statistics, warming, listening."""
    heard: list[Invalidated] = []
    end = cache.on_invalidate(heard.append)
    assert cache.set("a:1", [1], type="dashboard", tags=("t",))
    assert cache.get("a:1") == [1]
    assert cache.get_or_load("b", lambda: {"x": 1}) == {"x": 1}
    assert cache.invalidate("a:*", reason="test") == 1
    assert cache.publish_invalidation("a:*") == 0
    end()
    assert [told.reason for told in heard] == ["test", ""]
    assert cache.delete("b")
    assert cache.warm([partial(cache.set, f"w:{number}", number) for number in range(5)]).done == 5
    assert cache.clear() == 5
    stats = cache.stats()
    assert (stats.enabled, stats.keys, stats.hits, stats.misses) == (True, 0, 1, 1)
    assert cache.is_enabled
    bench.clock.advance(1)


def test_threads_share_a_run(cache: SyncCache, bench: SyncBench) -> None:
    """25 threads ask at once: one of them runs the function, in itself; all are given its answer."""
    ran: list[int] = []
    together = threading.Barrier(25)

    @cache.cached("dashboard")
    def slow(org: int) -> dict[str, int]:
        ran.append(threading.get_ident())
        return {"org": org}

    def ask() -> tuple[int, dict[str, int]]:
        together.wait()
        return threading.get_ident(), slow(7)

    with ThreadPoolExecutor(25) as pool:
        asked = [one.result() for one in [pool.submit(ask) for _ in range(25)]]
    assert [answer for _, answer in asked] == [{"org": 7}] * 25
    assert len(ran) == 1
    assert ran[0] in {thread for thread, _ in asked}
    bench.clock.advance(300)
    assert slow(7) == {"org": 7}
    assert len(ran) == 2


def test_what_belongs_to_a_thread_is_there(cache: SyncCache, bench: SyncBench, tmp_path: Path) -> None:
    """A connection of sqlite3 refuses any other thread; cached functions may call each other."""
    connection = sqlite3.connect(tmp_path / "rows.sqlite3")

    @cache.cached()
    def inner(number: int) -> int:
        return int(connection.execute("select ?", (number,)).fetchone()[0])

    @cache.cached()
    def outer(number: int) -> int:
        return inner(number) + 1

    assert [outer(1), outer(1), inner(1)] == [2, 2, 1]
    connection.close()


def test_errors_are_the_functions_own(cache: SyncCache, bench: SyncBench) -> None:
    """Not kept; an interrupt is its thread's own, and leaves the next caller a run."""
    errors: list[BaseException] = [ValueError("bad"), KeyboardInterrupt()]

    @cache.cached()
    def failing() -> int:
        if errors:
            raise errors.pop(0)
        return 1

    with pytest.raises(ValueError, match="bad"):
        failing()
    with pytest.raises(KeyboardInterrupt):
        failing()
    assert failing() == 1


def test_async_functions_need_the_other_cache(cache: SyncCache) -> None:
    """Said when decorating."""

    async def function() -> None:
        return None

    for decorate in (cache.cached(), cache.invalidates("default")):
        with pytest.raises(TypeError, match="is async"):
            decorate(function)


def test_writes_forget(cache: SyncCache, bench: SyncBench) -> None:
    """After they succeeded."""
    numbers = iter(range(10))

    @cache.cached(key="n:{x}")
    def number(x: int) -> int:
        return next(numbers)

    @cache.invalidates(key="n:{x}")
    def write(x: int) -> str:
        return "written"

    assert [number(1), number(1), write(1), number(1)] == [0, 0, "written", 1]
    assert cache.forget(number, 1)
    assert number(1) == 2


def test_a_callback_cannot_wait_for_its_own_thread(cache: SyncCache, bench: SyncBench) -> None:
    """It is told so instead of hanging for ever."""
    heard: list[str] = []

    def callback(told: Invalidated) -> None:
        try:
            cache.get("a")
        except RuntimeError as error:
            heard.append(str(error))

    cache.on_invalidate(callback)
    cache.invalidate("a")
    assert heard
    assert "own thread" in heard[0]


@pytest.mark.parametrize("near", [0, 1_000_000])
def test_a_stale_answer_is_refreshed_in_the_background(near: int) -> None:
    """By a thread of its own, wherever it was found: the caller has left before the new one is there."""
    cache = SyncCache("memory://", near_bytes=near)
    ran: list[str] = []
    left, again = threading.Event(), threading.Event()

    @cache.cached(Type("news", ttl=60, stale=60))
    def news() -> int:
        ran.append(threading.current_thread().name)
        number = len(ran)
        if number > 1:
            assert left.wait(5)
            again.set()
        return number

    with in_memory_sync(cache) as bench:
        assert news() == 1
        bench.clock.advance(60)
        assert news() == 1
        left.set()
        assert again.wait(5)
    assert ran[1] == "hashcache function"


def test_it_opens_and_closes_as_often_as_one_likes(valkey: Valkey) -> None:
    """What was kept is there; no thread is left; a store that is away is no error."""
    cache = SyncCache(valkey.url)
    with cache:
        assert cache.set("a", 1)
        with pytest.raises(RuntimeError, match="open already"):
            cache.start()
    with SyncCache.from_settings({"HASHCACHE_STORE": valkey.url}) as other:
        assert other.get("a") == 1
        valkey.kill()
        assert other.get("b") is None
        assert other.get_or_load("c", lambda: 3) == 3
    assert not [thread for thread in threading.enumerate() if thread.name == "hashcache"]
    with pytest.raises(RuntimeError, match="not open"):
        cache.get("a")
    with pytest.raises(SettingsError):
        SyncCache("nowhere://")
