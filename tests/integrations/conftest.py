"""What the tests of the library share: caches in memory and on a real server, and functions that count."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from hashcache import Cache
from hashcache.testing import Bench, in_memory
from tests.harness.valkey import redis_url, valkey

__all__ = ["redis_url", "valkey"]


class Work:
    """A function that counts its calls, and waits at a gate, which is open at first."""

    def __init__(self) -> None:
        self.calls = 0
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: Exception | None = None

    async def __call__(self) -> int:
        """How often it was called, when the gate is open."""
        self.calls += 1
        number = self.calls
        self.entered.set()
        await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        return number


@pytest.fixture
def work() -> Work:
    """Something slow."""
    return Work()


@pytest.fixture
def cache() -> Cache:
    """A cache that is not open yet: decorate first."""
    return Cache("memory://")


@pytest.fixture
async def bench(cache: Cache) -> AsyncIterator[Bench]:
    """It is open now, in memory, with time in the test's hand."""
    async with in_memory(cache) as bench:
        yield bench


@pytest.fixture
def environment() -> str:
    """An environment of this test's own on a server that others use too."""
    return f"library-{secrets.token_hex(6)}"


@pytest.fixture
async def make_cache(redis_url: str, environment: str) -> AsyncIterator[Callable[[], Awaitable[Cache]]]:
    """A maker of open caches on one real server; each stands for a process of its own."""
    made: list[Cache] = []

    async def make() -> Cache:
        cache = Cache(redis_url, environment=environment)
        made.append(await cache.__aenter__())
        return cache

    yield make
    for cache in made:
        await cache.__aexit__(None, None, None)
