"""
A TCP proxy of our own between a client and one server, in which everything that goes wrong on a wire can go wrong.

`async with FaultProxy(valkey.port) as proxy: ...`; it listens on *port* of 127.0.0.1, on the loop of the test.

Rule 1: without a fault it passes all on, unchanged and in order. What each fault does: `tests.harness.faults`.
Rule 2: a fault is imposed and lifted at any moment, on connections that exist, that come, that listen to channels.
        Lifting lets go what was kept back (`Delay`, `Hold`); what was swallowed (`HalfOpen`, `DropReply`) is lost.
Rule 3: `refuse`, `reset` and `hang_up` are about connections, not bytes: no new ones, RST, FIN.
Rule 4: *tally* counts; `until` and its kin wait for what it counts, with a deadline, without polling.
Rule 5: after it everything is closed, by RST, and no task is left. Its port stays its own while it refuses.

What it cannot do: lose or reorder packets (each connection is TCP on loopback; a lost packet shows as `Delay`), fill a
SYN queue (connecting always succeeds or is refused at once; a firewall that drops is not shown), or refuse *because*
its server does (it has accepted by then, and resets). Pieces are whole requests and replies, so a server that stops in
the middle of a reply is shown as one that has not begun it; `Truncate` cuts within. What is not RESP passes with the
faults on bytes alone: for TLS, put the proxy behind the TLS front.
"""

from __future__ import annotations

import asyncio
import enum
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

from tests.harness.faults import Connected, Fault, Faults, On
from tests.harness.relay import Relay, reset_on_close
from tests.harness.tally import Notice, Tally

LOOPBACK = "127.0.0.1"
PATIENCE = timedelta(seconds=5)


class Refusal(enum.Enum):
    """How a new connection fails: nobody listens (ECONNREFUSED), or it is accepted and reset."""

    CLOSED = "closed"
    RESET = "reset"


class FaultProxy:
    """In front of (*host*, *target*). Not started when made; once only."""

    def __init__(self, target: int, host: str = LOOPBACK) -> None:
        self._server = (host, target)
        self.tally = Tally()
        self._faults = Faults()
        self._shifted = Notice()
        self._broken: list[BaseException] = []
        self._accepted = 0
        self._relays: dict[asyncio.Task[None], Relay] = {}
        self._place: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._refusal: Refusal | None = None

    @property
    def port(self) -> int:
        """Where it listens, or would."""
        assert self._place is not None, "not started"
        port: int = self._place.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The server's URL as clients of the proxy write it."""
        return f"redis://{LOOPBACK}:{self.port}"

    # Faults

    def impose(self, fault: Fault, on: On = On.ALL) -> None:
        """From now on *fault* is at work, beside those that are, until it has fired or is lifted."""
        self._faults.add(fault, self._those(on))
        self._shifted.tell()

    def heal(self, *faults: Fault) -> None:
        """Lift these faults; without any, all, and listen again."""
        self._faults.lift(*faults)
        if not faults:
            self._refusal = None
            self._listen()
        self._shifted.tell()

    @asynccontextmanager
    async def under(self, fault: Fault, on: On = On.ALL) -> AsyncIterator[None]:
        """*fault* is at work inside."""
        self.impose(fault, on)
        try:
            yield
        finally:
            self.heal(fault)

    def refuse(self, how: Refusal = Refusal.CLOSED) -> None:
        """No new connections until `heal`; those that exist go on."""
        self._refusal = how
        if how is Refusal.CLOSED:
            self._deafen()
        else:
            self._listen()

    def reset(self, on: On = On.ALL) -> int:
        """RST to both sides of the connections that exist; returns how many."""
        return self._end(on, reset=True)

    def hang_up(self, on: On = On.ALL) -> int:
        """Close the connections that exist, in order, as servers do with idle ones; returns how many."""
        return self._end(on, reset=False)

    # Waiting

    async def until(self, holds: Callable[[], bool], within: timedelta = PATIENCE) -> None:
        """
        Wait until *holds*, which is asked whenever the tally changes.

        Raises:
            TimeoutError: it does not *within* that time; the message tells the tally.
        """
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self.tally.changed.until(holds)
        except TimeoutError:
            raise TimeoutError(f"not within {within}: {self.tally}") from None

    async def until_open(self, connections: int, within: timedelta = PATIENCE) -> None:
        """Wait until exactly so many connections are open."""
        await self.until(lambda: self.tally.open == connections, within)

    async def until_asked(self, *words: bytes, times: int = 1, within: timedelta = PATIENCE) -> None:
        """Wait until requests beginning with *words* have arrived so many times, passed on or not."""
        await self.until(lambda: self.tally.times_asked(*words) >= times, within)

    async def until_served(self, *words: bytes, times: int = 1, within: timedelta = PATIENCE) -> None:
        """Wait until requests beginning with *words* have been passed on so many times."""
        await self.until(lambda: self.tally.times_served(*words) >= times, within)

    async def until_held(self, pieces: int = 1, within: timedelta = PATIENCE) -> None:
        """Wait until at least so many connections' next pieces are held by `Hold`."""
        await self.until(lambda: self.tally.held >= pieces, within)

    # Its life

    async def __aenter__(self) -> Self:
        # Bound but deaf: keeps the port while nobody listens on it, so that connecting is refused, by us alone.
        self._place = self._bound(0)
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deafen()
        if self._place is not None:
            self._place.close()
        for relay in self._relays.values():
            relay.end(reset=True)
        await asyncio.gather(*self._relays, return_exceptions=True)
        if self._broken:
            raise BaseExceptionGroup("the proxy itself is broken", self._broken)

    def _bound(self, port: int) -> socket.socket:
        # Named as TCP, or asyncio leaves Nagle on (it asks for the protocol), and pieces wait 40 ms for an ACK.
        place = socket.socket(proto=socket.IPPROTO_TCP)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        place.settimeout(0)
        place.bind((LOOPBACK, port))
        return place

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = self._bound(self.port)
            self._listener.listen(1024)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _deafen(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionError):
            client, _ = listener.accept()
            client.settimeout(0)
            if self._refusal is Refusal.RESET:
                reset_on_close(client)
                client.close()
                self.tally.add("refused")
                return
            self._accepted += 1
            relay = Relay(self._accepted, self._faults, self._shifted, self.tally)
            task = asyncio.create_task(relay.run(client, *self._server))
            self._relays[task] = relay
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._relays[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._broken.append(error)

    def _end(self, on: On, *, reset: bool) -> int:
        hits = self._those(on)
        hit = [relay for relay in self._relays.values() if hits(relay)]
        for relay in hit:
            relay.end(reset=reset)
        return len(hit)

    def _those(self, on: On) -> Callable[[Connected], bool]:
        """Whom *on* means, said now."""
        so_far = self._accepted
        match on:
            case On.ALL:
                return lambda _: True
            case On.EXISTING:
                return lambda connection: connection.number <= so_far
            case On.NEW:
                return lambda connection: connection.number > so_far
            case On.SUBSCRIBED:
                return lambda connection: connection.subscribed
            case On.UNSUBSCRIBED:
                return lambda connection: not connection.subscribed
