"""A vendor, a folder and an environment for each test; whatever a service logs as a fault of ours fails its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.service import Service
from tests.harness.valkey import valkey
from tests.harness.vendor import ScriptedVendor

__all__ = ["valkey"]


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    """A vendor who counts calls."""
    async with ScriptedVendor() as vendor:
        yield vendor


@pytest.fixture
def paid(vendor: ScriptedVendor) -> dict[str, str]:
    """The settings of a service that buys from `vendor`, for a cent a call."""
    return {
        "HASHCACHE_PROVIDER": "generic",
        "HASHCACHE_GENERIC_URL": vendor.url,
        "HASHCACHE_GENERIC_SCORE": "/score",
        "HASHCACHE_GENERIC_PRICE_USD": "0.01",
    }


class Services:
    """Services of one test, each in a folder of its own."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._made: list[Service] = []

    def make(self, *options: str, **environment: str) -> Service:
        """A service that is not started yet."""
        folder = self._folder / f"service-{len(self._made)}"
        folder.mkdir()
        service = Service(folder, environment, options=options)
        self._made.append(service)
        return service

    async def start(self, *options: str, **environment: str) -> Service:
        """A service that answers; it is stopped at the end of the test."""
        return await self._stack.enter_async_context(self.make(*options, **environment))

    def faults(self) -> list[str]:
        """What they have written that nobody should ever see."""
        logs = [service.log() for service in self._made]
        return [log for log in logs if "Traceback" in log or '"request.fault"' in log]


@pytest_asyncio.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    """What starts services, and stops them after the test."""
    async with AsyncExitStack() as stack:
        services = Services(tmp_path, stack)
        yield services
    assert services.faults() == []
