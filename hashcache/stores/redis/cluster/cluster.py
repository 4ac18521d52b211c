"""
A cluster, asked as if it were one server: each command goes to the node that has its key.

Rule 1: what a node answers instead of a reply is followed, a bounded number of times and within the one deadline: MOVED
        (the slot is elsewhere for good) and ASK (for this once) at once, TRYAGAIN (its keys are on the way between two
        nodes) after a moment, CLUSTERDOWN once more. All four mean that nothing was done, so nothing is done twice. A
        node that does not answer is a failure, as with one server: what was asked of it may have been done.
Rule 2: each node has a breaker of its own: where one is dead only its keys are, and nobody waits for it.
Rule 3: commands for one node go together and keep their order; those for several go at the same time, in no order.
Rule 4: an MGET whose keys are on the way is asked key by key. Reading goes on while a slot moves; what a script does
        with several keys waits until they are together again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeGuard

from redis.exceptions import AskError, ClusterDownError, MasterDownError, MovedError, ResponseError, TryAgainError

from hashcache.core.errors import StoreUnavailable
from hashcache.stores.redis.cluster.nodes import Nodes
from hashcache.stores.redis.cluster.topology import Endpoint, slot_of
from hashcache.stores.redis.failures import OUT_OF_REACH
from hashcache.stores.redis.scripts import Call, Command
from hashcache.stores.redis.server import Server, is_foreign

#: How often one command is sent, and how often one that met CLUSTERDOWN is.
_ATTEMPTS, _DOWNS = 10, 2
#: Seconds until a command that met TRYAGAIN or CLUSTERDOWN is sent again; doubled each time.
_MOMENT = 0.005


@dataclass(frozen=True, slots=True)
class _Errand:
    """One command, its place among those that were asked, its slot (None: any), and where it was sent on to."""

    at: int
    command: Command | Call
    slot: int | None
    node: Endpoint | None = None
    asking: bool = False
    downs: int = 0


class Cluster:
    """
    The Remote over *nodes*, which it opens and closes.

    *replicated*: what a script has changed is on one replica at least, where there are any, before that is answered.
    """

    def __init__(self, nodes: Nodes, *, replicated: bool = False) -> None:
        self.nodes = nodes
        self._replicated = replicated

    @property
    def where(self) -> str:
        """For people, without secrets."""
        return self.nodes.where

    @property
    def commands(self) -> int:
        """How many commands were sent, those inside scripts not counted."""
        return self.nodes.commands

    @property
    def took(self) -> Sequence[float]:
        """How long the last round trips to each node took, in seconds."""
        return self.nodes.took

    async def open(self) -> None:
        """Find the nodes, if they can be reached now."""
        await self.nodes.open()

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        await self.nodes.close()

    async def ask(self, *commands: Command | Call, within: timedelta, lenient: bool = False) -> list[Any]:
        """
        As `Remote.ask`. The keys of one command lie in one slot; a command without any goes to the anchor's node.

        Raises:
            StoreUnavailable: also when some of the nodes answered; `moving` when keys are on their way for too long,
            `unreplicated` when it was done, but no replica has it yet.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within.total_seconds()
        replies: list[Any] = [None] * len(commands)
        errands = [_Errand(at, command, _slot(command)) for at, command in enumerate(commands)]
        for attempt in range(_ATTEMPTS):
            errands = await self._round(errands, replies, until, lenient=lenient)
            if not errands:
                return replies
            if any(one.node is None for one in errands):
                pause = _MOMENT * 2**attempt
                if loop.time() + pause >= until:
                    break
                await asyncio.sleep(pause)  # back-off, within the deadline above
        raise StoreUnavailable(f"Redis at {self.where}: keys are on their way between nodes", reason="moving")

    async def ask_at(self, node: Endpoint, *commands: Command, within: timedelta) -> list[Any]:
        """The replies of one *node*; raises StoreUnavailable as `Server.ask`."""
        try:
            return await self.nodes.server(node).ask(*commands, within=within)
        except StoreUnavailable:
            self.nodes.doubt()
            raise

    async def _round(
        self, errands: Sequence[_Errand], replies: list[Any], until: float, *, lenient: bool
    ) -> list[_Errand]:
        """Send *errands* and put down the *replies*; those that are to be sent again."""
        groups: dict[Endpoint, list[_Errand]] = {}
        for errand in errands:
            groups.setdefault(errand.node or await self._node(errand.slot, until), []).append(errand)
        servers = {node: self.nodes.server(node) for node in groups}
        found = await _all([self._deliver(node, servers[node], group, until) for node, group in groups.items()])
        again: list[_Errand] = []
        for (node, group), answers in zip(groups.items(), found, strict=True):
            for errand, answer in zip(group, answers, strict=True):
                onward = self._onward(node, errand, answer)
                if onward is None:
                    replies[errand.at] = self._final(servers[node], answer, lenient=lenient)
                elif isinstance(answer, TryAgainError) and _is_mget(errand.command):
                    replies[errand.at] = await self._key_by_key(errand.command, until)
                else:
                    again.append(onward)
        return again

    async def _node(self, slot: int | None, until: float) -> Endpoint:
        if slot is None:
            return self.nodes.anchor
        return await self.nodes.owner(slot, _left(until))

    async def _deliver(self, node: Endpoint, server: Server, errands: Sequence[_Errand], until: float) -> list[Any]:
        """What *server*, which is *node*, answers to each of *errands*, redirections and refusals among them."""
        waits = any(isinstance(one.command, Call) for one in errands) and await self._has_replicas(node, until)
        commands: list[Command | Call] = []
        places: list[int] = []
        for one in errands:
            if one.asking:
                commands.append(("ASKING",))
            places.append(len(commands))
            # ASKING holds for the one command that follows, and WAIT costs time: neither is to be sent again because
            # a node does not know the script yet.
            entire = one.asking or waits
            commands.append(one.command.full if entire and isinstance(one.command, Call) else one.command)
        if waits:
            # On the same connection: it waits for what that one has written (Redis documentation, WAIT).
            commands.append(("WAIT", 1, max(1, int(_left(until) * 500))))
        try:
            replies = await server.replies(*commands, within=timedelta(seconds=_left(until)))
        except StoreUnavailable:
            self.nodes.doubt()
            raise
        answers = [replies[place] for place in places]
        if waits and not all(isinstance(one, ResponseError) for one in answers):
            self._waited(server, replies[-1])
        return answers

    async def _has_replicas(self, node: Endpoint, until: float) -> bool:
        """Whether to wait for replicas of *node*, because it has some."""
        if not self._replicated:
            return False
        topology = self.nodes.topology
        if node not in topology.replicas:  # it has just become a master
            topology = await self.nodes.survey(timedelta(seconds=_left(until)))
        # Where still nobody knows it as one, it is better to wait in vain than not to wait.
        return node not in topology.replicas or bool(topology.replicas[node])

    def _waited(self, server: Server, answer: Any) -> None:
        """Raises StoreUnavailable unless the *answer* to WAIT says that a replica has what was done."""
        if isinstance(answer, ResponseError):
            raise server.refusal(answer)
        if answer == 0:
            self.nodes.doubt()
            raise StoreUnavailable(f"Redis at {self.where}: done, but no replica has it yet", reason="unreplicated")

    def _onward(self, node: Endpoint, errand: _Errand, answer: Any) -> _Errand | None:
        """How *errand* goes on after *answer*; None: it does not."""
        if isinstance(answer, AskError):
            there = (answer.host or node[0], answer.port)
            if not isinstance(answer, MovedError):
                return replace(errand, node=there, asking=True)
            self.nodes.moved(answer.slot_id, there)
            return replace(errand, node=there, asking=False)
        if isinstance(answer, TryAgainError):
            return replace(errand, node=None, asking=False)
        if _is_down(answer):
            self.nodes.doubt()
            if errand.downs + 1 < _DOWNS:
                return replace(errand, node=None, asking=False, downs=errand.downs + 1)
        return None

    def _final(self, server: Server, answer: Any, *, lenient: bool) -> Any:
        """*answer* as a reply; raises StoreUnavailable for what was refused."""
        if not isinstance(answer, ResponseError):
            server.answered()
            return answer
        if lenient and is_foreign(answer):
            return None
        if _is_down(answer):
            # The node is well, and so may be its other slots: its breaker has nothing to do with it.
            raise StoreUnavailable(f"Redis at {self.where}: the part with this key is down", reason="loading")
        away = server.refusal(answer)
        if away.reason in OUT_OF_REACH or away.reason == "readonly":
            self.nodes.doubt()
        raise away

    async def _key_by_key(self, command: Command, until: float) -> list[Any]:
        """What MGET would answer."""
        gets = (("GET", key) for key in command[1:])
        return await self.ask(*gets, within=timedelta(seconds=_left(until)), lenient=True)


def _slot(command: Command | Call) -> int | None:
    """The slot of *command*, by its first key; None: it has no key."""
    if isinstance(command, Call):
        return slot_of(str(command.words[1]))
    return None if command[0] == "PUBLISH" else slot_of(str(command[1]))


def _is_mget(command: Command | Call) -> TypeGuard[Command]:
    return not isinstance(command, Call) and command[0] == "MGET"


def _is_down(answer: Any) -> bool:
    """CLUSTERDOWN, not MASTERDOWN, which redis-py has as one."""
    return isinstance(answer, ClusterDownError) and not isinstance(answer, MasterDownError)


def _left(until: float) -> float:
    return max(0.0, until - asyncio.get_running_loop().time())


async def _all(asked: Sequence[Awaitable[list[Any]]]) -> list[list[Any]]:
    """The results of all, once each has come to its end; raises what the first of those that failed did."""
    if len(asked) == 1:
        return [await asked[0]]
    results = await asyncio.gather(*asked, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
