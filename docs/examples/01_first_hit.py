"""
The first hit: a slow function runs once, however its call is written.

    python docs/examples/01_first_hit.py [STORE]

It prints:

    computing acme
    {'open': 3, 'days': 7}
    {'open': 3, 'days': 7}
    {'open': 3, 'days': 7}
    a hit takes less than a hundredth of the time: True
    11 hits and 1 miss
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter

from hashcache import Cache

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-01")


@cache.cached("dashboard")  # a type: answers are kept for 300 seconds
async def dashboard(org: str, days: int = 7) -> dict[str, int]:
    print("computing", org)
    await asyncio.sleep(0.61)  # a slow query
    return {"open": 3, "days": days}


async def seconds() -> float:
    """How long one call takes."""
    start = perf_counter()
    await dashboard("acme")
    return perf_counter() - start


async def main() -> None:
    async with cache:
        await cache.clear()  # begin anew, also on a store that keeps what an earlier run left
        start = perf_counter()
        print(await dashboard("acme"))
        slow = perf_counter() - start
        print(await dashboard("acme", 7))
        print(await dashboard(days=7, org="acme"))
        fast = min([await seconds() for _ in range(9)])
        print("a hit takes less than a hundredth of the time:", fast < slow / 100)
        stats = await cache.stats()
        print(stats.hits, "hits and", stats.misses, "miss")


asyncio.run(main())
