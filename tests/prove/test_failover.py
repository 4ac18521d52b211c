"""A service on a cluster goes on while a master dies, and remembers again once a replica has taken over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.harness.cluster import ValkeyCluster
from tests.harness.contents import photo
from tests.harness.fleet import Fleet, Numbered
from tests.harness.service import until
from tests.harness.vendor import ScriptedVendor


@pytest.mark.parametrize("victim", [0, 1])
async def test_row_11_a_master_dies_under_load(
    victim: int, vendor: ScriptedVendor, script: Numbered, tmp_path: Path
) -> None:
    """
    Two services; each master has a replica. Every upload is answered, before, during and after the fail-over; after it
    new files that are asked for everywhere are paid for once again, and remembered by both.
    """
    with ValkeyCluster(replicas=3, silence=timedelta(milliseconds=700)) as cluster:
        shared = {"HASHCACHE_STORE": cluster.url}
        async with Fleet(tmp_path, vendor.url, [shared] * 2) as fleet:
            callers = [one for service in fleet.services for one in fleet.callers(4, service)]

            async def ask(content: bytes) -> bool:
                """Whether everybody was answered, and one call paid."""
                before = len(script.calls)
                answers = await asyncio.gather(*(caller.upload(content) for caller in callers))
                assert {answer.status for answer in answers} == {200}
                return len(script.calls) == before + 1

            assert await ask(photo())
            dead = cluster.nodes[victim]
            (replica,) = cluster.replicas_of(dead)
            dead.kill()
            taken_over = asyncio.create_task(asyncio.to_thread(cluster.until_master, replica))
            while not taken_over.done():
                await ask(photo())
            await taken_over
            contents: list[bytes] = []

            async def settled() -> bool:
                """Whether ten new files, on whichever shard, cost one call each."""
                contents[:] = [photo() for _ in range(10)]
                return all([await ask(content) for content in contents])

            await until(settled)
            calls = len(script.calls)
            for content in contents:
                await ask(content)
            assert len(script.calls) == calls
