"""
A paid language model behind an endpoint: a policy for each sort of question, users apart, the money counted.

    python docs/examples/15_llm_endpoint.py [STORE]

It prints:

    ann  POST /compact               MISS
    ann  POST /compact               HIT
    bob  POST /compact               MISS
    ann  POST /compact refreshed     MISS
    ann  POST /tools/read_file       MISS
    ann  POST /tools/read_file       HIT
    ann  POST /tools/send_mail       BYPASS
    ann  POST /tools/send_mail       BYPASS
    ann  POST /conversation          BYPASS
    ann  POST /conversation          BYPASS
    10 questions, 8 calls at $0.002: $0.016 spent, $0.004 saved
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hashcache import Cache
from hashcache.integrations.starlette import cached_route

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-15")
PRICE = Decimal("0.002")
calls: list[str] = []


def user(request: Request) -> str | None:
    """Whose answer it is: here a header, in your application whom the session names."""
    return request.headers.get("X-User")


def reads(request: Request) -> bool:
    """Whether a tool only reads: what has an effect must happen each time."""
    return str(request.path_params["name"]).startswith("read_")


async def model(request: Request) -> Response:
    """Stands for the paid call."""
    calls.append(request.url.path)
    return JSONResponse({"answer": f"{len(calls)} calls so far"})


compact = cached_route(cache, "compact_results", identity=user, reads=("POST",))(model)
tool = cached_route(cache, "mcp_readonly", identity=user, reads=("POST",), when=reads)(model)
conversation = cached_route(cache, "conversations", identity=user, reads=("POST",))(model)  # a type that is off

app = Starlette(
    routes=[
        Route("/compact", compact, methods=["POST"]),
        Route("/tools/{name}", tool, methods=["POST"]),
        Route("/conversation", conversation, methods=["POST"]),
    ]
)


async def main() -> None:
    asked = [("ann", "/compact", False), ("ann", "/compact", False), ("bob", "/compact", False)]
    asked += [("ann", "/compact", True)]
    asked += [("ann", path, False) for path in ("/tools/read_file", "/tools/send_mail", "/conversation") for _ in "12"]
    transport = httpx.ASGITransport(app)
    async with cache, httpx.AsyncClient(transport=transport, base_url="http://llm.example") as caller:
        await cache.clear()
        for who, path, force in asked:
            headers = {"X-User": who, "X-Force-Refresh": "true" if force else "false"}
            answer = await caller.post(path, json={"prompt": "What is new?"}, headers=headers)
            what = f"{path} refreshed" if force else path
            print(f"{who}  POST {what:<22} {answer.headers['X-Cache-Status']}")
    saved = (len(asked) - len(calls)) * PRICE
    print(f"{len(asked)} questions, {len(calls)} calls at ${PRICE}: ${len(calls) * PRICE} spent, ${saved} saved")


asyncio.run(main())
