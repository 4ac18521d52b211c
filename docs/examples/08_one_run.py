"""
One run: a hundred callers in four processes want what nobody has yet, and it is computed once.

    python docs/examples/08_one_run.py [STORE]

Without a STORE it is a SQLite file in a temporary folder: memory is not shared by processes. It prints:

    4 processes x 25 callers: 100 answers, all alike: True
    the function ran 1 time
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from multiprocessing import get_context

from hashcache import Cache


def opened(store: str) -> Cache:
    """The cache of one process; on the same store, with the same environment, it is the same cache."""
    return Cache(store, environment="example-08")


async def callers(store: str) -> tuple[list[str], int]:
    """What 25 callers of this process are given, and how often the function ran here."""
    cache, ran = opened(store), 0

    @cache.cached("analytics")
    async def analysis(month: str) -> str:
        nonlocal ran
        ran += 1
        await asyncio.sleep(0.5)  # slow, or paid
        return f"analysis of {month}"

    async with cache:
        return await asyncio.gather(*(analysis("May") for _ in range(25))), ran


def process(store: str) -> tuple[list[str], int]:
    """One of the four processes."""
    return asyncio.run(callers(store))


async def forget(store: str) -> None:
    """Begin anew."""
    async with opened(store) as cache:
        await cache.clear()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = sys.argv[1] if sys.argv[1:] else f"sqlite:///{folder}/cache.sqlite3"
        asyncio.run(forget(store))
        with get_context("spawn").Pool(4) as processes:
            told = processes.map(process, [store] * 4, chunksize=1)
    answers = [answer for given, _ in told for answer in given]
    print(f"4 processes x 25 callers: {len(answers)} answers, all alike: {len(set(answers)) == 1}")
    print("the function ran", sum(ran for _, ran in told), "time")


if __name__ == "__main__":
    main()
