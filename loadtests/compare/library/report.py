"""
The library's comparison as Markdown. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from loadtests.compare.figures import Figure, ratio, shown, table
from loadtests.compare.library.caches import CONTENDERS, NEAR, OURS, STORE
from loadtests.compare.library.run import CALLERS, PLACES, PROCESSES, WAYS, Results

#: What is promised of our hits against those of the faster other one.
FLOORS = {NEAR: 1.0, STORE: 0.9}
OTHERS = [name for name in CONTENDERS if name != OURS]


_HITS = """### Hits a second

Median, and from least to greatest of all rounds; and microseconds of the processor that a hit took."""
_RATIOS = """### Ratios of hits

hashcache against the faster other one, taken round by round: by the clock, and by the processor's time, which others on
the machine change less."""
_STAMPEDE = f"""### Stampede

{PROCESSES} processes with {CALLERS} callers each, a function of 200 ms: how often it ran, and how many seconds it took
until the last caller was answered."""


def render(results: Results, facts: Sequence[tuple[str, str]]) -> str:
    """All of *results*, after the *facts* of machine and commit."""
    parts = [
        table(("what", "value"), [list(fact) for fact in facts]),
        _HITS,
        table(("place", "callers", "library", "hits/s", "spread", "us a hit"), _rates(results)),
        *(f"> {name} ran the function {times} times instead: Redis was late." for name, times in _late(results)),
        _RATIOS,
        table(
            ("place", "callers", "against", "floor", "by the clock", "spread", "by processor time", "stands"),
            rows(results),
        ),
        _STAMPEDE,
        table(("library", "rounds", "runs", "most in a round", "seconds", "longest"), _stampede(results)),
    ]
    return "\n\n".join(parts) + "\n"


def _rates(results: Results) -> list[list[str]]:
    found = []
    for place in PLACES:
        for way in WAYS:
            for name in CONTENDERS:
                rates, costs = results.rates[name, place, way], results.costs[name, place, way]
                rate = Figure.of(rates)
                spread = f"{shown(rate.least)} to {shown(rate.greatest)}"
                found.append([place, way, name, shown(rate.median), spread, shown(median(costs) * 1e6)])
    return found


def _late(results: Results) -> list[tuple[str, int]]:
    return [(name, times) for name, times in results.waited.items() if times]


def rows(results: Results) -> list[list[str]]:
    """A row for each place and way: the floor, the ratio by clock and by processor, and how it stands."""
    return [_row(results, place, way) for place in PLACES for way in WAYS]


def _row(results: Results, place: str, way: str) -> list[str]:
    faster = max(OTHERS, key=lambda name: median(results.rates[name, place, way]))
    cheaper = min(OTHERS, key=lambda name: median(results.costs[name, place, way]))
    clock = ratio(results.rates[OURS, place, way], results.rates[faster, place, way])
    spent = ratio(results.costs[cheaper, place, way], results.costs[OURS, place, way])
    if clock is None or spent is None:
        return [place, way, faster, "-", "-", "-", "-", "not measured"]
    missing = 100 * (1 - clock.median / FLOORS[place])
    stands = f"**short** by {shown(missing)} %" if missing > 0 else "held"
    spread = f"{shown(clock.least)} to {shown(clock.greatest)}"
    return [
        place,
        way,
        faster,
        f"{FLOORS[place]:g} x",
        f"{shown(clock.median)} x",
        spread,
        f"{shown(spent.median)} x",
        stands,
    ]


def _stampede(results: Results) -> list[list[str]]:
    found = []
    for name in CONTENDERS:
        runs, seconds = results.runs[name], results.seconds[name]
        told = [str(len(runs)), str(sum(runs)), str(max(runs)), shown(median(seconds)), shown(max(seconds))]
        found.append([name, *told])
    return found
