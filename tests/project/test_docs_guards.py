"""docs/guards.md says what the code does: its program runs, its rules are ours, and its figures too."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from hashcache.integrations.guards.guard import ENTROPY, MOST, UNSEARCHED, OnSecret
from hashcache.integrations.guards.rules import RULES
from hashcache.integrations.guards.sealing import SHORTEST_KEY
from hashcache.integrations.similar import LONGEST

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guards.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    """Copied into a file of its own, it prints what its comments say, and nothing on stderr."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    command = [sys.executable, "-c", program]
    told = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")
    _, *printed = told.stdout.splitlines()
    assert printed == re.findall(r"  # (\{.*\})$", program, re.MULTILINE)


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
