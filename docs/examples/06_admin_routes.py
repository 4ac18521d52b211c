"""
Administration of a cache over HTTP: four routes for an application of your own, behind a guard of your own.

    python docs/examples/06_admin_routes.py [STORE]

It prints:

    a stranger gets 403
    GET /api/cache/stats -> hits 3, misses 1, errors 0, total_requests 4, hit_rate 75.0, is_available True
    POST /api/cache/invalidate/dashboard -> 200, 1 deleted
    POST /api/cache/invalidate-pattern {'pattern': 'agents:*'} -> 200, 2 deleted
    POST /api/cache/clear-all -> 200, 1 deleted
    POST /api/cache/invalidate/dashbord -> 404, 0 deleted
"""

from __future__ import annotations

import asyncio
import hmac
import sys

import httpx
from starlette.applications import Starlette
from starlette.requests import Request

from hashcache import Cache
from hashcache.integrations.admin import admin_routes

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-06")
TOKEN = "only-for-this-example"


@cache.cached("dashboard")
async def dashboard(org: str) -> str:
    return f"dashboard of {org}"


def is_admin(request: Request) -> bool:
    """Whether *request* comes from an administrator; ask your own sessions here."""
    return hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {TOKEN}")


app = Starlette(routes=admin_routes(cache, guard=is_admin))


async def post(admin: httpx.AsyncClient, path: str, body: dict[str, str] | None = None) -> None:
    """Post *body* to *path*, and print what becomes of it."""
    answer = await admin.post(path, json=body)
    told = f" {body}" if body else ""
    print(f"POST {path}{told} -> {answer.status_code}, {answer.json().get('deleted_keys', 0)} deleted")


async def main() -> None:
    transport = httpx.ASGITransport(app)
    async with cache, httpx.AsyncClient(transport=transport, base_url="http://shop.example") as admin:
        await cache.clear()
        for _ in range(4):
            await dashboard("acme")
        for key in ("agents:1", "agents:2", "teams:1"):
            await cache.set(key, "kept")
        print("a stranger gets", (await admin.get("/api/cache/stats")).status_code)
        admin.headers["Authorization"] = f"Bearer {TOKEN}"
        stats = (await admin.get("/api/cache/stats")).json()["cache_stats"]
        print("GET /api/cache/stats ->", ", ".join(f"{name} {value}" for name, value in stats.items()))
        await post(admin, "/api/cache/invalidate/dashboard")
        await post(admin, "/api/cache/invalidate-pattern", {"pattern": "agents:*"})
        await post(admin, "/api/cache/clear-all")
        await post(admin, "/api/cache/invalidate/dashbord")


asyncio.run(main())
