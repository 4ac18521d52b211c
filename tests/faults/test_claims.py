"""What happens to the right to buy: everybody wants it at once, the server loses it, its holder is killed."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from time import monotonic

import pytest

from tests.faults.conftest import LEASE
from tests.harness.contents import photo
from tests.harness.fleet import PRICE, Caller, Fleet, Numbered, number
from tests.harness.service import until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Seconds beyond the lease: looking again, a busy machine.
MARGIN = 2.0
#: More than is kept in memory, so that it is spooled.
SPOOLED = 17_000_000


def claims(server: Valkey, content: bytes) -> list[bytes]:
    """The names of the claims on *content*, or on its answer's variants."""
    with server.client() as there:
        return list(there.scan_iter(f"*{{{sha256(content).hexdigest()}}}*:claim"))


async def duplicates(caller: Caller) -> int:
    """How many the fleet has counted."""
    counted: int = (await caller.stats())["cache"]["duplicates"]
    return counted


async def test_row_14_a_claim_that_the_server_lost(
    fleet: Fleet, script: Numbered, vendor: ScriptedVendor, server: Valkey
) -> None:
    """
    The claim vanishes while its holder calls, as under eviction: another process buys as well. Both answers are valid
    and given to those who waited for them, everybody else is given one of the two, and one duplicate is counted.
    """
    content, calls = photo(), len(script.calls)
    one, two, three = fleet.everywhere()
    before, gate = await duplicates(three), script.hold()
    first = asyncio.create_task(one.upload(content))
    await vendor.called(calls + 1)
    (claim,) = claims(server, content)
    with server.client() as there:
        there.delete(claim)
    lost = monotonic()
    assert number(await two.upload(content)) == calls + 2
    # By then the holder has tried to renew it, or will ask before it believes that it still holds it.
    await until(lambda: monotonic() - lost > LEASE)
    gate.set()
    answer = await first
    assert number(answer) == calls + 1
    assert answer.json["cost"]["spent_usd"] == PRICE
    assert {number(await caller.upload(content)) for caller in (one, two, three)} <= {calls + 1, calls + 2}
    await until(lambda: counted(three, before + 1), what="the duplicate is counted")
    assert len(script.calls) == calls + 2
    assert claims(server, content) == []


async def counted(caller: Caller, wanted: int) -> bool:
    """Whether so many duplicates are."""
    return await duplicates(caller) == wanted


async def test_row_42_the_holder_is_killed(
    fleet: Fleet, script: Numbered, vendor: ScriptedVendor, server: Valkey
) -> None:
    """
    The process that holds the claim is killed with -9 in the middle of its call: who waits elsewhere is answered within
    the lease and 2 s, for one more call; no claim is left, nor a file of the upload that it had spooled.
    """
    content, calls, gate = photo(SPOOLED), len(script.calls), script.hold()
    holder, *living = fleet.services
    buyer = asyncio.create_task(fleet.callers(1, holder)[0].upload(content))
    await vendor.called(calls + 1)
    assert holder.spooled() == SPOOLED
    waiting = [asyncio.create_task(fleet.callers(1, one)[0].upload(content)) for one in living]
    await until(
        lambda: [one.spooled() for one in living] == [SPOOLED] * 2, what="they have read what they may take over"
    )
    killed = monotonic()
    try:
        await fleet.kill(holder)
        answers = await asyncio.gather(*waiting)
        assert {number(answer) for answer in answers} == {calls + 2}
        assert monotonic() - killed < LEASE + MARGIN
        assert len(script.calls) == calls + 2
        assert list(holder.spool.iterdir()) == []
        assert claims(server, content) == []
        with pytest.raises((OSError, EOFError)):
            await buyer
    finally:
        gate.set()
        await holder.start()


@pytest.mark.parametrize("rounds", [10, pytest.param(1000, marks=[pytest.mark.prove, pytest.mark.timeout(300)])])
async def test_row_44_the_same_instant(fleet: Fleet, script: Numbered, server: Valkey, rounds: int) -> None:
    """
    Three services that are given the same new file, and whose claims reach the server at the same instant, round after
    round: one call, which one of them is told to have paid; all answer the very same result.
    """
    callers = fleet.everywhere()
    with server.client() as there:
        for _ in range(rounds):
            content, calls = photo(), len(script.calls)
            # What may write waits at the server, for a minute at most; what only reads does not.
            there.client_pause(60_000, all=False)
            try:
                asked = [asyncio.create_task(caller.upload(content)) for caller in callers]
                await until(lambda: waiting(server) >= len(callers), what="all of them ask for the claim")
            finally:
                there.client_unpause()
            answers = await asyncio.gather(*asked)
            assert {number(answer) for answer in answers} == {calls + 1}
            assert len(script.calls) == calls + 1
            assert len({answer.body.partition(b',"cost"')[0].partition(b'"result"')[2] for answer in answers}) == 1
            assert sorted(answer.json["cost"]["spent_usd"] for answer in answers) == ["0", "0", PRICE]


def waiting(server: Valkey) -> int:
    """How many clients' scripts the server keeps waiting."""
    with server.client() as there:
        return sum("b" in one["flags"] and one["cmd"] == "evalsha" for one in there.client_list())
