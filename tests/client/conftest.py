"""A service with a vendor who counts, and both clients behind one face."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from hashcache import AsyncClient, Client
from tests.harness.front import Front
from tests.harness.received import Ledger
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import ScriptedVendor


class Asking:
    """`Client` or `AsyncClient`, each method to be awaited."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def __call__(self, method: str, *arguments: Any, **named: Any) -> Any:
        bound: Callable[..., Any] = getattr(self.client, method)
        if isinstance(self.client, AsyncClient):
            return await bound(*arguments, **named)
        return await asyncio.to_thread(bound, *arguments, **named)

    async def close(self) -> None:
        """Close it."""
        if isinstance(self.client, AsyncClient):
            await self.client.aclose()
        else:
            self.client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Service, ScriptedVendor]]:
    """A service that buys for a cent, and its vendor: the tests of a module share them."""
    async with ScriptedVendor() as vendor:
        environment = {
            "HASHCACHE_PROVIDER": "generic",
            "HASHCACHE_GENERIC_URL": vendor.url,
            "HASHCACHE_GENERIC_SCORE": "/score",
            "HASHCACHE_GENERIC_PRICE_USD": "0.01",
        }
        service = Service(tmp_path_factory.mktemp("service"), environment)
        async with service:
            yield service, vendor
        assert "Traceback" not in service.log()


@pytest.fixture
def service(shop: tuple[Service, ScriptedVendor]) -> Service:
    """The service."""
    return shop[0]


@pytest.fixture
def vendor(shop: tuple[Service, ScriptedVendor]) -> ScriptedVendor:
    """Its vendor, whose ledger is empty."""
    shop[1].ledger = Ledger()
    return shop[1]


@pytest_asyncio.fixture(loop_scope="module")
async def front(service: Service) -> AsyncIterator[Front]:
    """What stands before it."""
    async with Front(service.url) as front:
        yield front


@pytest_asyncio.fixture(loop_scope="module", params=["Client", "AsyncClient"])
async def ask(request: pytest.FixtureRequest, front: Front) -> AsyncIterator[Asking]:
    """One of the clients, of the service behind `front`, with an admin's key and 15 seconds for a call."""
    made = {"Client": Client, "AsyncClient": AsyncClient}[request.param](front.url, api_key=ADMIN_TOKEN, timeout=15)
    asking = Asking(made)
    yield asking
    await asking.close()
