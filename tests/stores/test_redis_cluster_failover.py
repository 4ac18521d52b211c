"""
Row 15: a replica takes over, and what its master had not passed on is lost.

The replica follows its master through a proxy: where that swallows bytes, nothing is passed on any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Names
from hashcache.stores.redis.cluster import ClusterStore
from tests.harness.cluster import Failover, ValkeyCluster
from tests.harness.faults import HalfOpen
from tests.harness.node import Node
from tests.harness.proxy import On
from tests.harness.service import until
from tests.harness.sharded import LEASE, an_entry, bought, claimed, found, keys_on, names_on, sharded

#: Many processes or many tries: minutes on a busy machine.
pytestmark = pytest.mark.prove


@pytest.fixture
def shards(cluster: ValkeyCluster) -> tuple[Node, Node, Node]:
    """The masters; the first has the replica."""
    return tuple(sorted(cluster.masters, key=lambda node: not cluster.replicas_of(node)))  # type: ignore[return-value]  # three


@asynccontextmanager
async def cut_off(cluster: ValkeyCluster, master: Node, names: Names, **more: Any) -> AsyncIterator[ClusterStore]:
    """A store on the cluster, whose *master* passes nothing on to its replica from now on."""
    async with cluster.fronted() as proxies:
        # Until the store connects, the replica is the only one behind the proxy.
        proxies[master].impose(HalfOpen(), On.EXISTING)
        async with sharded(cluster.url, names, **more) as store:
            yield store


async def take_over(cluster: ValkeyCluster, master: Node) -> None:
    """The replica of *master* becomes the master, on its own decision, with what it has."""
    (replica,) = cluster.replicas_of(master)
    await asyncio.to_thread(cluster.failover, replica, Failover.TAKEOVER)


async def test_row_15_a_lost_claim_lets_another_buy(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Both answers are valid and kept, the later one in the end; the first buyer learns that his claim is gone."""
    names = names_on(cluster, shards[1])
    (key,) = keys_on(cluster, shards[0], names)
    async with cut_off(cluster, shards[0], names) as store:
        first, sequence = await claimed(store, key, "first")
        await take_over(cluster, shards[0])
        second, _ = await claimed(store, key, "second")
        assert not await store.renew(first, LEASE)
        assert await store.commit(second, an_entry(store, key, b"second", sequence))
        assert (await found(store, key)).payload == b"second"
        assert await store.commit(first, an_entry(store, key, b"first", sequence))
        assert (await found(store, key)).payload == b"first"


async def test_row_15_a_lost_entry_is_a_miss(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """It is bought again; what the replica had is there."""
    names = names_on(cluster, shards[1])
    lost, kept = keys_on(cluster, shards[0], names, 2)
    async with sharded(cluster.url, names) as store:
        entry = await bought(store, kept)
        with shards[0].client() as direct:
            # Another connection's WAIT waits for all that the master has written before it.
            direct.set("hashcache:mark", "x", px=10_000)
            assert direct.wait(1, 5_000) == 1
    async with cut_off(cluster, shards[0], names) as store:
        await bought(store, lost)
        await take_over(cluster, shards[0])
        assert await found(store, lost) is None
        assert await found(store, kept) == entry
        assert await bought(store, lost) == await found(store, lost)


async def test_row_15_a_clear_that_returned_is_not_lost(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """The master with the barrier dies at once after it, and so does one where a key was forgotten: both stay dead."""
    names = names_on(cluster, shards[0])
    (cleared,) = keys_on(cluster, shards[1], names)
    (forgotten,) = keys_on(cluster, shards[0], names)
    (replica,) = cluster.replicas_of(shards[0])
    async with sharded(cluster.url, names) as store:
        await bought(store, cleared)
        claim, _ = await claimed(store, forgotten)
        await store.forget([forgotten])
        barrier = await store.forbid(Selector(kind="image"), "test")
        shards[0].kill()
        await asyncio.to_thread(cluster.until_master, replica)

        async def answers() -> bool:
            try:
                return await store.barrier() == barrier
            except StoreUnavailable:
                return False

        await until(answers)
        assert await found(store, cleared) is None
        assert not await store.commit(claim, an_entry(store, forgotten, b"late", barrier.sequence))
        await asyncio.to_thread(shards[0].start)
        await asyncio.to_thread(cluster.until_well)


async def test_row_15_a_clear_that_no_replica_has_says_so(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """It is in force on the master, and not claimed to have been done: it may be lost with it. The next one counts."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    (other,) = keys_on(cluster, shards[0], names)
    async with cut_off(cluster, shards[0], names, patience=timedelta(seconds=1)) as store:
        entry = await bought(store, key)
        for verb in (store.forbid(Selector(kind="image"), "lost"), store.forget([other])):
            with pytest.raises(StoreUnavailable) as caught:
                await verb
            assert caught.value.reason == "unreplicated"
        assert await found(store, key) is None
        await take_over(cluster, shards[0])
        assert await found(store, key) == entry
        await store.forbid(Selector(kind="image"), "again")
        assert await found(store, key) is None


async def test_row_15_a_clear_waits_for_the_replicas_of_a_new_master(
    cluster: ValkeyCluster, shards: tuple[Node, ...]
) -> None:
    """A store that learns of the fail-over only from the answer to its clear (MOVED) still waits for a replica."""
    names = names_on(cluster, shards[0])
    (replica,) = cluster.replicas_of(shards[0])
    async with cluster.fronted() as proxies, sharded(cluster.url, names) as store:
        await store.barrier()
        await asyncio.to_thread(cluster.failover, replica, Failover.AGREED)
        await store.forbid(Selector(kind="image"), "test")
        assert proxies[replica].tally.served["WAIT"] == 1
