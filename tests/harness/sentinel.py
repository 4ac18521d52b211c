"""
A real master with a replica, watched by three sentinels on loopback, to be killed and failed over.

`with ValkeySentinels() as watched: ...`. It is ready when every sentinel knows the replica and the two others.

Rule 1: every method blocks until what it says has happened, or raises TimeoutError; where the loop must go on
        meanwhile, call it through `asyncio.to_thread`.
        What takes long: sentinels look every 10 seconds only whether a demoted master has become a replica.
Rule 2: it ends its own servers alone, each by its process id, and its folder goes with it.

The master's name is NAME. The sentinels speak to the servers themselves: a proxy between a client and a server is
passed by, since the client connects to what a sentinel names.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.node import LOOPBACK, PATIENCE, Node, free_ports, wait

NAME = "hashcache"
SENTINELS = 3
QUORUM = 2
#: A master that is silent for so long is down.
SILENCE = timedelta(milliseconds=500)


class Sentinel(Node):
    """A server that watches others."""

    def _command(self, file: Path) -> list[str]:
        return [*super()._command(file), "--sentinel"]


class ValkeySentinels:
    """*servers*: the first is the master at the start. *sentinels* watch them."""

    def __init__(self, *, silence: timedelta = SILENCE) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sentinels-")
        self._silence = silence // timedelta(milliseconds=1)
        ports = free_ports(2 + SENTINELS)
        master, replica = ports[:2]
        self.servers = [Node(port, self._path(port), {"repl-diskless-sync-delay": "0"}) for port in (master, replica)]
        self.sentinels = [Sentinel(port, self._path(port), {}) for port in ports[2:]]

    @property
    def url(self) -> str:
        """The sentinels and the master's name, as a store's URL; database 0."""
        return f"redis+sentinel://{','.join(f'{LOOPBACK}:{one.port}' for one in self.sentinels)}/{NAME}/0"

    @property
    def master(self) -> Node:
        """The server that the first sentinel which answers names."""
        asked = next(one for one in self.sentinels if one.answers)
        return self._named_by(asked)

    def failover(self) -> Node:
        """Let the replica take over without the master having failed; returns the new master."""
        old = self.master
        # Sentinels refuse until they know a replica that is in step: then it is asked again.
        wait(lambda: self.sentinels[0].ask("SENTINEL", "FAILOVER", NAME) == "OK", "a sentinel begins a fail-over")
        return self.until_other_master(old)

    def until_other_master(self, old: Node) -> Node:
        """Wait until all sentinels name another master than *old*, and it is one; returns it."""
        wait(lambda: all(self._named_by(one) is not old for one in self.sentinels if one.answers), "another is named")
        new = self.master
        wait(lambda: "role:master" in new.ask("INFO", "replication"), f"{new} is a master")
        return new

    def until_in_step(self) -> None:
        """Wait until the master's replica is in step with it, and every sentinel knows all the others."""
        replicas = [one for one in self.servers if one is not self.master]
        # Sentinels look every ten seconds at who calls himself a master, and tell him what he is eight seconds later.
        wait(
            lambda: all("master_link_status:up" in one.ask("INFO", "replication") for one in replicas),
            "it is in step",
            within=2 * PATIENCE,
        )
        wait(lambda: all(map(self._knows_all, self.sentinels)), "the sentinels know each other and the replica")

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

    def _path(self, port: int) -> Path:
        return Path(self._folder.name) / str(port)

    def _start(self) -> None:
        for node in [*self.servers, *self.sentinels]:
            node.spawn()
        for node in [*self.servers, *self.sentinels]:
            node.until_up()
        master, replica = self.servers
        replica.ask("REPLICAOF", LOOPBACK, master.port)
        wait(lambda: "master_link_status:up" in replica.ask("INFO", "replication"), "the replica is in step")
        for one in self.sentinels:
            one.ask("SENTINEL", "MONITOR", NAME, LOOPBACK, master.port, QUORUM)
            one.ask("SENTINEL", "SET", NAME, "down-after-milliseconds", self._silence, "failover-timeout", 5000)
        self.until_in_step()

    def _named_by(self, sentinel: Node) -> Node:
        _, port = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return next(one for one in self.servers if one.port == int(port))

    def _knows_all(self, sentinel: Node) -> bool:
        words = sentinel.ask("SENTINEL", "MASTER", NAME)
        facts: dict[str, str] = dict(zip(words[::2], words[1::2], strict=True))
        return (facts["num-slaves"], facts["num-other-sentinels"]) == ("1", str(SENTINELS - 1))

    def _stop(self) -> None:
        for node in [*self.sentinels, *self.servers]:
            node.kill()
        self._folder.cleanup()
