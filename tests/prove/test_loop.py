"""A large upload is hashed beside the event loop: others are answered meanwhile as if nothing were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.fleet import Fleet, timings
from tests.harness.http import Wire, request
from tests.harness.memory import LargeVideo
from tests.harness.pulse import pulse
from tests.harness.vendor import ScriptedVendor

# It moves some 400 MB; a few seconds where nobody else works.
pytestmark = pytest.mark.timeout(150)

SIZE = 200_000_000


async def test_row_53_a_large_upload_is_hashed(
    vendor: ScriptedVendor, figures: Callable[[str], None], tmp_path: Path
) -> None:
    """
    While 200 MB are received, hashed, spooled and sent to the vendor, small requests on another connection are
    answered: most of them about as promptly as when nothing happens, the slowest in a part of the hashing's time.
    """
    video = LargeVideo(SIZE)
    async with Fleet(tmp_path, vendor.url, [{"HASHCACHE_STORE": "memory://"}]) as fleet:
        (service,) = fleet.services
        async with pulse(service.url) as idle:
            await asyncio.to_thread(lambda: video.sha256)
        async with pulse(service.url) as busy, await Wire.open(service.url) as wire:
            await wire.send(request("POST", "/api/analyze", b"", Content_Length=SIZE, Content_Type="video/mp4"))
            async for piece in video.pieces():
                await wire.send(piece)
            answer = await wire.answer(within=120)
    assert answer.status == 200, answer.body
    took = timings(answer)
    figures(f"idle: {idle}")
    figures(f"during an upload of 200 MB: {busy}; {took}")
    assert busy.worst < took["hash"] / 3
    assert busy.median < idle.median * 15
