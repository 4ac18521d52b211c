"""
A real Valkey Cluster on loopback: three masters with all the slots, and replicas if wished; to be killed and turned.

`with ValkeyCluster(replicas=1) as cluster: ...`. It is ready, replicas in step, some two seconds after it was started:
a master waits so long before it serves.

Rule 1: every method blocks until what it says has happened, or raises TimeoutError; where the loop must go on
        meanwhile, call it through `asyncio.to_thread`. Only `kill`, `freeze`, `thaw` and the properties are at once.
Rule 2: it ends its own servers alone, each by its process id, and its folder goes with it.
Rule 3: `commands` is what INFO counts: **redis.call within a script counts too**. To count what clients send, put a
        `FaultProxy` before each node (`fronted`): the nodes then name those ports to clients, in MOVED and ASK too.

It cannot show a partition between nodes (they talk past the proxies): freeze a node instead.
"""

from __future__ import annotations

import asyncio
import enum
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from redis.crc import key_slot

from tests.harness.node import LOOPBACK, Node, free_ports, wait
from tests.harness.proxy import FaultProxy

MASTERS = 3
SLOTS = 16384
#: A node that is silent for so long is failing; its replica takes over some two seconds after.
SILENCE = timedelta(seconds=1)
#: What the cluster itself and this module ask; no clients of a test do.
_OUR_OWN = frozenset(
    {"info", "config|resetstat", "config|set", "cluster|nodes", "cluster|info", "cluster|myid", "replconf", "psync"}
)


class Failover(enum.Enum):
    """How a replica takes over: in agreement with its master, by vote without it, or by its own decision."""

    AGREED = ""
    FORCE = "FORCE"
    TAKEOVER = "TAKEOVER"


class ValkeyCluster:
    """*replicas* of the masters in all, dealt out in turn; *settings* are those of valkey.conf, with _ for -."""

    def __init__(self, *, replicas: int = 0, silence: timedelta = SILENCE, **settings: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="cluster-")
        ports = free_ports(2 * (MASTERS + replicas))
        common = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(silence // timedelta(milliseconds=1)),
            "cluster-replica-validity-factor": "0",
            "repl-diskless-sync-delay": "0",
            **{name.replace("_", "-"): value for name, value in settings.items()},
        }
        self.nodes = [
            Node(port, Path(self._folder.name) / str(port), {**common, "cluster-port": str(bus_port)})
            for port, bus_port in zip(ports[::2], ports[1::2], strict=True)
        ]

    @property
    def url(self) -> str:
        """All nodes, as a store's URL."""
        return "redis+cluster://" + ",".join(f"{LOOPBACK}:{node.announced}" for node in self.nodes)

    @property
    def masters(self) -> list[Node]:
        """The nodes that have slots, as the first node that answers sees it."""
        return [node for node in self.nodes if _owned(self._view(), node)]

    def replicas_of(self, master: Node) -> list[Node]:
        """Its replicas, as the first node that answers sees it."""
        return [node for node in self.nodes if self._view()[node.id][3] == master.id]

    def node_of(self, key: str | bytes) -> Node:
        """The master that has the slot of *key*."""
        slot = slot_of(key)
        (owner,) = (node for node in self.nodes if slot in _owned(self._view(), node))
        return owner

    def key_on(self, node: Node, name: str = "key") -> str:
        """A key beginning with *name* whose slot *node* has; the same each time."""
        owned = _owned(self._view(), node)
        return next(key for key in (f"{name}-{number}" for number in count()) if slot_of(key) in owned)

    # What happens to it

    def failover(self, replica: Node, how: Failover = Failover.AGREED) -> None:
        """Make *replica* the master of its shard; all nodes that answer agree on it."""
        replica.ask("CLUSTER", "FAILOVER", *filter(None, [how.value]))
        self.until_master(replica)

    def until_master(self, node: Node) -> None:
        """Wait until all nodes that answer see *node* as a master with slots, and all is well."""
        wait(lambda: all(_owned(view, node) for view in self._views()), f"{node} is a master")
        self.until_well()

    def until_failing(self, node: Node) -> None:
        """Wait until all nodes that answer agree that *node* has failed."""
        wait(lambda: all("fail" in view[node.id][2].split(",") for view in self._views()), f"{node} is failing")

    def until_well(self) -> None:
        """Wait until all nodes that answer serve, and see each other as masters with slots or replicas in step."""
        wait(self._all_well, "the cluster is whole")

    def begin_move(self, slot: int, target: Node) -> None:
        """From now on the owner answers ASK for keys of *slot* that it does not have, TRYAGAIN where some are there."""
        source = self._owner(slot)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)

    def move_keys(self, slot: int, target: Node) -> int:
        """Move the keys that lie in *slot*; returns how many."""
        source, moved = self._owner(slot), 0
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", LOOPBACK, target.port, "", 0, 5000, "KEYS", *keys)
            moved += len(keys)
        return moved

    def end_move(self, slot: int, target: Node) -> None:
        """*target* has the slot; all masters know, and the old one answers MOVED."""
        for node in [target, *(one for one in self.masters if one is not target)]:
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)
        wait(lambda: all(slot in _owned(view, target) for view in self._views()), f"{target} has slot {slot}")

    def move(self, slot: int, target: Node) -> None:
        """Move *slot* with its keys to *target*."""
        self.begin_move(slot, target)
        self.move_keys(slot, target)
        self.end_move(slot, target)

    def commands(self) -> Counter[str]:
        """Calls by command (named as in INFO: get, client|setinfo) of the masters that answer, since the reset."""
        calls: Counter[str] = Counter()
        for node in self.masters:
            if node.answers:
                for line in node.ask("INFO", "commandstats").splitlines()[1:]:
                    name, _, figures = line.removeprefix("cmdstat_").partition(":")
                    calls[name] += int(figures.split(",")[0].removeprefix("calls="))
        return Counter({name: number for name, number in calls.items() if name not in _OUR_OWN})

    def reset_commands(self) -> None:
        """Count from zero."""
        for node in self.nodes:
            if node.answers:
                node.ask("CONFIG", "RESETSTAT")

    @asynccontextmanager
    async def fronted(self) -> AsyncIterator[dict[Node, FaultProxy]]:
        """
        A proxy before each node, which clients are sent to, and *url* names. Replicas reach their masters through them.

        For clients that connect inside; nodes name their own ports again after.
        """
        async with AsyncExitStack() as stack:
            proxies = {node: await stack.enter_async_context(FaultProxy(node.port)) for node in self.nodes}
            try:
                await asyncio.to_thread(self._announce, {node: proxy.port for node, proxy in proxies.items()})
                yield proxies
            finally:
                for proxy in proxies.values():
                    proxy.heal()
                await asyncio.to_thread(self._announce, {node: node.port for node in self.nodes})

    # Its life

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        for node in self.nodes:
            node.spawn()
        masters, replicas = self.nodes[:MASTERS], self.nodes[MASTERS:]
        for node in self.nodes:
            node.until_up()
            node.id = node.ask("CLUSTER", "MYID")
        for number, node in enumerate(masters):
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    node.ask("CLUSTER", "MEET", LOOPBACK, other.port, other.settings["cluster-port"])
        wait(lambda: all(one.id in view for view in self._views() for one in self.nodes), "all nodes know each other")
        for number, node in enumerate(replicas):
            node.ask("CLUSTER", "REPLICATE", masters[number % MASTERS].id)
        self.until_well()

    def _stop(self) -> None:
        for node in self.nodes:
            node.kill()
        self._folder.cleanup()

    def _announce(self, ports: dict[Node, int]) -> None:
        for node, port in ports.items():
            node.announced = port
            if node.answers:
                node.ask("CONFIG", "SET", "cluster-announce-port", port)
        addresses = {node: f"{LOOPBACK}:{port}@" for node, port in ports.items() if node.answers}
        wait(
            lambda: all(view[node.id][1].startswith(at) for view in self._views() for node, at in addresses.items()),
            "all nodes name the new ports",
        )
        self.until_well()

    def _owner(self, slot: int) -> Node:
        return next(node for node in self.nodes if slot in _owned(self._view(), node))

    def _all_well(self) -> bool:
        answering = [node for node in self.nodes if node.answers]
        states = [node.ask("CLUSTER", "INFO") for node in answering]
        return (
            all("cluster_state:ok" in one and f"cluster_slots_ok:{SLOTS}" in one for one in states)
            and all(_owned(view, node) or _is_replica(view, node) for view in self._views() for node in answering)
            and all(map(_in_step, answering))
        )

    def _view(self) -> dict[str, list[str]]:
        return next(self._views())

    def _views(self) -> Iterator[dict[str, list[str]]]:
        """What each node that answers sees: the words of each line of CLUSTER NODES by the id of the node it is of."""
        for node in self.nodes:
            if node.answers:
                lines = [line.split() for line in node.ask("CLUSTER", "NODES").splitlines()]
                yield {words[0]: words for words in lines}


def slot_of(key: str | bytes) -> int:
    """The slot of *key*."""
    return key_slot(key.encode() if isinstance(key, str) else key)


def _owned(view: dict[str, list[str]], node: Node) -> set[int]:
    """The slots of *node*, as *view* has it; none for one that is failing."""
    words = view[node.id]
    if "master" not in words[2].split(",") or "fail" in words[2].split(","):
        return set()
    ranges = [part.split("-") for part in words[8:] if not part.startswith("[")]
    return {slot for ends in ranges for slot in range(int(ends[0]), int(ends[-1]) + 1)}


def _is_replica(view: dict[str, list[str]], node: Node) -> bool:
    return "slave" in view[node.id][2].split(",")


def _in_step(node: Node) -> bool:
    """It is a master, or has all that its master has."""
    replication = node.ask("INFO", "replication")
    return "role:master" in replication or "master_link_status:up" in replication
