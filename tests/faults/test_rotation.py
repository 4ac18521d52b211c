"""The operator changes the secret that signs entries, one service after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.contents import photo
from tests.harness.fleet import Caller, Fleet, Numbered, number
from tests.harness.service import until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD, NEW = "the-secret-of-last-year", "the-secret-of-this-year"


@pytest_asyncio.fixture(loop_scope="session")
async def rolling(server: Valkey, vendor: ScriptedVendor, tmp_path: Path) -> AsyncIterator[Fleet]:
    """The services of a rolling restart, all of its steps at once: before, with `new,old`, and with `new` alone."""
    shared = {"REDIS_URL": server.url, "HASHCACHE_ENV": "rotated"}
    secrets = (OLD, f"{NEW},{OLD}", NEW)
    async with Fleet(tmp_path, vendor.url, [{**shared, "HASHCACHE_SECRET": one} for one in secrets]) as fleet:
        yield fleet


async def test_row_54_a_secret_that_is_rotated(rolling: Fleet, script: Numbered) -> None:
    """
    Who knows both secrets reads what was signed with either. What is signed with one that is not known is a miss,
    counted as refused: it is bought and signed anew, never an error, and then read by those who know that secret.
    """
    old, both, new = rolling.everywhere()
    old_entry, new_entry = photo(), photo()
    signed_old, signed_new = number(await old.upload(old_entry)), number(await new.upload(new_entry))
    # `new,old`: all that lies there is readable.
    for content, bought in ((old_entry, signed_old), (new_entry, signed_new)):
        answer = await both.upload(content)
        assert (answer.header("x-cache"), number(answer)) == ("HIT", bought)
    # A secret that is not known, in either direction: a miss, paid again.
    before = await refused(both)
    for stranger, content in ((old, new_entry), (new, old_entry)):
        answer = await stranger.upload(content)
        assert (answer.status, answer.header("x-cache")) == (200, "MISS")
        assert number(answer) > signed_new
    await until(lambda: counted(both, before + 2), what="both are counted as refused")
    # Signed anew, each with the secret of who bought it.
    assert number(await both.upload(old_entry)) == number(await new.upload(old_entry)) > signed_new
    assert number(await both.upload(new_entry)) == number(await old.upload(new_entry)) > signed_new
    # The last step: what `new,old` buys is read by `new` alone.
    content = photo()
    assert number(await both.upload(content)) == number(await new.upload(content))
    assert rolling.said("request.fault") == []


async def refused(caller: Caller) -> int:
    """How many stored entries the fleet has refused."""
    found: int = (await caller.stats())["cache"]["refused_entries"]
    return found


async def counted(caller: Caller, least: int) -> bool:
    """Whether so many have been refused, at least: who looks twice refuses twice."""
    return await refused(caller) >= least
