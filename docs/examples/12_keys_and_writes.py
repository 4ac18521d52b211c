"""
Keys declared once, with the pattern that invalidates them; and a write that forgets all that it touches.

    python docs/examples/12_keys_and_writes.py [STORE]

It prints:

    key:     agents:list:acme:2
    pattern: agents:list:acme:*
    reading agent 7
    listing acme, page 1
    listing acme, page 2
    listing other, page 1
    Ann is now called Anna
    reading agent 7
    listing acme, page 1
    a write that fails forgets nothing: Anna
"""

from __future__ import annotations

import asyncio
import sys

from hashcache import Cache, Keys

AGENT = Keys("agent:{id}")
AGENTS = Keys("agents:list:{org}:{page}")

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-12")
names = {7: "Ann"}


@cache.cached(key=AGENT, ttl=600)
async def agent(id: int) -> str:
    print("reading agent", id)
    return names[id]


@cache.cached("lists", key=AGENTS)
async def agents(org: str, page: int = 1) -> list[str]:
    print(f"listing {org}, page {page}")
    return list(names.values())


@cache.invalidates(key=AGENT, pattern=AGENTS)  # this agent, and each page of this org's list
async def rename(org: str, id: int, name: str) -> None:
    if not name:
        raise ValueError("an agent has a name")
    print(names[id], "is now called", name)
    names[id] = name


async def main() -> None:
    print("key:    ", AGENTS.key(org="acme", page=2))
    print("pattern:", AGENTS.pattern(org="acme"))
    async with cache:
        await cache.clear()
        await agent(7)
        for org, page in (("acme", 1), ("acme", 2), ("other", 1)):
            await agents(org, page)
        await rename("acme", 7, "Anna")
        await agent(7)
        await agents("acme")
        await agents("other")  # still a hit: it was not touched
        try:
            await rename("acme", 7, "")
        except ValueError:
            print("a write that fails forgets nothing:", await agent(7))


asyncio.run(main())
