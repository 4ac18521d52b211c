"""
The whole public API, as its users would write it: checked by mypy, strictly, and by pyright, in
tests/project/test_typing.py.

What a user would get wrong stands in a line that ends in `# wrong`. Nothing else may be found, and nothing is silenced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, assert_type, overload

import flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

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
from hashcache.client import (
    BudgetProblem,
    CacheFigures,
    Clearing,
    ContentChanged,
    ContentProblem,
    Cost,
    Evidence,
    Found,
    Lookup,
    NotAllowed,
    NotHashcache,
    ProviderProblem,
    RequestProblem,
    Result,
    ServiceProblem,
    Spend,
    SpendFigures,
)
from hashcache.integrations.admin import admin_routes
from hashcache.integrations.flask import cached_route as cached_view
from hashcache.integrations.flask import current_cache, init_app
from hashcache.integrations.flask_admin import admin_blueprint
from hashcache.integrations.starlette import cached_route
from hashcache.testing import Bench, Call, Clock, SyncBench, in_memory, in_memory_sync

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
    async def stock(self, thing: str, *, shelf: int = 0) -> int:
        """In a shelf."""
        return len(thing) + shelf

    @classmethod
    @cache.cached()
    async def opened(cls, day: str) -> bool:
        """On a day."""
        return bool(day)

    @staticmethod
    @cache.cached()
    async def address(city: str) -> str:
        """In a city."""
        return city


@overload
async def found(key: int) -> int: ...
@overload
async def found(key: str) -> str: ...
@cache.cached()
async def found(key: int | str) -> int | str:
    """What is given depends on what is asked."""
    return key


@cache.cached("lists")
def plain(number: int, /, *words: str, base: int = 10) -> str:
    """For threads."""
    return str(number + base + len(words))


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
        assert_type(await Shop().stock("pen", shelf=1), int)
        assert_type(await Shop.opened("monday"), bool)
        assert_type(await Shop.address("bern"), str)
        assert_type(await found(1), int)
        assert_type(await found("a"), str)
        assert_type(plain(1, "a", base=2), str)
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
        end = cache.on_invalidate(heard)
        end()
        await person("7")  # wrong
        await person(7, 8)  # wrong
        await person(7, half=True)  # wrong
        await Shop().stock("pen", 1)  # wrong
        await Shop.opened(7)  # wrong
        await found(1.5)  # wrong
        plain("1")  # wrong
        plain(1, base="2")  # wrong
        await cache.invalidate(type=7)  # wrong
        cache.cached("lists", ttl="300")  # wrong
        await cache.get_or_load("a", 7)  # wrong
        await cache.forget(person, "7")  # wrong
        slow("1")  # wrong
        Type("a", scope="team")  # wrong
        cache.on_invalidate(load)  # wrong


async def use_guards() -> None:
    """What is searched for secrets, offered and prefetched."""
    async with Cache("off", prefetch=Prefetch(calls_per_minute=10, popular=5), user_keys=lambda user: [user.encode()]):
        assert_type((await cache.stats()).secrets["jwt"], int)
        nearest = cache.similar(agents, "org", threshold=0.95)
        offer = await nearest("acme", {"page": 1})
        assert_type(offer, Offer | None)
        await nearest(7)  # wrong
        Type("b", scope="user", on_secret="encrypt", entropy=4.5)
        Type("b", on_secret="burn")  # wrong


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
        assert_type(blocking.get("a"), Any)
        assert_type(blocking.set("a", 1), bool)
        assert_type(blocking.delete("a"), bool)
        assert_type(blocking.forget(slow, 1), bool)
        assert_type(blocking.invalidate("a:*"), int)
        assert_type(blocking.publish_invalidation(tag="a"), int)
        assert_type(blocking.clear(), int)
        assert_type(blocking.is_enabled, bool)
        assert_type(blocking.on_invalidate(heard), Callable[[], None])
        assert_type(blocking.similar(slow, "number")(1), Offer | None)
        assert_type(blocking.stats(), Stats)
        assert_type(blocking.warm([partial(slow, 1)]), Warmed)
        blocking.forget(slow, "1")  # wrong
        blocking.get_or_load("a", heard)  # wrong
    with SyncCache.from_settings({"HASHCACHE_STORE": "off"}) as other_cache:
        assert_type(other_cache, SyncCache)
    blocking.keep_open()


async def use_testing() -> None:
    """What tests use."""
    async with in_memory(cache) as bench:
        assert_type(bench, Bench)
        await bench.give(Person("ann"), person, 7)
        bench.clock.advance(300)
        with bench.forced_miss():
            await person(7)
        assert_type(bench.calls, list[Call])
        assert_type(bench.clock, Clock)
        await bench.give(Person("ann"), person, "7")  # wrong
    with in_memory_sync(blocking) as other_bench:
        assert_type(other_bench, SyncBench)
        other_bench.give_sync("1", slow, 1)


@cached_route(cache, "search", ttl=60, key=lambda request: request.path_params["id"], tags=("rows",), reads=("POST",))
async def rows(request: Request) -> Response:
    """A route of Starlette."""
    return JSONResponse([request.url.path])


async def user_of(request: Request) -> str | None:
    """Whose answer it is."""
    return request.headers.get("X-User")


@cached_route(cache, PEOPLE, identity=user_of, when=lambda request: request.method == "GET")
async def fast(id: int, *, request: Request) -> dict[str, int]:  # noqa: A002 - as users write
    """A route of FastAPI."""
    return {request.method: id}


async def is_admin(request: Request) -> bool:
    """A guard."""
    return request.url.scheme == "https"


async def use_routes(request: Request) -> None:
    """Routes keep their arguments, and are awaited."""
    Starlette(routes=[Route("/rows/{id}", rows), *admin_routes(cache, guard=is_admin)])
    assert_type(await rows(request), Any)
    await fast(7, request=request)
    await fast("7", request=request)  # wrong
    await rows("a")  # wrong
    cached_route(blocking)  # wrong
    cached_route(cache, identity=lambda request: request.no_such_thing)  # wrong
    admin_routes(cache, guard=True)  # wrong
    admin_routes(cache)  # wrong


pages = flask.Blueprint("pages", __name__)


@pages.get("/rows/<int:id>")
@cached_view(current_cache, "search", key=lambda request: request.path, tags=("rows",), reads=("POST",))
def view(id: int) -> dict[str, int]:  # noqa: A002 - as users write
    """A route of Flask."""
    return {"id": id}


@pages.get("/people")
@cached_view(blocking, PEOPLE, ttl=60, identity=lambda request: request.headers.get("X-User"), when=lambda _: True)
async def async_view() -> str:
    """Another one, which Flask runs on a loop of its own."""
    return "people"


def create_app(url: str) -> flask.Flask:
    """An application from a factory."""
    app, rows_cache = flask.Flask(__name__), SyncCache(url)
    init_app(app, rows_cache)
    app.register_blueprint(pages)
    app.register_blueprint(admin_blueprint(rows_cache, guard=lambda request: request.is_secure))
    with app.app_context():
        assert_type(current_cache(), SyncCache)
    assert_type(view(7), flask.Response)
    assert_type(async_view(), flask.Response)
    view("7")  # wrong
    init_app(app, cache)  # wrong
    cached_view(cache)  # wrong
    admin_blueprint(cache, guard=lambda _: True)  # wrong
    return app


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


PROBLEMS: tuple[type[ServiceError], ...] = (
    BudgetProblem,
    ContentProblem,
    NotAllowed,
    NotHashcache,
    ProviderProblem,
    RequestProblem,
    ServiceProblem,
)


def asks_a_service(photo: bytes) -> str:
    """The client of a service, which belongs to the same package."""
    progress = Progress()
    with Client("http://127.0.0.1:8000", api_key="key", timeout=30) as client:
        try:
            analysis = client.analyze(photo, on_progress=progress.update, tags=["shop"], refresh=True, hash_first=False)
        except (Unreachable, TimedOut) as error:
            return str(error.maybe_bought)
        except Problem as problem:
            return problem.slug
        except (ContentChanged, ServiceError) as error:
            return str(error)
        assert_type(analysis, Analysis)
        assert_type(analysis.cost, Cost)
        assert_type(analysis.cost.saved_usd, Decimal)
        assert_type(analysis.result, Result)
        assert_type(analysis.result.evidence, tuple[Evidence, ...])
        assert_type(client.analyze(Path("photo.jpg")), Analysis)
        assert_type(client.analyze(text="words"), Analysis)
        assert_type(client.lookup([photo, "a" * 64]), Lookup)
        assert_type(client.lookup([photo]).found, tuple[Found, ...])
        assert_type(client.get(analysis.sha256, kind=analysis.kind), Analysis | None)
        assert_type(client.stats().cache, CacheFigures)
        assert_type(client.spend(days=7), Spend)
        assert_type(client.spend().by_kind["image"], SpendFigures)
        assert_type(client.clear("analysis:*", reason="deploy", dry_run=True, on_progress=print), Clearing)
        client.analyze(photo, timeout="soon")  # wrong
        client.lookup(photo, timeout=1)  # wrong
        client.spend("7")  # wrong
        return analysis.sha256


async def asks_a_service_without_waiting(photo: bytes) -> Analysis | None:
    """The same, with an event loop."""
    async with AsyncClient("http://127.0.0.1:8000") as client:
        assert_type(await client.lookup([photo]), Lookup)
        assert_type(await client.spend(), Spend)
        assert_type(await client.clear(), Clearing)
        assert_type((await client.stats()).cache.hits, int)
        await client.get(7)  # wrong
        analysis = await client.analyze(photo)
        assert_type(analysis, Analysis)
        return await client.get(analysis.sha256)
