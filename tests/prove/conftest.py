"""
A vendor whose answers tell their call, the stores that several processes share, and figures for people.

What is measured is shown at the end of the run, beside what was proved: nobody asserts a speed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.cluster import ValkeyCluster
from tests.harness.fleet import Numbered
from tests.harness.valkey import Valkey, valkey
from tests.harness.vendor import ScriptedVendor

__all__ = ["valkey"]

_FIGURES = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder, its small rounds too, belongs to `make prove`: it starts many processes."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.prove)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the figures."""
    lines = config.stash.get(_FIGURES, [])
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """What notes a line for people; the test's name stands above its lines."""
    lines = request.config.stash.setdefault(_FIGURES, [])
    lines.append(f"{request.node.name}:")
    return lambda line: lines.append(f"  {line}")


@pytest.fixture
def script() -> Numbered:
    """What the vendor does."""
    return Numbered()


@pytest_asyncio.fixture
async def vendor(script: Numbered) -> AsyncIterator[ScriptedVendor]:
    """The vendor, in this process."""
    async with ScriptedVendor(script) as vendor:
        yield vendor


@pytest.fixture
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The settings of a store for several processes; its parameter says which: `redis`, `cluster` or `sqlite`."""
    if request.param == "sqlite":
        yield {"HASHCACHE_STORE": f"sqlite:///{tmp_path}/shared.sqlite3"}
        return
    if request.param == "cluster":
        with ValkeyCluster() as cluster:
            yield {"HASHCACHE_STORE": cluster.url}
        return
    with Valkey() as server:
        yield {"HASHCACHE_STORE": server.url}
