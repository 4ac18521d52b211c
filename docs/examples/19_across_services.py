"""
Across services: one of them invalidates, all of them have forgotten when the call returns, and who listens is told.

    python docs/examples/19_across_services.py [STORE]

Three caches on one store stand for three services; without a STORE it is a SQLite file in a temporary folder.
It prints:

    everybody has: ['Ann', 'Bob'] ['Ann', 'Bob'] ['Ann', 'Bob']
    billing invalidates agents:*, and so many others listened: 2
    everybody has: None None None
    support was told: pattern agents:*, reason 'nightly import', by another: True, with a time: True
"""

from __future__ import annotations

import asyncio
import sys
import tempfile

from hashcache import Cache, Invalidated


async def show(services: tuple[Cache, ...]) -> None:
    """Print what each of *services* is given."""
    print("everybody has:", *[await service.get("agents:list") for service in services])


async def run(store: str) -> None:
    billing, support, search = (Cache(store, environment="example-19") for _ in range(3))
    heard: asyncio.Queue[Invalidated] = asyncio.Queue()
    async with billing, support, search:
        await billing.clear()
        support.on_invalidate(lambda told: heard.put_nowait(told) if told.pattern == "agents:*" else None)
        await billing.set("agents:list", ["Ann", "Bob"], type="lists")
        await show((billing, support, search))
        listened = await billing.publish_invalidation("agents:*", reason="nightly import")
        print("billing invalidates agents:*, and so many others listened:", listened)
        await show((billing, support, search))
        told = await heard.get()
        print(f"support was told: pattern {told.pattern}, reason {told.reason!r}", end=", ")
        print(f"by another: {not told.here}, with a time: {told.at.tzinfo is not None}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(sys.argv[1] if sys.argv[1:] else f"sqlite:///{folder}/cache.sqlite3"))


main()
