"""A store on a cluster, for tests: in an environment of its own, with keys and books where the test wants them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.key import Key, Names
from hashcache.ports import Claim
from hashcache.stores.redis.cluster import ClusterStore
from tests.harness.clock import HandClock
from tests.harness.cluster import ValkeyCluster
from tests.harness.node import Node

LEASE = timedelta(seconds=30)
PATIENT = timedelta(seconds=20)


@asynccontextmanager
async def sharded(url: str, names: Names, **more: Any) -> AsyncIterator[ClusterStore]:
    """A store on the cluster of *url*, opened and closed; patient, unless *more* says otherwise."""
    options = {"deadline": PATIENT, "patience": PATIENT, "connections": 24, **more}
    store = ClusterStore(url, names=names, envelope=Envelope(most=1_000_000), clock=HandClock(), **options)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


def names_on(cluster: ValkeyCluster, node: Node) -> Names:
    """An environment whose barrier is on *node*."""
    return next(
        names for names in (Names(f"test-{uuid4().hex}") for _ in count()) if cluster.node_of(names.barrier) is node
    )


def keys_on(cluster: ValkeyCluster, node: Node, names: Names, number: int = 1) -> list[Key]:
    """So many keys whose entries are on *node*."""
    found: list[Key] = []
    for at in count():
        key = Key("analysis", f"{at:064x}", "variant")
        if cluster.node_of(names.entry(key)) is node:
            found.append(key)
        if len(found) == number:
            return found
    raise AssertionError


def an_entry(store: ClusterStore, key: Key, payload: bytes = b"answer", sequence: int = 0) -> Entry:
    """An entry bought now."""
    ends = Instant(store.now() + 600_000)
    return Entry(key, Label("image", "default", "p"), payload, sequence, store.now(), ends)


async def claimed(store: ClusterStore, key: Key, token: str = "token") -> tuple[Claim, int]:
    """A claim that must be granted, and the sequence of the barrier."""
    bid = await store.claim(key, token, LEASE)
    assert bid.claim is not None
    return bid.claim, bid.barrier.sequence


async def bought(store: ClusterStore, key: Key, payload: bytes = b"answer") -> Entry:
    """An entry that was claimed and kept."""
    claim, sequence = await claimed(store, key)
    entry = an_entry(store, key, payload, sequence)
    assert await store.commit(claim, entry)
    return entry


async def found(store: ClusterStore, key: Key) -> Entry | None:
    """What one look finds, and nothing that is forbidden."""
    reading = await store.read([key])
    entry = reading.slots[0].entry
    return None if entry is None or reading.barrier.forbids(entry) else entry
