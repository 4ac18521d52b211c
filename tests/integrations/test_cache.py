"""The verbs of a cache: what they give, what they forget, and that a store which is away raises nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from hashcache import Cache, Invalidated, NotKept, PatternError, SettingsError, Type, Warmed
from hashcache.core.content import Kind
from hashcache.core.entry import Label
from hashcache.core.key import Key, Question
from hashcache.core.policy import Policy
from hashcache.settings import load
from hashcache.testing import Bench
from tests.harness.loads import Shop
from tests.harness.turns import until, until_waiting
from tests.harness.valkey import Valkey
from tests.integrations.conftest import Work

Make = Callable[[], Awaitable[Cache]]


async def test_what_is_set_is_got_until_its_type_says(cache: Cache, bench: Bench) -> None:
    """The TTL of the call, else of the type, else 600 s."""
    assert await cache.get("a") is None
    assert await cache.set("a", {"x": 1})
    assert await cache.set("b", [1], type="dashboard")
    assert await cache.set("c", "text", type="dashboard", ttl=timedelta(seconds=2))
    assert [await cache.get(key) for key in "abc"] == [{"x": 1}, [1], "text"]
    bench.clock.advance(2)
    assert [await cache.get(key) for key in "abc"] == [{"x": 1}, [1], None]
    bench.clock.advance(298)
    assert [await cache.get(key) for key in "abc"] == [{"x": 1}, None, None]
    bench.clock.advance(300)
    assert await cache.get("a") is None


async def test_setting_twice_in_one_moment_keeps_the_second(cache: Cache, bench: Bench) -> None:
    """Also while the clock stands still."""
    assert await cache.set("a", 1)
    assert await cache.set("a", 2)
    assert await cache.get("a") == 2


async def test_what_is_set_is_newer_than_what_is_being_computed(cache: Cache, bench: Bench, work: Work) -> None:
    """A run that began before does not replace it; who waits for that run is given what it computed."""
    work.gate.clear()
    reader = asyncio.create_task(cache.get_or_load("a", work))
    await work.entered.wait()
    assert await cache.set("a", "newer")
    work.gate.set()
    assert await reader == 1
    assert await cache.get("a") == "newer"


@pytest.mark.parametrize("ttl", [0, -5, float("inf")])
async def test_nothing_is_set_for_ever(cache: Cache, bench: Bench, ttl: float) -> None:
    """A clear error at the call."""
    with pytest.raises(ValueError, match="nothing is kept for ever"):
        await cache.set("a", 1, ttl=ttl)


async def test_what_would_not_come_back_is_not_set(cache: Cache, bench: Bench) -> None:
    """The error names the part; nothing has changed."""
    await cache.set("a", 1)
    with pytest.raises(NotKept, match=r"\['at'\]"):
        await cache.set("a", {"at": (1, 2)})
    assert await cache.get("a") == 1


async def test_users_are_isolated(cache: Cache, bench: Bench) -> None:
    """Each has his own; who names nobody has none of theirs; one user's can be forgotten without the others'."""
    await cache.set("page", "ann's", user="ann")
    await cache.set("page", "bob's", user="bob")
    assert [await cache.get("page", user=user) for user in ("ann", "bob", None)] == ["ann's", "bob's", None]
    assert await cache.invalidate(user="ann") == 1
    assert [await cache.get("page", user=user) for user in ("ann", "bob")] == [None, "bob's"]
    with pytest.raises(TypeError, match="kept for each user"):
        await cache.set("page", "whose?", type="user")
    with pytest.raises(PatternError):
        await cache.set("page", "whose?", type="user", user="")


async def test_invalidating_by_pattern_type_and_tag(cache: Cache, bench: Bench) -> None:
    """Each forgets what it means and nothing else; all that is said together must fit."""
    everything = ["agents", "agents:1", "agents:list:1", "pages:1"]

    async def fill() -> None:
        for key in everything:
            kind = "lists" if "list" in key else "default"
            assert await cache.set(key, key, type=kind, tags=(f"one:{key[-1]}",))

    async def left() -> list[str]:
        return [key for key in everything if await cache.get(key) is not None]

    await fill()
    assert await cache.invalidate("agents:*", reason="a write") == 2
    assert await left() == ["agents", "pages:1"]
    await fill()
    assert await cache.invalidate(type="lists") == 1
    assert await left() == ["agents", "agents:1", "pages:1"]
    await fill()
    assert await cache.invalidate("agents:*", tag="one:1") == 2
    assert await left() == ["agents", "pages:1"]
    await fill()
    assert await cache.delete("agents")
    assert not await cache.delete("agents")
    assert await left() == ["agents:1", "agents:list:1", "pages:1"]
    assert await cache.clear() == 3
    assert await left() == []
    with pytest.raises(TypeError, match="say what is meant"):
        await cache.invalidate()


@pytest.mark.parametrize("order", ["clear", "pattern", "tag"])
async def test_what_the_service_has_paid_for_stays(cache: Cache, bench: Bench, shop: Shop, order: str) -> None:
    """In the same store and environment, under the same tag, whatever the library forgets."""
    engine = cache.answering.opened.engine
    key = Key.of("0" * 64, Question(Kind.IMAGE, "default", "shop", "model"))
    label, policy = Label("image", "default", "shop", ("app", "one")), Policy(ttl=timedelta(days=7))
    await engine.get_or_load(key, label, policy, shop.load())
    await cache.set("analysis:" + "0" * 64, 1, tags=("one",))
    orders = {"clear": cache.clear(), "pattern": cache.invalidate("*analysis*"), "tag": cache.invalidate(tag="one")}
    chosen = orders.pop(order)
    for other in orders.values():
        other.close()
    assert await chosen == 1
    assert (await engine.look([key])).outcome is not None


async def test_many_who_forget_the_same_share_an_invalidation(cache: Cache, bench: Bench) -> None:
    """
    Two hundred at once are two invalidations, not two hundred; who asks later shares none
    that began before, and who leaves takes nobody along.
    """
    store = cache.answering.opened.store
    asking = [asyncio.create_task(cache.invalidate(type="dashboard")) for _ in range(200)]
    await until_waiting(asking)
    await cache.set("a", 1, type="dashboard")
    late = asyncio.create_task(cache.invalidate(type="dashboard"))
    asking[100].cancel()
    told = await asyncio.gather(*asking, late, return_exceptions=True)
    assert [type(one) for one in told if not isinstance(one, int)] == [asyncio.CancelledError]
    assert await cache.get("a") is None
    assert (await store.barrier()).sequence <= 3


async def test_types_that_must_not_be_kept_are_not(cache: Cache, bench: Bench, work: Work) -> None:
    """`set` says False, functions run each time, and the statistics tell."""
    letters = Type("letters", personal=True)
    assert not await cache.set("a", 1, type=letters)
    assert [await cache.get_or_load("a", work, type=letters) for _ in range(2)] == [1, 2]
    assert await cache.get_or_load("a", work, type="conversations") == 3
    stats = await cache.stats()
    assert (stats.by_type["letters"].refused, stats.by_type["conversations"].refused, stats.keys) == (2, 1, 0)


async def test_the_statistics_add_up(cache: Cache, bench: Bench, work: Work) -> None:
    """Hits, misses, collapsed, by type and in all; the target of a type is judged."""
    pages = Type("pages", target_hit_rate=60)
    work.gate.clear()
    readers = [asyncio.create_task(cache.get_or_load("a", work, type=pages)) for _ in range(3)]
    await work.entered.wait()
    work.gate.set()
    assert await asyncio.gather(*readers) == [1, 1, 1]
    await cache.get_or_load("a", work, type=pages)
    await cache.get("nothing")
    stats = await cache.stats()
    told = stats.by_type["pages"]
    assert (told.hits, told.misses, told.collapsed, told.hit_rate, told.on_target) == (1, 3, 2, 25.0, False)
    assert (stats.hits, stats.misses, stats.total_requests, stats.hit_rate, stats.keys) == (1, 4, 5, 20.0, 1)
    assert (stats.enabled, stats.available, stats.status) == (True, True, "embedded")
    assert stats.memory_used
    assert cache.is_enabled


async def test_a_refresh_runs_and_replaces(cache: Cache, bench: Bench, work: Work) -> None:
    """What is kept will not do."""
    assert await cache.get_or_load("a", work) == 1
    bench.clock.advance(1)
    assert await cache.get_or_load("a", work, refresh=True) == 2
    assert await cache.get_or_load("a", work) == 2


async def test_an_answer_that_cannot_be_read_is_replaced(cache: Cache, bench: Bench, work: Work) -> None:
    """Written by another release, with a codec that is not there any more."""

    class Reversed:
        def encode(self, value: Any) -> bytes:
            return str(value).encode()[::-1]

        def decode(self, raw: bytes) -> Any:
            return int(raw[::-1])

    assert await cache.set("a", 12, codec=Reversed())
    assert await cache.get("a", codec=Reversed()) == 12
    assert await cache.get("a") is None
    bench.clock.advance(1)
    assert [await cache.get_or_load("a", work) for _ in range(2)] == [1, 1]
    assert (await cache.stats()).errors == 2


async def test_warming_tells_how_far_it_is_and_survives_failures(cache: Cache, bench: Bench, work: Work) -> None:
    """Async and plain calls; each is told after it was made; one that raises hinders no other."""
    told: list[Warmed] = []

    def broken() -> None:
        raise ValueError("broken")

    calls: list[Callable[[], Any]] = [*(partial(cache.get_or_load, f"k{number}", work) for number in range(4)), broken]
    assert await cache.warm(calls, progress=told.append, at_once=2) == Warmed(5, 5, 1)
    assert [one.done for one in told] == [1, 2, 3, 4, 5]
    assert [await cache.get_or_load(f"k{number}", work) is not None for number in range(4)]
    assert work.calls == 4


async def test_every_process_forgets_and_listens(make_cache: Make) -> None:
    """Three processes on a real server: what one invalidates, nobody is given afterwards, and all are told once."""
    one, two, three = [await make_cache() for _ in range(3)]
    heard: list[tuple[str, Invalidated]] = []

    def note(name: str, told: Invalidated) -> None:
        heard.append((name, told))

    for name, cache in (("one", one), ("two", two), ("three", three)):
        cache.on_invalidate(partial(note, name))
    await one.set("agents:1", 1)
    await one.set("pages:1", 1)
    assert [await cache.get("agents:1") for cache in (one, two, three)] == [1, 1, 1]
    assert await two.publish_invalidation("agents:*", reason="deploy") == 2
    assert [await cache.get("agents:1") for cache in (one, two, three)] == [None] * 3
    assert [await cache.get("pages:1") for cache in (one, two, three)] == [1, 1, 1]
    await until(lambda: len(heard) == 3)
    assert {(name, told.pattern, told.reason, told.here) for name, told in heard} == {
        ("one", "agents:*", "deploy", False),
        ("two", "agents:*", "deploy", True),
        ("three", "agents:*", "deploy", False),
    }
    assert await three.delete("pages:1")
    await until(lambda: len(heard) == 6)
    assert heard[-1][1].keys == ("pages:1",)


async def test_a_callback_that_fails_hinders_nobody(
    cache: Cache, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the others are told; one that was removed is not."""
    heard: list[str | None] = []

    def broken(told: Invalidated) -> None:
        raise ValueError("broken")

    cache.on_invalidate(broken)
    end = cache.on_invalidate(lambda told: heard.append(told.pattern))
    await cache.invalidate("a*")
    end()
    await cache.invalidate("b*")
    assert heard == ["a*"]
    assert "on_invalidate" in caplog.text


async def test_a_store_that_is_away_raises_nothing(
    valkey: Valkey, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    """`get` gives None, `set` False, functions run once a key, the log says `cache.error`; later it is back."""
    async with Cache(valkey.url) as cache:
        assert await cache.set("a", 1)
        valkey.kill()
        assert await cache.get("unknown") is None
        assert await cache.set("b", 1) is False
        assert await cache.delete("c") is False
        assert await cache.invalidate("c*") == 0
        assert await cache.publish_invalidation("c*") == 0
        assert await cache.clear() == 0
        assert await asyncio.gather(*(cache.get_or_load("d", work) for _ in range(5))) == [1] * 5
        stats = await cache.stats()
        assert (stats.enabled, stats.available, stats.status) == (True, False, "degraded")
        assert stats.errors >= 6
        errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert errors
        assert all(line.startswith("cache.error") for line in errors)


async def test_a_server_that_is_away_at_the_start_is_no_error(valkey: Valkey, work: Work) -> None:
    """It opens, and works without."""
    valkey.kill()
    async with Cache(valkey.url) as cache:
        assert await cache.get_or_load("a", work) == 1


async def test_what_is_too_large_is_given_and_said(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    """It is not kept; whoever wonders why it runs each time reads it in the log."""

    async def large() -> str:
        return "x" * 2000 * await work()

    async with Cache("memory://", max_entry=1024) as cache:
        assert [len(await cache.get_or_load("a", large)) for _ in range(2)] == [2000, 4000]
        assert "operation=keep of=app:a:$:all reason=larger than 1024 bytes" in caplog.text
        assert not await cache.set("b", "x" * 2000)


async def test_answers_of_users_are_hidden_in_the_store(valkey: Valkey) -> None:
    """Encrypted with a key of each user's; nobody's name is in the key of an entry."""
    async with Cache(valkey.url, secret="0123456789abcdef", encrypt=True) as cache:
        assert await cache.set("letter", "ann's secret words", user="ann@example.com")
        assert await cache.get("letter", user="ann@example.com") == "ann's secret words"
        with valkey.client() as client:
            held = {name: client.dump(name) for name in client.keys("*:app:*")}
    assert len(held) == 1
    assert not any(b"ann" in name or b"secret words" in (value or b"") for name, value in held.items())


async def test_a_cache_that_is_closing_runs_the_function(cache: Cache, bench: Bench, work: Work) -> None:
    """What is asked at the very end is answered; only nothing is kept."""
    cache.answering.opened.engine.stop()
    assert [await cache.get_or_load("a", work) for _ in range(2)] == [1, 2]
    assert not await cache.set("a", 1)


async def test_off_keeps_nothing_and_runs_once_at_a_time(work: Work) -> None:
    """Two who ask together share a run; who asks later has one of his own."""
    async with Cache("off") as cache:
        assert list(await asyncio.gather(cache.get_or_load("a", work), cache.get_or_load("a", work))) == [1, 1]
        assert await cache.get_or_load("a", work) == 2
        assert not cache.is_enabled
        assert not await cache.set("a", 1)
        assert not (await cache.stats()).enabled


async def test_a_cache_comes_from_settings_too(work: Work) -> None:
    """From those of the service, or from variables; with more types."""
    more = [Type("mine", ttl=5)]
    for cache in (
        Cache.from_settings({"HASHCACHE_STORE": "memory://", "HASHCACHE_ENV": "test"}, types=more),
        Cache.from_settings(replace(load({}), store="memory://"), types=more),
    ):
        async with cache:
            assert await cache.get_or_load("a", work, type="mine")
    with pytest.raises(SettingsError, match="HASHCACHE_STORE"):
        Cache("http://localhost")
    with pytest.raises(ValueError, match="no type is called 'mine'; there are analytics, "):
        await Cache("memory://").get_or_load("a", work, type="mine")


async def test_a_cache_that_is_not_open_says_so(cache: Cache, work: Work) -> None:
    """Instead of paying silently; and it can be opened again, but not twice."""
    with pytest.raises(RuntimeError, match="not open"):
        await cache.get("a")
    for _ in range(2):
        async with cache:
            assert await cache.set("a", 1)
            with pytest.raises(RuntimeError, match="open already"):
                await cache.__aenter__()
    with pytest.raises(RuntimeError, match="not open"):
        await cache.get_or_load("a", work)


async def test_another_event_loop_is_refused(cache: Cache, bench: Bench) -> None:
    """What belongs to one loop is not touched from another."""

    def elsewhere() -> None:
        asyncio.run(cache.get("a"))

    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(elsewhere)


@pytest.fixture
def shop() -> Shop:
    """Where the service buys."""
    shop = Shop()
    shop.gate.set()
    return shop
