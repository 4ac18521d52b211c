"""A clear of so much that its keys are removed for a while: the dashboard tells how far it is."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache.core.key import Key
from tests.harness.browser import Chromium, Visit
from tests.harness.crowd import digest, fill, write
from tests.harness.faults import Delay
from tests.harness.proxy import FaultProxy
from tests.harness.service import ADMIN_TOKEN, Service, until
from tests.harness.valkey import Valkey

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ANSWERS = 3_000
#: What each reply of the store takes: ten answers are removed in two of them, so all take more than 15 s.
FAR = Delay(replies=timedelta(milliseconds=25))


async def test_a_long_clear_is_watched(chromium: Chromium, valkey: Valkey, tmp_path: Path) -> None:
    """
    While keys are removed the page says that nothing of it is served any more, and how many are gone; more as it looks
    again, also after a reload, in which it forgets that it was the one who cleared. In the end it is told once.
    """
    like = Key("analysis", digest(0), "variant")
    await asyncio.to_thread(write, tmp_path / "commands", ANSWERS, like, now=time.time_ns() // 1_000_000)
    await asyncio.to_thread(fill, valkey, tmp_path / "commands")
    async with (
        FaultProxy(valkey.port) as proxy,
        Service(tmp_path / "far", {"REDIS_URL": proxy.url}) as service,
        chromium.visit(f"{service.url}/admin#token={ADMIN_TOKEN}") as visit,
    ):
        page = visit.page
        await page.wait_for_selector("#total")
        proxy.impose(FAR)
        await page.fill("#clear-pattern", "analysis:*")
        await page.get_by_role("button", name="Count and clear…").click()
        await page.get_by_text(f"Clear {ANSWERS:,} entries?").wait_for()
        await page.get_by_role("button", name="Clear", exact=True).click()
        await page.locator("#clear-done").get_by_text("is served any more").wait_for()
        # Nothing of it is found any more, and it is told in one place.
        await page.get_by_text("Nothing found.").wait_for()
        await grows(visit, "#clear-done")
        await page.wait_for_selector("#clearing progress", state="detached")
        # The store answers late: that is told as well, with the number that was crossed.
        await page.locator("#alerts").get_by_text("The store is slower than 10 ms").wait_for()
        await visit.keep("admin-clearing")
        assert await visit.faults() == []
        await page.reload()
        await page.wait_for_selector("#clearing progress")
        await grows(visit, "#clearing")
        proxy.heal()
        await page.wait_for_selector("#clearing progress", state="detached")
        await page.get_by_text("Nothing found.").wait_for()
    with valkey.client() as there:
        assert there.keys("hashcache:dev:analysis:*") == []


async def grows(visit: Visit, place: str) -> None:
    """Wait until the number of answers removed, as the page tells it in *place*, has become larger, and is not all."""

    async def removed() -> int:
        said = await visit.page.inner_text(place)
        found = re.search(r"so far: ([\d,]+)|([\d,]+) so far", said)
        assert found, said
        return int((found[1] or found[2]).replace(",", ""))

    before = await removed()

    async def more() -> bool:
        return before < await removed() < ANSWERS

    await until(more, what=f"more than {before} are removed")
