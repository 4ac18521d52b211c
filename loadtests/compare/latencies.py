"""
What one caller waits for, one request after another: a miss beside the provider alone, and a hit beside a slow source.
"""

from __future__ import annotations

from itertools import count
from statistics import median
from time import perf_counter

from loadtests.compare import wire
from loadtests.compare.cells import MIDDLE, SIZES
from loadtests.compare.running import Wrong
from loadtests.compare.servers import DELAY
from loadtests.compare.wire import Line

#: What the seeds' Flask cache was put before: a source of so many milliseconds, and the factor that it claims.
SOURCES = {610: 203, 450: 225, 380: 190}
HITS = 200
#: Contents that nobody was asked about: the numbers of those that are known are small.
_numbers = count(1_000)


def milliseconds(line: Line, raw: bytes) -> float:
    """How long *raw* takes to be answered; raises Wrong when that is not 200."""
    began = perf_counter()
    answer = line.ask(raw)
    took = 1000 * (perf_counter() - began)
    if answer.status != 200:
        raise Wrong(f"answered {answer.status}: {answer.body[:300]!r}")
    return took


def added(provider: int, service: int, *, pairs: int) -> tuple[float, float]:
    """
    Median milliseconds of a purchase of 100 KB by calling the *provider* (a port), and through the *service* (another),
    over so many *pairs* of calls in turn, each about a content that is new.
    """
    direct, through = [], []
    with Line(provider) as straight, Line(service) as cached:
        for _ in range(pairs):
            fresh = wire.content(SIZES[MIDDLE], next(_numbers))
            direct.append(milliseconds(straight, wire.upload(f"/analyse/{DELAY}", fresh)))
            through.append(milliseconds(cached, wire.upload("/api/analyze", fresh)))
    return median(direct), median(through)


def hit(service: int) -> float:
    """Median milliseconds of a hit about 100 KB that the *service* knows, uploaded in full."""
    raw = wire.upload("/api/analyze", wire.content(SIZES[MIDDLE]))
    with Line(service) as line:
        return median(milliseconds(line, raw) for _ in range(HITS))


def source(provider: int, delay: int) -> float:
    """Milliseconds of one call to a *provider* that takes *delay*."""
    with Line(provider) as line:
        return milliseconds(line, wire.upload(f"/analyse/{delay}", wire.content(SIZES[MIDDLE])))
