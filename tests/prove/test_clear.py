"""What was cleared is given to nobody who asks after the clear returned, whatever is under way, wherever it lies."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.harness.books import books_agree
from tests.harness.contents import photo
from tests.harness.fleet import Caller, Fleet, Numbered, number
from tests.harness.service import until
from tests.harness.vendor import ScriptedVendor

SERVICES = 3
#: How the call in flight and the clear meet: its answer comes before the clear, at about its time, or after it.
MEETINGS = ("before", "amid", "after")
#: What is asked to be forgotten.
WAYS = ("all", "pattern", "kind", "delete")
SEED = 20_261_120


@pytest.mark.parametrize(
    ("shared", "rounds"),
    [
        pytest.param("redis", 24),
        pytest.param("sqlite", 6),
        pytest.param("cluster", 24),
        pytest.param("redis", 1000, marks=[pytest.mark.prove, pytest.mark.timeout(500)]),
        pytest.param("sqlite", 200, marks=[pytest.mark.prove, pytest.mark.timeout(300)]),
        pytest.param("cluster", 200, marks=[pytest.mark.prove, pytest.mark.timeout(300)]),
    ],
    indirect=["shared"],
)
async def test_row_49_what_was_cleared_is_served_to_nobody(
    shared: dict[str, str], rounds: int, vendor: ScriptedVendor, script: Numbered, tmp_path: Path
) -> None:
    """
    A clear (of all, a pattern, a kind; or a delete) during a call in flight, with the answer before it near every
    process, round after round: whoever asks any process after it returned is given an answer that was bought after it
    began; and all are given the same one. In the end the books and the vendor agree.
    """
    chance = random.Random(SEED)  # noqa: S311 - a schedule, no secret
    async with Fleet(tmp_path, vendor.url, [shared] * SERVICES) as fleet:
        everywhere, again = fleet.everywhere(), fleet.everywhere()
        buying, clearing = fleet.everywhere(), fleet.everywhere()
        for round_ in range(rounds):
            content = photo()
            first, second = chance.randrange(SERVICES), chance.randrange(SERVICES)
            old = await near_everywhere(everywhere, content, start=first)
            gate, calls = script.hold(), len(script.calls)
            flight = asyncio.create_task(buying[first].upload(content, X_Force_Refresh="true"))
            await vendor.called(calls + 1)
            meeting, way = chance.choice(MEETINGS), chance.choice(WAYS)
            if meeting == "before":
                gate.set()
            elif meeting == "amid":
                asyncio.get_running_loop().call_later(chance.random() * 0.01, gate.set)
            # Calls that the vendor has been sent when the clear begins are what it is about.
            bought = len(script.calls)
            await forget(clearing[second], content, way)
            asked = [asyncio.create_task(caller.upload(content)) for caller in again]
            gate.set()
            answers = [*await asyncio.gather(*asked), *[await caller.upload(content) for caller in everywhere]]
            told = {number(answer) for answer in answers}
            # A service that gave its store up may serve what it has near, and buys alone: then that is the cause.
            away = fleet.said("store.away")
            assert min(told) > bought, (round_, way, meeting, old, bought, told, away)
            assert len(told) == 1, (round_, way, meeting, told, away)
            assert number(await flight) == bought
        await books_agree(fleet.services[0], vendor.ledger)


async def near_everywhere(callers: Sequence[Caller], content: bytes, *, start: int) -> int:
    """Have *content* bought at the caller *start* and hit by all, so that each process has it near; its call."""
    bought = number(await callers[start].upload(content))
    assert {number(answer) for answer in await asyncio.gather(*(one.upload(content) for one in callers))} == {bought}
    await until(lambda: near(callers, content), what="each process has it near")
    return bought


async def near(callers: Sequence[Caller], content: bytes) -> bool:
    """Whether each process answers from near memory; one that was kept from running for 2 s does not for a moment."""
    answers = await asyncio.gather(*(one.upload(content) for one in callers))
    return all("detail=near" in (answer.header("cache-status") or "") for answer in answers)


async def forget(caller: Caller, content: bytes, way: str) -> None:
    """Have it forgotten, with or without much else; it has been when this returns."""
    digest = hashlib.sha256(content).hexdigest()
    match way:
        case "all":
            await caller.clear("*")
        case "pattern":
            await caller.clear(f"analysis:{digest}")
        case "kind":
            assert (await caller.administer("POST", "/api/admin/cache/invalidate/image")).status in {200, 202}
        case _:
            assert (await caller.ask("DELETE", f"/api/analyses/{digest}")).status == 200
