"""
`cached_route`: routes of Flask whose answers are kept.

    @app.get("/agents/<int:id>")
    @cached_route(cache, "lists", identity=lambda request: session.get("user"))
    def agent(id: int) -> dict[str, Any]: ...

Rule 1: a route runs in the thread and in the context of the request that asks. Only a refresh in the background, whose
        visitor is gone, has a context of its own, for the same request.
Rule 2: what is streamed, sent from a file, or leaves work for later is never kept, nor is the answer of a route that
        changes its visitor's session.
Rule 3: what is asked of the cache is decided in `routes`, and what becomes of an answer in `sharing`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote
from weakref import WeakKeyDictionary

from flask import Flask, Request, Response, copy_current_request_context, current_app, request
from flask.globals import request_ctx
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from hashcache.integrations import responses
from hashcache.integrations.blocking import SyncCache
from hashcache.integrations.routes import Bypass, Rules, Step
from hashcache.integrations.sessions import watched
from hashcache.integrations.sharing import Given, Reply, Shared, given
from hashcache.integrations.threads import ThreadRun
from hashcache.integrations.types import DEFAULT, Duration, Type
from hashcache.integrations.visits import Visit

P = ParamSpec("P")
T = TypeVar("T")
#: What is asked of a request.
Asking = Callable[[Request], T]
_NAME = "hashcache"


def init_app(app: Flask, cache: SyncCache) -> None:
    """
    Make *cache* the one that `current_cache` finds in requests to *app*. Each process opens it at its first request,
    if nobody has, so it may be made before workers are forked; it is open until the process ends.

    Raises:
        RuntimeError: *app* has another one.
    """
    if app.extensions.setdefault(_NAME, cache) is not cache:
        raise RuntimeError("this application has another cache already")
    app.before_request(cache.keep_open)


def current_cache() -> SyncCache:
    """
    The cache of the application that answers.

    Raises:
        RuntimeError: it has none, or no application answers.
    """
    found: SyncCache | None = current_app.extensions.get(_NAME)
    if found is None:
        raise RuntimeError("this application has no cache: say init_app(app, cache) where it is made")
    return found


def cached_route(
    cache: SyncCache | Callable[[], SyncCache],
    type: Type | str = DEFAULT,  # noqa: A002 - the word of those who use it
    *,
    ttl: Duration | None = None,
    key: Asking[str] | None = None,
    identity: Asking[object] | None = None,
    tags: tuple[str, ...] = (),
    reads: Collection[str] = (),
    when: Asking[bool] | None = None,
) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
    """
    A decorator that keeps a route's answers in *cache*, or in that which *cache* finds at each request (such as
    `current_cache`), as *type* says, or for *ttl*.

    *key*: what makes the key of a request; what it leaves out does not count, but method, identity and Vary always do.
    *identity*: whose answer it is; for nobody (None or "") nothing is kept. Without it, neither is any answer to a
    request with credentials. *tags*: under which the answers can be invalidated. *reads*: methods, beside GET and HEAD,
    that change nothing. *when*: whether this request is for the cache.

    Raises (where *cache* is to be found at the first request):
        ValueError: no type is called so. TypeError: the type is kept for each user, and nobody says which; or the
            cache is no SyncCache.
    """
    words = partial(Rules.told, kind=type, ttl=ttl, key=key, identity=identity, tags=tags, reads=reads, when=when)
    known: WeakKeyDictionary[SyncCache, Rules] = WeakKeyDictionary()

    def rules_of(cache: SyncCache) -> Rules:
        if not isinstance(cache, SyncCache):
            raise TypeError(f"routes of Flask are kept in a hashcache.SyncCache, not in a {cache.__class__.__name__}")
        rules = known.get(cache)
        if rules is None:
            rules = known[cache] = words(cache.answering)
        return rules

    if isinstance(cache, SyncCache) or not callable(cache):
        rules_of(cache)  # what is wrong is said now

    def decorate(endpoint: Callable[P, Any]) -> Callable[P, Response]:
        @wraps(endpoint)
        def route(*args: P.args, **kwargs: P.kwargs) -> Response:
            rules = rules_of(cache if isinstance(cache, SyncCache) else cache())
            return _answer(rules, partial(_called, endpoint, args, kwargs))

        return route

    return decorate


def _answer(rules: Rules, endpoint: Callable[[], Response]) -> Response:
    """What *endpoint* gives for the current request, now or earlier."""
    try:
        shared = _shared(rules)
    except Bypass as bypass:
        return _with(endpoint(), responses.told_of_bypass(bypass.why))
    visit, asker = shared.visit, threading.get_ident()

    def run() -> Given:
        if threading.get_ident() == asker:
            return _given(endpoint, visit)
        alone = copy_current_request_context(partial(_given, endpoint, visit))
        with current_app.app_context():
            return alone()

    try:
        opened = rules.answering.opened
    except RuntimeError as error:
        return _with(endpoint(), shared.failed(error))
    turn = ThreadRun(run, opened.refreshes)
    reply: Reply = turn.ask(opened.loop, shared.reply(turn.run))
    return _response(reply.to(visit))


def _shared(rules: Rules) -> Shared:
    """What the current request asks of the cache; raises Bypass: nothing."""
    steps = rules.steps(_visit(), known=bool(request.remote_user))
    try:
        step = next(steps)
        while True:
            try:
                found = _found(step)
            except Exception as error:  # noqa: BLE001 - the rules tell what becomes of it
                step = steps.throw(error)
            else:
                step = steps.send(found)
    except StopIteration as end:
        shared: Shared = end.value
        return shared


def _found(step: Step) -> Any:
    """What *step* finds out of the current request."""
    if step.question is not None:
        return current_app.ensure_sync(step.question)(request)
    try:
        body = request.get_data()  # which the route can read again
    except HTTPException:  # too large for the application, or not whole: the route will say so
        return None
    return body if len(body) == (request.content_length or 0) else None  # else somebody has read it


def _called(endpoint: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Response:
    """What *endpoint* gives, as Flask makes an answer of it."""
    return current_app.make_response(current_app.ensure_sync(endpoint)(*args, **kwargs))


def _visit() -> Visit:
    """The current request, without its body."""
    inside = request.environ.get("SCRIPT_NAME", "") + request.environ.get("PATH_INFO", "")
    sent: str = request.environ.get("REQUEST_URI") or quote(inside.encode("latin-1"))  # not every server tells it
    return Visit(
        method=request.method,
        scheme=request.scheme,
        host=request.headers.get("Host", ""),
        path=inside.encode("latin-1").decode(errors="replace"),
        raw_path=sent.partition("?")[0],
        query=request.query_string.decode("latin-1"),
        headers=tuple((name.lower(), value) for name, value in request.headers.items()),
    )


def _given(endpoint: Callable[[], Response], visit: Visit) -> Given:
    """What *endpoint* gives, and what is to become of it."""
    context = request_ctx
    later = len(context._after_request_functions)  # noqa: SLF001 - nothing public tells of work that is left for later
    with watched(context._session) as session:  # noqa: SLF001 - what is public counts each look as a use (Vary: Cookie)
        live = endpoint()
    headers = tuple((name.lower(), value) for name, value in live.headers.items())
    body = live.get_data() if live.is_sequence and not live.direct_passthrough else None
    work = live._on_close or len(context._after_request_functions) > later  # noqa: SLF001 - as above
    obstacle = "background" if work else "session" if session.changed else None
    return given(live, visit, status=live.status_code, headers=headers, body=body, obstacle=obstacle)


def _response(reply: Reply) -> Response:
    """*reply* as an answer of Flask's."""
    live: Response = reply.live if reply.stored is None else _of(reply.stored)
    return _with(live, reply.headers)


def _of(stored: responses.Stored) -> Response:
    response = current_app.response_class(stored.body, stored.status)
    response.headers = Headers(stored.headers)
    return response


def _with(live: Response, headers: Any) -> Response:
    """*live* with *headers* as well."""
    live.headers.update(headers)
    return live
