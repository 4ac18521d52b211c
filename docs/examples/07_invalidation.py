"""
Invalidation: by key, pattern, tag, type, or all; nobody is given what was forgotten once the call has returned.

    python docs/examples/07_invalidation.py [STORE]

It prints:

    at first            agents:1 agents:2 teams:1 search
    delete agents:1     agents:2 teams:1 search
    pattern agents:*    teams:1 search
    tag acme            search
    type search         nothing
    a run that was under way: 'old price' for who waited, and kept: None
"""

from __future__ import annotations

import asyncio
import sys

from hashcache import Cache

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-07")
KEYS = ("agents:1", "agents:2", "teams:1", "search")


async def show(what: str) -> None:
    """Print which keys are kept."""
    kept = [key for key in KEYS if await cache.get(key) is not None]
    print(f"{what:<20}{' '.join(kept) or 'nothing'}")


async def main() -> None:
    async with cache:
        await cache.clear()
        await cache.set("agents:1", "Ann", type="lists")
        await cache.set("agents:2", "Bob", type="lists")
        await cache.set("teams:1", "Sales", type="lists", tags=("acme",))
        await cache.set("search", ["fast", "cache"], type="search")
        await show("at first")
        await cache.delete("agents:1")
        await show("delete agents:1")
        await cache.invalidate("agents:*", reason="import")  # * is the only wildcard
        await show("pattern agents:*")
        await cache.invalidate(tag="acme")
        await show("tag acme")
        await cache.invalidate(type="search")
        await show("type search")
        await overtaken()


async def overtaken() -> None:
    """What is computed while it is being forgotten is old: it is given to who waits, and not kept."""
    running, go = asyncio.Event(), asyncio.Event()

    async def price() -> str:
        running.set()
        await go.wait()
        return "old price"

    waiting = asyncio.create_task(cache.get_or_load("price", price))
    await running.wait()
    await cache.clear(reason="prices changed")
    go.set()
    print(f"a run that was under way: {await waiting!r} for who waited, and kept: {await cache.get('price')}")


asyncio.run(main())
