"""A Redis that stops answering costs each request a moment at most, then nothing; and it comes back by itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest

from tests.harness.contents import photo
from tests.harness.fleet import Caller, Fleet, Numbered, timings
from tests.harness.service import until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

SERVICES = 2
CALLERS = 4
#: What a request may spend on the store is set to 250 ms in sum. The rest is for a busy machine.
MOST_MS = 400.0
#: After so many seconds it is known that the server does not answer; then a request spends no time on it to speak of.
MOMENT = 1.5
NOTHING_MS = 100.0
VENDOR = 0.02


@dataclass(frozen=True)
class Request:
    """One that was answered: when it *began* and *ended*, *status*, ms that it spent in the store and in all else."""

    began: float
    ended: float
    status: int
    looked: float
    provider: float

    @property
    def rest(self) -> float:
        """Milliseconds beside the provider's, as the client saw it: on the store, on everything."""
        return (self.ended - self.began) * 1000 - self.provider


@dataclass
class Load:
    """Callers who ask all the time, for what is known and for what is new; *requests* in the order of their ends."""

    known: Sequence[bytes]
    requests: list[Request] = field(default_factory=list)

    async def ask(self, caller: Caller, chance: random.Random) -> None:
        """Ask for ever."""
        while True:
            content = photo() if chance.random() < 0.3 else chance.choice(self.known)
            began = monotonic()
            answer = await caller.upload(content)
            took = timings(answer)
            self.requests.append(Request(began, monotonic(), answer.status, took["lookup"], took.get("provider", 0.0)))
            await asyncio.sleep(0.01)

    def since(self, instant: float) -> list[Request]:
        """Those that ended after *instant*."""
        return [request for request in self.requests if request.ended > instant]

    @asynccontextmanager
    async def on(self, fleet: Fleet) -> AsyncIterator[None]:
        """The load is on inside."""
        callers = [one for service in fleet.services for one in fleet.callers(CALLERS, service)]
        chances = [random.Random(number) for number in range(len(callers))]  # noqa: S311 - a schedule, no secret
        tasks = [asyncio.create_task(self.ask(*pair)) for pair in zip(callers, chances, strict=True)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


@pytest.mark.prove
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seconds", [3, 20])
async def test_a_frozen_redis_costs_a_moment(
    seconds: int,
    valkey: Valkey,
    vendor: ScriptedVendor,
    script: Numbered,
    tmp_path: Path,
    figures: Callable[[str], None],
) -> None:
    """
    Redis is frozen (SIGSTOP) under load: everybody is answered, nobody spends more than 400 ms on it in sum, and after
    a moment nobody waits for it at all. Thawed, it serves again without a restart: what one process buys, the other
    hits.
    """
    script.delay = VENDOR
    store = {"HASHCACHE_STORE": valkey.url, "HASHCACHE_NEAR_BYTES": "0"}
    async with Fleet(tmp_path, vendor.url, [store] * SERVICES) as fleet:
        one, two = fleet.everywhere()
        load = Load([photo() for _ in range(5)])
        for content in load.known:
            await one.upload(content)
        async with load.on(fleet):
            await until(lambda: len(load.requests) > 100)
            valkey.freeze()
            frozen = monotonic()
            await until(lambda: monotonic() - frozen > seconds, within=2 * seconds)
            valkey.thaw()
            thawed = monotonic()
            await until(lambda: shared(one, two), what="what one process buys, the other hits")
            back = monotonic()
            # Where near memory is off, who is told of a hit was told by the store.
            await until(lambda: len(load.since(back)) > 100)
    meanwhile = [request for request in load.requests if request.ended > frozen and request.began < thawed]
    later = [request for request in meanwhile if request.began > frozen + MOMENT]
    for when, requests in (("frozen", meanwhile), ("after a moment", later), ("thawed", load.since(back))):
        figures(report(when, requests))
    assert {request.status for request in load.requests} == {200}
    assert len(later) > 50
    assert max(request.looked for request in meanwhile) < MOST_MS
    assert max(request.rest for request in meanwhile) < MOST_MS
    assert max(request.looked for request in later) < NOTHING_MS
    assert back - thawed < 5


async def shared(one: Caller, two: Caller) -> bool:
    """Whether what *one* process buys now is a hit in the other."""
    content = photo()
    await one.upload(content)
    return (await two.upload(content)).header("x-cache") == "HIT"


def report(when: str, requests: Sequence[Request]) -> str:
    """A line for people."""
    looked = sorted(request.looked for request in requests)
    rest = sorted(request.rest for request in requests)
    slow = sum(one > NOTHING_MS for one in looked)
    return (
        f"{when}: {len(requests)} requests; in the store median {looked[len(looked) // 2]:.1f} ms, most "
        f"{looked[-1]:.1f} ms, {slow} over {NOTHING_MS:g} ms; beside the provider most {rest[-1]:.1f} ms"
    )
