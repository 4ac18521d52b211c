"""docs/guarantees.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "guarantees.md").read_text(encoding="utf-8")


def test_each_test_that_is_named_exists() -> None:
    """Whoever doubts a sentence finds what shows it: the files, and in them the tests."""
    named = re.findall(r"`([a-z_]+/\w+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 50
    wrong = [
        f"{file}::{test}"
        for file, test in named
        if not (TESTS / file).exists() or (test and f"def {test}(" not in (TESTS / file).read_text(encoding="utf-8"))
    ]
    assert not wrong, wrong
