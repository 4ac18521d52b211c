"""docs/faults.md and the tests that carry its numbers know each other."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "faults.md").read_text(encoding="utf-8")
_TEST = re.compile(r"^(?:async )?def test_row_0*(\d+)_", re.MULTILINE)
_ROW = re.compile(r"^\| (\d+) \| (.*) \|$", re.MULTILINE)
_FILE = re.compile(r"`([\w/]+\.py)`")


def rows() -> dict[int, list[str]]:
    """The numbers of the page, in its order, and the files that each one names."""
    found = [(int(number), _FILE.findall(rest)) for number, rest in _ROW.findall(PAGE)]
    assert len(dict(found)) == len(found), "a number stands there twice"
    return dict(found)


def carried() -> dict[int, set[str]]:
    """The numbers that tests carry, and the files of these tests."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for number in _TEST.findall(path.read_text(encoding="utf-8")):
            found[int(number)].add(path.relative_to(TESTS).as_posix())
    return found


def test_each_row_has_a_test() -> None:
    """Every number of the page is carried by a test, and none is carried that is not on the page."""
    known, found = rows(), carried()
    assert known
    missing, unknown = sorted(known.keys() - found.keys()), sorted(found.keys() - known.keys())
    assert not missing, f"rows of docs/faults.md without a test: {missing}"
    assert not unknown, f"rows that tests carry and docs/faults.md does not name: {unknown}"


def test_each_row_names_its_tests() -> None:
    """The files that a row names hold tests with its number."""
    found = carried()
    wrong = [
        f"row {number}: tests/{name} holds no test_row_{number:02}_..., but these do: {sorted(found[number])}"
        for number, named in rows().items()
        if number in found
        for name in named
        if name not in found[number]
    ]
    assert not wrong, "\n".join(wrong)
    assert not [number for number, named in rows().items() if not named]


def test_the_rows_are_in_order() -> None:
    """Who looks for a number finds it."""
    assert list(rows()) == sorted(rows())
