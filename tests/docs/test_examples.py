"""
docs/examples: each program does what it says that it prints, and the table there knows each of them.

An example says in its docstring how it is run, with `[STORE]` where it takes one, and what it prints.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.harness.valkey import Valkey

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
TABLE = (FOLDER / "README.md").read_text("utf-8")
#: What may differ from one store to another: time, keys, patterns, who hears of what. The rest runs in memory alone.
ON_A_SERVER = {"01", "03", "05", "07", "08", "09", "10", "11", "12", "19", "20"}
SECONDS = 50


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """A server for the examples alone: each has an environment of its own on it, but every run has the same one."""
    with Valkey() as server:
        yield server


def told(example: Path) -> str:
    """What *example* says of itself."""
    return ast.get_docstring(ast.parse(example.read_text("utf-8"))) or ""


def expected(example: Path) -> str:
    """What *example* says that it prints; AssertionError, if it does not say."""
    found = re.search(r"prints:\n\n((?: {4}.*\n)+)\Z", told(example) + "\n")
    assert found is not None, f"{example.name} does not say what it prints"
    return dedent(found[1])


async def ran(example: Path, folder: Path, *arguments: str) -> tuple[int | None, str, str]:
    """The exit code of *example*, what it printed, and what it complained about."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        str(example),
        *arguments,
        env={"PYTHONPATH": str(ROOT)},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
async def test_an_example_prints_what_it_says(example: Path, server: Valkey, tmp_path: Path) -> None:
    """In memory, and where that may differ on a real server too: the same, and no complaint."""
    runs = [ran(example, tmp_path)]
    if example.stem[:2] in ON_A_SERVER:
        runs.append(ran(example, tmp_path, server.url))
    for run in await asyncio.gather(*runs):
        assert run == (0, expected(example), "")


def test_the_table_knows_each_example() -> None:
    """In order, and no other."""
    assert re.findall(r"^\| \[`(\w+)`\]\((\w+\.py)\) \|", TABLE, re.MULTILINE) == [
        (example.stem, example.name) for example in EXAMPLES
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_says_how_it_is_run(example: Path) -> None:
    """With its own name; and it takes a store if and only if it says so."""
    assert f"    python docs/examples/{example.name}" in told(example)
    assert (f"{example.name} [STORE]" in told(example)) == ("sys.argv" in example.read_text("utf-8"))
