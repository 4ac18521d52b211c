"""Type checkers know what the users of the library and the client would want them to know."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import hashcache
from hashcache import client, testing
from hashcache.integrations import admin, flask, flask_admin, starlette

ROOT = Path(__file__).parents[2]
USES = ROOT / "tests" / "integrations" / "uses.py"
TEXT = USES.read_text("utf-8")
WRONG = {number for number, line in enumerate(TEXT.splitlines(), 1) if line.endswith("# wrong")}


def told(*command: str) -> str:
    """What a checker says; it does not end well, for it finds what is wrong."""
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=200
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.timeout(240)
def test_mypy_accepts_what_is_right_and_finds_what_is_wrong() -> None:
    """
    Strictly, on a file that uses the whole public API: decorated functions keep their types, and each line that is
    marked as wrong is found, and no other.
    """
    said = told("mypy", "--strict", "--warn-unreachable", str(USES.relative_to(ROOT)))
    assert {int(number) for number in re.findall(rf"{USES.name}:(\d+): error", said)} == WRONG, said


@pytest.mark.timeout(240)
def test_pyright_accepts_what_is_right_and_finds_what_is_wrong() -> None:
    """The same lines, with what pyright checks by default; a warning counts as well."""
    said = json.loads(told("basedpyright", "--outputjson", "--pythonpath", sys.executable))
    found = said["generalDiagnostics"]
    assert said["summary"]["filesAnalyzed"] == 1
    assert {Path(one["file"]) for one in found} == {USES}
    assert {one["range"]["start"]["line"] + 1 for one in found} == WRONG, found


def test_nothing_is_silenced_in_the_file() -> None:
    """No comment speaks to a checker, and enough is wrong to prove that they look."""
    assert re.findall(r"(type|pyright|mypy|basedpyright): ?\w*", "".join(re.findall("#.*", TEXT))) == []
    assert len(WRONG) >= 25


def public(*places: object) -> Iterable[str]:
    """The names that *places*, modules, show to users."""
    for place in places:
        own = [name for name, one in vars(place).items() if inspect.getmodule(one) is place]
        yield from (name for name in getattr(place, "__all__", own) if not name.startswith("_"))


def test_the_file_uses_every_public_name() -> None:
    """Whoever adds one shows how it is used; so for each method of the caches and of the clients."""
    modules = public(hashcache, client, testing, starlette, admin, flask, flask_admin)
    aliases = {"Asking", "Guard", "P", "T"}  # words of annotations
    missing = {name for name in modules if not re.search(rf"\b{name}\b", TEXT)} - aliases
    below = {"start", "stop", "run", "answering", "close", "aclose", "heard", "store"}  # for integrations, or `with`
    for kind in (hashcache.Cache, hashcache.SyncCache, hashcache.Client, hashcache.AsyncClient, testing.Bench):
        names = {name for name in vars(kind) if not name.startswith("_")} - below
        missing |= {f"{kind.__name__}.{name}" for name in names if f".{name}" not in TEXT}
    assert missing == set()


def test_importing_hashcache_loads_neither_a_store_nor_a_server() -> None:
    """
    Neither do types and keys, which are only data; a cache loads no framework of the web.
    """
    code = (
        "import sys, hashcache; hashcache.Type, hashcache.Keys, hashcache.TYPES; "
        "print([name for name in ('redis', 'flask', 'werkzeug', 'starlette', 'httpx', 'structlog', 'sqlite3')"
        " if name in sys.modules]); hashcache.Cache('off'), hashcache.SyncCache('off'); "
        "print([name for name in ('flask', 'werkzeug', 'starlette', 'uvicorn') if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n[]\n"
