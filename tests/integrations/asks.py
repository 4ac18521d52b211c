"""A program that 4 processes run: 25 callers of one decorated function, at the moment when all are ready."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hashcache import Cache

CALLERS = 25


async def main(url: str, environment: str, ledger: Path) -> None:
    """Say that it is ready, wait for a line, ask 25 times, print what was given."""
    cache = Cache(url, environment=environment)

    @cache.cached("dashboard")
    async def dashboard(org: int) -> dict[str, int]:
        with ledger.open("a") as lines:
            lines.write(f"{org}\n")
        await asyncio.sleep(0.3)
        return {"org": org, "open": 3}

    async with cache:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        answers = await asyncio.gather(*(dashboard(7) for _ in range(CALLERS)))
    sys.stdout.write(f"{answers == [{'org': 7, 'open': 3}] * CALLERS}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
