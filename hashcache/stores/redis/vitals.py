"""Figures of how a server is: what it tells by INFO, and how long it took to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: Of fewer round trips nobody can tell which 5 in 100 are the slowest.
_TELLING = 20


def p95(took: Sequence[float]) -> float | None:
    """The time, in milliseconds, that 5 in 100 of *took* (seconds) were longer than; None: too few to tell."""
    if len(took) < _TELLING:
        return None
    return round(sorted(took)[(len(took) * 95 - 1) // 100] * 1000, 2)


def figures(text: bytes) -> Mapping[str, int]:
    """The whole numbers in an answer to INFO."""
    pairs = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: int(value) for name, _, value in pairs if value.isdecimal()}
