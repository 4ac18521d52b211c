"""
Refreshed ahead: what is asked for all the time is computed anew before it expires, and nobody ever waits for it again.

    python docs/examples/10_refresh_ahead.py [STORE]

It prints:

    computed more than once: True
    callers who waited: 1, the first
"""

from __future__ import annotations

import asyncio
import sys

from hashcache import Cache, Type

# 1 is the best for most: the slower the function, the earlier it runs again. More is earlier; here the TTL is short.
PRICES = Type("prices", ttl=3, refresh=10)

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-10", types=[PRICES])
computed: list[str] = []


@cache.cached("prices")
async def prices(shop: str) -> int:
    computed.append(shop)
    await asyncio.sleep(0.1)
    return len(computed)


async def main() -> None:
    async with cache:
        await cache.clear()
        for _ in range(100):
            await prices("acme")
            await asyncio.sleep(0.02)
        stats = await cache.stats()
    print("computed more than once:", len(computed) > 1)
    print("callers who waited:", f"{stats.misses}, the first" if stats.misses == 1 else stats.misses)


asyncio.run(main())
