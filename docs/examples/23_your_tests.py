"""
Tests of your own code: your cache as it is, in memory, with a forced hit, a forced miss, and time in your hand.

    python docs/examples/23_your_tests.py

It prints:

    a hit by force: 7
    a miss by force: 4
    after 300 seconds: 4
    who ran: HIT, MISS ran, MISS ran
    another user: MISS ran
"""

from __future__ import annotations

import asyncio

from hashcache import Cache
from hashcache.testing import in_memory

cache = Cache("redis://production.invalid")  # as your application makes it; nothing here goes there


@cache.cached("dashboard")
async def dashboard(org: str) -> int:
    return len(org)


@cache.cached("user", per="user")
async def inbox(user: str) -> str:
    return f"mail for {user}"


async def main() -> None:
    async with in_memory(cache) as bench:
        await bench.give(7, dashboard, "acme")
        print("a hit by force:", await dashboard("acme"))
        with bench.forced_miss():
            print("a miss by force:", await dashboard("acme"))
        bench.clock.advance(300)
        print("after 300 seconds:", await dashboard("acme"))
        print("who ran:", ", ".join(f"{call.status} ran" if call.ran else call.status for call in bench.calls))
        await inbox("ann")
        await inbox("bob")
        print("another user:", bench.calls[-1].status, "ran" if bench.calls[-1].ran else "did not run")


asyncio.run(main())
