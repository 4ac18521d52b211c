"""
Who is compared: one function that is cached by hashcache, cashews or aiocache, as somebody who knows the library would
write it.

Rule 1: all cache the same function and give equal answers; each keeps them as it does if it is not told otherwise
        (hashcache as JSON, cashews as a pickle, aiocache as JSON).
Rule 2: where it is `near`, cashews and aiocache keep objects in this process's memory and hand out the very same ones;
        hashcache keeps bytes in its near memory, in front of Redis, and gives each caller an answer of his own.
Rule 3: `store` is Redis alone; `once` is Redis with whatever the library has against a stampede. cashews takes its lock
        for hits too, which triples what they cost, so its hits are measured without.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

#: A report about number n.
Report = Callable[[int], Awaitable[dict[str, Any]]]
#: Decorates a report; open while its block lasts. Is given the report, where Redis is, and the place.
Cached = Callable[[Report, str, str], AbstractAsyncContextManager[Report]]

LIFE = 600
NEAR, STORE, ONCE = "near", "store", "once"
#: Some 1 KB of JSON.
_ROWS = [{"id": row, "name": f"agent {row}", "score": 0.5 + row / 100, "active": row % 2 == 0} for row in range(17)]


def answer(number: int) -> dict[str, Any]:
    """What the report about *number* says."""
    return {"number": number, "title": "open cases", "open": 3, "rows": [dict(row) for row in _ROWS]}


@asynccontextmanager
async def hashcache(report: Report, url: str, place: str) -> AsyncIterator[Report]:
    """The library of this project; for the store its near memory is off."""
    from hashcache import Cache  # noqa: PLC0415 - each process loads one contender alone

    cache = Cache(url, environment=f"bench-{place}", near_bytes=0 if place == STORE else 64_000_000)
    cached: Report = cache.cached(ttl=LIFE)(report)
    async with cache:
        yield cached


@asynccontextmanager
async def cashews(report: Report, url: str, place: str) -> AsyncIterator[Report]:
    """In memory a bounded one that holds all; on Redis as it comes, with pickles that are not signed."""
    from cashews import Cache  # noqa: PLC0415 - as above

    cache = Cache()
    cache.setup("mem://?size=10000" if place == NEAR else url)
    await cache.init()
    cached: Report = cache(ttl=LIFE, key=place + ":report:{number}", lock=place == ONCE)(report)
    yield cached
    await cache.close()


@asynccontextmanager
async def aiocache(report: Report, url: str, place: str) -> AsyncIterator[Report]:
    """JSON in Redis; against a stampede the decorator for that, with its lease."""
    from aiocache import Cache, cached, cached_stampede  # noqa: PLC0415 - as above
    from aiocache.serializers import JsonSerializer  # noqa: PLC0415 - as above

    where = urlsplit(url)
    redis: dict[str, Any] = {
        "cache": Cache.REDIS,
        "endpoint": where.hostname,
        "port": where.port,
        "serializer": JsonSerializer(),
    }
    decorate = cached_stampede if place == ONCE else cached
    kept: Any = decorate(ttl=LIFE, namespace=f"{place}:", **({} if place == NEAR else redis))(report)
    yield kept
    await kept.cache.close()


CONTENDERS: dict[str, Cached] = {"hashcache": hashcache, "cashews": cashews, "aiocache": aiocache}
OURS = "hashcache"
