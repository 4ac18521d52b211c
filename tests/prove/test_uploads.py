"""A rush of uploads: what they take of memory and disk, and how long those that are let in wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from statistics import quantiles

import pytest

from hashcache.api.admission import LEAST
from tests.harness.fleet import Fleet
from tests.harness.flood import Contents, Flood, checked, open_files
from tests.harness.http import Answer, exchange, request
from tests.harness.memory import footprint, held
from tests.harness.service import Service, until
from tests.harness.vendor import ScriptedVendor, gate, ok

MB = 1_000_000
WORKERS = 2
#: Beside the budget: two processes of Python with the libraries, near memory, and what connections buffer.
BESIDE = 150 * MB
LET_IN = 500 * MB
SMALL_ROOM = 32 * MB
#: How long a client here waits for anything, in seconds.
PATIENCE = 90
PROVIDER_SECONDS = 30
#: The engine waits so much longer than the provider may take, for the store and for whoever bought it.
SLACK_SECONDS = 5


def settings(budget: int) -> dict[str, str]:
    """A service with so much room, that hurries nobody: the load is made on the same machine."""
    return {
        "HASHCACHE_UPLOAD_BUDGET": str(budget),
        "HASHCACHE_MAX_UPLOAD": "25MB",
        "HASHCACHE_UPLOAD_IDLE": "90s",
        "HASHCACHE_UPLOAD_RATE": "0",
        "HASHCACHE_PROVIDER_TIMEOUT": f"{PROVIDER_SECONDS}s",
        "HASHCACHE_NEAR_BYTES": "8MB",
        "WEB_CONCURRENCY": str(WORKERS),
    }


def sending(service: Service, contents: Contents) -> Callable[[int], Awaitable[Answer]]:
    """What uploads one of *contents* by itself."""

    def send(which: int) -> Awaitable[Answer]:
        raw = request("POST", "/api/analyze", b"".join(contents.pieces(which)))
        return exchange(service.url, raw, within=PATIENCE)

    return send


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("count", "size", "in_chunks"),
    [(1000, 10 * MB, False), (200, 20 * MB, True)],
    ids=["1000 of 10 MB in memory", "200 of 20 MB in spool files, of unknown length"],
)
async def test_memory_and_disk_stay_within_the_budget(
    figures: Callable[[str], None],
    tmp_path: Path,
    count: int,
    size: int,
    in_chunks: bool,  # noqa: FBT001 - a parameter
) -> None:
    """
    1,000 uploads of 10 MB (and 200 of 20 MB whose length nobody announced) at one time to two processes with a budget
    of 500 MB, all that are let in held at once: memory and spool files together stay within the budget and 150 MB.

    Everybody is answered with the analysis of his content, bought once, or with a 503 that says when to come back; who
    asked first and was refused has sent nothing; afterwards memory is the system's again, and there is room.
    """
    contents, opened = Contents(count, size), asyncio.Event()
    vendor = ScriptedVendor(gate(opened, ok()))
    async with vendor, Fleet(tmp_path, vendor.url, [settings(LET_IN)]) as fleet:
        (service,) = fleet.services
        flood = Flood(service, contents, patience=PATIENCE, in_chunks=in_chunks)
        with open_files(3 * count), footprint(service) as found:
            async with asyncio.TaskGroup() as group:
                run = group.create_task(flood.run())
                # Everybody is either sent away or under way with all of his bytes; the vendor has answered nobody.
                await until(lambda: vendor.ledger.calls + flood.told.total() == count, within=PATIENCE)
                height = held(service)
                opened.set()
        admitted, refused = await checked(
            run.result(), contents, lambda sha256: vendor.ledger.by_digest[sha256], sending(service, contents)
        )
        await until(lambda: held(service) < found.before + 60 * MB, what="memory is given back")
        figures(
            f"{len(admitted)} let in, {len(refused)} sent away; before {found.before / MB:.0f} MB, all held "
            f"{height / MB:.0f}, highest {found.peak / MB:.0f}, afterwards {held(service) / MB:.0f}; "
            f"sent by who was refused without having asked: {sent(one.sent for one in refused if not one.asked)}"
        )
        assert service.spooled() == 0
    if not in_chunks:  # who does not say how much he brings may be let in, and sent away later
        assert all((one.sent, one.answer.interim) == (0, []) for one in refused if one.asked)
        assert len(admitted) >= LET_IN // size - WORKERS
    assert admitted
    assert vendor.ledger.calls == len(admitted) + bool(refused)
    assert len(admitted) <= LET_IN // size
    assert found.peak <= LET_IN + BESIDE


def sent(sizes: Iterable[int]) -> str:
    """For people."""
    ordered = sorted(sizes)
    return f"median {ordered[len(ordered) // 2] / MB:.1f} MB, most {ordered[-1] / MB:.1f} MB" if ordered else "nobody"


@pytest.mark.timeout(300)
async def test_row_45_ten_thousand_small_uploads(figures: Callable[[str], None], tmp_path: Path) -> None:
    """
    10,000 uploads of 600 bytes at one time (or as many as the hard limit on open files allows), with room for some
    500, each of which takes 64 KiB: let in, or sent away before the body; nobody is lost, and 99 of 100 of those who
    were let in are answered within the time that a purchase may take.
    """
    vendor = ScriptedVendor(ok())
    with open_files(11_000) as most:
        contents = Contents(min(10_000, most - 1_000), 600)
        # A store that takes as many answers a second as come: what is proved here is who comes to it.
        small = {**settings(SMALL_ROOM), "HASHCACHE_MAX_UPLOAD": "1MB", "HASHCACHE_STORE": "memory://"}
        async with vendor, Fleet(tmp_path, vendor.url, [small]) as fleet:
            (service,) = fleet.services
            with footprint(service) as found:
                endings = await Flood(service, contents, patience=PATIENCE, blind=10).run()
            admitted, refused = await checked(
                endings, contents, lambda sha256: vendor.ledger.by_digest[sha256], sending(service, contents)
            )
    slowest = quantiles([one.took for one in admitted], n=100)[98]
    asked = [one.answer for one in refused if one.asked]
    figures(
        f"of {contents.count}: {len(admitted)} let in, {len(refused)} sent away; p99 of those let in "
        f"{slowest:.1f} s; before {found.before / MB:.0f} MB, highest {found.peak / MB:.0f}"
    )
    assert len(asked) >= 0.9 * contents.count - SMALL_ROOM // LEAST
    assert not any(answer.interim for answer in asked)
    assert vendor.ledger.calls == len(admitted) + 1
    assert slowest < PROVIDER_SECONDS + SLACK_SECONDS
    assert found.peak <= SMALL_ROOM + BESIDE
