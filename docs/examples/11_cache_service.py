"""
Get, set, delete, invalidate, clear and statistics, without a decorator.

    python docs/examples/11_cache_service.py [STORE]

It prints:

    enabled: True
    set: True
    get: {'open': 3, 'teams': ['sales', 'support']}
    get what nobody has set: None
    delete: True, and again: False
    invalidate teams:*: 2
    get_or_load: computed, then computed
    keys: 1, hits: 2, misses: 2, hit rate: 50.0 %
    clear: 1
    a value that would not come back as it is: NotKept
"""

from __future__ import annotations

import asyncio
import sys

from hashcache import Cache, NotKept

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-11")


async def load() -> str:
    return "computed"


async def main() -> None:
    print("enabled:", cache.is_enabled)
    async with cache:
        await cache.clear()
        print("set:", await cache.set("agents:7", {"open": 3, "teams": ["sales", "support"]}, ttl=60))
        print("get:", await cache.get("agents:7"))
        print("get what nobody has set:", await cache.get("agents:8"))
        print(f"delete: {await cache.delete('agents:7')}, and again: {await cache.delete('agents:7')}")
        for key in ("teams:1", "teams:2"):
            await cache.set(key, "kept", type="lists")  # 300 seconds, as the type says
        print("invalidate teams:*:", await cache.invalidate("teams:*", reason="reorganised"))
        first, second = await cache.get_or_load("report", load), await cache.get_or_load("report", load)
        print(f"get_or_load: {first}, then {second}")
        stats = await cache.stats()
        print(f"keys: {stats.keys}, hits: {stats.hits}, misses: {stats.misses}, hit rate: {stats.hit_rate} %")
        print("clear:", await cache.clear())
        try:
            await cache.set("agents:9", {"when": object()})
        except NotKept as error:
            print("a value that would not come back as it is:", type(error).__name__)


asyncio.run(main())
