"""From where on a figure is worth an alert; percentages are from 0 to 100."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hashcache.settings.shapes import Malformed


@dataclass(frozen=True, slots=True)
class Thresholds:
    """
    *hit_rate*: under these, the worst last. *memory*: over these, the worst last. *evictions*: more in an hour.
    *store_p95*: slower (None: 10 ms, over TLS 50). *connections*, *budget*: over this.
    """

    hit_rate: tuple[float, ...] = (70, 50, 20)
    memory: tuple[float, ...] = (80, 90)
    evictions: int = 1000
    store_p95: timedelta | None = None
    connections: float = 80
    budget: float = 80


def thresholds_of(values: Mapping[str, Any]) -> Thresholds:
    """Those that are set, of the *values* by their knobs' `into`."""
    return Thresholds(
        hit_rate=values["alert.hit_rate"],
        memory=values["alert.memory"],
        evictions=values["alert.evictions"],
        store_p95=values["alert.store_p95"],
        connections=values["alert.connections"][0],
        budget=values["alert.budget"][0],
    )


def percents(*, most: int, falling: bool = False) -> Callable[[str], tuple[float, ...]]:
    """One to *most* percentages from 0 to 100, parted by commas, rising or *falling*."""
    order = "falling" if falling else "rising"
    words = "must be a percentage from 0 to 100, such as 80"
    if most > 1:
        words = f"must be 1 to {most} percentages from 0 to 100, parted by commas, {order}"

    def read(text: str) -> tuple[float, ...]:
        parts = [part.strip() for part in text.split(",")]
        if len(parts) > most or not all(re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", part) for part in parts):
            raise Malformed(words)
        found = tuple(float(part) for part in parts)
        if max(found) > 100 or list(found) != sorted(set(found), reverse=falling):
            raise Malformed(words)
        return found

    return read
