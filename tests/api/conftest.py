"""
One vendor, and a few services that buy from it, for all tests of the HTTP surface.

Rule 1: they live as long as the run, in one event loop; tests use contents that nobody used before.
Rule 2: whatever a test does to a service, it must not be found in the log as a fault of ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import httpx
import pytest
import pytest_asyncio

from tests.harness.books import assert_books_add_up, settled
from tests.harness.http import client
from tests.harness.service import ADMIN_TOKEN, Service, until
from tests.harness.valkey import valkey  # noqa: F401 - a fixture
from tests.harness.vendor import ScriptedVendor, ok

#: What the services below accept, in bytes.
MAX_UPLOAD, MAX_TEXT, UPLOAD_BUDGET = 20_000_000, 100_000, 45_000_000
KEYS = {"ann": "key-of-ann", "amy": "key-of-amy", "bob": "key-of-bob", "root": "key-of-root"}
_ENTRIES = (("ann", "red", "user"), ("amy", "red", "user"), ("bob", "blue", "user"), ("root", "red", "admin"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def market() -> AsyncIterator[ScriptedVendor]:
    """The vendor that all services buy from."""
    async with ScriptedVendor() as vendor:
        yield vendor


@pytest.fixture
def vendor(market: ScriptedVendor) -> ScriptedVendor:
    """The vendor, who answers as if nothing had happened before."""
    market.default = ok()
    return market


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the services live."""
    return tmp_path_factory.mktemp("services")


def settings(vendor: ScriptedVendor, folder: Path, **more: str) -> Mapping[str, str]:
    """The environment of a service that buys from *vendor*, with limits that tests can reach."""
    return {
        "HASHCACHE_STORE": f"sqlite:///{folder}/cache.sqlite3",
        "HASHCACHE_PROVIDER": "generic",
        "HASHCACHE_GENERIC_URL": vendor.url,
        "HASHCACHE_GENERIC_SCORE": "/score",
        "HASHCACHE_GENERIC_VERSION": "/version",
        "HASHCACHE_GENERIC_PRICE_USD": "0.01",
        # A provider that fails is asked again at once: each test has failures of its own.
        "HASHCACHE_PROVIDER_PAUSE": "1ms",
        "HASHCACHE_MAX_UPLOAD": str(MAX_UPLOAD),
        "HASHCACHE_MAX_TEXT": str(MAX_TEXT),
        "HASHCACHE_UPLOAD_BUDGET": str(UPLOAD_BUDGET),
        "HASHCACHE_UPLOAD_IDLE": "1s",
        **more,
    }


def keyed_entries() -> str:
    """HASHCACHE_API_KEYS with all KEYS."""
    return ",".join(
        f"{name}:{tenant}:{role}:{sha256(KEYS[name].encode()).hexdigest()}" for name, tenant, role in _ENTRIES
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def uvicorn_service(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """`hashcache serve`."""
    async with Service(folder / "uvicorn", settings(market, folder)) as service:
        yield service
        assert_books_add_up(await settled(service))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def granian_service(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """The same application under granian."""
    environment = settings(market, folder, HASHCACHE_ENV="granian")
    async with Service(folder / "granian", environment, server="granian") as service:
        yield service
        assert_books_add_up(await settled(service))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def keyed(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """A service with API keys: ann and amy are of the tenant red, bob of blue; root administers."""
    keys = keyed_entries()
    environment = settings(market, folder, HASHCACHE_ENV="keyed", HASHCACHE_API_KEYS=keys, HASHCACHE_ADMIN_TOKEN="")
    async with Service(folder / "keyed", environment) as service:
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hasty(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """A service that gives its provider a second."""
    environment = settings(market, folder, HASHCACHE_ENV="hasty", HASHCACHE_GENERIC_TIMEOUT="1s")
    async with Service(folder / "hasty", environment) as service:
        yield service
        assert_books_add_up(await settled(service))


@pytest_asyncio.fixture(loop_scope="session")
async def closed(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """A service with no admin at all: `hashcache serve` on loopback would have made one, another server does not."""
    environment = settings(market, folder, HASHCACHE_ADMIN_TOKEN="")
    async with Service(folder / "closed", environment, server="granian") as service:
        yield service


@pytest.fixture
def service(uvicorn_service: Service) -> Iterator[Service]:
    """The service, as most tests use it."""
    yield uvicorn_service
    assert not uvicorn_service.events("request.fault")


@pytest.fixture(params=["uvicorn", "granian"])
def server(request: pytest.FixtureRequest) -> Iterator[Service]:
    """The service under each of the servers that we support, where they differ."""
    service: Service = request.getfixturevalue(f"{request.param}_service")
    yield service
    assert not service.events("request.fault")


@pytest_asyncio.fixture(loop_scope="session")
async def web(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """An ordinary client of `service`."""
    async with client(service.url) as web:
        yield web


class Undisturbed(Protocol):
    """See `undisturbed`."""

    def __call__(self, service: Service) -> AbstractAsyncContextManager[None]: ...


@pytest.fixture
def undisturbed(vendor: ScriptedVendor) -> Undisturbed:
    """Inside `async with undisturbed(service)` nothing is bought or stored, and nothing is left afterwards."""

    @asynccontextmanager
    async def watch(service: Service) -> AsyncIterator[None]:
        async with client(service.url, ADMIN_TOKEN) as admin:
            before = await _stored(admin)
            calls, files = vendor.ledger.calls, service.open_files()
            yield
            kept, stored = await _stored(admin)
            # What others left may have died meanwhile: a failure is remembered for moments.
            assert stored == before[1]
            assert all(count <= before[0][kind] for kind, count in kept.items())
            assert vendor.ledger.calls == calls
            await until(lambda: service.open_files() <= files, what="its descriptors are closed")
        assert service.spooled() == 0
        assert list(service.spool.iterdir()) == []

    return watch


async def _stored(admin: httpx.AsyncClient) -> tuple[dict[str, int], int]:
    """Entries there are by kind, and how many were stored since the start."""
    cache = (await admin.get("/api/admin/cache/stats")).json()["cache"]
    return cache["memory"]["keys"], cache["stored"]
