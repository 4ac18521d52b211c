"""
A fleet under load and under attack, and a record of all of it for `history`.

    callers -> services, each with near memory -> a fault proxy each -> one Valkey;  services -> one vendor

Rule 1: the schedule of faults follows from the seed; what it meets does not, so a seed tells little of what happened.
        The record does.
Rule 2: one fault at a time, for one to three seconds, with a longer pause after it. In gentle weather no process is
        killed and nothing is flushed, so that the books must agree with the ledger of the vendor to the last call.
Rule 3: each leg ends with everything healed and everybody idle; then the books are read.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from tests.harness.contents import photo
from tests.harness.faults import Delay, DropReply, Fault, HalfOpen, On, Then
from tests.harness.fleet import Caller, Fleet, Numbered
from tests.harness.history import EVERYBODY, Event
from tests.harness.http import Answer
from tests.harness.proxy import FaultProxy
from tests.harness.service import Service, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

SERVICES, CALLERS, CONTENTS = 3, 6, 10
#: How a caller's questions are divided.
ASKED = {"upload": 50, "get": 20, "refresh": 6, "no-store": 6, "delete": 6, "clear": 4}
LEASE = timedelta(seconds=2)
#: A caller gives up after so many seconds; `history.DEADLINE` is less.
GIVEN_UP = 30.0
GENTLE = ("slow", "reset", "half-open", "drop", "subscribers", "store-freeze", "freeze")
ROUGH = (*GENTLE, "kill", "flush")
_SLOW = Delay(requests=timedelta(milliseconds=120), replies=timedelta(milliseconds=120))
_SHORT, _LONG = 1.0, 3.0
#: Seconds between two faults: more than `history.SETTLED` most often, so that there are times without any excuse.
_CALM = (2.0, 9.0)


class Turmoil:
    """One such fleet in *folder*, whose faults and questions follow from *seed*; *events* is the record so far."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.events: list[Event] = []
        self.faults = 0
        self._folder = folder
        self._chance = random.Random(seed)  # noqa: S311 - a schedule, no secret
        self._wishes = random.Random(seed + 2)  # noqa: S311 - see above
        self._vendor = Numbered(delay=0.02, spread=0.3, chance=random.Random(seed + 1))  # noqa: S311 - see above
        self._contents = {
            hashlib.sha256(content).hexdigest(): content for content in (photo() for _ in range(CONTENTS))
        }
        self._valkey = Valkey()
        self._proxies: list[FaultProxy] = []
        self._stack = AsyncExitStack()
        # What services log has the time of day; all else here is monotonic.
        self._began = datetime.now(UTC).timestamp() - monotonic()

    async def __aenter__(self) -> Turmoil:
        async with AsyncExitStack() as stack:
            vendor = await stack.enter_async_context(ScriptedVendor(self._vendor))
            stack.enter_context(self._valkey)
            self._proxies = [await stack.enter_async_context(FaultProxy(self._valkey.port)) for _ in range(SERVICES)]
            lease = f"{LEASE // timedelta(milliseconds=1)}ms"
            settings = [{"HASHCACHE_STORE": proxy.url, "HASHCACHE_LEASE": lease} for proxy in self._proxies]
            self._fleet = await stack.enter_async_context(Fleet(self._folder, vendor.url, settings))
            self._stack = stack.pop_all()
        await self._read_books()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def history(self) -> list[Event]:
        """All that has happened, the vendor's calls too, in the order of their beginnings."""
        for service in self._fleet.services:
            self._note_away(service)
        calls = [
            Event("call", call.began, call.ended or call.began, digest=call.digest, number=call.number)
            for call in self._vendor.calls
        ]
        return sorted([*self.events, *calls], key=lambda event: event.began)

    async def leg(self, seconds: float, faults: Sequence[str]) -> None:
        """Callers ask for so many *seconds* while *faults* happen; then all is healed and the books are read."""
        ends = monotonic() + seconds
        callers = [asyncio.create_task(self._ask_until(ends)) for _ in range(CALLERS)]
        try:
            while monotonic() < ends - _CALM[1]:
                await self._fault(self._chance.choice(faults))
                await asyncio.sleep(self._chance.uniform(*_CALM))
        finally:
            await asyncio.gather(*callers)
        await self._read_books()

    # Callers

    async def _ask_until(self, ends: float) -> None:
        chance = self._wishes
        while monotonic() < ends:
            what = chance.choices(list(ASKED), list(ASKED.values()))[0]
            name = chance.choice(("*", "kind", "one")) if what == "clear" else ""
            await self._ask(chance.randrange(SERVICES), what, name, chance.choice(list(self._contents)))
            await asyncio.sleep(chance.random() * 0.03)

    async def _ask(self, service: int, what: str, name: str, digest: str) -> None:
        # On a connection of its own: one that was kept may have ended unnoticed, through no fault of the service.
        caller, began, answer = Caller(self._fleet.services[service]), monotonic(), None
        with suppress(OSError, EOFError, TimeoutError):
            answer = await self._sent(caller, what, digest, name)
        caller.leave()
        meant = "" if name in {"*", "kind"} else digest
        number, told = 0, ""
        if answer is not None and answer.status == 200 and what not in {"clear", "delete"}:
            bought = answer.json["result"]["answer"]
            number, told = bought["number"], bought["digest"]
            assert answer.json["sha256"] == digest
        elif answer is not None and answer.status >= 400:
            told = str(answer.json["type"]).rpartition(":")[2]
        status = answer.status if answer is not None else 0
        self.events.append(Event(what, began, monotonic(), service, meant, status, number, told, name))

    def _sent(self, caller: Caller, what: str, digest: str, name: str) -> Awaitable[Answer]:
        content = self._contents[digest]
        match what, name:
            case "upload", _:
                return caller.upload(content, within=GIVEN_UP)
            case "refresh", _:
                return caller.upload(content, within=GIVEN_UP, X_Force_Refresh="true")
            case "no-store", _:
                return caller.upload(content, within=GIVEN_UP, Cache_Control="no-store")
            case "get", _:
                return caller.ask("GET", f"/api/analyses/{digest}", within=GIVEN_UP)
            case "delete", _:
                return caller.ask("DELETE", f"/api/analyses/{digest}", within=GIVEN_UP)
            case _, "kind":
                return caller.administer("POST", "/api/admin/cache/invalidate/image", within=GIVEN_UP)
            case _:
                pattern = "*" if name == "*" else f"analysis:{digest}"
                clear = {"pattern": pattern, "reason": "turmoil"}
                return caller.administer("POST", "/api/admin/cache/clear", clear, within=GIVEN_UP)

    # Faults

    async def _fault(self, name: str) -> None:
        """Do it to some service, or to everybody, and undo it."""
        number = self._chance.randrange(SERVICES)
        service, proxy, seconds = (
            self._fleet.services[number],
            self._proxies[number],
            self._chance.uniform(_SHORT, _LONG),
        )
        whom = number if name in {"slow", "reset", "half-open", "drop", "kill", "freeze"} else EVERYBODY
        began = monotonic()
        self.faults += 1
        match name:
            case "slow":
                await self._under(proxy, _SLOW, seconds)
            case "half-open":
                await self._under(proxy, HalfOpen(), seconds)
                proxy.reset()  # what was swallowed does not come back: the connections are out of step
            case "drop":
                await self._under(proxy, DropReply(times=3, then=Then.SILENT), seconds)
                proxy.reset()
            case "reset":
                proxy.reset()
            case "subscribers":
                for each in self._proxies:
                    each.reset(On.SUBSCRIBED)
            case "store-freeze":
                await self._between(self._valkey.freeze, self._valkey.thaw, seconds)
            case "freeze":
                await self._between(lambda: self._fleet.freeze(service), lambda: self._fleet.thaw(service), seconds)
            case "flush":
                with self._valkey.client() as there:
                    there.flushall()
            case _:
                self._note_away(service)
                await self._fleet.kill(service)
                await service.start()
        self.events.append(Event("fault", began, monotonic(), whom, name=name))

    async def _under(self, proxy: FaultProxy, fault: Fault, seconds: float) -> None:
        async with proxy.under(fault):
            await asyncio.sleep(seconds)

    async def _between(self, begin: Callable[[], None], end: Callable[[], None], seconds: float) -> None:
        begin()
        try:
            await asyncio.sleep(seconds)
        finally:
            end()

    # Records

    async def _read_books(self) -> None:
        """Wait until all has been booked that the vendor saw, as far as it ever is, and note what the books tell."""
        (caller,) = self._fleet.callers(1, self._fleet.services[0])
        last = -1

        async def settled() -> bool:
            nonlocal last
            before, last = last, await self._booked(caller)
            await asyncio.sleep(2.5)
            return last == before

        await until(settled, within=60, what="the books are still")
        self.events.append(Event("books", monotonic(), monotonic(), calls=last))

    async def _booked(self, caller: Caller) -> int:
        with suppress(KeyError, OSError, EOFError):
            calls: int = (await caller.stats())["money"]["calls"]
            return calls
        return -1

    def _note_away(self, service: Service) -> None:
        """Note when *service* said that it had no store."""
        number = self._fleet.services.index(service)
        since: float | None = None
        for line in service.events():
            if line.get("event") not in {"store.away", "store.available"}:
                continue
            at = datetime.fromisoformat(line["timestamp"]).timestamp() - self._began
            if line["event"] == "store.away":
                since = at
            elif since is not None:
                self.events.append(Event("away", since, at, number))
                since = None
        if since is not None:
            self.events.append(Event("away", since, monotonic(), number))
