"""docs/routes.md: its programs run as they stand, and no word of the decorator or reason of a bypass is missing."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hashcache import Cache
from hashcache.integrations import flask, flask_admin
from hashcache.integrations.admin import admin_routes
from hashcache.integrations.starlette import cached_route

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "routes.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_of_the_document_runs(number: int, tmp_path: Path) -> None:
    """Copied into a file of its own; it says nothing."""
    command = [sys.executable, "-c", PROGRAMS[number]]
    told = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_no_word_is_missing() -> None:
    """Each parameter, each route, and what is Flask's alone."""
    words = set(inspect.signature(cached_route).parameters) - {"cache"}
    words |= {one.__name__ for one in (flask.current_cache, flask.init_app)}
    assert {word for word in words if f"`{word}`" not in DOCUMENT} == set()
    assert f"`{flask_admin.admin_blueprint.__name__}(" in DOCUMENT
    routes = admin_routes(Cache("off"), guard=lambda _: False)
    assert {route.path for route in routes if f" {route.path}`" not in DOCUMENT} == set()


def test_the_words_are_the_same_for_every_framework() -> None:
    """In their order, with their defaults."""
    one, other = inspect.signature(cached_route), inspect.signature(flask.cached_route)
    assert [str(word).partition(":")[0] for word in one.parameters.values()] == [
        str(word).partition(":")[0] for word in other.parameters.values()
    ]
    assert [word.default for word in one.parameters.values()] == [word.default for word in other.parameters.values()]
