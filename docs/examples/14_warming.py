"""
Warming: calls that are made before anybody asks, so many at a time, with progress; and while people already ask.

    python docs/examples/14_warming.py [STORE]

It prints:

    warmed 1 of 4, 0 failed
    warmed 2 of 4, 0 failed
    warmed 3 of 4, 1 failed
    warmed 4 of 4, 1 failed
    the first visitor: dashboard of acme, in fact a HIT: True
"""

from __future__ import annotations

import asyncio
import logging
import sys
from functools import partial

from hashcache import Cache, Warmed

cache = Cache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-14")


@cache.cached("dashboard")
async def dashboard(org: str) -> str:
    if org == "broken":
        raise LookupError(org)
    return f"dashboard of {org}"


def progress(warmed: Warmed) -> None:
    print(f"warmed {warmed.done} of {warmed.total}, {warmed.failed} failed")


async def main() -> None:
    logging.getLogger("hashcache").addHandler(logging.NullHandler())  # the log has the traceback of what failed
    logging.getLogger("hashcache").propagate = False
    async with cache:
        await cache.clear()
        orgs = ("acme", "other", "broken", "third")
        await cache.warm([partial(dashboard, org) for org in orgs], progress=progress, at_once=1)
        before = (await cache.stats()).hits
        print("the first visitor:", await dashboard("acme"), end=", ")
        print("in fact a HIT:", (await cache.stats()).hits == before + 1)


asyncio.run(main())
