"""A program that several processes run: one decorated function, asked and forgotten line by line."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hashcache import Cache


async def main(url: str, environment: str, truth: Path, ledger: Path) -> None:
    """
    Say that it is ready, then obey: `ask` prints what the function gives, `forget PATTERN` how many others heard it,
    `hits` how many answers were there already.
    """
    cache = Cache(url, environment=environment)

    @cache.cached("dashboard", key="agents:{number}")
    async def agents(number: int) -> str:
        with ledger.open("a") as lines:
            lines.write(f"{number}\n")
        return truth.read_text()  # noqa: ASYNC240 - a file of a few bytes

    async def obey(word: str, rest: str) -> str:
        if word == "ask":
            return await agents(7)
        if word == "forget":
            return str(await cache.publish_invalidation(rest, reason="a write"))
        return str((await cache.stats()).hits)

    async with cache:
        _say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            word, _, rest = line.strip().partition(" ")
            _say(await obey(word, rest))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
