"""The store on a real Valkey Cluster: what it costs, who is connected, and what moves, dies and comes back."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache import wiring
from hashcache.core.barrier import MOST, Barrier, Selector
from hashcache.core.entry import EPOCH, Head
from hashcache.core.envelope import Envelope
from hashcache.core.errors import SettingsError, StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.ports import StoreHealth
from hashcache.settings import load
from hashcache.stores.redis import RedisStore
from hashcache.stores.redis.cluster import ClusterStore
from tests.harness.booking import book
from tests.harness.clock import HandClock
from tests.harness.cluster import ValkeyCluster, slot_of
from tests.harness.faults import HalfOpen, Hold, On, Side
from tests.harness.node import LOOPBACK, Node, free_ports
from tests.harness.proxy import FaultProxy
from tests.harness.service import until
from tests.harness.sharded import LEASE, an_entry, bought, claimed, found, keys_on, names_on, sharded
from tests.harness.tls import Authority, TlsFront
from tests.harness.valkey import Valkey

#: Many processes or many tries: minutes on a busy machine.
pytestmark = pytest.mark.prove

#: Far more than healthy nodes on this machine need, and far less than these tests would notice.
DEADLINE = timedelta(milliseconds=400)
#: How much later than its deadline a verb may come back on a busy machine.
MARGIN = 0.6


@pytest.fixture
def shards(cluster: ValkeyCluster) -> tuple[Node, Node, Node]:
    """The masters; the first has the replica."""
    return tuple(sorted(cluster.masters, key=lambda node: not cluster.replicas_of(node)))  # type: ignore[return-value]  # three


async def failure(store: ClusterStore, key: Key) -> StoreUnavailable:
    """How reading fails, and that it does so in time."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await store.read([key])
    assert time.monotonic() - began < DEADLINE.total_seconds() + MARGIN
    return caught.value


async def serves(store: ClusterStore, key: Key) -> bool:
    """Whether *key* can be claimed again."""
    try:
        bid = await store.claim(key, "looking", LEASE)
    except StoreUnavailable:
        return False
    if bid.claim is not None:
        await store.release(bid.claim)
    return True


def connections(proxies: dict[Node, FaultProxy]) -> int:
    """How many are open, that of the replica to its master among them."""
    return sum(proxy.tally.open for proxy in proxies.values())


# What it costs


async def test_a_hit_is_two_commands_and_a_miss_six(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Where entry and barrier lie on two nodes; what the store counts is what the nodes are sent."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    async with cluster.fronted() as proxies, sharded(cluster.url, names) as store:
        await use(store, key)  # teaches the scripts

        def arrived() -> int:
            """Commands at all nodes, but for what the replica says to its master."""
            tallies = [proxy.tally.served for proxy in proxies.values()]
            return sum(served.total() - served["REPLCONF"] for served in tallies)

        async def cost(verb: object) -> int:
            before, served = store.commands, arrived()
            await verb  # type: ignore[misc]  # any of the store's verbs
            assert arrived() - served == store.commands - before
            return store.commands - before

        async def miss() -> None:
            assert (await store.read([key])).slots[0].entry is None
            await bought(store, key)

        assert await cost(miss()) == 6
        assert await cost(store.read([key])) == 2
        claim, _ = await claimed(store, key)
        assert await cost(store.renew(claim, LEASE)) == 1
        assert await cost(store.release(claim)) == 1
        assert await cost(store.barrier()) == 1


async def test_no_more_connections_than_set(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """A hundred calls at once, over all nodes: as many connections as are allowed in sum, none that serves nobody."""
    names = names_on(cluster, shards[0])
    keys = [key for node in shards for key in keys_on(cluster, node, names, 5)]
    async with cluster.fronted() as proxies:
        replicas = connections(proxies)
        opened = sum(proxy.tally.opened for proxy in proxies.values())
        async with sharded(cluster.url, names, connections=7) as store:
            for _ in range(3):
                await asyncio.gather(*(found(store, keys[at % len(keys)]) for at in range(100)))
                assert connections(proxies) - replicas == 6, "an equal share for each"
        # One more was to read the topology.
        assert sum(proxy.tally.opened for proxy in proxies.values()) - opened == 7


async def test_each_node_has_one_connection_at_least(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Fewer than there are nodes could not reach all keys."""
    names = names_on(cluster, shards[0])
    keys = [key for node in shards for key in keys_on(cluster, node, names, 2)]
    async with cluster.fronted() as proxies:
        replicas = connections(proxies)
        async with sharded(cluster.url, names, connections=1) as store:
            await asyncio.gather(*(found(store, keys[at % len(keys)]) for at in range(100)))
            assert connections(proxies) - replicas == 3


async def test_keys_of_several_nodes_are_read_at_the_same_time(
    cluster: ValkeyCluster, shards: tuple[Node, ...]
) -> None:
    """One node that hesitates does not keep the others from being asked; the barrier is asked for after all."""
    names = names_on(cluster, shards[0])
    keys = [keys_on(cluster, node, names)[0] for node in shards]
    async with cluster.fronted() as proxies, sharded(cluster.url, names) as store:
        entries = [await bought(store, key, key.name.encode()) for key in keys]
        slow = proxies[shards[1]]
        slow.impose(Hold(Side.REPLIES, (b"MGET",)))
        asked = proxies[shards[0]].tally.times_served(b"GET", names.barrier.encode())
        reading = asyncio.create_task(store.read(keys))
        for node in shards:
            await proxies[node].until_served(b"MGET")
        await slow.until_held()
        assert proxies[shards[0]].tally.times_served(b"GET", names.barrier.encode()) == asked
        slow.heal()
        assert [slot.entry for slot in (await reading).slots] == entries


# Finding the nodes


async def test_one_living_seed_is_enough(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Seeds that are gone, or silent, cost a moment; the others tell of all nodes, a replica does as well."""
    names = names_on(cluster, shards[0])
    (replica,) = cluster.replicas_of(shards[0])
    (closed,) = free_ports(1)
    with socket.create_server((LOOPBACK, 0)) as silent:
        seeds = [closed, silent.getsockname()[1], replica.port]
        url = "redis+cluster://" + ",".join(f"{LOOPBACK}:{port}" for port in seeds)
        async with sharded(url, names) as store:
            for node in shards:
                await bought(store, keys_on(cluster, node, names)[0])
            assert (await store.health()).where == url


async def test_without_any_node_it_opens_and_comes_by_itself(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Opening raises nothing, verbs say why and do not wait; once a seed answers they work."""
    names = names_on(cluster, shards[0])
    key = keys_on(cluster, shards[1], names)[0]
    async with cluster.fronted() as proxies:
        for proxy in proxies.values():
            proxy.refuse()
        clock = HandClock()
        async with sharded(cluster.url, names, deadline=DEADLINE, monotonic=clock.seconds) as store:
            for _ in range(20):
                assert (await failure(store, key)).reason == "unreachable"
            assert (await store.health()).status == "degraded"
            asked = store.commands
            assert (await failure(store, key)).reason == "unreachable"
            assert store.commands == asked, "it looks for nodes once a second"
            for proxy in proxies.values():
                proxy.heal()
            clock.advance(timedelta(seconds=1))
            assert await found(store, key) is None
            assert await serves(store, key)


async def test_a_server_that_is_no_cluster(valkey: Valkey) -> None:
    """A URL that leads to a single server is explained, and not taken for a cluster without keys."""
    async with sharded(f"redis+cluster://127.0.0.1:{valkey.port}", Names("test"), deadline=DEADLINE) as store:
        away = await failure(store, Key("analysis", "a", "b"))
        assert away.reason == "error"
        assert "begins with redis://" in str(away)


async def test_a_node_taken_for_a_single_server(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Who forgot +cluster in the URL is told."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    url = f"redis://127.0.0.1:{shards[0].port}"
    store = RedisStore(url, names=names, envelope=Envelope(most=1_000_000), clock=HandClock(), deadline=DEADLINE)
    for verb in (store.read([key]), store.claim(key, "token", LEASE)):
        with pytest.raises(StoreUnavailable, match=r"begins with redis\+cluster"):
            await verb
    await store.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis+cluster://", "host:port,host:port"),
        ("redis+cluster://:pa%40ss@a:1,b:port", "host:port,host:port"),
        ("redis+cluster://:pa%40ss@a:1/1", "no database but 0"),
        ("redis+cluster://:pa%40ss@a:1,b?ssl_cert_reqs=none", "no options"),
        ("rediss+cluster://:pa%40ss@a:1", "HASHCACHE_REDIS_CA"),
    ],
)
def test_urls_that_cannot_be_used(url: str, words: str) -> None:
    """They are refused before anything is opened, without repeating the password."""
    with pytest.raises(SettingsError) as caught:
        ClusterStore(url, names=Names("t"), envelope=Envelope(most=1), clock=HandClock(), ca_file="/nowhere.pem")
    assert words in str(caught.value)
    assert "pa%40ss" not in str(caught.value)


@pytest.mark.parametrize(("scheme", "kind"), [("redis+cluster", ClusterStore), ("redis", RedisStore)])
def test_the_settings_choose_the_store(scheme: str, kind: type[RedisStore]) -> None:
    """By the URL's scheme, whichever variable holds it."""
    for name in ("HASHCACHE_STORE", "REDIS_URL"):
        store = wiring.store(load({name: f"{scheme}://:pw@node-1:7000"}))
        assert type(store) is kind


async def test_user_and_password_are_for_all_nodes(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Those of the URL are used at each node; where they are wrong the reason is told."""
    names = names_on(cluster, shards[0])
    for node in cluster.nodes:
        node.ask("ACL", "SETUSER", "operator", "on", ">p@ss", "~hashcache:*", "&hashcache:*", "+@all")
    try:
        host = cluster.url.removeprefix("redis+cluster://")
        async with sharded(f"redis+cluster://operator:p%40ss@{host}", names) as store:
            for node in shards:
                await bought(store, keys_on(cluster, node, names)[0])
            assert "p%40ss" not in (await store.health()).where
        async with sharded(f"redis+cluster://operator:wrong@{host}", names, deadline=DEADLINE) as store:
            assert (await failure(store, Key("analysis", "a", "b"))).reason == "auth"
    finally:
        for node in cluster.nodes:
            node.ask("ACL", "DELUSER", "operator")


async def test_each_node_proves_who_it_is(tmp_path: Path) -> None:
    """Over TLS every node is verified, not only the seeds: one with another name is told nothing."""
    authority = Authority(tmp_path)
    with ValkeyCluster() as cluster:
        anchor, good, other = cluster.nodes
        names = names_on(cluster, anchor)
        keys = {node: keys_on(cluster, node, names)[0] for node in cluster.nodes}
        async with AsyncExitStack() as stack:
            fronts = {
                node: await stack.enter_async_context(TlsFront(node.port, authority.context(name)))
                for node, name in ((anchor, LOOPBACK), (good, LOOPBACK), (other, "redis.example"))
            }
            # What nodes that speak TLS do by themselves: name the ports on which they do.
            await asyncio.to_thread(cluster._announce, {node: front.port for node, front in fronts.items()})
            url = f"rediss+cluster://{LOOPBACK}:{fronts[anchor].port}"
            async with sharded(url, names, ca_file=authority.file, deadline=DEADLINE) as store:
                await bought(store, keys[good])
                assert fronts[good].received > 0
                assert (await failure(store, keys[other])).reason == "tls"
                assert fronts[other].received == 0


# Row 10: slots that move


async def use(store: ClusterStore, key: Key) -> None:
    """Every verb, each with what it must answer."""
    claim, sequence = await claimed(store, key)
    assert await store.renew(claim, LEASE)
    entry = an_entry(store, key, b"used", sequence)
    assert await store.commit(claim, entry)
    assert await found(store, key) == entry
    longer = entry.expires + 1000
    assert await store.prolong(entry, type(entry.expires)(longer))
    claim, _ = await claimed(store, key)
    await store.release(claim)
    heads = [head for head in await everything(store) if head.key == key]
    assert await store.remove(heads[:1]) == 1
    assert await store.forget([key]) == 0
    await store.forbid(Selector(tag="other"), "test")
    await book(store, {"hits": 1})


async def everything(store: ClusterStore) -> list[Head]:
    """All heads of a scan."""
    heads: list[Head] = []
    cursor = None
    while True:
        page = await store.scan(cursor, 10)
        heads += page.heads
        cursor = page.cursor
        if cursor is None:
            return heads


@pytest.mark.parametrize("which", ["entry", "barrier", "ledger"])
async def test_row_10_a_slot_that_was_moved(cluster: ValkeyCluster, shards: tuple[Node, ...], which: str) -> None:
    """MOVED is followed by every verb, at once, and remembered; nobody notices, whatever lay in the slot."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    name = {"entry": names.entry(key), "barrier": names.barrier, "ledger": names.counters}[which]
    source = cluster.node_of(name)
    target = next(node for node in shards if node is not source)
    async with sharded(cluster.url, names) as store:
        await use(store, key)
        kept = await bought(store, key)
        await asyncio.to_thread(cluster.move, slot_of(name), target)
        try:
            assert await found(store, key) == kept
            sent = store.commands
            assert await found(store, key) == kept
            assert store.commands - sent == 2
            assert await store.forget([key]) == 1
            await use(store, key)
            assert (await store.ledger.totals()) == {"hits": 2}
        finally:
            await asyncio.to_thread(cluster.move, slot_of(name), source)
        await use(store, key)


async def test_row_10_reading_goes_on_while_a_slot_moves(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """ASK is followed, and what TRYAGAIN refuses is asked key by key: entries are found wherever they are by then."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    slot = slot_of(names.entry(key))
    other = Key(key.space, key.name, "absent")
    async with sharded(cluster.url, names) as store:
        kept = await bought(store, key)
        cluster.begin_move(slot, shards[2])
        try:
            # Entry here, claim nowhere: TRYAGAIN. Then the entry is there: ASK.
            for _ in range(2):
                reading = await store.read([key, other])
                assert [(one.entry, one.claimed) for one in reading.slots] == [(kept, False), (None, False)]
                await asyncio.to_thread(cluster.move_keys, slot, shards[2])
        finally:
            await asyncio.to_thread(cluster.end_move, slot, shards[2])
        assert await found(store, key) == kept
    await asyncio.to_thread(cluster.move, slot, shards[1])


@pytest.mark.parametrize("there", [False, True])
async def test_row_10_a_purchase_while_a_slot_moves(
    cluster: ValkeyCluster, shards: tuple[Node, ...], *, there: bool
) -> None:
    """Claim and commit wait until the slot has arrived (TRYAGAIN), and then succeed as if nothing had been."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    slot = slot_of(names.entry(key))
    async with cluster.fronted() as proxies, sharded(cluster.url, names) as store:
        if there:
            await bought(store, key, b"before")
        cluster.begin_move(slot, shards[2])
        await asyncio.to_thread(cluster.move_keys, slot, shards[2])
        purchase = asyncio.create_task(bought(store, key, b"after"))
        await proxies[shards[2]].until_asked(b"ASKING", times=2)
        assert not purchase.done()
        await asyncio.to_thread(cluster.end_move, slot, shards[2])
        assert await purchase == await found(store, key)
    await asyncio.to_thread(cluster.move, slot, shards[1])


async def test_row_10_a_move_that_takes_long(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """What must wait for it fails as `moving` within the deadline; the breaker stays closed for all other keys."""
    names = names_on(cluster, shards[0])
    key, near = keys_on(cluster, shards[1], names, 2)
    slot = slot_of(names.entry(key))
    async with sharded(cluster.url, names, deadline=DEADLINE) as store:
        cluster.begin_move(slot, shards[2])
        try:
            for _ in range(5):
                began = time.monotonic()
                with pytest.raises(StoreUnavailable) as caught:
                    await store.claim(key, "token", LEASE)
                assert caught.value.reason == "moving"
                assert time.monotonic() - began < DEADLINE.total_seconds() + MARGIN
            assert await found(store, key) is None
            await bought(store, near)
        finally:
            await asyncio.to_thread(cluster.end_move, slot, shards[2])
        await bought(store, key)
    await asyncio.to_thread(cluster.move, slot, shards[1])


async def test_row_10_a_sweep_does_not_miss_what_moves(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """
    An entry that goes from a master that was not scanned yet to one that was is seen all the same: a scan is not over
    before the slot has arrived, and then begins anew.
    """
    names = names_on(cluster, shards[0])
    first, *_, last = sorted(shards, key=lambda node: (LOOPBACK, node.port))
    (key,) = keys_on(cluster, last, names)
    slot = slot_of(names.entry(key))
    filler = keys_on(cluster, first, names, 3)
    async with sharded(cluster.url, names) as store:
        for one in [*filler, key]:
            await bought(store, one)
        page = await store.scan(None, 1)
        while "-0-" in (page.cursor or ""):
            page = await store.scan(page.cursor, 1)
        cluster.begin_move(slot, first)
        await asyncio.to_thread(cluster.move_keys, slot, first)
        cursor = page.cursor
        for _ in range(3):
            with pytest.raises(StoreUnavailable) as caught:
                await store.scan(cursor, 100)
            assert caught.value.reason == "moving"
        await asyncio.to_thread(cluster.end_move, slot, first)
        seen: list[Key] = []
        while cursor is not None:
            page = await store.scan(cursor, 100)
            seen += [head.key for head in page.heads]
            cursor = page.cursor
        assert set(seen) == {*filler, key}
    await asyncio.to_thread(cluster.move, slot, last)


async def test_row_10_a_scan_begins_anew_when_a_slot_was_moved(
    cluster: ValkeyCluster, shards: tuple[Node, ...]
) -> None:
    """An entry that went behind the scan's back is seen: its cursor is of a topology that is none any more."""
    names = names_on(cluster, shards[0])
    first, *_, last = sorted(shards, key=lambda node: (LOOPBACK, node.port))
    (key,) = keys_on(cluster, last, names)
    (filler,) = keys_on(cluster, first, names)
    slot = slot_of(names.entry(key))
    async with sharded(cluster.url, names) as store:
        await bought(store, filler)
        await bought(store, key)
        page = await store.scan(None, 1)
        while "-0-" in (page.cursor or ""):
            page = await store.scan(page.cursor, 1)
        await asyncio.to_thread(cluster.move, slot, first)
        await found(store, key)
        cursor, seen = page.cursor, set[Key]()
        while cursor is not None:
            page = await store.scan(cursor, 100)
            seen |= {head.key for head in page.heads}
            cursor = page.cursor
        assert seen == {key, filler}
    await asyncio.to_thread(cluster.move, slot, last)


# Row 11: a node that is gone


async def test_row_11_a_dead_shard_fails_its_own_keys_only(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Its keys fail at once, the others go on as before; when the node is back its keys are, without a restart."""
    names = names_on(cluster, shards[0])
    (lost,), (kept,) = (keys_on(cluster, node, names) for node in shards[1:])
    async with sharded(cluster.url, names, deadline=DEADLINE) as store:
        await bought(store, lost)
        entry = await bought(store, kept)
        shards[1].kill()
        try:
            for _ in range(5):
                assert (await failure(store, lost)).reason in {"unreachable", "loading"}
                assert await found(store, kept) == entry
                await bought(store, kept)
                entry = await found(store, kept)
            assert (await store.health()).status == "degraded"
            await store.forbid(Selector(tag="other"), "a clear needs the node with the barrier alone")
        finally:
            await asyncio.to_thread(shards[1].start)
            await asyncio.to_thread(cluster.until_well)
        await until(lambda: serves(store, lost))
        await bought(store, lost)
        assert (await store.health()).status == "connected"


async def test_row_11_nobody_waits_for_a_frozen_shard(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Three calls wait for it, none of other keys does; then none at all."""
    names = names_on(cluster, shards[0])
    (lost,), (kept,) = (keys_on(cluster, node, names) for node in shards[1:])
    async with cluster.fronted() as proxies, sharded(cluster.url, names, deadline=DEADLINE) as store:
        await bought(store, lost)
        entry = await bought(store, kept)
        proxies[shards[1]].impose(HalfOpen())
        frozen = [asyncio.create_task(failure(store, lost)) for _ in range(3)]
        await proxies[shards[1]].until_asked(b"MGET", times=1)
        began = time.monotonic()
        for _ in range(20):
            assert await found(store, kept) == entry
        assert not any(task.done() for task in frozen)
        assert time.monotonic() - began < DEADLINE.total_seconds()
        assert {away.reason for away in await asyncio.gather(*frozen)} == {"timeout"}
        began = time.monotonic()
        for _ in range(20):
            await failure(store, lost)
        assert time.monotonic() - began < DEADLINE.total_seconds() / 2
        proxies[shards[1]].heal()
        proxies[shards[1]].reset()
        await until(lambda: serves(store, lost))


async def test_row_11_the_shard_with_the_barrier(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Without it nobody can tell what was cleared: all entries are away, at once, and no claim is left behind."""
    names = names_on(cluster, shards[1])
    key, empty = keys_on(cluster, shards[2], names, 2)
    async with sharded(cluster.url, names, deadline=DEADLINE) as store:
        entry = await bought(store, key)
        shards[1].kill()
        try:
            for _ in range(5):
                await failure(store, key)
            began = time.monotonic()
            for _ in range(20):
                await failure(store, key)
            assert time.monotonic() - began < DEADLINE.total_seconds() / 2
            with pytest.raises(StoreUnavailable):
                await store.claim(empty, "token", LEASE)
            with pytest.raises(StoreUnavailable):
                await store.forbid(Selector(), "nobody hears")
            assert not (await store.read([empty])).slots[0].claimed
        finally:
            await asyncio.to_thread(shards[1].start)
            await asyncio.to_thread(cluster.until_well)
        await until(lambda: serves(store, empty))
        # The barrier is gone with the node's memory; entries that it knew nothing of are as they were.
        assert await found(store, key) == entry


async def test_row_11_full_coverage() -> None:
    """Where the cluster serves nothing unless all of it is there, all keys fail soon, and come back with it."""
    with ValkeyCluster(silence=timedelta(milliseconds=500)) as cluster:
        lost, *others = cluster.masters
        names = names_on(cluster, others[0])
        keys = [keys_on(cluster, node, names)[0] for node in others]
        async with sharded(cluster.url, names, deadline=DEADLINE) as store:
            entries = [await bought(store, key) for key in keys]
            lost.kill()
            await asyncio.to_thread(cluster.until_failing, lost)
            for key in keys * 5:
                assert (await failure(store, key)).reason == "loading"
            await asyncio.to_thread(lost.start)
            await asyncio.to_thread(cluster.until_well)
            await until(lambda: serves(store, keys[0]))
            assert [await found(store, key) for key in keys] == entries


# An entry in doubt


async def test_a_clear_between_write_and_look_is_heeded(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """A commit whose entry was written before a clear was raised finds out, removes what it wrote and says so."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    async with cluster.fronted() as proxies, sharded(cluster.url, names) as store:
        claim, sequence = await claimed(store, key)
        anchor = proxies[shards[0]]
        anchor.impose(Hold(Side.REQUESTS, (b"GET", names.barrier.encode())), On.EXISTING)
        commit = asyncio.create_task(store.commit(claim, an_entry(store, key, b"late", sequence)))
        await anchor.until_held()
        assert shards[1].ask("EXISTS", names.entry(key)) == 1
        async with sharded(cluster.url, names) as other:
            await other.forbid(Selector(kind="image"), "between")
        anchor.heal()
        assert not await commit
        assert shards[1].ask("EXISTS", names.entry(key)) == 0


async def test_a_sweep_removes_an_entry_in_doubt(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """A clear that was raised after the look sees the entry before it is settled; settling does not bring it back."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    async with cluster.fronted() as proxies, sharded(cluster.url, names) as store:
        claim, sequence = await claimed(store, key)
        anchor = proxies[shards[0]]
        anchor.impose(Hold(Side.REPLIES, (b"GET", names.barrier.encode())), On.EXISTING)
        commit = asyncio.create_task(store.commit(claim, an_entry(store, key, b"late", sequence)))
        await anchor.until_held()
        async with sharded(cluster.url, names) as other:
            barrier = await other.forbid(Selector(), "after")
            heads = await everything(other)
            assert [(head.key, head.sequence < barrier.sequence) for head in heads] == [(key, True)]
            assert await other.remove(heads) == 1
        anchor.heal()
        assert not await commit
        assert shards[1].ask("EXISTS", names.entry(key)) == 0


async def test_an_entry_whose_purchaser_died_is_served_until_nobody_can_tell(
    cluster: ValkeyCluster, shards: tuple[Node, ...]
) -> None:
    """In doubt it is found, by look and bid; once a clear that it may have missed was dropped, it is dead for good."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    async with cluster.fronted() as proxies, sharded(cluster.url, names) as store:
        claim, sequence = await claimed(store, key)
        entry = an_entry(store, key, b"in doubt", sequence)
        proxies[shards[0]].impose(Hold(Side.REQUESTS, (b"GET", names.barrier.encode())))
        commit = asyncio.create_task(store.commit(claim, entry))
        await proxies[shards[0]].until_held()
        commit.cancel()
        await asyncio.wait({commit})
        proxies[shards[0]].heal()
        assert await found(store, key) == entry
        assert (await store.claim(key, "second", LEASE)).entry == entry
        assert [head.key for head in await everything(store)] == [key]
        barrier = await flood(store)
        assert barrier.refuses(entry)
        assert not barrier.forbids(entry)
        assert await found(store, key) is None
        assert (await store.claim(key, "second", LEASE)).entry is None


async def flood(store: ClusterStore) -> Barrier:
    """The barrier after so many clears of something else, all swept, that some have been dropped."""
    for at in range(MOST + 1):
        barrier = await store.forbid(Selector(tag=f"{at}"), "flood")
        await store.progress(barrier.sequence, deleted=0, swept=True)
    return barrier


async def test_an_entry_that_was_kept_is_in_no_doubt(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """However many clears are dropped later: it lies there as on one server, and keeps its time to live."""
    names = names_on(cluster, shards[0])
    (key,) = keys_on(cluster, shards[1], names)
    async with sharded(cluster.url, names) as store:
        entry = await bought(store, key)
        assert shards[1].ask("GETRANGE", names.entry(key), 0, 1) == "HC"
        assert 599_000 < shards[1].ask("PTTL", names.entry(key)) <= 600_000
        assert (await flood(store)).refuses(entry)
        assert await found(store, key) == entry


# What it tells


async def test_health_is_of_all_nodes(cluster: ValkeyCluster, shards: tuple[Node, ...]) -> None:
    """Memory, hits and evictions are summed over the masters, entries counted on each."""
    names = names_on(cluster, shards[0])
    async with sharded(cluster.url, names) as store:
        for node in shards:
            for key in keys_on(cluster, node, names, 2):
                await bought(store, key)
        health = await store.health()
        used = [int(dict(_pairs(node.ask("INFO", "memory")))["used_memory"]) for node in shards]
        assert isinstance(health, StoreHealth)
        assert health.status == "connected"
        assert health.keys == {"image": 6, "video": 0, "text": 0}
        assert max(used) * 1.5 < (health.used or 0) < sum(used) * 1.5
        assert await store.ledger.minutes(EPOCH) == []


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, colon, value in (line.partition(":") for line in text.splitlines()) if colon]
