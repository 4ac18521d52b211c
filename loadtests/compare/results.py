"""
What was measured: of each cell its rounds, and what is not a rate. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from loadtests.compare.entries import Size


@dataclass(frozen=True)
class Measurement:
    """
    One burst at one cell: *rate* in requests a second; *per_second* of the server's processor time; *server* and
    *load*: the share of its core that the server, and the load generator, used; latencies in milliseconds; *commands*
    that clients sent to Redis for each request, beside those that they send when nobody asks.
    """

    rate: float
    per_second: float
    server: float
    load: float
    p50: float
    p99: float
    commands: float


@dataclass
class Results:
    """
    Round by round: *cells* by contender and size; *miss* as (direct, through, commands to Redis); *hit* and *sources*
    in milliseconds; *open* as p99 of (hash-first GET, ceiling) at *arrivals* a second. *notes*: what was left out.
    """

    cells: dict[tuple[str, str], list[Measurement]] = field(default_factory=lambda: defaultdict(list))
    miss: list[tuple[float, float, float]] = field(default_factory=list)
    hit: list[float] = field(default_factory=list)
    sources: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    open: list[tuple[float, float]] = field(default_factory=list)
    arrivals: float = 0
    sizes: list[Size] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rates(self, name: str, size: str) -> list[float]:
        """The rates of contender *name* at *size*; empty when it was not measured."""
        return [one.rate for one in self.cells.get((name, size), ())]
