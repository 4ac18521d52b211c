"""
The channel on a cluster: everybody listens at one node, the one with the barrier, and what matters is published there.

Rule 1: PUBLISH tells how many subscribers of the node that is asked there are, and a message between nodes may get lost
        without anybody noticing. At one node both are as with one server: the number is right, and a pong proves that
        nothing is missing. What scripts publish at other nodes (a purchase has ended) wakes waiters, and may get lost.
Rule 2: a subscription is trusted only while its node is the one with the barrier, as far as this process knows.
        It learns of another with any answer that contradicts what it knows, and listens there after a gap.
Rule 3: who clears has just reached the node with the barrier. It reads the topology anew, publishes, and asks all
        others, replicas too, whether somebody still listens there: these are told directly, and counted. A node that
        does not answer may have listeners: one is counted, who never acknowledges, so that the window is waited for.
Limit: a process that is cut off from the cluster together with a node that was replaced trusts its near memory until
        it asks the store: it is cut off from the store (docs/guarantees.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from redis.asyncio.connection import Connection

from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Names
from hashcache.stores.hearing import Pace
from hashcache.stores.redis.channel import RedisChannel
from hashcache.stores.redis.cluster.cluster import Cluster
from hashcache.stores.redis.cluster.topology import Endpoint
from hashcache.stores.redis.dialing import dial
from hashcache.stores.redis.scripts import Command

#: How long a node may take to tell whether somebody listens there.
_STRAYS = timedelta(milliseconds=500)


class _Anchor:
    """The way to the node with the barrier, a `dialing.Way`; *at* is where it led last."""

    def __init__(self, cluster: Cluster) -> None:
        self._nodes = cluster.nodes
        self.at: Endpoint | None = None

    async def dial(self, patience: timedelta) -> Connection:
        """A connection to the node that has the barrier now."""
        try:
            self.at = self._nodes.anchor
        except StoreUnavailable as away:
            raise ConnectionError(str(away)) from None
        try:
            return await dial(self._nodes.address(self.at), patience)
        except BaseException:
            self._nodes.doubt()
            raise

    def leads_to(self, connection: Connection) -> bool:  # noqa: ARG002 - the protocol's; `alive` tells where it is
        """The channel itself looks where the barrier is."""
        return True

    async def watch(self, patience: timedelta) -> None:
        """The nodes are looked after elsewhere."""


class ClusterChannel(RedisChannel):
    """The Channel over *cluster*; the rest as for RedisChannel."""

    def __init__(
        self,
        cluster: Cluster,
        names: Names,
        *,
        now: Callable[[], Instant],
        monotonic: Callable[[], float],
        chance: Callable[[], float],
        patience: timedelta,
        pace: Pace,
    ) -> None:
        self._anchor = _Anchor(cluster)
        super().__init__(
            self._anchor,
            cluster,
            names,
            now=now,
            monotonic=monotonic,
            chance=chance,
            patience=patience,
            pace=pace,
        )
        self._cluster = cluster

    @property
    def alive(self) -> bool:
        """As RedisChannel.alive; False as well while we listen at a node that does not have the barrier."""
        return super().alive and not self._astray

    @property
    def _astray(self) -> bool:
        try:
            return self._anchor.at != self._cluster.nodes.anchor
        except StoreUnavailable:
            return True

    async def _attend(self, connection: Connection) -> None:
        try:
            await super()._attend(connection)
        finally:
            self._cluster.nodes.doubt()

    def _took(self, reply: object) -> float | None:
        if self._astray:
            raise ConnectionError("the channel is at another node by now")
        return super()._took(reply)

    async def _send(self, commands: Sequence[Command]) -> int:
        if len(commands) == 1:
            return await super()._send(commands)
        nodes = self._cluster.nodes
        topology = await nodes.survey(self._patience)
        here = nodes.anchor
        count, *_ = await self._cluster.ask_at(here, *commands, within=self._patience)
        others = [node for node in topology.everybody if node != here]
        return int(count) + sum(await asyncio.gather(*(self._strays(node, commands[0]) for node in others)))

    async def _strays(self, node: Endpoint, publish: Command) -> int:
        """How many listen at *node*, and were told by *publish*."""
        nodes = self._cluster.nodes
        try:
            _, count = await nodes.reply_of(node, ("PUBSUB", "NUMSUB", self.name), _STRAYS)
            return int(await nodes.reply_of(node, publish, _STRAYS)) if count else 0
        except StoreUnavailable:
            return 1
