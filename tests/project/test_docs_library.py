"""docs/library.md: its programs run as they stand, and nothing public is missing from it."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hashcache
from hashcache import TYPES, Cache, SyncCache, Type

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "library.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


#: What one of the caches has for integrations, or for processes without an event loop.
ONE_SIDED = {"answering", "keep_open", "run", "start", "stop"}


def public(kind: type) -> set[str]:
    """What users call on *kind*."""
    return {name for name in vars(kind) if not name.startswith("_")} - ONE_SIDED


#: What docs/client.md is about.
CLIENT = {"Analysis", "AsyncClient", "Client", "Problem", "ServiceError", "TimedOut", "Unreachable"}


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_of_the_document_runs(number: int, tmp_path: Path) -> None:
    """Copied into a file of its own; it says nothing on stderr."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAMS[number]],
        env={"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    if "computing" in PROGRAMS[number]:
        assert told.stdout == "computing acme\nwritten\ncomputing acme\n1 hits of 28\n"


def test_nothing_public_is_missing() -> None:
    """Each public name, each method of a cache, each word of a type and each type that is ready."""
    words = {*hashcache.__all__, *public(Cache), *inspect.signature(Type).parameters, *TYPES}
    words -= {"__version__", *CLIENT}
    assert {word for word in words if not re.search(rf"\b{word}\b", DOCUMENT)} == set()


def test_the_two_caches_have_the_same_methods() -> None:
    """What one can, the other can, with the same words."""
    assert public(Cache) == public(SyncCache)
    for name in public(Cache) - {"is_enabled"}:
        one, other = inspect.signature(getattr(Cache, name)), inspect.signature(getattr(SyncCache, name))
        assert list(one.parameters) == list(other.parameters), name
