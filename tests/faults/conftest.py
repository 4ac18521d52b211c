"""
Three services on one Redis server, and a vendor whose answers tell their call: shared by the tests of this folder.

Rule 1: they live as long as the run, in one event loop; tests use contents that nobody used before, and leave what
        they break whole again.
Rule 2: a claim lasts a second without its holder, so that tests need not wait longer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.harness.fleet import Fleet, Numbered
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

#: Seconds that a claim lasts in the services here.
LEASE = 1


@pytest.fixture(scope="session")
def answers() -> Numbered:
    """What the vendor does, over all tests."""
    return Numbered()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vendor(answers: Numbered) -> AsyncIterator[ScriptedVendor]:
    """The vendor that all services buy from."""
    async with ScriptedVendor(answers) as vendor:
        yield vendor


@pytest.fixture
def script(answers: Numbered) -> Iterator[Numbered]:
    """What the vendor does: answer at once, unless the test says otherwise."""
    yield answers
    answers.delay = 0.0


@pytest.fixture(scope="session")
def server() -> Iterator[Valkey]:
    """The server that the fleet shares; tests may flush and damage it, not end it."""
    with Valkey() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def fleet(
    server: Valkey, vendor: ScriptedVendor, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fleet]:
    """Three services on `server`."""
    environment = {"REDIS_URL": server.url, "HASHCACHE_LEASE": f"{LEASE}s"}
    async with Fleet(tmp_path_factory.mktemp("fleet"), vendor.url, [environment] * 3) as fleet:
        yield fleet
