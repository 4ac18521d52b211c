"""
The store on a Redis or Valkey Cluster. An entry, its claim and its tombstone share a slot; the barrier lies elsewhere.

Rule 1: who reads, reads the entry first and the barrier after it: what a clear had forbidden when it was read is not
        served. Where nothing lies there is nothing to judge, and the barrier is not asked for.
Rule 2: a commit cannot look at the barrier in its script. It leaves the entry *in doubt*, reads the barrier, and then
        takes either the doubt away or the entry. The barrier is raised before its sweep begins, so one of the two
        sees the other:

            commit: write in doubt (sequence 7)   read barrier   settle
            clear:  raise to 8   scan and remove   note that it is swept

            raise before read    the commit sees 8 and removes what it wrote
            read before raise    the entry was written before the scan began, which sees and removes it, in doubt
                                 or settled; who settles afterwards finds nothing, and does not bring it back
            the purchaser dies in between: the entry stays in doubt. Who reads it judges as a commit would
                                 (`Barrier.refuses`): once nobody can tell any more whether it was cleared, it is dead.
            commit after the tombstone: refused in the script, as on one server.

Rule 3: what a clear or a forgetting changed is on a replica, where there are any, before it is answered: a fail-over
        to that replica brings nothing back. Entries and claims are not waited for: a lost entry is bought again.
Rule 4: time, barrier and channel are with one node. Without it nothing can be judged, and the store is away as a
        whole; without another one, its keys are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hashcache.core.barrier import NONE, Barrier, Selector
from hashcache.core.entry import Entry
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.ports import Claim, Reading, Slot, StoreHealth
from hashcache.stores.redis.books import decode
from hashcache.stores.redis.cluster.catalogue import ClusterCatalogue
from hashcache.stores.redis.cluster.channel import ClusterChannel
from hashcache.stores.redis.cluster.cluster import Cluster
from hashcache.stores.redis.cluster.doubt import CERTAIN, doubted, examined
from hashcache.stores.redis.cluster.nodes import Nodes
from hashcache.stores.redis.cluster.seeds import seeds_of
from hashcache.stores.redis.cluster.topology import slot_of
from hashcache.stores.redis.reach import Reach, Terms
from hashcache.stores.redis.scripts import Call, Script
from hashcache.stores.redis.store import RedisStore
from hashcache.stores.redis.vitals import figures, p95
from hashcache.stores.sealing import MARK_FROM, MARK_TO, mark

_ASCERTAIN = Script.load("ascertain")
_REMOVE = Script.load("remove")
_SUMMED = (
    "used_memory",
    "maxmemory",
    "evicted_keys",
    "keyspace_hits",
    "keyspace_misses",
    "connected_clients",
    "maxclients",
)


class ClusterStore(RedisStore):
    """
    Store and Ledger on the cluster of which *url* names some nodes: `redis+cluster://user:password@host:port,host:port`
    (`rediss+cluster://`: TLS, and each node proves to be the host that it is announced as). The rest as for RedisStore;
    *connections* is the most to all nodes together.
    """

    _nodes: Nodes
    #: The newest barrier that this process has read.
    _seen = NONE

    def _reach(self, url: str, ca_file: str | None, terms: Terms) -> Reach:
        names = terms.names
        self._nodes = Nodes(
            seeds_of(url, ca_file),
            anchor=names.barrier,
            connections=terms.connections,
            patience=terms.patience,
            clock=terms.clock,
            monotonic=terms.monotonic,
            chance=terms.chance,
        )
        cluster = Cluster(self._nodes)
        channel = ClusterChannel(
            cluster,
            names,
            now=terms.clock.now,
            monotonic=terms.monotonic,
            chance=terms.chance,
            patience=terms.patience,
            pace=terms.pace,
        )
        catalogue = ClusterCatalogue(cluster, names, terms.sealing, terms.patience, terms.monotonic)
        return Reach(cluster, Cluster(self._nodes, replicated=True), channel, catalogue)

    async def read(self, keys: Sequence[Key]) -> Reading:
        """
        What lies under *keys*: one command for each slot, at the same time on several nodes, and one for the barrier.

        When nothing lies there, the barrier is the newest that this process has seen, and is not asked for.
        """
        until = self._until()
        slots: dict[int, dict[Key, None]] = {}
        for key in keys:
            slots.setdefault(slot_of(self._names.entry(key)), {})[key] = None
        commands = [
            ("MGET", *(record for key in group for record in (self._names.entry(key), self._names.claim(key))))
            for group in slots.values()
        ]
        replies = await self._server.ask(*commands, within=self._deadline) if commands else []
        found: dict[Key, tuple[bytes | None, bytes | None]] = {}
        for group, reply in zip(slots.values(), replies, strict=True):
            found.update(zip(group, zip(reply[::2], reply[1::2], strict=True), strict=True))
        empty = found and all(sealed is None for sealed, _ in found.values())
        barrier = self._seen if empty else await self._barrier(until)
        return Reading(
            tuple(Slot(self._opened(key, found[key][0], barrier), found[key][1] is not None) for key in keys), barrier
        )

    async def commit(self, claim: Claim, entry: Entry) -> bool:
        """Keep *entry*, as RedisStore does, in doubt at first: three commands."""
        until = self._until()
        if not await super().commit(claim, entry):
            return False
        barrier = await self._barrier(until)
        there = (MARK_FROM, MARK_TO - 1, mark(entry))
        name = self._names.entry(entry.key)
        refused = barrier.refuses(entry)
        call = _REMOVE.call([name], *there) if refused else _ASCERTAIN.call([name], *there, CERTAIN)
        (settled,) = await self._server.ask(call, within=_left(until))
        return bool(settled) and not refused

    async def barrier(self) -> Barrier:
        """The barrier in force."""
        return await self._barrier(self._until())

    async def forbid(self, selector: Selector, reason: str) -> Barrier:
        """
        Raise the barrier.

        Raises:
            StoreUnavailable: also when it was raised, but no replica has it yet (`unreplicated`).
        """
        return self._saw(await super().forbid(selector, reason))

    async def advance(self, provider: str, reason: str) -> Barrier:
        """Raise the epoch of *provider*; raises as `forbid`. What settles afterwards is dead where it lies."""
        return self._saw(await super().advance(provider, reason))

    async def restore(self, known: Barrier) -> Barrier:
        """As RedisStore.restore; raises as `forbid`."""
        return self._saw(await super().restore(known))

    async def health(self) -> StoreHealth:
        """Whether all masters answer, and what they tell together."""
        try:
            masters = self._nodes.topology.masters
            asked = [self._nodes.server(one).ask(("INFO",), within=self._patience) for one in masters]
            texts = await asyncio.gather(*asked, return_exceptions=True)
            for text in texts:
                if isinstance(text, BaseException):
                    raise text
            counts = await self._catalogue.count()
        except StoreUnavailable as away:
            return StoreHealth("degraded", self._server.where, most=self._most, reason=away.reason)
        told = [figures(text[0]) for text in texts if not isinstance(text, BaseException)]
        used, most, evicted, hits, misses, clients, most_clients = (
            sum(one[name] for one in told if name in one) if any(name in one for one in told) else None
            for name in _SUMMED
        )
        return StoreHealth(
            "connected",
            self._server.where,
            used=used,
            most=most or self._most,
            keys=counts.keys if counts else None,
            sizes=counts.sizes if counts else None,
            evicted=evicted,
            found=hits,
            missed=misses,
            p95=p95(self._server.took),
            connections=clients,
            most_connections=most_clients,
        )

    # What is otherwise than on one server

    async def _with_barrier(self, call: Call) -> tuple[Any, Barrier]:
        until = self._until()
        # A claim that was granted and then cannot be judged would keep others waiting for its whole lease.
        self._nodes.server(self._nodes.anchor).admit()
        (reply,) = await self._server.ask(call, within=self._deadline)
        return reply, await self._barrier(until)

    async def _judged_by(self, reply: Any) -> tuple[bytes | None, Barrier]:
        there, _ = reply
        return examined(there)[0], await self._barrier(self._until())

    def _judged_records(self, key: Key) -> Sequence[str]:
        return self._records(key)

    def _sealed(self, entry: Entry) -> bytes | None:
        sealed = super()._sealed(entry)
        return None if sealed is None else doubted(sealed)

    def _opened(self, key: Key, sealed: bytes | None, barrier: Barrier) -> Entry | None:
        if sealed is None:
            return None
        certain, in_doubt = examined(sealed)
        entry = self._sealing.open(key, certain)
        return None if entry is not None and in_doubt and barrier.refuses(entry) else entry

    async def _barrier(self, until: float) -> Barrier:
        (record,) = await self._server.ask(("GET", self._names.barrier), within=_left(until))
        return self._saw(decode(record))

    def _saw(self, barrier: Barrier) -> Barrier:
        # Answers may overtake each other.
        if barrier.sequence >= self._seen.sequence:
            self._seen = barrier
        return barrier

    def _until(self) -> float:
        """When a verb that begins now must have ended, on the loop's clock."""
        return asyncio.get_running_loop().time() + self._deadline.total_seconds()


def _left(until: float) -> timedelta:
    return timedelta(seconds=max(0.0, until - asyncio.get_running_loop().time()))
