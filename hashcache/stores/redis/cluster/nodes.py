"""
The nodes of a cluster: which there are, who has what, and a `Server` for each that has slots.

Rule 1: the connections to all nodes together are at most as many as were set: each node gets an equal share, one at
        least.
Rule 2: the topology is read in the background, by one task at a time and at most once a second, whenever an answer
        contradicts it or a node fails. Nobody waits for that but who knows no node at all, and who clears.
Rule 3: the clock is that of the node with the *anchor*: clocks of machines differ, and one is enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hashcache.core.errors import StoreUnavailable
from hashcache.stores.redis.address import Address
from hashcache.stores.redis.clock import ServerClock
from hashcache.stores.redis.cluster.survey import first_of, reply_of, told_by
from hashcache.stores.redis.cluster.topology import Endpoint, Topology, slot_of
from hashcache.stores.redis.scripts import Command
from hashcache.stores.redis.server import Server

#: Seconds between two readings of the topology.
_PAUSE = 1.0


class Nodes:
    """
    The nodes of the cluster to which the *seeds* belong; *connections*: the most to all of them together.

    *anchor* is the key whose node keeps the time, and is where the channel is. The rest is as for `Server`.
    """

    def __init__(
        self,
        seeds: Sequence[Address],
        *,
        anchor: str,
        connections: int,
        patience: timedelta,
        clock: ServerClock,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        scheme = "rediss" if seeds[0].tls else "redis"
        self.where = f"{scheme}+cluster://" + ",".join(str(one).split("/")[2] for one in seeds)
        self._seeds = seeds
        self._anchor = slot_of(anchor)
        self._connections = connections
        self._patience = patience
        self._clock = clock
        self._monotonic = monotonic
        self._chance = chance
        self._topology: Topology | None = None
        self._servers: dict[Endpoint, Server] = {}
        self._surveying: asyncio.Task[bool] | None = None
        self._surveyed: float | None = None
        self._failure = StoreUnavailable(f"Redis at {self.where}: no node was reached yet", reason="unreachable")
        self._leaving: set[asyncio.Task[None]] = set()
        #: Those outside the servers, and those of nodes that have left.
        self._other_commands = 0
        self._closed = False

    @property
    def commands(self) -> int:
        """How many commands were sent, those inside scripts not counted."""
        return self._other_commands + sum(server.commands for server in self._servers.values())

    @property
    def took(self) -> Sequence[float]:
        """How long the last round trips to each of them took, in seconds."""
        return [seconds for server in self._servers.values() for seconds in server.took]

    @property
    def topology(self) -> Topology:
        """
        The one in force, as far as is known.

        Raises:
            StoreUnavailable: no node was reached yet.
        """
        if self._topology is None:
            self.doubt()
            raise self._failure
        return self._topology

    @property
    def anchor(self) -> Endpoint:
        """The node that keeps the time and the channel; raises StoreUnavailable when it is not known."""
        return self._owner(self._anchor)

    def address(self, node: Endpoint) -> Address:
        """How to connect to *node*: as to the seeds; over TLS it must prove to be the host that is announced."""
        return replace(self._seeds[0], host=node[0], port=node[1], database=0)

    def server(self, node: Endpoint) -> Server:
        """*node*, made known if it is not."""
        if node not in self._servers:
            self._servers[node] = Server(
                self.address(node),
                connections=1,
                patience=self._patience,
                clock=None,
                monotonic=self._monotonic,
                chance=self._chance,
            )
            self._share_out()
        return self._servers[node]

    async def owner(self, slot: int, within: float) -> Endpoint:
        """
        The node that has *slot*; waits at most *within* seconds, if no node is known yet.

        Raises:
            StoreUnavailable: nobody has it, or nobody tells.
        """
        if self._topology is None:
            self.doubt()
            await self._told(within)
        return self._owner(slot)

    async def reply_of(self, node: Endpoint, command: Command, within: timedelta) -> Any:
        """
        What *node*, which may be a replica, replies to *command*, on a connection of its own.

        Raises:
            StoreUnavailable: it is out of reach, late, or refuses it.
        """
        self._other_commands += 1
        return await reply_of(self.address(node), command, within)

    def moved(self, slot: int, node: Endpoint) -> None:
        """An answer says that *slot* is at *node*."""
        if self._topology is not None and self._topology.owner(slot) != node:
            self._topology = self._topology.told(slot, node)
            self._share_out()
        self.doubt()

    def doubt(self) -> None:
        """Have the topology read, unless it is being read or was a moment ago."""
        now = self._monotonic()
        recent = self._surveyed is not None and now - self._surveyed < _PAUSE
        if self._surveying is None and not recent and not self._closed:
            self._surveyed = now
            self._surveying = asyncio.create_task(self._survey(), name=f"survey {self.where}")

    async def survey(self, within: timedelta) -> Topology:
        """
        Read the topology and wait for it, however short ago it was read.

        Raises:
            StoreUnavailable: nobody tells, or not in time.
        """
        self._surveyed = None
        self.doubt()
        await self._told(within.total_seconds())
        return self.topology

    async def open(self) -> None:
        """Find the nodes and read the clock, if they can be reached now."""
        with suppress(StoreUnavailable):
            await self.survey(self._patience)
            await self.server(self.anchor).open()

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._closed = True
        tasks = [*self._leaving, *filter(None, [self._surveying])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    def _owner(self, slot: int) -> Endpoint:
        node = self.topology.owner(slot)
        if node is None:
            self.doubt()
            raise StoreUnavailable(f"Redis at {self.where}: no node has the slot of the key", reason="loading")
        return node

    async def _told(self, patience: float) -> None:
        """Wait for the topology that is being read; raises StoreUnavailable when nobody tells it, or not in time."""
        survey = self._surveying
        if survey is None:
            raise self._failure
        await asyncio.wait({survey}, timeout=max(0.0, patience))
        if not survey.done():
            raise StoreUnavailable(f"Redis at {self.where}: no node told in time who has what", reason="timeout")
        if survey.cancelled() or not survey.result():
            raise self._failure

    async def _survey(self) -> bool:
        try:
            self._adopt(await first_of(self._candidates(), self._told_by))
        except StoreUnavailable as away:
            self._failure = away
            return False
        finally:
            self._surveying = None
        return True

    def _candidates(self) -> list[Address]:
        """Whom to ask who has what: those that serve, then those of which we know nothing, at last those that fail."""
        known = [] if self._topology is None else [self.address(one) for one in self._topology.everybody]
        return sorted(dict.fromkeys([*known, *self._seeds]), key=self._rank)

    def _rank(self, address: Address) -> int:
        server = self._servers.get((address.host, address.port))
        return 1 if server is None else 2 if server.away else 0

    async def _told_by(self, address: Address) -> Topology:
        self._other_commands += 1
        return await told_by(address, self._patience)

    def _adopt(self, topology: Topology) -> None:
        """From now on *topology* holds; nodes that have no slots any more are left."""
        self._topology = topology
        for node in set(self._servers) - set(topology.masters):
            leaving = asyncio.create_task(self._leave(self._servers.pop(node)))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        for node in topology.masters:
            self.server(node)
        self._share_out()

    async def _leave(self, server: Server) -> None:
        """Close *server* once what is asked of it now has come to its end."""
        self._other_commands += server.commands
        try:
            await asyncio.sleep(self._patience.total_seconds())  # no verb takes longer: all have ended by then
        finally:
            await server.close()

    def _share_out(self) -> None:
        """Give each node its share of the connections, and the clock to one."""
        keeper = self._topology.owner(self._anchor) if self._topology else None
        share = max(1, self._connections // len(self._servers))
        for node, server in self._servers.items():
            server.allow(share)
            server.keep(self._clock if node == keeper else None)
