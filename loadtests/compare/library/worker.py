"""
A process with one contender, told by its standard input what to do, one line at a time:

    python -m loadtests.compare.library.worker hashcache near redis://127.0.0.1:6379

    sequential 3          hits one after the other, for 3 seconds     {"rate": ..., "cost": ..., "runs": ...}
    concurrent 3          the same by 16 callers                      {"rate": ..., "cost": ..., "runs": ...}
    stampede 25 7         25 callers of report 7 at once              {"runs": ..., "seconds": ...}

Rule 1: `ready` is said once all answers are there and were checked. It ends, and says why, when an answer is wrong, or
        the function runs for more than one in a hundred hits. (On a machine that lets Redis wait for hundreds of
        milliseconds a library gives up waiting and runs it: that is told.)
Rule 2: callers at the same time ask for different reports: nobody is given what another one fetched.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from time import perf_counter, process_time
from typing import Any

import uvloop

from loadtests.compare.library.caches import CONTENDERS, ONCE, Report, answer

REPORTS, CALLERS = 32, 16
#: How long the function takes, in seconds, where it is called by many at once.
SLOW = 0.2


class Source:
    """The function that is cached: how often it *ran*, and how long it takes, in seconds."""

    def __init__(self, takes: float) -> None:
        self.ran = 0
        self._takes = takes

    def function(self) -> Report:
        """Itself, as a function of its own."""

        async def report(number: int) -> dict[str, Any]:
            self.ran += 1
            if self._takes:
                await asyncio.sleep(self._takes)
            return answer(number)

        return report


async def sequential(report: Report, seconds: float) -> int:
    """How many hits one caller is given in so many *seconds*."""
    until, given = perf_counter() + seconds, 0
    while perf_counter() < until:
        for number in range(REPORTS):
            await report(number)
        given += REPORTS
    return given


async def concurrent(report: Report, seconds: float) -> int:
    """How many hits CALLERS are given at the same time, each of reports of his own."""
    until = perf_counter() + seconds

    async def caller(first: int) -> int:
        given = 0
        while perf_counter() < until:
            for number in range(first, REPORTS, CALLERS):
                await report(number)
                given += 1
        return given

    return sum(await asyncio.gather(*map(caller, range(CALLERS))))


async def stampede(report: Report, source: Source, callers: int, number: int) -> dict[str, float]:
    """How often the function ran while so many *callers* asked for report *number* at once, and how long that took."""
    before, began = source.ran, perf_counter()
    given = await asyncio.gather(*(report(number) for _ in range(callers)))
    if any(one != answer(number) for one in given):
        raise SystemExit("a caller in a stampede was given another answer")
    return {"runs": source.ran - before, "seconds": perf_counter() - began}


async def obey(report: Report, source: Source, words: Sequence[str]) -> dict[str, float]:
    """What came of one line."""
    if words[0] == "stampede":
        return await stampede(report, source, int(words[1]), int(words[2]))
    way = {"sequential": sequential, "concurrent": concurrent}[words[0]]
    before, began, spent = source.ran, perf_counter(), process_time()
    hits = await way(report, float(words[1]))
    took, cost = perf_counter() - began, process_time() - spent
    runs = source.ran - before
    if runs > max(1, hits / 100):
        raise SystemExit(f"{runs} of {hits} were no hits")
    return {"rate": hits / took, "cost": cost / hits, "runs": runs}


async def main(name: str, place: str, url: str) -> None:
    """Open the contender, fill it, obey until there are no more lines."""
    source = Source(SLOW if place == ONCE else 0)
    async with CONTENDERS[name](source.function(), url, place) as report:
        for number in range(0 if place == ONCE else REPORTS):
            if await report(number) != answer(number) or await report(number) != answer(number):
                raise SystemExit(f"another answer about {number}")
        _say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            _say(json.dumps(await obey(report, source, line.split())))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
