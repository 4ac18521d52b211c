"""
What lies on a cluster: master by master, and nothing missed because a slot was moved meanwhile.

Rule 1: a cursor names the topology in which its scan began, the master and that one's own cursor. In another topology
        (a slot is elsewhere, a replica has taken over) it begins anew: seeing entries twice is allowed, missing one is
        not, as a sweep would leave it behind.
Rule 2: at its end each master is asked which slots it has itself. Where keys are on their way from one to another, one
        may have slipped through: then the end is not told (`moving`), and whoever sweeps asks again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import timedelta

from hashcache.core.entry import Head
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Names
from hashcache.ports import Page
from hashcache.stores.redis.catalogue import Catalogue
from hashcache.stores.redis.cluster.cluster import Cluster
from hashcache.stores.redis.cluster.doubt import examined
from hashcache.stores.redis.cluster.topology import Endpoint, slot_of
from hashcache.stores.sealing import Sealing

#: Signature of the topology, number of the master and its cursor; or the signature alone: all were asked.
_CURSOR = re.compile("([0-9a-f]{8})(?:-([0-9]{1,4})-([0-9]{1,20}))?")
#: What stands for the end, and for the beginning, of a scan.
_END = "0"


class ClusterCatalogue(Catalogue):
    """The Catalogue of one environment on *cluster*."""

    def __init__(
        self, cluster: Cluster, names: Names, sealing: Sealing, patience: timedelta, monotonic: Callable[[], float]
    ) -> None:
        super().__init__(cluster, names, sealing, patience, monotonic)
        self._cluster = cluster

    async def scan(self, cursor: str | None, limit: int) -> Page:
        """
        About *limit* heads from *cursor* on; a cursor that is none of ours finds nothing.

        Raises:
            StoreUnavailable: also at the end, while nobody can tell whether all was seen (`moving`).
        """
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            return Page((), None)
        at, found = cursor or _END, list[str]()
        # Masters that hold next to nothing are not a page each.
        for _ in self._cluster.nodes.topology.masters:
            if _is_signature(at) or len(found) >= limit:
                break
            at, names = await self._onward(at, limit)
            found += names
        heads = tuple(await self._heads(found))
        if not _is_signature(at):
            return Page(heads, at)
        try:
            whole = await self._saw_all(at)
        except StoreUnavailable:
            if not heads:
                raise
            return Page(heads, at)  # whoever asks for the next page is told
        return Page(heads, None if whole else f"{self._cluster.nodes.topology.signature}-0-{_END}")

    async def remove(self, heads: Sequence[Head]) -> int:
        """Remove the entries that are still the ones that *heads* describe: one act for each slot."""
        slots: dict[int, list[Head]] = {}
        for head in heads:
            slots.setdefault(slot_of(self._names.entry(head.key)), []).append(head)
        calls = [self._removal(group) for group in slots.values()]
        return sum(await self._cluster.ask(*calls, within=self._patience)) if calls else 0

    async def _names_from(self, cursor: str, count: int) -> tuple[str, list[str]]:
        at, names = await self._onward(cursor, count)
        return _END if _is_signature(at) else at, names

    async def _onward(self, cursor: str, count: int) -> tuple[str, list[str]]:
        """One step from *cursor*, and the next one: the topology's signature alone, once all masters were asked."""
        topology = self._cluster.nodes.topology
        told = _CURSOR.fullmatch(cursor)
        number, inner = 0, _END
        if told is not None and told[1] == topology.signature and told[2] is not None:
            number, inner = int(told[2]), told[3]
        names: list[str] = []
        if number < len(topology.masters):
            step = self._step(inner, count)
            (reply,) = await self._cluster.ask_at(topology.masters[number], step, within=self._patience)
            inner, names = self._entries(reply)
            number += inner == _END
        ended = number >= len(topology.masters)
        return topology.signature if ended else f"{topology.signature}-{number}-{inner}", names

    async def _starts(self, names: Sequence[str], length: int) -> list[tuple[str, bytes, int]]:
        return [(name, examined(start)[0], size) for name, start, size in await super()._starts(names, length)]

    async def _saw_all(self, signature: str) -> bool:
        """
        Whether a scan of all masters that began in the topology of *signature* has seen every entry.

        Raises:
            StoreUnavailable: a slot is on its way just now, or a master does not tell.
        """
        topology = self._cluster.nodes.topology
        if topology.signature != signature:
            return False
        told = await asyncio.gather(*(self._own_slots(node) for node in topology.masters))
        if all(slots == topology.slots(node) for slots, node in zip(told, topology.masters, strict=True)):
            return True
        topology = await self._cluster.nodes.survey(self._patience)
        if topology.signature != signature:
            return False
        raise StoreUnavailable(f"Redis at {self._cluster.where}: slots are being moved", reason="moving")

    async def _own_slots(self, node: Endpoint) -> set[int] | None:
        """The slots that *node* has, as itself says; None while one of them is on its way."""
        (text,) = await self._cluster.ask_at(node, ("CLUSTER", "NODES"), within=self._patience)
        lines = [line.split() for line in text.decode().splitlines()]
        mine = next(words[8:] for words in lines if "myself" in words[2].split(","))
        if any(word.startswith("[") for word in mine):
            return None
        ends = [[int(end) for end in word.split("-")] for word in mine]
        return {slot for first, *last in ends for slot in range(first, (last[0] if last else first) + 1)}


def _is_signature(cursor: str) -> bool:
    """Whether *cursor* stands behind the last master."""
    return cursor != _END and "-" not in cursor
