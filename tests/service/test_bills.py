"""A vendor's export beside the books."""

from __future__ import annotations

from datetime import date

import pytest

from hashcache.core.errors import PatternError
from hashcache.core.spend import Account
from hashcache.ports import Day
from hashcache.service.bills import MOST_LINES, Billed, drift, parse

ONE, TWO = date(2026, 11, 20), date(2026, 11, 21)
HIVE = Account("hive", "image", "default")


def test_an_export_is_read_by_its_columns_names() -> None:
    """Any order, other columns, a byte order mark, quotes, empty lines and a dollar sign are all right."""
    text = '\ufeffcost,Day,note,calls\r\n$0.06,2026-11-20,"a, b",10\r\n\r\n1.2,2026-11-21,,200\r\n'
    assert parse(text) == [Billed(ONE, 10, 60_000), Billed(TWO, 200, 1_200_000)]  # type: ignore[arg-type]  # NewType


@pytest.mark.parametrize(
    "text",
    [
        "",
        "day,calls\n2026-11-20,1\n",
        "day,calls,cost,cost\n2026-11-20,1,1,1\n",
        "day,calls,cost\n20.11.2026,1,1\n",
        "day,calls,cost\n2026-11-20,-1,1\n",
        "day,calls,cost\n2026-11-20,1.5,1\n",
        "day,calls,cost\n2026-11-20,1,NaN\n",
        "day,calls,cost\n2026-11-20,1,-1\n",
        "day,calls,cost\n2026-11-20,1\n",
        'day,calls,cost\n"2026-11-20,1,1\n',
        "day,calls,cost\n" + "2026-11-20,1,1\n" * (MOST_LINES + 1),
    ],
)
def test_what_is_no_export(text: str) -> None:
    """Each is refused with what is wrong, none is read as something else."""
    with pytest.raises(PatternError):
        parse(text)


def test_the_drift_is_the_bill_less_the_books() -> None:
    """Day by day and in all; what the vendor may have billed for nothing is in the books too; others' lines are not."""
    books = [
        Day(ONE, {**HIVE.lines({"calls": 9, "spent": 50_000, "wasted": 4_000}), "calls|other|image|default": 7}),
        Day(date(2026, 11, 19), HIVE.lines({"calls": 5, "spent": 1})),
    ]
    bill = [Billed(ONE, 6, 30_000), Billed(ONE, 4, 30_000), Billed(TWO, 1, 6_000)]  # type: ignore[arg-type] - plain numbers
    found = drift(bill, books, "hive")
    assert found["billed"] == {"calls": 11, "usd": "0.066"}
    assert found["booked"] == {"calls": 9, "usd": "0.054"}
    assert found["drift"] == {"calls": 2, "usd": "0.012"}
    assert [(day["day"], day["drift"]) for day in found["days"]] == [
        ("2026-11-20", {"calls": 1, "usd": "0.006"}),
        ("2026-11-21", {"calls": 1, "usd": "0.006"}),
    ]
