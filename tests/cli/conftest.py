"""A service with a vendor who counts, and a server before it that counts uploads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.front import Front
from tests.harness.process import SECONDS, Ended, hashcache
from tests.harness.service import ADMIN_TOKEN, Service
from tests.system.conftest import Services, paid, services, valkey, vendor

__all__ = ["paid", "services", "valkey", "vendor"]


@pytest_asyncio.fixture
async def service(services: Services, paid: dict[str, str]) -> Service:
    """A service that buys for a cent."""
    return await services.start(**paid)


@pytest_asyncio.fixture
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
