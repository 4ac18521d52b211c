"""The cluster answers, redirects, fails over, breaks and heals; and nothing of it is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.harness.cluster import Failover, ValkeyCluster, slot_of
from tests.harness.faults import HalfOpen


@pytest.fixture(scope="module")
def cluster() -> Iterator[ValkeyCluster]:
    """Three masters and a replica of the first; each test leaves it whole, with whatever master."""
    with ValkeyCluster(replicas=1) as cluster:
        yield cluster


@asynccontextmanager
async def client_of(cluster: ValkeyCluster) -> AsyncIterator[RedisCluster]:
    """redis-py's client, told the nodes of the cluster's URL."""
    addresses = cluster.url.removeprefix("redis+cluster://").split(",")
    nodes = [ClusterNode(*address.split(":")) for address in addresses]
    async with RedisCluster(startup_nodes=nodes, decode_responses=True) as client:
        yield client


async def test_a_client_reaches_every_shard(cluster: ValkeyCluster) -> None:
    """Keys of each master are written and read through redis-py's client, and lie where `node_of` says."""
    masters = cluster.masters
    assert len(masters) == 3
    async with client_of(cluster) as client:
        for master in masters:
            key = cluster.key_on(master, "reached")
            await client.set(key, master.id)
            assert cluster.node_of(key) is master
            assert master.ask("GET", key) == master.id


async def test_the_wrong_node_answers_moved(cluster: ValkeyCluster) -> None:
    """A slot that was moved with its key: the old owner answers MOVED to the new one, and a client follows."""
    source, target = cluster.masters[:2]
    key = cluster.key_on(source, "moved")
    async with client_of(cluster) as client:
        await client.set(key, "value")
        cluster.move(slot_of(key), target)
        with pytest.raises(MovedError) as moved:
            source.ask("GET", key)
        assert moved.value.port == target.port
        assert cluster.node_of(key) is target
        assert await client.get(key) == "value"
    cluster.move(slot_of(key), source)
    assert source.ask("GET", key) == "value"


async def test_a_slot_under_way_answers_ask(cluster: ValkeyCluster) -> None:
    """While a slot moves: ASK for a key that is there, TRYAGAIN for keys in two places; a client follows ASK."""
    source, target = cluster.masters[:2]
    there = cluster.key_on(source, "ask")
    here = f"{{{there}}}-here"
    async with client_of(cluster) as client:
        await client.set(there, "value")
        cluster.begin_move(slot_of(there), target)
        assert cluster.move_keys(slot_of(there), target) == 1
        with pytest.raises(AskError) as asked:
            source.ask("GET", there)
        assert asked.value.port == target.port
        assert await client.get(there) == "value"
        await client.set(here, "other")
        with pytest.raises((AskError, TryAgainError)):
            source.ask("MGET", here, there)
        cluster.end_move(slot_of(there), target)
        assert await client.mget(here, there) == ["other", "value"]
    cluster.move(slot_of(there), source)


@pytest.mark.parametrize("how", Failover)
async def test_a_replica_takes_over(cluster: ValkeyCluster, how: Failover) -> None:
    """In each of the three ways the replica is the master at the end, with the keys, and the old master its replica."""
    (old,) = [master for master in cluster.masters if cluster.replicas_of(master)]
    (replica,) = cluster.replicas_of(old)
    key = cluster.key_on(old, "kept")
    async with client_of(cluster) as client:
        await client.set(key, how.name)
        with old.client() as direct:
            direct.wait(1, 1000)
        await asyncio.to_thread(cluster.failover, replica, how)
        assert cluster.node_of(key) is replica
        assert cluster.replicas_of(replica) == [old]
        assert await client.get(key) == how.name
        assert await client.set(key, "after")


async def test_a_killed_master_is_replaced(cluster: ValkeyCluster) -> None:
    """Nobody tells the replica: it takes over by itself; the killed one comes back as its replica."""
    (old,) = [master for master in cluster.masters if cluster.replicas_of(master)]
    (replica,) = cluster.replicas_of(old)
    key = cluster.key_on(old, "survives")
    with old.client() as direct:
        direct.set(key, "value")
        assert direct.wait(1, 1000) == 1
    old.kill()
    assert not old.answers
    await asyncio.to_thread(cluster.until_master, replica)
    assert replica.ask("GET", key) == "value"
    old.start()
    cluster.until_well()
    assert cluster.replicas_of(replica) == [old]


def test_a_frozen_node_is_silent_and_thaws(cluster: ValkeyCluster) -> None:
    """Connecting succeeds and nothing is answered; thawed, it serves again."""
    node = next(master for master in cluster.masters if not cluster.replicas_of(master))
    node.freeze()
    assert not node.answers
    with pytest.raises(RedisTimeoutError):
        node.ask("PING")
    node.thaw()
    cluster.until_well()
    assert node.ask("PING") == "PONG"


def test_a_script_counts_with_what_it_calls(cluster: ValkeyCluster) -> None:
    """Commands are summed over the masters; an EVAL that calls GET is an eval and a get; our own looks are not in."""
    first, second = cluster.masters[:2]
    cluster.reset_commands()
    first.ask("EVAL", "return redis.call('GET', KEYS[1])", 1, cluster.key_on(first))
    second.ask("GET", cluster.key_on(second))
    assert cluster.commands() == {"eval": 1, "get": 2}


async def test_a_proxy_before_each_node(cluster: ValkeyCluster) -> None:
    """Clients are sent to the proxies, each command passes one, and a fault on one leaves the others' keys alone."""
    async with cluster.fronted() as proxies:
        first, second = cluster.masters[:2]
        here, there = cluster.key_on(first, "front"), cluster.key_on(second, "front")
        with pytest.raises(MovedError) as moved:
            first.ask("GET", there)
        assert moved.value.port == proxies[second].port
        async with client_of(cluster) as client:
            await client.set(here, "here")
            await client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, there, "there")
            assert (proxies[first].tally.served["SET"], proxies[first].tally.served["EVAL"]) == (1, 0)
            assert (proxies[second].tally.served["SET"], proxies[second].tally.served["EVAL"]) == (0, 1)
            proxies[first].impose(HalfOpen())
            lost = asyncio.create_task(client.get(here))
            await proxies[first].until_asked(b"GET", here.encode())
            assert await client.get(there) == "there"
            assert not lost.done()
            proxies[first].heal()
            proxies[first].reset()
            assert await lost == "here"
    assert cluster.url.count(str(first.port)) == 1


@pytest.mark.parametrize(("coverage", "elsewhere"), [("yes", ClusterDownError), ("no", MovedError)])
def test_a_lost_shard(coverage: str, elsewhere: type[Exception]) -> None:
    """
    A master without a replica dies.

    With full coverage required nothing is served any more (CLUSTERDOWN). Without, the others serve their keys, and go
    on sending clients to the dead node for its own (MOVED). Afterwards neither servers nor folder are left.
    """
    with ValkeyCluster(silence=timedelta(milliseconds=500), cluster_require_full_coverage=coverage) as cluster:
        folder = Path(cluster.nodes[0].ask("CONFIG", "GET", "dir")[1])
        lost, left, other = cluster.masters
        key, gone = cluster.key_on(left), cluster.key_on(lost)
        servers = [psutil.Process(node.pid) for node in (left, other)]
        lost.kill()
        cluster.until_failing(lost)
        with pytest.raises(elsewhere):
            left.ask("GET", gone)
        if coverage == "no":
            assert left.ask("GET", key) is None
        else:
            with pytest.raises(ClusterDownError):
                left.ask("GET", key)
    assert not any(server.is_running() for server in servers)
    assert not folder.exists()
