"""What the tests of the engine share: a store in memory on a clock of our own, caches on it, and a shop."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from hashcache.core.content import Kind
from hashcache.core.entry import Label
from hashcache.core.envelope import Envelope
from hashcache.core.key import Key, Names, Question
from hashcache.engine.cache import Cache
from hashcache.engine.near import Near
from hashcache.stores.memory import MemoryStore
from tests.engine.machine import Fleet, Member
from tests.harness.away import CutOff
from tests.harness.clock import HandClock
from tests.harness.hub import Hub
from tests.harness.loads import Shop

LABEL = Label("image", "default", "shop")


def key_of(number: int = 0) -> Key:
    """The key of the content *number*."""
    return Key.of(f"{number:064x}", Question(Kind.IMAGE, "default", "shop", "model"))


@dataclass
class Heard:
    """An observer of the store's coming and going."""

    changes: list[bool] = field(default_factory=list)

    def store(self, *, available: bool, reason: str) -> None:
        """Note it; whoever is away says why."""
        assert available or reason
        self.changes.append(available)


@pytest.fixture
def clock() -> HandClock:
    """Time in the test's hand."""
    return HandClock()


@pytest.fixture
def store(clock: HandClock) -> CutOff:
    """One store for all caches of a test."""
    envelope = Envelope(most=1_000_000)
    return CutOff(MemoryStore(names=Names("test"), envelope=envelope, clock=clock, most=10_000_000))


@pytest.fixture
def heard() -> Heard:
    """What the observer of all caches of a test heard."""
    return Heard()


@pytest.fixture
def hub() -> Hub:
    """What connects the processes of a test."""
    return Hub()


@pytest.fixture
async def make_cache(store: CutOff, hub: Hub, heard: Heard) -> AsyncIterator[Callable[[], Cache]]:
    """A maker of caches: each stands for a process of its own."""
    made: list[Cache] = []

    def make() -> Cache:
        process = len(made)
        tokens = itertools.count()
        end = hub.join(f"process-{process}")
        cache = Cache(
            store,  # type: ignore[arg-type]  # it passes every verb on to the store it wraps
            end,
            Near(1_000_000),
            token=lambda: f"process-{process}-{next(tokens)}",
            chance=lambda: 0.5,
            observer=heard,
            window=timedelta(milliseconds=200),
        )
        end.listen(cache.coherence.heard, cache.coherence.gap)
        made.append(cache)
        return cache

    yield make
    for cache in made:
        await cache.close(timedelta(seconds=1))


@pytest.fixture
async def cache(make_cache: Callable[[], Cache]) -> Cache:
    """One process."""
    return make_cache()


@pytest.fixture
def shop() -> Shop:
    """Where answers are bought; its gate is open."""
    shop = Shop()
    shop.gate.set()
    return shop


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Three processes on time that stands still; in the end all heals, and nothing may be left over."""
    fleet = Fleet(3)
    try:
        yield fleet
        fleet.close()
    finally:
        fleet.abandon()


@pytest.fixture
def one(fleet: Fleet) -> Member:
    """The first process."""
    return fleet.members[0]


@pytest.fixture
def two(fleet: Fleet) -> Member:
    """The second one."""
    return fleet.members[1]
