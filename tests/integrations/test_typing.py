"""A type checker knows what the library's users would want it to know."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import hashcache
from tests.harness.process import ROOT

USES = Path(__file__).with_name("uses.py")


@pytest.mark.timeout(240)
def test_mypy_accepts_what_is_right_and_finds_what_is_wrong() -> None:
    """
    Strictly, on a file that uses the whole public API: decorated functions keep their types, and each line that is
    marked as wrong is found, and no other.
    """
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unreachable", str(USES.relative_to(ROOT))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = {number for number, line in enumerate(USES.read_text("utf-8").splitlines(), 1) if line.endswith("# wrong")}
    found = {int(number) for number in re.findall(rf"{USES.name}:(\d+): error", told.stdout)}
    assert found == wrong, told.stdout + told.stderr
    assert len(wrong) >= 5


def test_the_file_uses_every_public_name() -> None:
    """Whoever adds one shows how it is used."""
    text = USES.read_text("utf-8")
    assert [name for name in hashcache.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_importing_hashcache_loads_neither_a_store_nor_a_server() -> None:
    """Nor do types and keys, which are only data."""
    code = (
        "import sys, hashcache; hashcache.Type, hashcache.Keys, hashcache.TYPES; "
        "print([name for name in ('redis', 'starlette', 'httpx', 'structlog', 'sqlite3') if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
