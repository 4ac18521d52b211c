"""
`cached_route`: routes of Starlette, and so of FastAPI, whose answers are kept.

    @cached_route(cache, "dashboard", identity=lambda request: request.session.get("user"))
    async def dashboard(request: Request) -> Response: ...

Rule 1: the decorated route may have any arguments, as FastAPI gives them, if one of them is the request; and what it
        gives is kept only if it is a Response: FastAPI turns other values into one after us, as it is told elsewhere.
Rule 2: what is streamed, sent from a file, or brings background work is never kept.
Rule 3: what is asked of the cache is decided in `routes`, and what becomes of an answer in `sharing`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hashcache.integrations import responses
from hashcache.integrations.cache import Cache
from hashcache.integrations.responses import Stored
from hashcache.integrations.routes import Bypass, Rules, Step
from hashcache.integrations.sessions import watched
from hashcache.integrations.sharing import Given, Reply, Shared, given
from hashcache.integrations.types import DEFAULT, Duration, Type
from hashcache.integrations.visits import Visit

P = ParamSpec("P")
T = TypeVar("T")
#: What is asked of a request: now, or to be awaited.
Asking = Callable[[Request], T | Awaitable[T]]


def cached_route(
    cache: Cache,
    type: Type | str = DEFAULT,  # noqa: A002 - the word of those who use it
    *,
    ttl: Duration | None = None,
    key: Asking[str] | None = None,
    identity: Asking[object] | None = None,
    tags: tuple[str, ...] = (),
    reads: Collection[str] = (),
    when: Asking[bool] | None = None,
) -> Callable[[Callable[P, Any]], Callable[P, Coroutine[Any, Any, Any]]]:
    """
    A decorator that keeps a route's answers, as *type* says, or for *ttl*.

    *key*: what makes the key of a request; what it leaves out does not count, but method, identity and Vary always do.
    *identity*: whose answer it is; for nobody (None or "") nothing is kept. Without it, neither is any answer to a
    request with credentials. *tags*: under which the answers can be invalidated. *reads*: methods, beside GET and HEAD,
    that change nothing. *when*: whether this request is for the cache.

    Raises:
        ValueError: no type is called so. TypeError: the type is kept for each user, and nobody says which; or the
            cache is a SyncCache. When it is called: none of the arguments is a Request.
    """
    if not isinstance(cache, Cache):
        raise TypeError(f"routes of Starlette are kept in a hashcache.Cache, not in a {cache.__class__.__name__}")
    rules = Rules.told(cache.answering, type, ttl=ttl, key=key, identity=identity, tags=tags, reads=reads, when=when)

    def decorate(endpoint: Callable[P, Any]) -> Callable[P, Coroutine[Any, Any, Any]]:
        @wraps(endpoint)
        async def route(*args: P.args, **kwargs: P.kwargs) -> Any:
            request = _request_of(endpoint, args, kwargs)
            return await _answer(rules, request, partial(_called, endpoint, args, kwargs))

        return route

    return decorate


async def _answer(rules: Rules, request: Request, endpoint: Callable[[], Awaitable[Any]]) -> Any:
    """What *endpoint* gives for *request*, now or earlier."""
    try:
        shared = await _shared(rules, request)
    except Bypass as bypass:
        return _with(await endpoint(), responses.told_of_bypass(bypass.why))
    visit = shared.visit

    async def run() -> Given:
        with watched(request.scope.get("session")) as session:
            live = await endpoint()
        if not isinstance(live, Response):
            rules.answering.failed("keep", visit.path, f"the route gives {live.__class__.__name__}, not a Response")
        return _given(live, visit, changed=session.changed)

    return _response((await shared.reply(run)).to(visit))


async def _shared(rules: Rules, request: Request) -> Shared:
    """What *request* asks of the cache; raises Bypass: nothing."""
    steps = rules.steps(_visit(request), known=_is_authenticated(request))
    try:
        step = next(steps)
        while True:
            try:
                found = await _found(step, request)
            except Exception as error:  # noqa: BLE001 - the rules tell what becomes of it
                step = steps.throw(error)
            else:
                step = steps.send(found)
    except StopIteration as end:
        shared: Shared = end.value
        return shared


async def _found(step: Step, request: Request) -> Any:
    """What *step* finds out of *request*."""
    if step.question is None:
        try:
            return await request.body()  # which the route can read again
        except RuntimeError:  # somebody has streamed it
            return None
    said = step.question(request)
    return await said if inspect.isawaitable(said) else said


def _request_of(endpoint: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
    for one in (*args, *kwargs.values()):
        if isinstance(one, Request):
            return one
    raise TypeError(f"{endpoint!r} is cached by its request, and has no argument that is one: add `request: Request`")


async def _called(endpoint: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What *endpoint* gives; a plain function runs in a thread, as those of Starlette do."""
    if inspect.iscoroutinefunction(endpoint):
        return await endpoint(*args, **kwargs)
    given = await run_in_threadpool(endpoint, *args, **kwargs)
    return await given if inspect.isawaitable(given) else given


def _visit(request: Request) -> Visit:
    """*request*, without its body."""
    path = request.scope["path"]
    return Visit(
        method=request.method,
        scheme=request.scope["scheme"],
        host=request.headers.get("host", ""),
        path=path,
        raw_path=request.scope.get("raw_path", quote(path).encode()).decode("latin-1"),
        query=request.scope.get("query_string", b"").decode("latin-1"),
        headers=tuple((name.lower(), value) for name, value in request.headers.items()),
    )


def _is_authenticated(request: Request) -> bool:
    """Whether Starlette's AuthenticationMiddleware knows who it is, by whatever means."""
    return bool(getattr(request.scope.get("user"), "is_authenticated", False))


def _given(live: Any, visit: Visit, *, changed: bool) -> Given:
    """What is to become of what a route gave, which may have *changed* its visitor's session."""
    if not isinstance(live, Response):
        return Given(live, why="no-response")
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in live.raw_headers)
    body: object = getattr(live, "body", None)
    whole = body if isinstance(body, bytes) and not hasattr(live, "body_iterator") else None
    obstacle = "background" if live.background is not None else "session" if changed else None
    return given(live, visit, status=live.status_code, headers=headers, body=whole, obstacle=obstacle)


def _response(reply: Reply) -> Any:
    """*reply* as an answer of Starlette's."""
    return _with(reply.live if reply.stored is None else _of(reply.stored), reply.headers)


def _of(stored: Stored) -> Response:
    response = Response(stored.body, stored.status)
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in stored.headers]
    return response


def _with(live: Any, headers: Any) -> Any:
    """*live* with *headers* as well; as it is, where it is no Response."""
    if isinstance(live, Response):
        live.headers.update(headers)
    return live
