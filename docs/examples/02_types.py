"""
Types: how long answers live is said once, by what they are, and each type has its own figures.

    python docs/examples/02_types.py [STORE]

It prints:

    kept for: dashboard 300 s, search 3600 s, product 7200 s, analytics 600 s, reports 21600 s
    dashboard: 9 of 10 were hits, 90.0 %
    reports: 1 of 2 were hits, 50.0 %, fewer than the 85 % that are expected
    ttl=0: the ttl of type 'reports' must be positive and at most ten years, not 0: nothing is kept for ever
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from hashcache import TYPES, Cache, Type

REPORTS = Type("reports", ttl=timedelta(hours=6), target_hit_rate=85)

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-02", types=[REPORTS])


@cache.cached("dashboard")
async def dashboard(org: str) -> str:
    return f"dashboard of {org}"


@cache.cached("reports")
async def report(month: str) -> str:
    return f"report of {month}"


def seconds(kind: Type) -> int:
    """How long answers of *kind* live."""
    return int(kind.ttl.total_seconds() if isinstance(kind.ttl, timedelta) else kind.ttl)


async def main() -> None:
    types = [TYPES[name] for name in ("dashboard", "search", "product", "analytics")]
    print("kept for:", ", ".join(f"{one.name} {seconds(one)} s" for one in [*types, REPORTS]))
    async with cache:
        await cache.clear()
        for _ in range(10):
            await dashboard("acme")
        await report("May")
        await report("May")
        by_type = (await cache.stats()).by_type
        for name in ("dashboard", "reports"):
            one = by_type[name]
            print(f"{name}: {one.hits} of {one.total_requests} were hits, {one.hit_rate} %", end="")
            print(f", fewer than the {one.target_hit_rate:.0f} % that are expected" if one.on_target is False else "")
    try:
        Type("reports", ttl=0)
    except ValueError as error:
        print("ttl=0:", error)


asyncio.run(main())
