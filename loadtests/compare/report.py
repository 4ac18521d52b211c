"""
The results as Markdown. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from loadtests.compare import goals
from loadtests.compare.cells import CONTENDERS, MIDDLE, NAMED, SIZES
from loadtests.compare.figures import Figure, ratio, shown, table
from loadtests.compare.results import Measurement, Results

_PROMISES = ("figure", "floor", "goal", "median", "least to greatest", "stands")
#: A load generator that uses more of its core than this may have been the limit.
BUSY = 0.9
#: A server that neither had so much of its core, nor was held up by the load generator, shared its core with others.
HAD = 0.85


def render(results: Results, facts: Sequence[tuple[str, str]]) -> str:
    """All of *results*, after the *facts* of machine and commit."""
    parts = [
        table(("what", "value"), [list(fact) for fact in facts]),
        *(f"> {note}" for note in results.notes + _warnings(results)),
        "### Requests a second\n\nMedian, and from least to greatest of all rounds.",
        table(
            ("contender", "size", "req/s", "spread", "p50 ms", "p99 ms", "server core", "load core"), _rates(results)
        ),
        "### Ratios\n\nTaken round by round; median, and from least to greatest.",
        table(("hashcache", "size", "against", "ratio", "spread"), _ratios(results)),
        "### Cost",
        table(
            ("contender", "size", "requests per server-CPU-second", "commands to Redis per request"), _costs(results)
        ),
        *_entries(results),
        *_waits(results),
        "### Promises",
        table(_PROMISES, goals.rows(results)),
    ]
    return "\n\n".join(parts) + "\n"


def _ordered(results: Results) -> list[tuple[str, str, list[Measurement]]]:
    """The cells that were measured, by size and contender."""
    order = [(name, size) for size in (*SIZES, NAMED) for name in CONTENDERS]
    return [(name, size, results.cells[name, size]) for name, size in order if results.cells.get((name, size))]


def _rates(results: Results) -> list[list[str]]:
    found = []
    for name, size, rounds in _ordered(results):
        rate = Figure.of([one.rate for one in rounds])
        middle = [median(getattr(one, field) for one in rounds) for field in ("p50", "p99")]
        cores = [f"{100 * median(getattr(one, field) for one in rounds):.0f} %" for field in ("server", "load")]
        spread = f"{shown(rate.least)} to {shown(rate.greatest)}"
        found.append([CONTENDERS[name].shown, size, shown(rate.median), spread, *map(shown, middle), *cores])
    return found


def _ratios(results: Results) -> list[list[str]]:
    pairs = [
        (ours, size, other, size)
        for size in SIZES
        for ours in ("near", "store")
        for other in ("fastapi", "nginx", "ceiling")
    ] + [(ours, NAMED, other, size) for ours in ("get", "put") for size in SIZES for other in ("fastapi", "nginx")]
    found = []
    for ours, at, other, size in pairs:
        figure = ratio(results.rates(ours, at), results.rates(other, size))
        if figure is not None:
            against = f"{CONTENDERS[other].shown}{'' if at == size else f' uploading {size}'}"
            spread = f"{shown(figure.least)} to {shown(figure.greatest)}"
            found.append([CONTENDERS[ours].shown, at, against, f"{shown(figure.median)} x", spread])
    return found


def _costs(results: Results) -> list[list[str]]:
    found = [
        [
            CONTENDERS[name].shown,
            size,
            shown(median(one.per_second for one in rounds)),
            f"{median(one.commands for one in rounds):.2f}",
        ]
        for name, size, rounds in _ordered(results)
    ]
    if results.miss:
        found.append(["hashcache, miss", MIDDLE, "-", f"{median(commands for *_, commands in results.miss):.2f}"])
    return found


def _entries(results: Results) -> list[str]:
    if not results.sizes:
        return []
    rows = [[one.vendor, str(one.json), str(one.entry), f"{one.entry / one.json:.2f} x"] for one in results.sizes]
    head = ("vendor", "result as JSON, bytes", "entry in Redis, bytes", "ratio")
    return ["### Bytes in Redis per entry", table(head, rows)]


def _waits(results: Results) -> list[str]:
    rows = []
    if results.miss:
        rows.append(["the provider of 50 ms, called directly", _told([direct for direct, *_ in results.miss])])
        rows.append(["a miss, through hashcache", _told([through for _, through, _ in results.miss])])
    if results.hit:
        rows.append([f"a hit ({MIDDLE}, uploaded in full)", _told(results.hit)])
    rows += [[f"a source of {delay} ms", _told(waits)] for delay, waits in results.sources.items() if waits]
    if results.open:
        at = f"p99 at {shown(results.arrivals)} arrivals a second"
        rows.append([f"hash-first GET, {at}", _told([ours for ours, _ in results.open])])
        rows.append([f"the ceiling, {at}", _told([other for _, other in results.open])])
    head = ("one caller after another; and an open loop", "ms")
    return ["### Waiting", table(head, rows)] if rows else []


def _told(measured: Sequence[float]) -> str:
    figure = Figure.of(measured)
    return f"{shown(figure.median)} ({shown(figure.least)} to {shown(figure.greatest)})"


def _warnings(results: Results) -> list[str]:
    """Where a rate may not be the contender's own."""
    busy, shared = [], []
    for name, size, rounds in _ordered(results):
        load, server = (median(getattr(one, field) for one in rounds) for field in ("load", "server"))
        if load > BUSY:
            busy.append(f"{CONTENDERS[name].shown} at {size}")
        elif server < HAD:
            shared.append(f"{CONTENDERS[name].shown} at {size}")
    told = (
        (busy, "The load generator was at its limit, and the rate may be its own"),
        (shared, "The server did not get its core for itself, so the machine was not quiet, or it waited for others"),
    )
    return [f"{words}: {', '.join(cells)}." for cells, words in told if cells]
