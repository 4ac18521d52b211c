"""A disk that has no room: large uploads are sent away, everything else goes on, and nothing is left behind."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.api.conftest import Undisturbed
from tests.harness.contents import photo
from tests.harness.http import MULTIPART, Answer, chunked, client, exchange, multipart, part, request
from tests.harness.service import Service
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/analyze"
#: More than is kept in memory.
LARGE = 18_000_000


@contextmanager
def files_end_at(size: int, service: Service) -> Iterator[None]:
    """Inside, a file that *service* writes ends at *size* bytes: the next byte fails as on a full disk."""
    before = {process.pid: resource.prlimit(process.pid, resource.RLIMIT_FSIZE) for process in service.processes()}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def assert_no_room(refused: Answer) -> None:
    """It is told to come back."""
    assert (refused.status, refused.problem) == (503, "spool-full")
    assert refused.header("retry-after") == str(refused.json["retry_after"])


async def test_row_47_a_disk_that_is_full(server: Service, vendor: ScriptedVendor, undisturbed: Undisturbed) -> None:
    """A large upload in any form is 503 when the disk cannot hold it; small ones go on; with room it is taken again."""
    content, size = photo(LARGE), 1_000_003
    pieces = [content[at : at + size] for at in range(0, LARGE, size)]
    raw = request("POST", PAGE, content)
    with files_end_at(10_000_000, server):
        async with undisturbed(server):
            assert_no_room(await exchange(server.url, raw))
            in_chunks = request("POST", PAGE, chunked(*pieces), Transfer_Encoding="chunked")
            assert_no_room(await exchange(server.url, in_chunks))
            in_a_form = request("POST", PAGE, multipart(part(content)), Content_Type=MULTIPART)
            assert_no_room(await exchange(server.url, in_a_form))
        async with client(server.url) as web:
            assert (await web.post(PAGE, content=photo())).status_code == 200
            assert (await web.post(PAGE, content=photo(8_000_000))).status_code == 200
    assert (await exchange(server.url, raw)).status == 200


async def test_row_47_a_folder_that_is_gone(server: Service, vendor: ScriptedVendor, undisturbed: Undisturbed) -> None:
    """Without the folder for large uploads they are 503 as well, and are taken when it is back."""
    raw, away = request("POST", PAGE, photo(LARGE)), server.spool.with_name("away")
    async with undisturbed(server):
        server.spool.rename(away)
        assert_no_room(await exchange(server.url, raw))
        assert (await exchange(server.url, request("GET", "/healthz"), to="GET")).status == 200
        away.rename(server.spool)
    assert (await exchange(server.url, raw)).status == 200
    # What lay on disk had no name, and is gone.
    assert list(server.spool.iterdir()) == []
    assert server.spooled() == 0
