"""Machines whose clocks disagree by hours share a server: time is the server's, so nothing changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio

from tests.faults.conftest import LEASE
from tests.harness.contents import photo
from tests.harness.fleet import Caller, Fleet, Numbered, number
from tests.harness.http import cache_status
from tests.harness.service import ROOT, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUR = 3600
#: How long answers live in these services: far less than the clocks are wrong.
LIFE = 600
#: What Python runs before anything else (`sitecustomize`, of the module `site`): every wall clock is wrong.
_WRONG = """
import time

def wrong(read, shift):
    return lambda: read() + shift

time.time, time.time_ns = wrong(time.time, {seconds}), wrong(time.time_ns, {seconds} * 10**9)
"""


def wrong_by(seconds: int, folder: Path) -> dict[str, str]:
    """The environment of a process whose wall clock is wrong by so many *seconds*."""
    place = folder / f"clock{seconds:+d}"
    place.mkdir()
    (place / "sitecustomize.py").write_text(_WRONG.format(seconds=seconds), encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join((str(place), str(ROOT)))}


@pytest_asyncio.fixture(loop_scope="session")
async def disagreeing(server: Valkey, vendor: ScriptedVendor, tmp_path: Path) -> AsyncIterator[Fleet]:
    """Two services on one server, the clock of the first an hour ahead, that of the second an hour behind."""
    shared = {
        "REDIS_URL": server.url,
        "HASHCACHE_ENV": "clocks",
        "HASHCACHE_LEASE": f"{LEASE}s",
        "HASHCACHE_MEDIA_TTL": f"{LIFE}s",
    }
    places = [{**shared, **wrong_by(shift, tmp_path)} for shift in (HOUR, -HOUR)]
    async with Fleet(tmp_path, vendor.url, places) as fleet:
        yield fleet


async def test_row_27_clocks_that_are_wrong(
    disagreeing: Fleet, script: Numbered, vendor: ScriptedVendor, server: Valkey
) -> None:
    """
    What one of them bought is as fresh and as old in the other as it is, and lives on the server as long as is set; a
    claim of either holds as long as its call takes, and its answer is given to who waits in the other.
    """
    one, two = disagreeing.everywhere()
    started = [datetime.fromisoformat(process["started_at"]) for process in (await one.stats())["processes"]]
    assert max(started) - min(started) > timedelta(hours=1.9)
    for buyer, other in ((one, two), (two, one)):
        await lives_as_long(server, buyer, other)
        await holds_as_long(script, vendor, buyer, other)


async def lives_as_long(server: Valkey, buyer: Caller, other: Caller) -> None:
    """What *buyer* has bought is for *other*, and lies on the server, as if their clocks were right."""
    content = photo()
    bought = number(await buyer.upload(content))
    answer = await other.upload(content)
    assert (number(answer), answer.header("x-cache")) == (bought, "HIT")
    assert int(answer.header("age") or "-1") in range(30)
    assert cache_status(answer.header("cache-status"))["ttl"] in range(LIFE - 30, LIFE + 1)
    with server.client() as there:
        (entry,) = there.scan_iter(f"*{{{sha256(content).hexdigest()}}}*")
        assert LIFE - 30 < there.ttl(entry) <= LIFE


async def holds_as_long(script: Numbered, vendor: ScriptedVendor, buyer: Caller, other: Caller) -> None:
    """While *buyer* buys, for longer than a lease that is not renewed, *other* waits."""
    content, gate, calls = photo(), script.hold(), len(script.calls)
    first = asyncio.create_task(buyer.upload(content))
    await vendor.called(calls + 1)
    second = asyncio.create_task(other.upload(content))
    began = monotonic()
    await until(lambda: monotonic() - began > 1.5 * LEASE)
    gate.set()
    assert [number(answer) for answer in await asyncio.gather(first, second)] == [calls + 1] * 2
    assert len(script.calls) == calls + 1
