"""
Several services on one store, as in production: real processes, one vendor, callers who keep their connections.

Rule 1: the vendor's answers tell who they are: each has the number of its call and the digest of what was sent. So
        whoever holds an answer knows when it was bought, and of which bytes.
Rule 2: each service has a folder of its own.
Rule 3: what a service logs as a fault of ours fails the test, also when the service was killed later.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from loadtests.vendor.received import Request
from tests.harness.http import Answer, Wire, request
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import Exchange

PRICE = "0.01"
#: How long a caller waits for an answer, in seconds, unless it says otherwise: longer than anything here takes.
PATIENCE = 60.0
IDLE = 2.0
_TIMING = re.compile(r"(\w+);dur=([\d.]+)")


@dataclass(eq=False)
class Call:
    """One call to the vendor: its *number* from 1, the SHA-256 of what was sent, when it *began* and *ended*."""

    number: int
    digest: str
    began: float
    ended: float | None = None


class Numbered:
    """
    A vendor's script: an answer that tells its call's number and digest, after *delay* seconds.

    *calls* are all so far, in order. *spread*: a call takes up to so many seconds more, by *chance*.
    """

    def __init__(self, *, delay: float = 0.0, spread: float = 0.0, chance: random.Random | None = None) -> None:
        self.calls: list[Call] = []
        self.delay = delay
        self._spread = spread
        self._chance = chance or random.Random(1)  # noqa: S311 - how long a call takes is no secret
        self._gates: deque[asyncio.Event] = deque()

    def hold(self) -> asyncio.Event:
        """The next call that is not held yet waits until this is set."""
        gate = asyncio.Event()
        self._gates.append(gate)
        return gate

    async def __call__(self, exchange: Exchange, head: Request) -> None:
        """Answer one call."""
        received = await exchange.read(head)
        call = Call(len(self.calls) + 1, received.content, monotonic())
        self.calls.append(call)
        delay = self.delay + self._spread * self._chance.random()
        try:
            if self._gates:
                await self._gates.popleft().wait()
            if delay:
                await asyncio.sleep(delay)
        finally:
            call.ended = monotonic()
        answer = {"score": 0.98, "version": "7", "number": call.number, "digest": call.digest}
        await exchange.reply(200, json.dumps(answer).encode())


def number(answer: Answer) -> int:
    """The number of the call that bought *answer*, a 200."""
    assert answer.status == 200, (answer.status, answer.body[:300])
    bought: int = answer.json["result"]["answer"]["number"]
    return bought


def timings(answer: Answer) -> dict[str, float]:
    """What `Server-Timing` says, in milliseconds."""
    return {name: float(duration) for name, duration in _TIMING.findall(answer.header("server-timing") or "")}


class Caller:
    """
    One who asks *service* over one connection, again and again; one that was lost, or not used for IDLE seconds (when
    the service may be about to close it), is made anew.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._wire: Wire | None = None
        self._where = ""
        self._used = 0.0

    async def ask(
        self, method: str, target: str, body: bytes | None = None, *, within: float = PATIENCE, **headers: str
    ) -> Answer:
        """
        One request; its answer. Names of headers are written with `_` for `-`.

        Raises:
            OSError, EOFError: the connection broke. TimeoutError: no complete answer *within* so many seconds.
        """
        try:
            async with asyncio.timeout(within):
                wire = await self._connected()
                await wire.send(request(method, target, body, **headers))
                answer = await wire.answer(to=method, within=within)
        except BaseException:
            self.leave()
            raise
        self._used = monotonic()
        if answer.closes:
            self.leave()
        return answer

    async def upload(self, content: bytes, *, within: float = PATIENCE, **headers: str) -> Answer:
        """Have *content* analysed."""
        return await self.ask("POST", "/api/analyze", content, within=within, Content_Type="image/jpeg", **headers)

    async def known(self, sha256: str) -> Answer:
        """Ask for the answer about the content with this digest."""
        return await self.ask("GET", f"/api/analyses/{sha256}")

    async def administer(self, method: str, target: str, document: Any = None, *, within: float = PATIENCE) -> Answer:
        """One request with the admin's key; *document* as JSON."""
        raw = None if document is None else json.dumps(document).encode()
        key = f"Bearer {ADMIN_TOKEN}"
        kind = {"Content_Type": "application/json"} if raw is not None else {}
        return await self.ask(method, target, raw, within=within, Authorization=key, **kind)

    async def clear(self, pattern: str = "*") -> Answer:
        """Have what matches *pattern* forgotten; AssertionError when it was not."""
        answer = await self.administer("POST", "/api/admin/cache/clear", {"pattern": pattern, "reason": "a proof"})
        assert answer.status in {200, 202}, (answer.status, answer.body)
        return answer

    async def stats(self) -> dict[str, Any]:
        """The figures of the fleet."""
        answer = await self.administer("GET", "/api/admin/cache/stats")
        figures: dict[str, Any] = answer.json
        return figures

    def leave(self) -> None:
        """End the connection, if there is one."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _connected(self) -> Wire:
        if self._where != self._service.url or monotonic() - self._used > IDLE:
            self.leave()
        if self._wire is None:
            self._where = self._service.url
            self._wire = await Wire.open(self._where)
        return self._wire


class Fleet:
    """
    A service for each of *environments*, that buys from the vendor at *url*; in folders below *folder*.

    `async with Fleet(...) as fleet: ...`: all have started; afterwards all that still run are stopped.
    """

    def __init__(
        self, folder: Path, url: str, environments: Sequence[Mapping[str, str]], *, options: Sequence[str] = ()
    ) -> None:
        paid = {
            "HASHCACHE_PROVIDER": "generic",
            "HASHCACHE_GENERIC_URL": url,
            "HASHCACHE_GENERIC_SCORE": "/score",
            "HASHCACHE_GENERIC_PRICE_USD": PRICE,
            "HASHCACHE_GENERIC_CONCURRENCY": "64",
        }
        self.services = []
        for place, environment in enumerate(environments):
            home = folder / f"service-{place}"
            home.mkdir()
            self.services.append(Service(home, {**paid, **environment}, options=options))
        self._callers: list[Caller] = []
        self._faults: list[str] = []

    def callers(self, count: int, service: Service) -> list[Caller]:
        """So many callers of *service*; they leave when the fleet ends."""
        callers = [Caller(service) for _ in range(count)]
        self._callers += callers
        return callers

    def everywhere(self) -> list[Caller]:
        """One caller of each service."""
        return [caller for service in self.services for caller in self.callers(1, service)]

    def said(self, *events: str) -> list[dict[str, Any]]:
        """What the services have logged of these events."""
        return [line for service in self.services for event in events for line in service.events(event)]

    async def kill(self, service: Service) -> None:
        """End *service* at once (SIGKILL), also a frozen one."""
        self._look_at(service)
        await service.kill()

    def freeze(self, service: Service) -> None:
        """Stop *service* where it is (SIGSTOP): its connections stay."""
        os.kill(service.pid, signal.SIGSTOP)

    def thaw(self, service: Service) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(service.pid, signal.SIGCONT)

    async def __aenter__(self) -> Self:
        started = await asyncio.gather(*(service.start() for service in self.services), return_exceptions=True)
        failed = next((one for one in started if isinstance(one, BaseException)), None)
        if failed is not None:
            await asyncio.gather(*(service.kill() for service in self.services))
            raise failed
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for caller in self._callers:
            caller.leave()
        for service in self.services:
            with suppress(AssertionError, ProcessLookupError):  # it was killed
                self.thaw(service)
        ends = await asyncio.gather(*(service.stop() for service in self.services), return_exceptions=True)
        for service in self.services:
            self._look_at(service)
        assert self._faults == []
        failed = next((one for one in ends if isinstance(one, BaseException)), None)
        if failed is not None:
            raise failed

    def _look_at(self, service: Service) -> None:
        log = service.log()
        if "Traceback" in log or '"request.fault"' in log:
            self._faults.append(log)
