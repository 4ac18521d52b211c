"""The rule of the house on the size of modules."""

from __future__ import annotations

from pathlib import Path

MOST = 300
PACKAGE = Path(__file__).parents[2] / "hashcache"


def test_modules_stay_small() -> None:
    """Past 300 lines a module is two ideas: none has more."""
    sizes = {str(path.relative_to(PACKAGE)): path.read_text("utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    assert sizes, f"no modules found in {PACKAGE}"
    assert {name: lines for name, lines in sizes.items() if lines > MOST} == {}
