"""
One vendor who counts, one service that buys from him, and a server before it that counts uploads.

Rule 1: they live as long as the run, in one event loop: each module that asks for them marks itself so.
Rule 2: each test meets the service empty and the vendor with a new ledger; only what the service has counted since it
        started goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.front import Front
from tests.harness.http import client
from tests.harness.process import SECONDS, Ended, hashcache
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.valkey import valkey
from tests.harness.vendor import Ledger, ScriptedVendor, ok
from tests.system.conftest import Services

__all__ = ["valkey"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def market() -> AsyncIterator[ScriptedVendor]:
    """The vendor that all services buy from."""
    async with ScriptedVendor() as vendor:
        yield vendor


@pytest.fixture
def vendor(market: ScriptedVendor) -> ScriptedVendor:
    """The vendor, who answers as if nothing had happened before."""
    market.default, market.ledger = ok(), Ledger()
    return market


@pytest.fixture(scope="session")
def paid(market: ScriptedVendor) -> dict[str, str]:
    """The settings of a service that buys from the vendor, for a cent a call."""
    return {
        "HASHCACHE_PROVIDER": "generic",
        "HASHCACHE_GENERIC_URL": market.url,
        "HASHCACHE_GENERIC_SCORE": "/score",
        "HASHCACHE_GENERIC_PRICE_USD": "0.01",
    }


@pytest_asyncio.fixture(loop_scope="session")
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    """What starts services of a test's own, and stops them after it."""
    async with AsyncExitStack() as stack:
        services = Services(tmp_path, stack)
        yield services
    assert services.faults() == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(paid: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """The service that the tests share."""
    async with AsyncExitStack() as stack:
        services = Services(tmp_path_factory.mktemp("running"), stack)
        yield await services.start(**paid)
    assert services.faults() == []


@pytest_asyncio.fixture(loop_scope="session")
async def service(running: Service, vendor: ScriptedVendor) -> Service:
    """That service, which knows nothing yet."""
    async with client(running.url, ADMIN_TOKEN) as admin:
        cleared = (await admin.post("/api/admin/cache/clear", json={"pattern": "*"})).json()
    assert cleared["done"]
    return running


@pytest_asyncio.fixture(loop_scope="session")
async def front(service: Service) -> AsyncIterator[Front]:
    """What stands before it."""
    async with Front(service.url) as front:
        yield front


class Shell:
    """Where commands are typed: *folder* and the variables that name the service behind the front."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {"HASHCACHE_URL": url, "HASHCACHE_API_KEY": ADMIN_TOKEN}

    async def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> Ended:
        """`hashcache` with *arguments* in pipes."""
        variables = {**self.environment, **(environment or {})}
        return await hashcache(self.folder, *arguments, environment=variables, stdin=stdin, seconds=seconds)


@pytest.fixture
def shell(front: Front, tmp_path: Path) -> Shell:
    """A folder of its own, and the service."""
    folder = tmp_path / "shell"
    folder.mkdir()
    return Shell(folder, front.url)
