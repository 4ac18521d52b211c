"""A million answers are forgotten at once, and removed without others who use the same server noticing."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from hashcache.core.key import Key
from tests.harness.contents import photo
from tests.harness.crowd import digest, fill, write
from tests.harness.fleet import Caller, Fleet, number
from tests.harness.service import ROOT, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor
from tests.prove import gets

LOADED = 1_000
#: A clear answers after 2 s at most; the rest is for a busy machine.
SOON = 2.0 + 1.5


class Measured:
    """How long GETs took in one spell, in milliseconds."""

    def __init__(self) -> None:
        self.took: list[float] = []

    def share(self, percent: float) -> float:
        """So many percent of them took no longer."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def urgent(pid: int) -> None:
    """
    Let this process run before all others, if we may: what is measured is how long the server lets others wait, not
    how long this machine lets the measurement wait.
    """
    with suppress(PermissionError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(thread.name), os.SCHED_FIFO, os.sched_param(1))


@asynccontextmanager
async def load(valkey: Valkey) -> AsyncIterator[Measured]:
    """GETs are asked while inside."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.prove.gets", str(valkey.port), str(LOADED)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    urgent(process.pid)
    measured = Measured()
    try:
        yield measured
    finally:
        told, _ = await process.communicate(b"")  # its standard input ends
    measured.took = json.loads(told)


async def spell(valkey: Valkey, seconds: float) -> Measured:
    """GETs for so many *seconds*."""
    began = monotonic()
    async with load(valkey) as measured:
        await until(lambda: monotonic() - began >= seconds, within=seconds + 1)
    return measured


@contextmanager
def apart(valkey: Valkey) -> Iterator[None]:
    """The server has the first core for itself; all that is started inside, and we, share the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    with valkey.client() as there:
        server = int(there.info("server")["process_id"])
    for thread in Path(f"/proc/{server}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {first})
    urgent(server)
    os.sched_setaffinity(0, others or [first])
    try:
        yield
    finally:
        os.sched_setaffinity(0, [first, *others])


async def forgotten(caller: Caller, sha256: str) -> float:
    """Ask for *sha256* until it is not known any more; when that was (monotonic)."""
    while (await caller.known(sha256)).status == 200:
        pass
    return monotonic()


async def finished(caller: Caller, target: str, *, within: float) -> int:
    """How many answers the clear at *target* has removed, once it is done."""

    async def done() -> int:
        answer = await caller.administer("GET", target)
        assert answer.status in {200, 503}, (answer.status, answer.body)  # 503: a busy machine; one asks again
        return int(answer.json["deleted"]) if answer.status == 200 and answer.json["done"] else 0

    removed: int = await until(done, within=within, what="the keys are gone")
    return removed


@pytest.mark.parametrize(
    ("keys", "rounds", "seconds"),
    [
        pytest.param(5_000, 1, 0.2),
        pytest.param(1_000_000, 7, 2.0, marks=[pytest.mark.prove, pytest.mark.timeout(600)]),
    ],
)
async def test_a_clear_of_many(
    keys: int,
    rounds: int,
    seconds: float,
    valkey: Valkey,
    vendor: ScriptedVendor,
    tmp_path: Path,
    figures: Callable[[str], None],
) -> None:
    """
    A clear of so many answers takes effect at once and answers in about 2 s. While the keys are removed, others who
    use the server see 99 of 100 GETs take no longer than twice as long as before (median of the rounds). KEYS, beside
    which they are measured as well, lets them wait until it has listed all.
    """
    settings = {"HASHCACHE_STORE": valkey.url, "HASHCACHE_NEAR_BYTES": "0"}
    with apart(valkey):
        async with Fleet(tmp_path, vendor.url, [settings]) as fleet:
            asking, clearing = fleet.callers(2, fleet.services[0])
            known = (await asking.upload(photo())).json["sha256"]
            like = Key.parse((await asking.known(known)).header("x-cache-key") or "")
            await stored(valkey, tmp_path / "commands", keys, like)
            assert {number(await asking.known(digest(place))) for place in (0, 7, keys - 1)} == {0}
            idle = [await spell(valkey, seconds) for _ in range(rounds)]
            listed = [await beside_keys(valkey, keys) for _ in range(rounds)]
            began = monotonic()
            unknown = asyncio.create_task(forgotten(asking, known))
            answer = await clearing.clear()
            returned = monotonic() - began
            assert (await clearing.known(digest(keys // 2))).status == 404
            swept = [await spell(valkey, seconds) for _ in range(rounds)]
            removed = answer.json["deleted"]
            if answer.status == 202:
                target = answer.header("location") or ""
                if rounds > 1:
                    assert not (await clearing.administer("GET", target)).json["done"], (
                        "it was too quick to be measured"
                    )
                removed = await finished(clearing, target, within=400)
            end, effect = monotonic() - began, await unknown - began
            with valkey.client() as there:
                assert there.dbsize() < LOADED + 100
    assert removed >= keys
    figures(f"{keys} keys: no hit after {effect:.3f} s, answered after {returned:.2f} s, gone after {end:.1f} s")
    figures("GET, ms: idle p50    p99    max |  sweep p50  p99    max |   KEYS p50  p99    max")
    for row in zip(idle, swept, listed, strict=True):
        figures(
            "        " + " | ".join(" ".join(f"{one.share(percent):6.2f}" for percent in (50, 99, 100)) for one in row)
        )
    ratios = sorted(one.share(99) / before.share(99) for before, one in zip(idle, swept, strict=True))
    figures(f"p99 while sweeping / idle: median {statistics.median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f}")
    assert max(effect, returned) < SOON
    if rounds > 1:
        assert statistics.median(ratios) < 2


async def stored(valkey: Valkey, commands: Path, keys: int, like: Key) -> None:
    """Have so many answers stored, and what the load asks for."""
    await asyncio.to_thread(write, commands, keys, like, now=time.time_ns() // 1_000_000)
    await asyncio.to_thread(fill, valkey, commands)
    with valkey.client() as there:
        there.mset({gets.name(place): "x" * 300 for place in range(LOADED)})


async def beside_keys(valkey: Valkey, keys: int) -> Measured:
    """GETs while somebody lists all keys with KEYS, once."""
    with valkey.client() as there:
        async with load(valkey) as measured:
            assert len(await asyncio.to_thread(there.keys, "hashcache:*")) >= keys
            # The load begins a moment after it was started: list once more while it certainly runs.
            assert len(await asyncio.to_thread(there.keys, "hashcache:*")) >= keys
    return measured
