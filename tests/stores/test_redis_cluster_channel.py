"""The channel on a real Valkey Cluster: where it is heard, who is counted, and what happens when that node changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.key import Names
from hashcache.core.notice import Notice
from hashcache.stores.hearing import Pace
from hashcache.stores.redis.cluster import ClusterStore
from tests.contracts.ear import Ear, comes
from tests.harness.cluster import ValkeyCluster, slot_of
from tests.harness.node import Node
from tests.harness.sharded import bought, keys_on, names_on, sharded

#: Many processes or many tries: minutes on a busy machine.
pytestmark = pytest.mark.prove

PACE = Pace(window=timedelta(seconds=1), pulse=timedelta(milliseconds=100))


@pytest.fixture
def shards(cluster: ValkeyCluster) -> tuple[Node, Node, Node]:
    """The masters; the first has the replica."""
    return tuple(sorted(cluster.masters, key=lambda node: not cluster.replicas_of(node)))  # type: ignore[return-value]  # three


def cleared(store: ClusterStore, reason: str = "test") -> Notice:
    """A notice of an invalidation."""
    origin, now = store.channel.origin, store.now()
    return Notice(kind="invalidate", origin=origin, timestamp=now, sequence=1, selector=Selector(), reason=reason)


def listeners(cluster: ValkeyCluster, names: Names) -> Iterator[int]:
    """How many listen at each node."""
    return (node.ask("PUBSUB", "NUMSUB", f"{names.prefix}channel")[1] for node in cluster.nodes)


async def test_all_listen_at_the_node_with_the_barrier(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """One connection each, there and nowhere else; what is kept on other nodes is heard all the same."""
    names = names_on(cluster, shards[1])
    async with sharded(cluster.url, names) as one, sharded(cluster.url, names) as other:
        ear = await Ear.at(one.channel)
        await Ear.at(other.channel)
        assert list(listeners(cluster, names)) == [2 if node is shards[1] else 0 for node in cluster.nodes]
        for node in shards:
            await bought(other, keys_on(cluster, node, names)[0])
        assert [notice.kind for notice in await ear.hears(3)] == ["done"] * 3
        assert await other.channel.publish(cleared(other)) == 1


async def test_a_notice_to_everybody_reaches_who_listens_at_the_wrong_node(
    cluster: ValkeyCluster, shards: tuple[Node, ...]
) -> None:
    """
    The barrier has moved, and one process has not noticed: it hears and is counted all the same. With the next answer
    of the store it learns where to listen, and there is a gap before it is alive again.
    """
    names = names_on(cluster, shards[1])
    slot = slot_of(names.barrier)
    quiet = Pace(window=timedelta(seconds=20), pulse=timedelta(milliseconds=50))
    async with sharded(cluster.url, names) as one, sharded(cluster.url, names, pace=quiet) as other:
        await Ear.at(one.channel)
        ear = await Ear.at(other.channel)
        await one.barrier()
        await asyncio.to_thread(cluster.move, slot, shards[2])
        try:
            await one.forbid(Selector(), "test")
            # More when a node is slow to tell, or our own subscription has not moved yet: then one waits in vain.
            assert await one.channel.publish(cleared(one)) >= 1
            assert cleared(one).reason in [notice.reason for notice in await ear.hears(1)]
            assert (other.channel.alive, ear.gaps) == (True, 0)
            await other.barrier()
            assert not other.channel.alive
            await comes(lambda: other.channel.alive)
            assert (ear.gaps > 0, ear.alive_in_gap) == (True, False)
            await comes(lambda: max(listeners(cluster, names)) == 2)
            assert list(listeners(cluster, names)) == [2 if node is shards[2] else 0 for node in cluster.nodes]
        finally:
            await asyncio.to_thread(cluster.move, slot, shards[1])


async def test_a_node_that_is_gone_may_have_had_listeners(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """While a node does not answer one listener too many is counted, so that a clear waits for the whole window."""
    names = names_on(cluster, shards[0])
    async with sharded(cluster.url, names) as one, sharded(cluster.url, names) as other:
        ear = await Ear.at(other.channel)
        shards[1].kill()
        try:
            assert await one.channel.publish(cleared(one)) == 2
            assert len(await ear.hears(1)) == 1
        finally:
            await asyncio.to_thread(shards[1].start)
            await asyncio.to_thread(cluster.until_well)
        assert await one.channel.publish(cleared(one)) == 1


async def test_the_subscription_follows_a_fail_over(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """The node dies: not alive. Its replica takes over: heard there, after a gap, without anybody asking the store."""
    names = names_on(cluster, shards[0])
    (replica,) = cluster.replicas_of(shards[0])
    async with sharded(cluster.url, names, pace=PACE) as one, sharded(cluster.url, names, pace=PACE) as other:
        await Ear.at(one.channel)
        ear = await Ear.at(other.channel)
        shards[0].kill()
        await comes(lambda: not other.channel.alive)
        await asyncio.to_thread(cluster.until_master, replica)
        await comes(lambda: one.channel.alive and other.channel.alive)
        assert (ear.gaps > 0, ear.alive_in_gap) == (True, False)
        await asyncio.to_thread(shards[0].start)
        await asyncio.to_thread(cluster.until_well)
        ear.notices.clear()
        assert await one.channel.publish(cleared(one, "after")) == 1
        assert [notice.reason for notice in await ear.hears(1)] == ["after"]
        assert sum(listeners(cluster, names)) == 2
