"""
A store that is away: nothing is raised, functions run, the log says so, and readiness is a question of `stats`.

    python docs/examples/13_store_away.py

It prints:

    get: None
    set: False
    delete: False
    callers at the same moment still share one run: [1, 1, 1, 1, 1]
    enabled: True, available: False, status: degraded, errors counted: True
    the log: cache.error operation=connect, cache.error operation=delete, cache.error operation=set
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hashcache import Cache

cache = Cache("redis://127.0.0.1:1")  # nobody listens there
ran: list[str] = []


@cache.cached("dashboard")
async def dashboard(org: str) -> int:
    ran.append(org)
    await asyncio.sleep(0.1)
    return len(ran)


class Collected(logging.Handler):
    """The first two words of each line of the log."""

    def __init__(self, add: Callable[[str], None]) -> None:
        super().__init__()
        self._add = add

    def emit(self, record: logging.LogRecord) -> None:
        self._add(" ".join(record.getMessage().split()[:2]))


async def main() -> None:
    said: set[str] = set()
    log = logging.getLogger("hashcache")
    log.addHandler(Collected(said.add))
    log.propagate = False
    async with cache:
        print("get:", await cache.get("agents:7"))
        print("set:", await cache.set("agents:7", "Ann"))
        print("delete:", await cache.delete("agents:7"))
        answers = await asyncio.gather(*(dashboard("acme") for _ in range(5)))
        print("callers at the same moment still share one run:", answers)
        stats = await cache.stats()
        print(f"enabled: {stats.enabled}, available: {stats.available}, status: {stats.status}", end=", ")
        print("errors counted:", stats.errors > 0)
    print("the log:", ", ".join(sorted(said)))


asyncio.run(main())
