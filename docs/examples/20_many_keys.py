"""
Many keys: thousands of them are forgotten at once, while readers of the others are served on.

    python docs/examples/20_many_keys.py [STORE]

It prints:

    kept: 2,000
    forgotten: agents:17 is None, at once
    untouched: teams:17 is 17
    left in the store: 1,000
"""

from __future__ import annotations

import asyncio
import sys

from hashcache import Cache

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-20")


async def keep(keys: list[tuple[str, int]]) -> int:
    """How many of *keys* were kept."""
    return sum([await cache.set(key, number) for key, number in keys])


async def main() -> None:
    wanted = [(f"{what}:{number}", number) for what in ("agents", "teams") for number in range(1000)]
    async with cache:
        await cache.clear()
        kept = await asyncio.gather(*(keep(wanted[start::10]) for start in range(10)))
        print(f"kept: {sum(kept):,}")
        await cache.invalidate("agents:*")  # holds from here on; the keys are scanned for, and deleted in batches
        print("forgotten: agents:17 is", await cache.get("agents:17"), end=", at once\n")
        print("untouched: teams:17 is", await cache.get("teams:17"))
        while ((await cache.stats()).keys or 0) > 1000:
            await asyncio.sleep(0.05)
        print(f"left in the store: {(await cache.stats()).keys:,}")


asyncio.run(main())
