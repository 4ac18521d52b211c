"""
For tests of code that uses the library: its own cache, in memory, with time in the test's hand.

    async with in_memory(app.cache) as bench:
        await bench.give({"open": 3}, app.dashboard, 7)         # a hit by force
        assert await app.dashboard(7) == {"open": 3}
        bench.clock.advance(301)                                # the answer expires
        await app.dashboard(7)
        assert [call.status for call in bench.calls] == ["HIT", "MISS"]

Rule: the engine is the one of production, and so are keys and values; only the store and the clock are others. Nothing
      touches a network, and nothing waits for time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ParamSpec

from hashcache import wiring
from hashcache.core.entry import Instant
from hashcache.core.outcome import Outcome
from hashcache.integrations import functions, names
from hashcache.integrations.answering import Answering
from hashcache.integrations.asked import Asked
from hashcache.integrations.blocking import SyncCache
from hashcache.integrations.cache import Cache

P = ParamSpec("P")

#: When a test's time begins: 2026-01-01T00:00Z.
_START = 1_767_225_600_000


class Clock:
    """Stands still until it is told to advance. Called, it gives milliseconds since 1970."""

    def __init__(self) -> None:
        self._now = _START

    def __call__(self) -> Instant:
        return Instant(self._now)

    def advance(self, duration: float | timedelta) -> None:
        """Let *duration* pass, in seconds or as a timedelta."""
        passed = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
        self._now += passed // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Call:
    """
    One answered question: its *key*, its *type*, and its *status*: `HIT`, `MISS`, `STALE` or `ERROR`. *ran*: whether
    the function ran for this caller; False for a hit, and for who joined the run of another.
    """

    key: str
    type: str
    status: str
    ran: bool


class Bench:
    """A cache under test. *calls* are the questions answered so far, in order."""

    def __init__(self, answering: Answering) -> None:
        self.clock = Clock()
        self.calls: list[Call] = []
        self._answering = answering

    @contextmanager
    def forced_miss(self) -> Iterator[None]:
        """Within it nothing that is kept will do: functions run, and what they give is kept."""
        self._answering.refreshing = True
        try:
            yield
        finally:
            self._answering.refreshing = False

    async def give(self, value: Any, function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """
        Make this call of a decorated *function* a hit that gives *value*.

        Raises:
            ValueError: nothing is kept of such a call.
        """
        question = functions.question_of(function)
        asked = question.of(args, kwargs)

        async def given() -> Any:
            return value

        load = functions.load_of(question, asked, given)
        if asked is None or not await self._answering.put(asked, load):
            unknown = "a secret was found in it" if load.secret else "nobody knows whose answer it would be"
            why = question.wishes.kind.refusal or unknown
            raise ValueError(f"nothing is kept of this call: {why}")

    def store(self) -> wiring.Shared:
        """A store in memory, on the clock of this bench, with the settings of the cache."""
        return wiring.store(replace(self._answering.settings, store="memory://"), self.clock)

    def heard(self, asked: Asked, outcome: Outcome | None) -> None:
        """Write *outcome* (None: the function raised) into the ledger."""
        status = "ERROR" if outcome is None else outcome.status.value
        ran = outcome is None or not (outcome.cached or outcome.collapsed)
        self.calls.append(Call(names.name_of(asked.key), asked.kind.name, status, ran))


class SyncBench(Bench):
    """The same for a SyncCache: *run* waits for its loop."""

    def __init__(self, answering: Answering, run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        super().__init__(answering)
        self._run = run

    def give_sync(self, value: Any, function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """As `give`."""
        self._run(self.give(value, function, *args, **kwargs))


@asynccontextmanager
async def in_memory(cache: Cache) -> AsyncIterator[Bench]:
    """Open *cache*, as it is, on a store in memory; it is empty, and closed at the end."""
    bench = Bench(cache.answering)
    cache.answering.witness = bench.heard
    try:
        await cache.answering.open(bench.store())
        yield bench
    finally:
        await cache.answering.close()
        cache.answering.witness = None


@contextmanager
def in_memory_sync(cache: SyncCache) -> Iterator[SyncBench]:
    """The same for a SyncCache."""
    bench = SyncBench(cache.answering, cache.run)
    cache.answering.witness = bench.heard
    try:
        cache.start(bench.store())
        yield bench
    finally:
        cache.stop()
        cache.answering.witness = None
