"""
Where results are published: docs/benchmarks.md, under a heading that is made for them.
"""

from __future__ import annotations

from pathlib import Path

from loadtests.compare.machine import ROOT
from loadtests.compare.running import CannotTry

PUBLISHED = ROOT / "docs" / "benchmarks.md"
#: What stands below this line of docs/benchmarks.md is replaced by `--publish`.
HEADING = "## Results"


def publish(page: Path, told: str, heading: str = HEADING) -> None:
    """
    Put *told* under the *heading* of *page*, in place of what stands there, up to the next heading of its rank.

    Raises:
        CannotTry: the page has no such heading.
    """
    above, found, below = page.read_text("utf-8").partition(f"\n{heading}\n")
    if not found:
        raise CannotTry(f"{page} has no heading {heading!r}")
    _, following, rest = below.partition("\n## ")
    page.write_text(f"{above}{found}\n{told}{following}{rest}", "utf-8")
