"""
Routes with which an application's own administrators look after its cache; for Starlette, and so for FastAPI.

    app.router.routes.extend(admin_routes(cache, guard=is_admin))

    GET  /api/cache/stats                 figures of this process
    POST /api/cache/invalidate/{type}     forget a type
    POST /api/cache/invalidate-pattern    {"pattern": "route:/api/*"}
    POST /api/cache/clear-all             forget everything of the library

Rule 1: nobody comes in whom the application's own guard does not let in, and there is no default guard.
Rule 2: what was not forgotten is never called forgotten: 503 while the store is away.
Rule 3: whatever is forgotten is so in every process before the answer is sent.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hashcache.core.barrier import Selector
from hashcache.core.errors import PatternError, StoreUnavailable
from hashcache.engine.invalidation import SOON
from hashcache.integrations import names
from hashcache.integrations.cache import Cache

#: Whether this request is an administrator's. May raise what the application's other routes raise, such as a 401.
Guard = Callable[[Request], bool | Awaitable[bool]]
_Endpoint = Callable[[Request], Awaitable[JSONResponse]]
_LONGEST_BODY = 4_096
_REASON = "admin route"


class _Wanted(msgspec.Struct):
    pattern: str


def admin_routes(cache: Cache, *, guard: Guard) -> list[Route]:
    """
    The four routes, for *cache*, behind *guard*: 403 for whom it does not let in.

    Raises:
        TypeError: the guard is none.
    """
    if not callable(guard):
        raise TypeError(f"guard= tells of a request whether it is an administrator's; {guard!r} cannot be called")
    desk = _Desk(cache)
    return [
        Route("/api/cache/stats", _guarded(guard, desk.stats), methods=["GET"]),
        Route("/api/cache/invalidate/{type}", _guarded(guard, desk.invalidate), methods=["POST"]),
        Route("/api/cache/invalidate-pattern", _guarded(guard, desk.invalidate_pattern), methods=["POST"]),
        Route("/api/cache/clear-all", _guarded(guard, desk.clear_all), methods=["POST"]),
    ]


class _Desk:
    """What the routes do."""

    def __init__(self, cache: Cache) -> None:
        self._answering = cache.answering

    async def stats(self, request: Request) -> JSONResponse:  # noqa: ARG002 - as each endpoint
        """Figures."""
        stats = await self._answering.stats()
        figures = {
            "hits": stats.hits,
            "misses": stats.misses,
            "errors": stats.errors,
            "total_requests": stats.total_requests,
            "hit_rate": stats.hit_rate,
            "is_available": stats.available,
        }
        return _answer(200, status="success", cache_stats=figures)

    async def invalidate(self, request: Request) -> JSONResponse:
        """Forget a type."""
        kind = request.path_params["type"]
        if kind not in self._answering.types:
            return _error(404, f"no type is called {kind!r}; there are {', '.join(sorted(self._answering.types))}")
        deleted = await self._forget(names.selector(kind=kind))
        if deleted is None:
            return _away()
        return _answer(
            200, status="success", cache_type=kind, deleted_keys=deleted, message=_forgotten(deleted, f"of type {kind}")
        )

    async def invalidate_pattern(self, request: Request) -> JSONResponse:
        """Forget what fits a pattern."""
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST_BODY:
                return _error(413, f"the body has more than {_LONGEST_BODY} bytes")
        try:
            pattern = msgspec.json.decode(body, type=_Wanted).pattern
            selector = names.selector(pattern)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _error(400, 'the body is JSON such as {"pattern": "route:/api/*"}')
        except PatternError as error:
            return _error(400, str(error))
        deleted = await self._forget(selector)
        if deleted is None:
            return _away()
        return _answer(
            200, status="success", pattern=pattern, deleted_keys=deleted, message=_forgotten(deleted, f"for {pattern}")
        )

    async def clear_all(self, request: Request) -> JSONResponse:  # noqa: ARG002 - as each endpoint
        """Forget everything."""
        deleted = await self._forget(names.selector())
        if deleted is None:
            return _away()
        return _answer(200, status="success", deleted_keys=deleted, message=_forgotten(deleted, "in all"))

    async def _forget(self, selector: Selector) -> int | None:
        """How many entries are gone so far; None: the store is away."""
        try:
            cleared = await self._answering.here.forgetting.forget(selector, _REASON, SOON)
        except StoreUnavailable as away:
            self._answering.failed("invalidate", selector, away)
            return None
        return cleared.deleted


def _guarded(guard: Guard, endpoint: _Endpoint) -> _Endpoint:
    @wraps(endpoint)
    async def guarded(request: Request) -> JSONResponse:
        allowed = guard(request)
        if inspect.isawaitable(allowed):
            allowed = await allowed
        if allowed is not True:  # whatever else a guard gives by mistake lets nobody in
            return _error(403, "administrators only")
        return await endpoint(request)

    return guarded


def _answer(code: int, **answer: object) -> JSONResponse:
    return JSONResponse(answer, code, {"Cache-Control": "no-store"})


def _error(code: int, message: str) -> JSONResponse:
    return _answer(code, status="error", message=message)


def _away() -> JSONResponse:
    return _error(503, "the store is away: nothing was forgotten; try again")


def _forgotten(deleted: int, what: str) -> str:
    return f"{deleted} {'entry' if deleted == 1 else 'entries'} {what} forgotten"
