"""
A vendor's bill beside our books: how far they drift apart.

Rule: nothing is stored; a bill is compared, day by day, with what the books say was sent and may have been billed.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hashcache.core.errors import MoneyError, PatternError
from hashcache.core.money import MicroDollars, decimal, dollars
from hashcache.core.spend import summed
from hashcache.ports import Day

#: Lines of one export.
MOST_LINES = 10_000
_COLUMNS = ("day", "calls", "cost")


@dataclass(frozen=True, slots=True)
class Billed:
    """What a vendor billed for one day."""

    day: date
    calls: int
    cost: MicroDollars


def parse(text: str) -> list[Billed]:
    """
    The lines of a CSV export with the columns `day` (2026-11-21), `calls` and `cost` (US dollars), in any order; other
    columns are ignored. Several lines of one day add up.

    Raises:
        PatternError: which line is not as it should be.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in _COLUMNS if head.count(name) != 1]
        if missing:
            raise PatternError(f"the first line must name the columns day, calls and cost, each once: {missing[0]}")
        places = [head.index(name) for name in _COLUMNS]
        lines = [
            _line([row[at].strip() for at in places], reader.line_num)
            for row in reader
            if _has(row, places, reader.line_num)
        ]
    except csv.Error as error:
        raise PatternError(f"line {reader.line_num} is not CSV: {error}") from None
    if len(lines) > MOST_LINES:
        raise PatternError(f"an export may have {MOST_LINES} lines")
    return lines


def drift(billed: Iterable[Billed], days: Iterable[Day], provider: str) -> dict[str, Any]:
    """What *provider*'s bill and our books say, by day and in all, and the difference: bill less books."""
    ours = {day.day: summed(day.lines, lambda account: account.provider).get(provider, Counter()) for day in days}
    theirs: dict[date, tuple[int, int]] = {}
    for one in billed:
        calls, cost = theirs.get(one.day, (0, 0))
        theirs[one.day] = (calls + one.calls, cost + one.cost)
    pairs = [(day, theirs[day], _ours(ours.get(day, {}))) for day in sorted(theirs)]
    bill = (sum(bill[0] for _, bill, _ in pairs), sum(bill[1] for _, bill, _ in pairs))
    book = (sum(book[0] for _, _, book in pairs), sum(book[1] for _, _, book in pairs))
    return {
        "success": True,
        "provider": provider,
        **_difference(bill, book),
        "days": [{"day": day.isoformat(), **_difference(bill, book)} for day, bill, book in pairs],
    }


def _ours(figures: Mapping[str, int]) -> tuple[int, int]:
    return figures.get("calls", 0), figures.get("spent", 0) + figures.get("wasted", 0)


def _difference(bill: tuple[int, int], book: tuple[int, int]) -> dict[str, Any]:
    return {
        "billed": {"calls": bill[0], "usd": decimal(bill[1])},
        "booked": {"calls": book[0], "usd": decimal(book[1])},
        "drift": {"calls": bill[0] - book[0], "usd": decimal(bill[1] - book[1])},
    }


def _has(row: list[str], places: list[int], number: int) -> bool:
    """Whether *row* has a field in each of *places*; an empty line has none."""
    if not any(field.strip() for field in row):
        return False
    if len(row) <= max(places):
        raise PatternError(f"line {number} has fewer fields than the first one")
    return True


def _line(fields: list[str], number: int) -> Billed:
    day, calls, cost = fields
    try:
        if not (calls.isascii() and calls.isdecimal() and len(calls) <= 15):
            raise ValueError(calls)
        return Billed(date.fromisoformat(day), int(calls), dollars(cost.removeprefix("$")))
    except (ValueError, MoneyError):
        raise PatternError(f"line {number} is not a day such as 2026-11-21, a number of calls and a cost") from None
