"""Clears that meet purchases, other clears, and a server that forgets what was cleared or cannot be reached."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from hashlib import sha256

import pytest

from tests.harness.contents import photo
from tests.harness.fleet import Caller, Fleet, Numbered, number
from tests.harness.http import Answer
from tests.harness.service import until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

SEED = 20_261_121


async def near_everywhere(callers: Sequence[Caller], content: bytes) -> int:
    """Have *content* bought, and hit near by all of *callers*; the number of its call."""
    bought = number(await callers[0].upload(content))
    assert {number(answer) for answer in await everybody(callers, content)} == {bought}
    await until(lambda: near(callers, content), what="each process has it near")
    return bought


async def near(callers: Sequence[Caller], content: bytes) -> bool:
    """Whether all of *callers* are answered from near memory."""
    return all("detail=near" in (one.header("cache-status") or "") for one in await everybody(callers, content))


async def everybody(callers: Sequence[Caller], content: bytes) -> list[Answer]:
    """What all of them are told who ask at the same time."""
    return list(await asyncio.gather(*(caller.upload(content) for caller in callers)))


@pytest.mark.parametrize("meeting", ["before", "amid", "after"])
async def test_row_49_a_clear_meets_a_purchase(
    fleet: Fleet, script: Numbered, vendor: ScriptedVendor, meeting: str
) -> None:
    """
    A clear with a call in flight, whose answer comes before it, at about its time, or after it: it returns without
    waiting for the call; who waited for that is given its answer; it is not stored, and all who ask afterwards are
    given one that is bought when that call has ended.
    """
    content, callers = photo(), fleet.everywhere()
    bought = await near_everywhere(callers, content)
    gate = script.hold()
    flight = asyncio.create_task(fleet.everywhere()[0].upload(content, X_Force_Refresh="true"))
    await vendor.called(bought + 1)
    if meeting == "before":
        gate.set()
        await flight
    elif meeting == "amid":
        asyncio.get_running_loop().call_later(0.002, gate.set)
    await callers[1].clear()
    asked = asyncio.create_task(everybody(callers, content))
    if meeting == "after":
        for service in fleet.services:
            await service.taken_up()
    gate.set()
    given = await flight
    assert number(given) == bought + 1
    if meeting == "after":
        assert "stored" not in (given.header("cache-status") or "")
    assert {number(answer) for answer in [*await asked, *await everybody(callers, content)]} == {bought + 2}
    assert len(script.calls) == bought + 2


@pytest.mark.parametrize("rounds", [8, pytest.param(300, marks=[pytest.mark.prove, pytest.mark.timeout(300)])])
async def test_row_51_two_clears_and_a_write_race(
    fleet: Fleet, script: Numbered, vendor: ScriptedVendor, rounds: int
) -> None:
    """
    In three services a purchase is stored while the two others clear, each in another way, round after round: neither
    clear is lost, and once both have returned everybody is given the same answer, bought after they began.
    """
    chance = random.Random(SEED)  # noqa: S311 - a schedule, no secret
    callers, clearing = fleet.everywhere(), fleet.everywhere()
    for round_ in range(rounds):
        content = photo()
        await near_everywhere(callers, content)
        calls, gate = len(script.calls), script.hold()
        buyer, one, two = chance.sample(range(3), 3)
        flight = asyncio.create_task(clearing[buyer].upload(content, X_Force_Refresh="true"))
        await vendor.called(calls + 1)
        asyncio.get_running_loop().call_later(chance.random() * 0.01, gate.set)
        pattern = f"analysis:{sha256(content).hexdigest()}"
        cleared = await asyncio.gather(
            clearing[one].clear(pattern),
            clearing[two].administer("POST", "/api/admin/cache/invalidate/image"),
        )
        assert {answer.status for answer in cleared} <= {200, 202}
        assert len({answer.json["id"] for answer in cleared}) == 2
        told = {number(answer) for answer in await everybody(callers, content)}
        assert number(await flight) == calls + 1
        told |= {number(answer) for answer in await everybody(callers, content)}
        assert len(told) == 1, (round_, buyer, told)
        assert min(told) > calls + 1, (round_, buyer, told)


async def test_row_26_a_server_that_is_flushed(
    fleet: Fleet, script: Numbered, vendor: ScriptedVendor, server: Valkey
) -> None:
    """
    FLUSHALL under load: no request fails, each is given the answer about its own bytes, and a file is bought once more
    at most. What was cleared before is not served, although the server has forgotten that it was cleared.
    """
    callers, cleared = fleet.everywhere(), photo()
    old = await near_everywhere(callers, cleared)
    await callers[1].clear()
    contents, before = [photo() for _ in range(30)], len(script.calls)
    digests = [sha256(content).hexdigest() for content in contents]
    async with asyncio.TaskGroup() as group:
        load = [group.create_task(in_turn(caller, contents * 2)) for caller in fleet.everywhere()]
        await vendor.called(before + 10)
        with server.client() as there:
            there.flushall()
        assert not any(task.done() for task in load)
    for task in load:
        assert [answer.status for answer in task.result()] == [200] * 60
        assert [answer.json["result"]["answer"]["digest"] for answer in task.result()] == digests * 2
    made = [call.digest for call in script.calls[before:]]
    assert max(made.count(digest) for digest in digests) <= 2
    assert min(number(answer) for answer in await everybody(callers, cleared)) > old


async def test_row_26_what_was_cleared_while_it_was_bought(
    fleet: Fleet, script: Numbered, vendor: ScriptedVendor, server: Valkey
) -> None:
    """
    A clear with a call in flight, and then FLUSHALL: the processes remember what the server has forgotten. Who waited
    for the call is given its answer, nobody who asks afterwards is.
    """
    content, calls, gate = photo(), len(script.calls), script.hold()
    callers = fleet.everywhere()
    flight = asyncio.create_task(fleet.everywhere()[0].upload(content))
    await vendor.called(calls + 1)
    await callers[1].clear()
    with server.client() as there:
        there.flushall()
    gate.set()
    assert number(await flight) == calls + 1
    assert min(number(answer) for answer in await everybody(callers, content)) > calls + 1


async def in_turn(caller: Caller, contents: list[bytes]) -> list[Answer]:
    """The answers to *contents*, one after the other."""
    return [await caller.upload(content) for content in contents]
