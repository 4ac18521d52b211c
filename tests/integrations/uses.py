"""
The whole public API of the library, as its users would write it: checked by mypy, strictly, in test_typing.py.

What a user would get wrong stands in a line that ends in `# wrong`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, assert_type

import hashcache
from hashcache import (
    TYPES,
    Analysis,
    AsyncClient,
    Cache,
    Client,
    Codec,
    HashcacheError,
    Invalidated,
    Keys,
    NoCanonicalForm,
    NotKept,
    Offer,
    PatternError,
    Prefetch,
    Problem,
    RememberedFailure,
    ServiceError,
    SettingsError,
    Stats,
    SyncCache,
    TimedOut,
    Type,
    TypeStats,
    Unreachable,
    Warmed,
)
from hashcache.testing import Bench, Call, in_memory, in_memory_sync

AGENTS = Keys("agents:list:{org}:{params}")
PEOPLE = Type(
    "people",
    ttl=timedelta(minutes=5),
    scope="user",
    tags=("people",),
    refresh=1,
    stale=30,
    target_hit_rate=85,
    negatives={LookupError: 10},
)
LETTERS = Type("letters", personal=True)
cache = Cache("redis://localhost:6379/0", environment="shop", secret="s" * 32, encrypt=True, types=[PEOPLE])
other = Cache.from_settings({"REDIS_URL": "redis://localhost"}, types=[PEOPLE])
blocking = SyncCache("memory://", near_bytes=0)


@dataclass
class Person:
    """Somebody."""

    name: str


class Bytes:
    """A codec of one's own."""

    def encode(self, value: bytes) -> bytes:
        """As it is."""
        return value

    def decode(self, raw: bytes) -> bytes:
        """As it was."""
        return raw


CODEC: Codec = Bytes()


@cache.cached("dashboard", ttl=60, key=AGENTS, tags=("org:{org}",), unless=lambda rows: not rows)
async def agents(org: str, params: Mapping[str, int]) -> list[str]:
    """A list."""
    return [org, *params]


@cache.cached(PEOPLE, per="user_id")
async def person(user_id: int, *, full: bool = False) -> Person:
    """One."""
    return Person(f"{user_id}{full}")


class Shop:
    """Methods too."""

    @cache.cached(key=lambda *arguments: f"price:{arguments[1]}", codec=CODEC)
    async def price(self, thing: str) -> bytes:
        """Of a thing."""
        return thing.encode()


@cache.cached()
def plain(number: int) -> str:
    """For threads."""
    return str(number)


@blocking.cached("static", per=lambda number: number)
def slow(number: int) -> str:
    """Without an event loop."""
    return str(number)


@cache.invalidates("lists", PEOPLE, tag="org:{org}", key="agent:{id}", pattern=AGENTS)
async def write(org: str, id: int) -> bool:  # noqa: A002 - as users write
    """A write."""
    return bool(org) and bool(id)


@blocking.invalidates(key="agent:{id}")
def write_plain(id: int) -> int:  # noqa: A002 - as above
    """Another."""
    return id


async def load() -> Person:
    """What `get_or_load` loads."""
    return Person("ann")


async def use() -> None:
    """Decorated functions keep their types; the verbs have theirs."""
    async with cache as opened:
        assert_type(opened, Cache)
        assert_type(await agents("acme", {"page": 1}), list[str])
        assert_type(await person(7, full=True), Person)
        assert_type(await Shop().price("pen"), bytes)
        assert_type(plain(1), str)
        assert_type(await write("acme", 1), bool)
        assert_type(await cache.get("a", user="7"), Any)
        assert_type(await cache.set("a", 1, type="lists", ttl=timedelta(seconds=1), tags=("a",)), bool)
        assert_type(await cache.get_or_load("a", load, type=PEOPLE, user="7", refresh=True), Person)
        assert_type(await cache.delete("a"), bool)
        assert_type(await cache.forget(person, 7, full=True), bool)
        assert_type(await cache.invalidate(AGENTS.pattern(org="acme"), reason="deploy"), int)
        assert_type(await cache.invalidate(type=PEOPLE, tag="a", user="7"), int)
        assert_type(await cache.publish_invalidation("a:*"), int)
        assert_type(await cache.clear(reason="deploy"), int)
        assert_type(await cache.warm([partial(person, 7)], progress=print, at_once=2), Warmed)
        assert_type(cache.is_enabled, bool)
        stats = await cache.stats()
        assert_type(stats, Stats)
        assert_type(stats.by_type["people"], TypeStats)
        assert_type(stats.hit_rate, float)
        assert_type(stats.secrets["jwt"], int)
        nearest = cache.similar(agents, "org", threshold=0.95)
        offer = await nearest("acme", {"page": 1})
        assert_type(offer, Offer | None)
        await nearest(7)  # wrong
        Cache("off", prefetch=Prefetch(calls_per_minute=10, popular=5), user_keys=lambda user: [user.encode()])
        Type("b", scope="user", on_secret="encrypt", entropy=4.5)
        Type("b", on_secret="burn")  # wrong
        end = cache.on_invalidate(heard)
        end()
        await person("7")  # wrong
        await person(7, 8)  # wrong
        await cache.get_or_load("a", 7)  # wrong
        await cache.forget(person, "7")  # wrong
        slow("1")  # wrong
        Type("a", scope="team")  # wrong
        cache.on_invalidate(load)  # wrong


def heard(told: Invalidated) -> None:
    """Listens."""
    assert_type(told.pattern, str | None)
    assert_type(told.keys, tuple[str, ...])


def use_blocking() -> None:
    """The same without an event loop."""
    with blocking as opened:
        assert_type(opened, SyncCache)
        assert_type(slow(1), str)
        assert_type(write_plain(1), int)
        assert_type(blocking.get_or_load("a", lambda: Person("a")), Person)
        assert_type(blocking.set("a", 1), bool)
        assert_type(blocking.forget(slow, 1), bool)
        assert_type(blocking.similar(slow, "number")(1), Offer | None)
        assert_type(blocking.stats(), Stats)
        assert_type(blocking.warm([partial(slow, 1)]), Warmed)


async def use_testing() -> None:
    """What tests use."""
    async with in_memory(cache) as bench:
        assert_type(bench, Bench)
        await bench.give(Person("ann"), person, 7)
        bench.clock.advance(300)
        with bench.forced_miss():
            await person(7)
        assert_type(bench.calls, list[Call])
    with in_memory_sync(blocking) as other_bench:
        other_bench.give_sync("1", slow, 1)


ERRORS: tuple[type[Exception], ...] = (
    HashcacheError,
    NoCanonicalForm,
    NotKept,
    PatternError,
    RememberedFailure,
    SettingsError,
)
assert_type(TYPES, Mapping[str, Type])
assert_type(hashcache.__version__, str)


class Progress:
    """Of an upload."""

    def update(self, sent: int, size: int) -> None:
        """So many of *size* bytes are sent."""


def asks_a_service(photo: bytes) -> str:
    """The client of a service, which belongs to the same package."""
    progress = Progress()
    with Client("http://127.0.0.1:8000", api_key="key") as client:
        try:
            analysis = client.analyze(photo, on_progress=progress.update)
        except (Unreachable, TimedOut) as error:
            return str(error.maybe_bought)
        except Problem as problem:
            return problem.slug
        except ServiceError as error:
            return str(error)
        assert_type(analysis, Analysis)
        client.analyze(photo, timeout="soon")  # wrong
        return analysis.sha256


async def asks_a_service_without_waiting(photo: bytes) -> Analysis:
    """The same, with an event loop."""
    async with AsyncClient() as client:
        return await client.analyze(photo)
