"""
What people write instead: FastAPI, redis-py, cache-aside.

Run by uvicorn with uvloop and httptools; REDIS_URL and PROVIDER_URL say where the cache and the paid API are. An upload
goes through `UploadFile`, as the framework's documentation has it; the connections are pooled; nothing is logged.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, UploadFile
from fastapi.responses import JSONResponse
from redis.asyncio import BlockingConnectionPool, Redis

WEEK = 7 * 24 * 3600
PIECE = 1024 * 1024


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The pool of connections to Redis and the client of the paid API, closed at the end."""
    pool = BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=20)  # noqa: TID251  # a program
    async with Redis(connection_pool=pool) as app.state.redis, httpx.AsyncClient() as app.state.http:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/api/analyze")
async def analyze(file: UploadFile) -> JSONResponse:
    """The answer about *file*, from the cache or bought now."""
    digest = hashlib.sha256()
    while piece := await file.read(PIECE):
        digest.update(piece)
    key = f"analysis:{digest.hexdigest()}"
    known = await app.state.redis.get(key)
    if known is not None:
        result = json.loads(known)
        return JSONResponse({"success": True, "cached": True, "result": result}, headers={"X-Cache": "HIT"})
    await file.seek(0)
    url = os.environ["PROVIDER_URL"]  # noqa: TID251  # a program of its own
    bought = await app.state.http.post(url, files={"file": (file.filename, await file.read())})
    bought.raise_for_status()
    await app.state.redis.set(key, bought.content, ex=WEEK)
    return JSONResponse({"success": True, "cached": False, "result": bought.json()}, headers={"X-Cache": "MISS"})
