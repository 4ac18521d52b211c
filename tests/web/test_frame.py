"""What holds for every page before anything is done with it."""

from __future__ import annotations

import pytest

from tests.harness.browser import Chromium
from tests.harness.service import Service

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

#: Every page, and the name under which its picture is kept.
PAGES = {"/": "upload", "/admin": "door"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_accessible(chromium: Chromium, bought: Service, path: str, scheme: str) -> None:
    """axe-core finds nothing, light and dark; the console stays empty, and no other host is asked."""
    async with chromium.visit(bought.url + path, color_scheme=scheme) as visit:
        await visit.keep(f"{PAGES[path]}-empty-{scheme}")
        assert await visit.faults() == []
        assert await visit.shifts() == []
