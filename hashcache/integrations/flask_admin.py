"""
Routes with which an application's own administrators look after its cache; for Flask.

    app.register_blueprint(admin_blueprint(cache, guard=is_admin))

Rule: paths, answers and all that is decided are those of `desk`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from flask import Blueprint, Request, Response, current_app, request

from hashcache.integrations.blocking import SyncCache
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


def admin_blueprint(cache: SyncCache, *, guard: Guard) -> Blueprint:
    """
    The four routes, for *cache*, behind *guard*: 403 for whom it does not let in.

    Raises:
        TypeError: the guard is none.
    """
    desk = Desk(cache.answering, guard)
    blueprint = Blueprint("hashcache_admin", __name__)

    @blueprint.before_request
    def guarded() -> Response | None:
        refusal = desk.refusal(current_app.ensure_sync(guard)(request))
        return None if refusal is None else _response(refusal)

    def answered(answer: Coroutine[Any, Any, Answer]) -> Response:
        return _response(cache.run(answer))

    @blueprint.get(STATS)
    def stats() -> Response:
        return answered(desk.stats())

    @blueprint.post(f"{INVALIDATE}/<kind>")
    def invalidate(kind: str) -> Response:
        return answered(desk.invalidate(kind))

    @blueprint.post(INVALIDATE_PATTERN)
    def invalidate_pattern() -> Response:
        return answered(desk.invalidate_pattern(_body()))

    @blueprint.post(CLEAR_ALL)
    def clear_all() -> Response:
        return answered(desk.clear_all())

    return blueprint


def _body() -> bytes:
    """The body of the current request, or a little more than may be sent."""
    body = bytearray()
    while len(body) <= LONGEST_BODY and (piece := request.stream.read(LONGEST_BODY)):
        body += piece
    return bytes(body)


def _response(answer: Answer) -> Response:
    return current_app.response_class(answer.body, answer.status, dict(HEADERS), content_type="application/json")
