"""More uploads at one time than there is room for: some are let in, the others are sent away before their bodies."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.harness.contents import photo
from tests.harness.flood import Contents, Flood, checked
from tests.harness.http import Wire, exchange, request
from tests.harness.service import Service, until
from tests.harness.vendor import ScriptedVendor, gate, ok
from tests.system.conftest import Services

PAGE = "/api/analyze"
MB = 1_000_000
WORKERS, BUDGET, SIZE = 2, 10 * MB, MB


@pytest.mark.parametrize("in_chunks", [False, True], ids=["announced", "in chunks"])
async def test_row_45_more_uploads_than_room(
    services: Services,
    vendor: ScriptedVendor,
    paid: dict[str, str],
    in_chunks: bool,  # noqa: FBT001 - a parameter of this test
) -> None:
    """
    60 uploads of a megabyte at one time, with room for 5 in each of two processes: who asks first is let in or sent
    away before he sends a byte, never more than fit; nobody is lost, and afterwards there is room again.
    """
    limits = {"HASHCACHE_UPLOAD_BUDGET": str(BUDGET), "HASHCACHE_MAX_UPLOAD": "2MB"}
    service = await services.start("--workers", str(WORKERS), **paid, **limits)
    contents = Contents(60, SIZE)

    endings = await Flood(service, contents, patience=30, in_chunks=in_chunks, blind=10).run()

    admitted, refused = await checked(
        endings,
        contents,
        lambda sha256: vendor.ledger.by_digest[sha256],
        lambda which: exchange(service.url, request("POST", PAGE, b"".join(contents.pieces(which)))),
    )
    assert 1 <= sum(one.asked for one in admitted) <= BUDGET // SIZE
    assert all((one.sent, one.answer.interim) == (0, []) for one in refused if one.asked)
    assert vendor.ledger.calls == len(admitted) + 1


async def test_row_45_each_process_has_its_part(tmp_path: Path, paid: dict[str, str]) -> None:
    """One of two processes, under another server, lets in half of what the budget holds; then room comes back."""
    limits = {"HASHCACHE_UPLOAD_BUDGET": str(BUDGET), "HASHCACHE_MAX_UPLOAD": "2MB", "WEB_CONCURRENCY": str(WORKERS)}
    head = request("POST", PAGE, b"", Content_Length=SIZE, Expect="100-continue")
    (tmp_path / "one").mkdir()
    async with Service(tmp_path / "one", {**paid, **limits}, server="granian") as service, AsyncExitStack() as stack:

        async def let_in() -> bool:
            wire = await stack.enter_async_context(await Wire.open(service.url))
            await wire.send(head)
            return await wire.goes_on()

        told = [await let_in() for _ in range(8)]
        await stack.aclose()
        assert told == [True] * (BUDGET // WORKERS // SIZE) + [False] * 3
        await until(let_in, what="there is room again")


async def test_memory_is_given_back(services: Services, vendor: ScriptedVendor, paid: dict[str, str]) -> None:
    """A second after the last of a rush of uploads, most of the memory that they took is the system's again."""
    service = await services.start(**paid)
    assert (await exchange(service.url, request("POST", PAGE, photo()))).status == 200
    before = service.resident()
    contents = Contents(16, 10 * MB)
    opened = asyncio.Event()
    vendor.default = gate(opened, ok())
    async with asyncio.TaskGroup() as group:
        flood = group.create_task(Flood(service, contents, patience=30).run())
        await until(lambda: service.resident() - before > 100 * MB, what="the uploads are held")
        opened.set()
    assert {one.answer.status for one in flood.result()} == {200}
    await until(lambda: service.resident() - before < 40 * MB, what="memory is given back")
