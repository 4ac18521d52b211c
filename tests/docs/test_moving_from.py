"""docs/moving-from: what is to be written instead runs, prints what is said, and passes a strict type check."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "moving-from").glob("*.md"))
PROGRAM = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def programs(page: Path) -> list[tuple[str, str]]:
    """The programs of *page*, each with what it prints."""
    text = page.read_text("utf-8")
    found = PROGRAM.findall(text)
    assert len(found) == text.count("```python") > 0, f"{page.name}: what a program prints stands right below it"
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_programs_print_what_it_says(page: Path, tmp_path: Path) -> None:
    """Copied into a file of its own; it says nothing on stderr."""
    for program, printed in programs(page):
        told = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            env={"PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (told.returncode, told.stdout, told.stderr) == (0, printed, "")


@pytest.mark.timeout(240)
def test_its_programs_have_types(tmp_path: Path) -> None:
    """mypy has nothing to say, strictly."""
    for page in PAGES:
        for number, (program, _) in enumerate(programs(page)):
            (tmp_path / f"{page.stem.replace('-', '_')}_{number}.py").write_text(program)
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *map(str, sorted(tmp_path.glob("*.py")))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
