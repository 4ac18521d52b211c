"""
Routes: the answers of a web application, with headers that say where they came from. Here Starlette; so in FastAPI.

    python docs/examples/03_routes.py [STORE]

It prints:

    GET /search?q=fast&page=1 -> 200 MISS route:/search:GET
    GET /search?page=1&q=fast -> 200 HIT route:/search:GET
    GET /search?q=fast&page=2 -> 200 MISS route:/search:GET
    GET /search?q=fast&page=1 refreshed -> 200 MISS route:/search:GET
    GET /search?q=fast&page=1 unchanged -> 304 HIT route:/search:GET
    POST /orders -> 201 BYPASS
    POST /orders -> 201 BYPASS
    searched 3 times, ordered 2 times
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hashcache import Cache
from hashcache.integrations.starlette import cached_route

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-03")
ran: Counter[str] = Counter()


@cached_route(cache, "search")
async def search(request: Request) -> Response:
    ran["search"] += 1
    return JSONResponse({"q": request.query_params["q"], "page": request.query_params["page"]})


@cached_route(cache)  # a POST changes something, so its answer is never kept
async def order(request: Request) -> Response:
    ran["order"] += 1
    return JSONResponse({"order": ran["order"]}, status_code=201)


app = Starlette(routes=[Route("/search", search), Route("/orders", order, methods=["POST"])])


def show(answer: httpx.Response, how: str = "") -> httpx.Response:
    """Print what a caller sees of *answer*."""
    target = answer.request.url.raw_path.decode()
    key = answer.headers.get("X-Cache-Key", "").rpartition(":")[0]  # without the digest at its end
    print(answer.request.method, target + how, "->", answer.status_code, answer.headers["X-Cache-Status"], *key.split())
    return answer


async def main() -> None:
    transport = httpx.ASGITransport(app)
    async with cache, httpx.AsyncClient(transport=transport, base_url="http://shop.example") as visitor:
        await cache.clear()
        show(await visitor.get("/search?q=fast&page=1"))
        show(await visitor.get("/search?page=1&q=fast"))  # the order of the words does not count
        show(await visitor.get("/search?q=fast&page=2"))
        forced = {"X-Force-Refresh": "true"}
        fresh = show(await visitor.get("/search?q=fast&page=1", headers=forced), " refreshed")
        known = {"If-None-Match": fresh.headers["ETag"]}
        show(await visitor.get("/search?q=fast&page=1", headers=known), " unchanged")
        for _ in range(2):
            show(await visitor.post("/orders"))
    print(f"searched {ran['search']} times, ordered {ran['order']} times")


asyncio.run(main())
