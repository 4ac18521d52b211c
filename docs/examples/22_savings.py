"""
What it saves: a month of analyses at a cent each, of which many were asked before.

    python docs/examples/22_savings.py [STORE]

It prints:

    1,000 analyses, 300 of them new: 70.0 % hits, $3.00 spent, $7.00 saved
    2,000 analyses, 500 of them new: 75.0 % hits, $5.00 spent, $15.00 saved
    a failure costs once, and is not kept: 2 calls for 2 failures
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

from hashcache import Cache, Type

PRICE = Decimal("0.01")
VERDICTS = Type("verdicts", ttl=7 * 24 * 3600, target_hit_rate=70)

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-22", types=[VERDICTS])
paid: list[str] = []


@cache.cached("verdicts")
async def verdict(sha256: str) -> float:
    paid.append(sha256)  # here the vendor is called
    if sha256 == "broken":
        raise ConnectionError("the vendor does not answer")
    return 0.98


async def month(analyses: int, new: int) -> None:
    """Ask for *analyses* verdicts about *new* different files."""
    await cache.clear()
    paid.clear()
    before = await cache.stats()
    for number in range(analyses):
        await verdict(f"file {number % new}")
    now = await cache.stats()
    rate = 100 * (now.hits - before.hits) / (now.total_requests - before.total_requests)
    spent, saved = len(paid) * PRICE, (analyses - len(paid)) * PRICE
    print(f"{analyses:,} analyses, {new} of them new: {rate} % hits, ${spent} spent, ${saved} saved")


async def main() -> None:
    async with cache:
        await month(1_000, 300)
        await month(2_000, 500)
        paid.clear()
        for _ in range(2):
            try:
                await verdict("broken")
            except ConnectionError:
                continue
        print("a failure costs once, and is not kept:", len(paid), "calls for 2 failures")


asyncio.run(main())
