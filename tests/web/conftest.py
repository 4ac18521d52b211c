"""
One browser, one vendor and one service for all tests of the pages; tests use contents that nobody used before.

Everything here lives in the session's loop, because the browser does: each module of tests marks itself so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.browser import Chromium, started
from tests.harness.service import Service
from tests.harness.valkey import valkey
from tests.harness.vendor import ScriptedVendor, ok

__all__ = ["valkey"]

KEY = "key-of-ann"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    """The browser."""
    async with started() as browser:
        yield browser


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bought(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """A service that buys from the vendor."""
    async with Service(folder / "bought", settings(market, folder / "bought")) as service:
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def keyed(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """As `bought`, for whoever has KEY."""
    entry = f"ann:red:user:{sha256(KEY.encode()).hexdigest()}"
    environment = settings(market, folder / "keyed", HASHCACHE_API_KEYS=entry)
    async with Service(folder / "keyed", environment) as service:
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local(folder: Path) -> AsyncIterator[Service]:
    """A service with nothing but its embedded analysis."""
    async with Service(folder / "local", {"HASHCACHE_STORE": "memory://"}) as service:
        yield service


def settings(vendor: ScriptedVendor, folder: Path, **more: str) -> dict[str, str]:
    """The environment of a service that buys from *vendor* at a cent."""
    return {
        "HASHCACHE_STORE": f"sqlite:///{folder}/cache.sqlite3",
        "HASHCACHE_PROVIDER": "generic",
        "HASHCACHE_GENERIC_URL": vendor.url,
        "HASHCACHE_GENERIC_SCORE": "/score",
        "HASHCACHE_GENERIC_VERSION": "/version",
        "HASHCACHE_GENERIC_PRICE_USD": "0.01",
        "HASHCACHE_PROVIDER_PAUSE": "1ms",
        # A test that fails may leave a purchase open.
        "HASHCACHE_GRACE": "1s",
        "HASHCACHE_MAX_UPLOAD": "30000000",
        **more,
    }
