"""
A large upload takes a bounded amount of memory, and leaves nothing behind.

What is measured: the resident memory (RSS) of all processes of the service together, its children included, sampled
every 10 ms, from just before an upload of 200 MB until just after its answer; the highest sample minus the first. The
service has answered a small video before, so what is loaded once (modules, the child that reads provenance) does not
count, and what every large upload takes does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from tests.harness.contents import clip
from tests.harness.http import BOUNDARY, MULTIPART, client
from tests.harness.media import mp4
from tests.harness.memory import LargeVideo, watched
from tests.harness.service import Service, until
from tests.harness.signatory import Signatory
from tests.harness.vendor import ScriptedVendor
from tests.system.conftest import Services

pytestmark = [
    pytest.mark.prove,
    pytest.mark.timeout(150),
]  # it moves some gigabyte; a few seconds where nobody else works

PAGE = "/api/analyze"
MB = 1_000_000
Upload = Callable[[httpx.AsyncClient, LargeVideo], Awaitable[httpx.Response]]
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="film.mp4"\r\n'
    "Content-Type: video/mp4\r\n\r\n"
).encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


async def as_form(video: LargeVideo) -> AsyncIterator[bytes]:
    """The video in a multipart body."""
    yield HEAD
    async for piece in video.pieces():
        yield piece
    yield TAIL


async def raw(web: httpx.AsyncClient, video: LargeVideo) -> httpx.Response:
    """The video as it is, in HTTP chunks."""
    return await web.post(PAGE, content=video.pieces(), headers={"Content-Type": "video/mp4"})


async def form(web: httpx.AsyncClient, video: LargeVideo) -> httpx.Response:
    """The video in a multipart body with a Content-Length."""
    headers = {"Content-Type": MULTIPART, "Content-Length": str(len(HEAD) + video.size + len(TAIL))}
    return await web.post(PAGE, content=as_form(video), headers=headers)


async def most(service: Service, video: LargeVideo, upload: Upload, again: Upload) -> int:
    """
    *upload* it, then do so *again*: a MISS, then a HIT; by how many bytes memory rose at most.

    Nothing is open or spooled afterwards that was not before.
    """
    async with client(service.url) as web:
        warm = await web.post(PAGE, content=clip(), headers={"Content-Type": "video/mp4"})
        assert warm.status_code == 200, warm.text
        files = service.open_files()
        rises = []
        for way, expected in ((upload, "MISS"), (again, "HIT")):
            with watched(service) as growth:
                answer = await way(web, video)
            assert (answer.status_code, answer.headers.get("X-Cache")) == (200, expected), answer.text
            assert answer.json()["sha256"] == video.sha256
            assert answer.json()["kind"] == "video"
            rises.append(growth.bytes)
    await until(lambda: service.open_files() <= files, what="its descriptors are closed")
    assert service.spooled() == 0
    assert list(service.spool.iterdir()) == []
    return max(rises)


async def test_a_large_video_is_streamed_to_the_vendor(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str]
) -> None:
    """200 MB to `generic`, raw in chunks as MISS, as a form with a length as HIT: less than 32 MB more."""
    service = await services.start(**paid)
    video = LargeVideo(200 * MB)
    rise = await most(service, video, raw, form)
    assert vendor.ledger.by_digest[video.sha256] == 1
    assert vendor.ledger.received >= video.size
    assert rise < 32 * MB


async def test_a_large_video_is_read_for_provenance(services: Services) -> None:
    """
    200 MB to `provenance`, with a signed C2PA manifest that the child reads: less than 150 MB more, as a form as MISS
    and raw in chunks as HIT, the child included.
    """
    service = await services.start(HASHCACHE_PROVIDER="provenance")
    signed = Signatory.make().sign(mp4(), "video/mp4")
    assert await most(service, LargeVideo(200 * MB, signed), form, raw) < 150 * MB
