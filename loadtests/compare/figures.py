"""
What is made of measurements: medians, spreads, ratios. Pure.

Rule 1: a ratio is taken round by round, of two measurements that were made one after the other, and its median told:
        what slows the machine for a while slows both.
Rule 2: the spread is the least and the greatest of all rounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """The *median* of some measurements, the *least* and the *greatest* of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, measured: Sequence[float]) -> Figure:
        """Of *measured*, at least one."""
        return cls(median(measured), min(measured), max(measured))


def ratio(above: Sequence[float], below: Sequence[float]) -> Figure | None:
    """*above* / *below*, round by round; None when one of them was not measured."""
    pairs = [(over, under) for over, under in zip(above, below, strict=False) if under > 0]
    return Figure.of([over / under for over, under in pairs]) if pairs else None


def percentile(measured: Sequence[float], share: float) -> float:
    """The smallest of *measured* that *share* (0 to 1) of them do not exceed (nearest rank); NaN of none."""
    if not measured:
        return math.nan
    return sorted(measured)[max(0, math.ceil(share * len(measured)) - 1)]


def shown(number: float) -> str:
    """*number* with three significant digits, and never in powers of ten."""
    if not math.isfinite(number):
        return "-"
    if number == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(number))))
    return f"{number:,.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are aligned to the right."""
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
