"""A server that is killed or cut off in the middle of a command, or of a clear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from time import monotonic

import pytest
import pytest_asyncio

from hashcache.stores.redis.scripts import Script
from tests.harness.contents import photo
from tests.harness.faults import DropReply, Hold, On, Side, Then
from tests.harness.fleet import Fleet, Numbered, number
from tests.harness.proxy import FaultProxy
from tests.harness.service import until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Far more than the store may cost a request in all, far less than anybody would notice here.
SOON = 2.0


def sha_of(script: str) -> bytes:
    """By which name the server is asked to run this script of ours."""
    return Script.load(script).digest.encode()


class Exposed:
    """One *service* whose server is behind *proxy*; *caller* asks it."""

    def __init__(self, fleet: Fleet, server: Valkey, proxy: FaultProxy) -> None:
        self.server = server
        self.proxy = proxy
        (self.service,) = fleet.services
        (self.caller,) = fleet.everywhere()

    async def healed(self) -> bool:
        """Whether it says that it is ready with its store."""
        return bool((await self.caller.ask("GET", "/readyz")).json["status"] == "ready")

    def holds(self, content: bytes) -> bool:
        """Whether an entry about *content* lies in the server."""
        with self.server.client() as there:
            names = there.scan_iter(f"*{{{sha256(content).hexdigest()}}}*")
            return any(b":claim" not in name and b":forgotten" not in name for name in names)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(vendor: ScriptedVendor, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exposed]:
    """The service, for all tests of this module."""
    with Valkey() as server:
        async with FaultProxy(server.port) as proxy:
            environment = {"REDIS_URL": proxy.url}
            async with Fleet(tmp_path_factory.mktemp("exposed"), vendor.url, [environment]) as fleet:
                yield Exposed(fleet, server, proxy)


@pytest_asyncio.fixture(loop_scope="session")
async def exposed(made: Exposed) -> Exposed:
    """The service, healthy."""
    await until(made.healed, within=20, what="it is healthy")
    return made


async def test_row_02_killed_in_the_middle_of_a_command(exposed: Exposed, script: Numbered) -> None:
    """
    The server is killed while it is told to keep an answer: the request is answered soon all the same, and the next is
    a hit near. When the server is back, empty, the answer is brought to it, unasked and without a restart. The log says
    once that it went and once that it came.
    """
    content, caller, proxy = photo(), exposed.caller, exposed.proxy
    commit = Hold(Side.REQUESTS, to=(b"EVALSHA", sha_of("commit")))
    gate, calls = script.hold(), len(script.calls)
    asked = asyncio.create_task(caller.upload(content))
    await until(lambda: len(script.calls) == calls + 1, what="it has the claim, and calls")
    proxy.impose(commit, On.UNSUBSCRIBED)
    gate.set()
    await proxy.until_held()
    killed = monotonic()
    exposed.server.kill()
    proxy.heal()
    answer = await asked
    assert monotonic() - killed < SOON
    assert number(answer) == calls + 1
    assert "stored" not in (answer.header("cache-status") or "")
    again = await caller.upload(content)
    assert (again.header("x-cache"), number(again)) == ("HIT", calls + 1)
    assert (await caller.ask("GET", "/healthz")).status == 200
    assert (await caller.ask("GET", "/readyz")).json["status"] == "degraded"
    exposed.server.start()
    await until(lambda: exposed.holds(content), within=20, what="the answer is brought to the server")
    assert len(script.calls) == calls + 1
    assert (await caller.upload(photo())).status == 200
    assert [len(exposed.service.events(event)) for event in ("store.away", "store.available")] == [1, 1]


async def test_row_50_a_clear_without_the_server(exposed: Exposed, script: Numbered) -> None:
    """
    A clear that cannot reach the server is 503, each time that it is tried, and does nothing by halves: the answers are
    there when the server is back. Tried again then, it is done, and again, there is nothing left to do.
    """
    content, caller = photo(), exposed.caller
    bought = number(await caller.upload(content))
    exposed.proxy.refuse()
    exposed.proxy.reset()
    for _ in range(3):
        refused = await caller.administer("POST", "/api/admin/cache/clear", {"pattern": "analysis:*"})
        assert (refused.status, refused.problem) == (503, "store-unavailable")
    assert (await caller.ask("DELETE", f"/api/analyses/{sha256(content).hexdigest()}")).status == 503
    exposed.proxy.heal()
    await until(exposed.healed, within=20, what="it has found the server")
    kept = await caller.upload(content)
    assert (kept.header("x-cache"), number(kept)) == ("HIT", bought)
    cleared = await caller.clear("analysis:*")
    assert (cleared.status, cleared.json["deleted"] >= 1) == (200, True)
    again = await caller.clear("analysis:*")
    assert (again.status, again.json["deleted"]) == (200, 0)
    assert number(await caller.upload(content)) > bought


async def test_row_50_a_clear_whose_reply_is_lost(exposed: Exposed, script: Numbered) -> None:
    """
    The server has raised the barrier when the connection breaks: nobody can know, so it is 503; what was cleared is
    served to nobody, and the clear can be tried again.
    """
    content, caller = photo(), exposed.caller
    await caller.clear("text:*")  # the server knows the script from now on, and answers it by its name
    bought = number(await caller.upload(content))
    exposed.proxy.impose(DropReply(to=(b"EVALSHA", sha_of("swap")), then=Then.RESET), On.UNSUBSCRIBED)
    refused = await caller.administer("POST", "/api/admin/cache/clear", {"pattern": "analysis:*"})
    assert (refused.status, refused.problem) == (503, "store-unavailable")
    await until(exposed.healed, within=20, what="it has found the server")
    assert number(await caller.upload(content)) > bought
    assert (await caller.clear("analysis:*")).status == 200
