"""
The same small site in each framework, over a real socket: what one of them answers, the other one must.

The site's only clerk answers each request as the test tells it beforehand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import flask
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hashcache import Cache, SyncCache
from hashcache.integrations import flask as for_flask
from hashcache.integrations import starlette as for_starlette
from hashcache.integrations.admin import admin_routes
from hashcache.integrations.flask_admin import admin_blueprint
from hashcache.testing import Bench, in_memory, in_memory_sync
from tests.harness.http import client
from tests.harness.served import served
from tests.harness.wsgi import served_wsgi

METHODS = ["GET", "HEAD", "POST", "PUT"]
#: By the name of the route: what its decorator is told.
Words = Mapping[str, Mapping[str, Any]]


@dataclass
class Clerk:
    """Answers with *status* and *headers*, and how often it ran; or raises, if *failing*."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    failing: bool = False
    runs: int = 0

    def answer(self, sent: bytes) -> tuple[bytes, int, dict[str, str]]:
        """Body, status and headers."""
        self.runs += 1
        if self.failing:
            raise ZeroDivisionError
        return b"run %d sent %s" % (self.runs, sent), self.status, {"Content-Type": "text/plain", **self.headers}


@dataclass
class Site:
    """A site that listens: its *clerk*, a *client*, and the time of its cache."""

    clerk: Clerk
    client: httpx.AsyncClient
    bench: Bench


def is_admin(request: Any) -> bool:
    """The guard of the administrators' routes."""
    return bool(request.headers.get("X-Admin") == "yes")


@asynccontextmanager
async def starlette_site(words: Words) -> AsyncIterator[Site]:
    """With a route below /NAME for each name in *words*, and the administrators' routes."""
    cache, clerk = Cache("memory://"), Clerk()

    def made(name: str) -> Route:
        @for_starlette.cached_route(cache, **words[name])
        async def endpoint(request: Request) -> Response:
            return Response(*clerk.answer(await request.body()))

        return Route(f"/{name}/{{path:path}}", endpoint, methods=METHODS)

    app = Starlette(routes=[*map(made, words), *admin_routes(cache, guard=is_admin)])
    async with in_memory(cache) as bench, served(app) as web:
        yield Site(clerk, web, bench)


@asynccontextmanager
async def flask_site(words: Words) -> AsyncIterator[Site]:
    """The same."""
    cache, clerk, app = SyncCache("memory://"), Clerk(), flask.Flask(__name__)

    def add(name: str) -> None:
        @app.route(f"/{name}/", methods=METHODS, endpoint=name)
        @app.route(f"/{name}/<path:path>", methods=METHODS, endpoint=name)
        @for_flask.cached_route(cache, **words[name])
        def view(path: str = "") -> flask.Response:
            return flask.Response(*clerk.answer(flask.request.get_data()))

    for name in words:
        add(name)
    app.register_blueprint(admin_blueprint(cache, guard=is_admin))
    with in_memory_sync(cache) as bench, served_wsgi(app) as url:
        async with client(url) as web:
            yield Site(clerk, web, bench)


SITES: tuple[Callable[[Words], AbstractAsyncContextManager[Site]], ...] = (starlette_site, flask_site)
