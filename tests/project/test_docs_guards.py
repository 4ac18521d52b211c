"""docs/guards.md says what the code does: its rules are ours, and its figures too."""

from __future__ import annotations

import re
from pathlib import Path

from hashcache.integrations.guards.guard import ENTROPY, MOST, UNSEARCHED, OnSecret
from hashcache.integrations.guards.rules import RULES
from hashcache.integrations.guards.sealing import SHORTEST_KEY
from hashcache.integrations.similar import LONGEST

PAGE = (Path(__file__).parents[2] / "docs" / "guards.md").read_text(encoding="utf-8")


def test_the_rules_of_the_page() -> None:
    """Each rule has its line, in the order in which they rank, and no line tells of a rule that is none."""
    lines = re.findall(r"^\| `(\w+)`(?: \(default\))? \|", PAGE, re.MULTILINE)
    assert lines == ["on_secret", *OnSecret, *(rule.name for rule in RULES)]


def test_the_figures_of_the_page() -> None:
    """The bounds that it names are those of the code."""
    text = " ".join(PAGE.split())
    assert f"Guard(entropy={ENTROPY})" in text
    assert MOST == 2**20
    assert "beyond 1 MiB" in text
    assert f"`{UNSEARCHED}`" in text
    assert f"at least {SHORTEST_KEY} random bytes" in text
    assert f"up to {LONGEST:,} characters" in text
