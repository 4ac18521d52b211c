"""
What the product promises of its speed: each figure with its floor, its goal, and how the measurement stands to them.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.compare.cells import MIDDLE, NAMED
from loadtests.compare.figures import Figure, ratio, shown
from loadtests.compare.latencies import SOURCES
from loadtests.compare.results import Results

#: What a quotient of floats may be off by.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Goal:
    """*figure* must hold its *floor* and wants its *goal*, in *unit*; *most*: less is better, and they are limits."""

    figure: str
    floor: float
    goal: float | None = None
    unit: str = "x"
    most: bool = False

    def stands(self, measured: float) -> str:
        """How *measured* stands: what is missing is told in per cent of what was wanted."""
        if self._short(measured, self.floor):
            return f"**short** of the floor by {self._short(measured, self.floor)}"
        if self.goal is not None and self._short(measured, self.goal):
            return f"held; short of the goal by {self._short(measured, self.goal)}"
        return "held" if self.goal is None else "held; the goal too"

    def _short(self, measured: float, wanted: float) -> str:
        """How much is missing; empty: nothing."""
        missing = (measured - wanted if self.most else wanted - measured) / wanted
        return f"{shown(100 * missing)} %" if missing > ROUNDING else ""


def rows(results: Results) -> list[list[str]]:
    """A row for each promise: figure, floor, goal, median, spread, how it stands."""
    return [_row(goal, figure) for goal, figure in measured(results)]


def measured(results: Results) -> Iterator[tuple[Goal, Figure | None]]:
    """Each promise with its figure; None: not measured."""
    rates = results.rates
    for size in (MIDDLE, "1MB", "10MB"):
        found = ratio(rates("near", size), rates("fastapi", size))
        yield Goal(f"near hit, against FastAPI + Redis, {size}", 2.5, 3.0), found
    for size in (MIDDLE, "1MB", "10MB"):
        found = ratio(rates("store", size), rates("fastapi", size))
        yield Goal(f"store hit, against FastAPI + Redis, {size}", 1.5, 2.0), found
    for size, floor, goal in ((MIDDLE, 0.6, 1.0), ("1MB", 1.3, 1.5), ("10MB", 1.6, 1.8)):
        found = ratio(rates("near", size), rates("nginx", size))
        yield Goal(f"near hit, against nginx + Lua + Redis, {size}", floor, goal), found
    found = ratio(rates("near", MIDDLE), rates("ceiling", MIDDLE))
    yield Goal(f"near hit, against the ceiling, {MIDDLE}", 0.45, 0.6), found
    for size, floor, goal in (("1MB", 10, 25), ("10MB", 100, 400)):
        found = ratio(rates("get", NAMED), rates("nginx", size))
        yield Goal(f"hash-first GET, against nginx + Lua + Redis uploading {size}", floor, goal), found
    found = ratio([one for one, _ in results.open], [other for _, other in results.open])
    yield Goal("hash-first GET, p99 at half its saturating rate, against the ceiling's", 3, 2, most=True), found
    found = Figure.of([100 * (through / direct - 1) for direct, through, _ in results.miss]) if results.miss else None
    yield Goal(f"time added to a miss, {MIDDLE}, provider of 50 ms", 10, 5, unit="%", most=True), found
    for name, size, told in (("near", MIDDLE, f"near hit, {MIDDLE}"), ("get", NAMED, "hash-first GET")):
        alone, two = (results.cells.get((one, size), []) for one in (name, f"{name}2"))
        found = ratio([one.per_second for one in two], [one.per_second for one in alone])
        yield Goal(f"requests per server-CPU-second, 2 workers against 1: {told}", 0.85, 0.95), found
    found = Figure.of([one.entry / one.json for one in results.sizes]) if results.sizes else None
    yield Goal("bytes in the store per entry, against the same as JSON", 0.5, 0.4, most=True), found
    for delay, floor in SOURCES.items():
        found = ratio(results.sources.get(delay, []), results.hit)
        yield Goal(f"a hit ({MIDDLE}), against a source of {delay} ms", floor), found


def _row(goal: Goal, figure: Figure | None) -> list[str]:
    sign = "at most " if goal.most else ""
    wanted = ["" if limit is None else f"{sign}{limit:g} {goal.unit}" for limit in (goal.floor, goal.goal)]
    if figure is None:
        return [goal.figure, *wanted, "-", "-", "not measured"]
    spread = f"{shown(figure.least)} to {shown(figure.greatest)}"
    return [goal.figure, *wanted, f"{shown(figure.median)} {goal.unit}", spread, goal.stands(figure.median)]
