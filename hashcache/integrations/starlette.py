"""
`cached_route`: routes of Starlette, and so of FastAPI, whose answers are kept.

    @cached_route(cache, "dashboard", identity=lambda request: request.session.get("user"))
    async def dashboard(request: Request) -> Response: ...

Rule 1: the decorated route may have any arguments, as FastAPI gives them, if one of them is the request; and what it
        gives is kept only if it is a Response: FastAPI turns other values into one after us, as it is told elsewhere.
Rule 2: what is streamed, sent from a file, or brings background work is never kept.
Rule 3: `when`, `identity` and `key` may be async. One that raises makes a bypass, and is logged: the route runs, and it
        is the route's part to refuse a visitor.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hashcache.integrations import responses
from hashcache.integrations.answering import Answering
from hashcache.integrations.cache import Cache
from hashcache.integrations.calls import identity as identity_of
from hashcache.integrations.responses import Stored
from hashcache.integrations.sharing import Given, Reply, Shared
from hashcache.integrations.types import DEFAULT, Duration, Type, check_tag
from hashcache.integrations.visits import READS, Visit

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
    kind = cache.answering.type_of(type).with_ttl(ttl)
    if kind.scope == "user" and identity is None:
        raise TypeError(f"type {kind.name!r} is kept for each user: say whose it is by identity=")
    every = (*kind.tags, *map(check_tag, tags))
    methods = READS | {one.upper() for one in reads}
    rules = _Rules(cache.answering, kind, every, methods, key, identity, when)

    def decorate(endpoint: Callable[P, Any]) -> Callable[P, Coroutine[Any, Any, Any]]:
        @wraps(endpoint)
        async def route(*args: P.args, **kwargs: P.kwargs) -> Any:
            request = _request_of(endpoint, args, kwargs)
            return await rules.answer(request, partial(_called, endpoint, args, kwargs))

        return route

    return decorate


class _Bypass(Exception):
    """The route runs, and nothing is kept; *why*, in one word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a decorator was told."""

    answering: Answering
    kind: Type
    tags: tuple[str, ...]
    reads: frozenset[str]
    key: Asking[str] | None
    identity: Asking[object] | None
    when: Asking[bool] | None

    async def answer(self, request: Request, endpoint: Callable[[], Awaitable[Any]]) -> Any:
        """What *endpoint* gives for *request*, now or earlier."""
        try:
            shared = await self._shared(request)
        except _Bypass as bypass:
            return _with(await endpoint(), responses.told_of_bypass(bypass.why))
        visit = shared.visit

        async def run() -> Given:
            live = await endpoint()
            if not isinstance(live, Response):
                self.answering.failed("keep", visit.path, f"the route gives {live.__class__.__name__}, not a Response")
            return _given(live, visit)

        return _response(await shared.reply(run), visit)

    async def _shared(self, request: Request) -> Shared:
        """What *request* asks of the cache; raises _Bypass: nothing."""
        if self.kind.refusal is not None:
            self.answering.tally.refused(self.kind.name)
            raise _Bypass("type")
        visit = _visit(request)
        why = visit.refusal(self.reads)
        if why is not None:
            raise _Bypass(why)
        if self.when is not None and not await self._asked(self.when, request, "when"):
            raise _Bypass("when")
        user = None
        if self.identity is not None:
            user = identity_of(await self._asked(self.identity, request, "identity"))
            if user is None:
                raise _Bypass("identity")
        elif visit.has_credentials or _is_authenticated(request):
            raise _Bypass("credentials")
        visit = await _with_body(visit, request)
        name = visit.name if self.key is None else visit.named(str(await self._asked(self.key, request, "key")))
        return Shared(self.answering, self.kind, self.tags, visit, name, user)

    async def _asked(self, question: Asking[T], request: Request, what: str) -> T:
        """What a function of the user's own says of *request*; raises _Bypass where it raises."""
        try:
            said = question(request)
            return await said if inspect.isawaitable(said) else said
        except Exception as error:  # noqa: BLE001 - it may raise anything, and the route runs
            self.answering.failed(what, request.scope["path"], repr(error))
            raise _Bypass(what) from None


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


async def _with_body(visit: Visit, request: Request) -> Visit:
    """*visit* with its body, which the route can read again; raises _Bypass: that cannot be had."""
    if visit.has_unknown_body():
        raise _Bypass("body")
    try:
        return visit.with_body(await request.body())
    except RuntimeError:  # somebody has streamed it
        raise _Bypass("body") from None


def _is_authenticated(request: Request) -> bool:
    """Whether Starlette's AuthenticationMiddleware knows who it is, by whatever means."""
    return bool(getattr(request.scope.get("user"), "is_authenticated", False))


def _given(live: Any, visit: Visit) -> Given:
    """What is to become of what a route gave."""
    if not isinstance(live, Response):
        return Given(live, why="no-response")
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in live.raw_headers)
    why = responses.refusal(live.status_code, headers)
    body: object = getattr(live, "body", None)
    if why is not None:
        return Given(live, why=why, failed=live.status_code >= 500)
    if not isinstance(body, bytes) or hasattr(live, "body_iterator"):
        return Given(live, why="streaming")
    if live.background is not None:
        return Given(live, why="background")
    return Given(live, responses.stored(live.status_code, headers, body, method=visit.method, request=visit.headers))


def _response(reply: Reply, visit: Visit) -> Any:
    """*reply* as an answer of Starlette's."""
    stored = reply.stored or reply.kept
    if stored is None:
        return _with(reply.live, reply.headers)
    unchanged = responses.not_modified(stored, method=visit.method, request=visit.headers)
    if unchanged is None and reply.stored is None:
        if "etag" not in reply.live.headers and (tag := responses.said(stored.headers, "etag")):
            reply.live.headers["etag"] = tag
        return _with(reply.live, reply.headers)
    return _with(_of(unchanged or stored), reply.headers)


def _of(stored: Stored) -> Response:
    response = Response(stored.body, stored.status)
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in stored.headers]
    return response


def _with(live: Any, headers: Any) -> Any:
    """*live* with *headers* as well; as it is, where it is no Response."""
    if isinstance(live, Response):
        live.headers.update(headers)
    return live
