"""Who buys may die or freeze in the middle of a call: everybody else is answered all the same, for one more call."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from tests.harness.books import books_agree
from tests.harness.contents import photo
from tests.harness.fleet import Caller, Fleet, Numbered, number
from tests.harness.http import Answer
from tests.harness.service import until
from tests.harness.vendor import ScriptedVendor

#: Seconds beyond the lease and the vendor's time: looking again, a busy machine.
MARGIN = 2.0
VENDOR = 0.5
WAITING = 10

PROVE = [pytest.mark.prove, pytest.mark.timeout(120)]
#: With a claim of 1 s, and with one of 8 s, as it is without a setting.
KILLED = pytest.mark.parametrize(
    ("shared", "lease"),
    [
        pytest.param("redis", 1),
        pytest.param("sqlite", 1, marks=PROVE),
        pytest.param("cluster", 1, marks=PROVE),
        pytest.param("redis", 8, marks=PROVE),
        pytest.param("sqlite", 8, marks=PROVE),
    ],
    indirect=["shared"],
)
FROZEN = pytest.mark.parametrize(
    ("shared", "lease", "answered"),
    [
        pytest.param("redis", 1, True, marks=PROVE),
        pytest.param("redis", 1, False, marks=PROVE),
        pytest.param("sqlite", 1, True, marks=PROVE),
        pytest.param("sqlite", 1, False, marks=PROVE),
        pytest.param("redis", 8, True, marks=PROVE),
    ],
    indirect=["shared"],
)


@dataclass
class Scene:
    """
    The first service is in the middle of a call, which waits at *gate*; *buyer* waits for it there, *others* at the
    second and third.
    """

    fleet: Fleet
    content: bytes
    gate: asyncio.Event
    buyer: asyncio.Task[Answer]
    others: list[asyncio.Task[Answer]]

    async def answered(self) -> list[Answer]:
        """What the others are told."""
        return await asyncio.gather(*self.others)


@asynccontextmanager
async def in_the_middle(
    folder: Path, vendor: ScriptedVendor, script: Numbered, shared: dict[str, str], lease: int
) -> AsyncIterator[Scene]:
    """The scene, with three services and a claim of so many seconds."""
    async with Fleet(folder, vendor.url, [{**shared, "HASHCACHE_LEASE": f"{lease}s"}] * 3) as fleet:
        content, gate = photo(), script.hold()
        holder, *living = fleet.services
        buyer = asyncio.create_task(fleet.callers(1, holder)[0].upload(content))
        await vendor.called(1)
        callers = [caller for service in living for caller in fleet.callers(WAITING, service)]
        others = [asyncio.create_task(caller.upload(content)) for caller in callers]
        for service in living:
            await service.taken_up()
        assert not any(task.done() for task in [buyer, *others])
        script.delay = VENDOR
        try:
            yield Scene(fleet, content, gate, buyer, others)
        finally:
            gate.set()


@KILLED
async def test_row_42_the_holder_is_killed(
    shared: dict[str, str], lease: int, vendor: ScriptedVendor, script: Numbered, tmp_path: Path
) -> None:
    """
    The process that holds the claim is killed with -9 in the middle of its call: every caller of the others gets the
    answer within the lease, the vendor's time and 2 s (10 s and the vendor's time, as it is set), for one more call.
    """
    async with in_the_middle(tmp_path, vendor, script, shared, lease) as scene:
        killed = monotonic()
        await scene.fleet.kill(scene.fleet.services[0])
        answers = await scene.answered()
        took = monotonic() - killed
        assert [number(answer) for answer in answers] == [2] * len(answers)
        assert len({answer.body.partition(b',"cost"')[0] for answer in answers}) == 1
        assert took < lease + VENDOR + MARGIN
        # Nothing of the dead one's is left: the answer is an ordinary hit.
        assert [(await caller.upload(scene.content)).header("x-cache") for caller in scene.fleet.everywhere()[1:]] == [
            "HIT"
        ] * 2
        assert len(script.calls) == 2
        report = await books_agree(scene.fleet.services[1], vendor.ledger)
        assert (report["calls"]["stored"], report["calls"]["unknown"]) == (1, 1)
        with pytest.raises((OSError, EOFError)):
            await scene.buyer


@asynccontextmanager
async def frozen(scene: Scene, vendor: ScriptedVendor, lease: int, *, answered: bool) -> AsyncIterator[None]:
    """
    Inside, the holder is frozen, and the others have bought and been answered; 20 s have passed if the lease is 8 s.
    *answered*: the vendor's answer to its call comes before it goes on, otherwise after that.
    """
    holder, began = scene.fleet.services[0], monotonic()
    scene.fleet.freeze(holder)
    try:
        answers = await scene.answered()
        assert monotonic() - began < lease + VENDOR + MARGIN
        assert [number(answer) for answer in answers] == [2] * len(answers)
        assert vendor.ledger.calls == 2
        if answered:
            scene.gate.set()
        await until(lambda: monotonic() - began >= lease * 2.5, within=lease * 2.5)
        yield
    finally:
        scene.fleet.thaw(holder)


@FROZEN
async def test_row_28_the_holder_is_frozen(
    shared: dict[str, str], lease: int, vendor: ScriptedVendor, script: Numbered, tmp_path: Path, *, answered: bool
) -> None:
    """
    The holder is frozen for longer than its lease (20 s, as it is set): the others buy once more. When it goes on, its
    own answer is as good: it is given, kept, and counted as a duplicate.
    """
    async with in_the_middle(tmp_path, vendor, script, shared, lease) as scene:
        async with frozen(scene, vendor, lease, answered=answered):
            pass
        scene.gate.set()
        assert number(await scene.buyer) == 1
        after = [number(await caller.upload(scene.content)) for caller in scene.fleet.everywhere()]
        assert set(after) <= {1, 2}
        asking = scene.fleet.everywhere()[1]
        assert await until(lambda: counted(asking, calls=2), what="both calls are counted") == 1
        assert vendor.ledger.calls == 2
        await books_agree(scene.fleet.services[1], vendor.ledger)


@FROZEN
async def test_row_28_a_frozen_holder_does_not_bring_back_what_was_cleared(
    shared: dict[str, str], lease: int, vendor: ScriptedVendor, script: Numbered, tmp_path: Path, *, answered: bool
) -> None:
    """
    The same, and everything is cleared while it is frozen: its caller, who asked before, is given its answer; nobody
    else ever is, not even who asked it before it could hear of the clear.
    """
    async with in_the_middle(tmp_path, vendor, script, shared, lease) as scene:
        everywhere = scene.fleet.everywhere()
        async with frozen(scene, vendor, lease, answered=answered):
            await everywhere[2].clear()
            asked = [asyncio.create_task(caller.upload(scene.content)) for caller in everywhere]
        scene.gate.set()
        assert number(await scene.buyer) == 1
        assert {number(answer) for answer in await asyncio.gather(*asked)} == {3}
        assert {number(await caller.upload(scene.content)) for caller in everywhere} == {3}
        known = hashlib.sha256(scene.content).hexdigest()
        assert {number(await caller.known(known)) for caller in everywhere} == {3}
        await books_agree(scene.fleet.services[1], vendor.ledger)


async def counted(caller: Caller, *, calls: int) -> int:
    """The duplicates in the books, once so many *calls* are in them; 0 before."""
    figures = await caller.stats()
    duplicates: int = figures["cache"]["duplicates"]
    return duplicates if figures["money"]["calls"] == calls else 0
