"""The administrators' routes in an application of one's own: over real sockets, behind the application's own guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hashcache import Cache
from hashcache.integrations.admin import admin_routes
from hashcache.testing import Bench
from tests.harness.served import served
from tests.harness.valkey import Valkey

ADMIN = {"X-Admin": "yes"}
POSTS = ("/api/cache/invalidate/lists", "/api/cache/invalidate-pattern", "/api/cache/clear-all")


async def is_admin(request: Request) -> bool:
    """An application's guard."""
    return request.headers.get("x-admin") == "yes"


@asynccontextmanager
async def office(cache: Cache, guard: Any = is_admin) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with these routes."""
    async with served(Starlette(routes=[*admin_routes(cache, guard=guard)])) as web:
        yield web


async def test_what_each_route_answers(cache: Cache, bench: Bench) -> None:
    """Figures, a type, a pattern, everything: with the number of entries that are gone, which are gone."""
    for key, kind in (("a:1", "lists"), ("a:2", "default"), ("b:1", "default"), ("c:1", "default")):
        await cache.set(key, 1, type=kind)
    await cache.get("a:1")
    await cache.get("none")
    async with office(cache) as web:
        stats = await web.get("/api/cache/stats", headers=ADMIN)
        assert stats.headers["cache-control"] == "no-store"
        assert stats.json() == {
            "status": "success",
            "cache_stats": {
                "hits": 1,
                "misses": 1,
                "errors": 0,
                "total_requests": 2,
                "hit_rate": 50.0,
                "is_available": True,
            },
        }
        kind = await web.post("/api/cache/invalidate/lists", headers=ADMIN)
        assert kind.json() == {
            "status": "success",
            "cache_type": "lists",
            "deleted_keys": 1,
            "message": "1 entry of type lists forgotten",
        }
        assert [await cache.get(key) for key in ("a:1", "a:2")] == [None, 1]
        pattern = await web.post("/api/cache/invalidate-pattern", json={"pattern": "a:*"}, headers=ADMIN)
        assert pattern.json() == {
            "status": "success",
            "pattern": "a:*",
            "deleted_keys": 1,
            "message": "1 entry for a:* forgotten",
        }
        assert [await cache.get(key) for key in ("a:2", "b:1")] == [None, 1]
        everything = await web.post("/api/cache/clear-all", headers=ADMIN)
        assert everything.json() == {"status": "success", "deleted_keys": 2, "message": "2 entries in all forgotten"}
        assert await cache.get("b:1") is None


@pytest.mark.parametrize("said", [False, None, "no", 1])
async def test_nobody_comes_in_whom_the_guard_does_not_let_in(cache: Cache, bench: Bench, said: object) -> None:
    """403, and nothing is told or forgotten; only True is a yes."""
    await cache.set("a", 1, type="lists")
    async with office(cache, lambda _: said) as web:
        answers = [await web.get("/api/cache/stats"), *[await web.post(path) for path in POSTS]]
    assert [(one.status_code, one.json()["status"]) for one in answers] == [(403, "error")] * 4
    assert await cache.get("a") == 1


async def test_a_guard_answers_as_it_likes(cache: Cache, bench: Bench) -> None:
    """What it raises is the answer."""

    def guard(_: Request) -> bool:
        raise HTTPException(401, headers={"WWW-Authenticate": "Basic"})

    async with office(cache, guard) as web:
        answer = await web.post("/api/cache/clear-all")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Basic")


def test_there_is_no_default_guard(cache: Cache) -> None:
    """It has to be given, and to be one."""
    with pytest.raises(TypeError, match="guard"):
        admin_routes(cache)  # type: ignore[call-arg]  # the mistake that is proved
    with pytest.raises(TypeError, match="cannot be called"):
        admin_routes(cache, guard=True)  # type: ignore[arg-type]  # as above


async def test_what_makes_no_sense_is_refused(cache: Cache, bench: Bench) -> None:
    """An unknown type, a body that is none, too long a body, a GET that would forget."""
    async with office(cache) as web:
        url = "/api/cache/invalidate-pattern"
        assert (await web.post("/api/cache/invalidate/nothing", headers=ADMIN)).status_code == 404
        long = b'{"pattern": "%s"}' % (b"a*" * 600)
        for body in (b"", b"{}", b'{"pattern": 7}', b'{"pattern": ""}', b"\xff", long):
            answer = await web.post(url, content=body, headers=ADMIN)
            assert (answer.status_code, answer.json()["status"]) == (400, "error"), body
        assert (await web.post(url, content=b"x" * 4_097, headers=ADMIN)).status_code == 413
        assert (await web.get("/api/cache/clear-all", headers=ADMIN)).status_code == 405


async def test_what_was_not_forgotten_is_not_called_so(valkey: Valkey, environment: str) -> None:
    """503 while the store is away, and the figures say that it is."""
    async with Cache(valkey.url, environment=environment) as cache, office(cache) as web:
        valkey.kill()
        for path in POSTS:
            answer = await web.post(path, json={"pattern": "a"}, headers=ADMIN)
            assert (answer.status_code, answer.json()["status"]) == (503, "error")
        stats = (await web.get("/api/cache/stats", headers=ADMIN)).json()["cache_stats"]
        assert stats["is_available"] is False
        assert stats["errors"] >= len(POSTS)
