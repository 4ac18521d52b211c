"""
The master of a watched service: asked for anew for each connection, and believed once it says so itself.

Rule 1: the sentinels are asked in turn, the next one as soon as one has failed or said nothing for a moment; the first
        that names the master counts.
Rule 2: at most one such question is under way: whoever comes meanwhile shares its answer.
Rule 3: sentinels may be behind, and a master may have been demoted since: only a server whose ROLE is master is used
        (Redis documentation, "Guidelines for Redis clients with support for Redis Sentinel"). A sentinel whose word
        led to one is asked first the next time, one whose word led nowhere last.
Rule 4: after a fail-over that somebody asked for, the old master goes on as one for up to 10 seconds, until a sentinel
        tells it to stop, and what it is sent is lost. So the sentinels are asked once a second as well. As long as
        none answers, the server that was found last is the master.
Rule 5: nothing is retried here: who opens connections does that, in `server` and `channel`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio.connection import Connection
from redis.exceptions import InvalidResponse, RedisError

from hashcache.stores.redis.address import Address
from hashcache.stores.redis.dialing import converse, dial
from hashcache.stores.redis.failures import NoMaster, told
from hashcache.stores.redis.watched import SCHEMES, Watched

#: Seconds until the next sentinel is asked as well: far more than a healthy one needs.
_TURN = 0.25
#: Seconds between two looks.
_LOOK = 1.0
_FAULTS = (RedisError, OSError, ValueError, EOFError)


def reach(url: str, ca_file: str | None = None) -> Address | Sentinels:
    """
    What *url* names: a server, or the master of a service that sentinels watch.

    Raises:
        SettingsError: neither, or *ca_file* cannot be read.
    """
    return Sentinels(Watched.parse(url, ca_file)) if url.startswith(SCHEMES) else Address.parse(url, ca_file)


@dataclass(frozen=True, slots=True)
class _Named:
    master: Address
    by: Address


class Sentinels:
    """The way to the master of *watched*, for all who connect to it in this process."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._order = deque(watched.sentinels)
        self._turn = asyncio.Lock()
        self._answers = 0
        self._named: _Named | None = None
        #: Where the last connection led.
        self._master: Address | None = None

    def __str__(self) -> str:
        return str(self._watched)

    async def dial(self, patience: timedelta) -> Connection:
        """
        An open connection to the master; the caller closes it.

        Raises what redis-py and sockets raise, NoMaster among it; TimeoutError when *patience* is over.
        """
        async with asyncio.timeout(patience.total_seconds()):
            named = await self._find(patience)
            try:
                connection = await dial(named.master, patience)
                await _demand_master(connection)
            except BaseException:
                self._order.remove(named.by)
                self._order.append(named.by)
                raise
            self._order.remove(named.by)
            self._order.appendleft(named.by)
            self._master = named.master
            return connection

    def leads_to(self, connection: Connection) -> bool:
        """Whether *connection* is one to the master that was found last."""
        master = self._master
        return master is None or (connection.host, connection.port) == (master.host, master.port)

    async def watch(self, patience: timedelta) -> None:
        """Look once a second, for ever, whether the sentinels name another master by now, and it is one."""
        while True:
            await asyncio.sleep(_LOOK)  # the pace of looking
            with suppress(*_FAULTS):
                async with asyncio.timeout(patience.total_seconds()):
                    named = await self._find(patience)
                if named.master != self._master:
                    connection = await self.dial(patience)
                    await connection.disconnect(nowait=True)

    async def _find(self, patience: timedelta) -> _Named:
        """What the sentinels answer now, or to whoever asked before us and has not been answered when we come."""
        answers = self._answers
        async with self._turn:
            if self._named is None or answers == self._answers:
                self._named = None
                self._named = await self._ask_all(patience)
                self._answers += 1
            return self._named

    async def _ask_all(self, patience: timedelta) -> _Named:
        waiting = deque(self._order)
        asked: dict[asyncio.Task[Address], Address] = {}
        errors: list[Exception] = []
        try:
            while waiting or asked:
                if waiting:
                    sentinel = waiting.popleft()
                    asked[asyncio.create_task(self._ask(sentinel, patience), name=f"ask {sentinel}")] = sentinel
                over, _ = await asyncio.wait(
                    asked, timeout=_TURN if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for question in over:
                    sentinel = asked.pop(question)
                    try:
                        return _Named(question.result(), sentinel)
                    except _FAULTS as error:
                        errors.append(error)
        finally:
            for question in asked:
                question.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise self._nobody(errors)

    async def _ask(self, sentinel: Address, patience: timedelta) -> Address:
        connection = await dial(sentinel, patience)
        try:
            match await converse(connection, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._watched.name):
                case [bytes(host), bytes(port)] if port.isdigit():
                    return self._watched.server(host.decode(errors="replace"), int(port))
                case None:
                    raise NoMaster(f"no sentinel knows a master called {self._watched.name}")
                case _:
                    raise InvalidResponse("not what a sentinel answers")
        finally:
            await connection.disconnect(nowait=True)

    def _nobody(self, errors: list[Exception]) -> NoMaster:
        """Why no sentinel named it: the first reason that is more than silence."""
        telling = [one for one in errors if told(one, str(self))[0] not in {"unreachable", "timeout"}]
        unknown = [one for one in errors if isinstance(one, NoMaster)]
        if unknown and not telling:
            return unknown[0]
        if not telling:
            return NoMaster("none of its sentinels can be reached")
        reason, words = told(telling[0], str(self))
        if reason == "error":
            return NoMaster("what is asked for the master is no sentinel")
        return NoMaster(f"no sentinel names the master; of one: {words}", reason)


async def _demand_master(connection: Connection) -> None:
    """Close *connection* and raise unless its server is a master."""
    try:
        match await converse(connection, "ROLE"):
            case [b"master", *_]:
                return
            case _:
                raise NoMaster("what its sentinels name is no master (any more, or yet)")
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
