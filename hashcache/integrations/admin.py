"""
Routes with which an application's own administrators look after its cache; for Starlette, and so for FastAPI.

    app.router.routes.extend(admin_routes(cache, guard=is_admin))

Rule: paths, answers and all that is decided are those of `desk`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hashcache.integrations.cache import Cache
from hashcache.integrations.desk import (
    CLEAR_ALL,
    HEADERS,
    INVALIDATE,
    INVALIDATE_PATTERN,
    LONGEST_BODY,
    STATS,
    Answer,
    Desk,
)

#: Whether this request is an administrator's. May raise what the application's other routes raise, such as a 401.
Guard = Callable[[Request], bool | Awaitable[bool]]


def admin_routes(cache: Cache, *, guard: Guard) -> list[Route]:
    """
    The four routes, for *cache*, behind *guard*: 403 for whom it does not let in.

    Raises:
        TypeError: the guard is none.
    """
    desk = Desk(cache.answering, guard)
    endpoint = partial(_endpoint, desk, guard)
    return [
        Route(STATS, endpoint(lambda _: desk.stats()), methods=["GET"]),
        Route(
            f"{INVALIDATE}/{{type}}",
            endpoint(lambda request: desk.invalidate(request.path_params["type"])),
            methods=["POST"],
        ),
        Route(INVALIDATE_PATTERN, endpoint(partial(_invalidate_pattern, desk)), methods=["POST"]),
        Route(CLEAR_ALL, endpoint(lambda _: desk.clear_all()), methods=["POST"]),
    ]


def _endpoint(
    desk: Desk, guard: Guard, answer: Callable[[Request], Awaitable[Answer]]
) -> Callable[[Request], Awaitable[Response]]:
    """What answers a request behind the *guard*."""

    async def endpoint(request: Request) -> Response:
        allowed = guard(request)
        if inspect.isawaitable(allowed):
            allowed = await allowed
        given = desk.refusal(allowed) or await answer(request)
        return Response(given.body, given.status, dict(HEADERS), "application/json")

    return endpoint


async def _invalidate_pattern(desk: Desk, request: Request) -> Answer:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            break
    return await desk.invalidate_pattern(bytes(body))
