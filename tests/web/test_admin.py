"""The dashboard, as an admin meets it: signing in, looking, finding, forgetting, clearing, signing out."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.harness.browser import Chromium, Visit
from tests.harness.contents import photo, text
from tests.harness.front import Front
from tests.harness.http import client
from tests.harness.service import ADMIN_TOKEN, Service, until
from tests.harness.tls import Authority, TlsFront
from tests.harness.vendor import ScriptedVendor
from tests.web.conftest import settings

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

REFUSED = "error: Failed to load resource: the server responded with a status of 401 (Unauthorized)"
PHONE = {"width": 360, "height": 740}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prod(market: ScriptedVendor, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service in prod with a budget, which has bought and answered a little."""
    folder: Path = tmp_path_factory.mktemp("prod")
    environment = settings(market, folder, HASHCACHE_ENV="prod", HASHCACHE_DAILY_BUDGET_USD="0.50")
    async with Service(folder, environment) as service, client(service.url) as web:
        contents = [photo() for _ in range(30)]
        for content in [*contents, *contents]:
            await web.post("/api/analyze", content=content)
        for _ in range(10):
            await web.post("/api/analyze", content=text().encode(), headers={"Content-Type": "text/plain"})
        yield service


@asynccontextmanager
async def inside(chromium: Chromium, service: Service, **options: Any) -> AsyncIterator[Visit]:
    """A visit by the link that the server prints, once its figures are there."""
    async with chromium.visit(f"{service.url}/admin#token={ADMIN_TOKEN}", **options) as visit:
        await visit.page.wait_for_selector("#total")
        await visit.page.wait_for_selector("#entries tbody tr")
        yield visit


async def number(visit: Visit) -> int:
    """The requests answered, as the page shows them."""
    return int((await visit.page.inner_text("#total")).replace(",", ""))


async def test_the_printed_link_signs_in(chromium: Chromium, prod: Service) -> None:
    """The token in the link becomes a session: it leaves the address, and neither it nor the cookie is in reach."""
    async with inside(chromium, prod) as visit:
        assert visit.page.url == f"{prod.url}/admin"
        assert await visit.page.evaluate("document.cookie") == ""
        assert ADMIN_TOKEN not in await visit.page.content()
        assert await visit.page.evaluate("JSON.stringify([sessionStorage, localStorage])") == "[{},{}]"
        asked = await visit.page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
        assert ADMIN_TOKEN not in str(asked)
        assert ADMIN_TOKEN not in prod.log()
        # The session goes on when the page is opened again.
        await visit.page.reload()
        await visit.page.wait_for_selector("#total")


async def test_a_key_signs_in_and_signing_out_ends_it(chromium: Chromium, prod: Service) -> None:
    """A wrong key is refused with a word; the right one opens; after signing out the cookie opens nothing."""
    async with chromium.visit(f"{prod.url}/admin") as visit:
        page = visit.page
        await page.wait_for_selector("#door-key:focus")
        await page.keyboard.type("a wrong key")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#door-refused:not([hidden])")
        assert await page.inner_text("#door-refused") == "This is no key of an admin."
        assert visit.console == [REFUSED]
        visit.console.clear()
        await page.keyboard.type(ADMIN_TOKEN)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#total")
        (cookie,) = await page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        await page.click("#sign-out")
        await page.wait_for_selector("#door:not([hidden])")
        assert await page.locator("#total").count() == 0
    async with client(prod.url) as web:
        kept = {"Cookie": f"{cookie['name']}={cookie['value']}"}
        assert (await web.get("/api/admin/cache/stats", headers=kept)).status_code == 401


async def test_over_https_the_cookie_is_this_hosts_alone(
    chromium: Chromium, market: ScriptedVendor, tmp_path: Path
) -> None:
    """
    Behind a proxy that speaks TLS the browser keeps `__Host-hashcache`, which it takes from this very host over TLS
    only: out of reach of scripts, of plain http and of other sites. It opens administration; signing out ends it on the
    server and takes it from the browser.
    """
    environment = settings(market, tmp_path, HASHCACHE_BEHIND_PROXY="1")
    certificate = Authority(tmp_path).context("127.0.0.1")
    async with (
        Service(tmp_path / "proxied", environment) as service,
        Front(service.url, adds=b"X-Forwarded-Proto: https\r\n") as front,
        TlsFront(urlsplit(front.url).port or 0, certificate) as secure,
        chromium.visit(f"https://127.0.0.1:{secure.port}/admin", ignore_https_errors=True) as visit,
    ):
        page = visit.page
        await page.fill("#door-key", ADMIN_TOKEN)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#total")
        (cookie,) = await page.context.cookies()
        assert (cookie["name"], cookie["path"]) == ("__Host-hashcache", "/")
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        assert not cookie["domain"].startswith(".")
        assert 0 < cookie["expires"] - time.time() <= 12 * 3600  # noqa: TID251 - a cookie's end is by the wall clock
        assert await page.evaluate("document.cookie") == ""
        headers = {"Cookie": f"__Host-hashcache={cookie['value']}", "X-Forwarded-Proto": "https"}
        async with client(service.url) as web:
            assert (await web.get("/api/admin/cache/stats", headers=headers)).status_code == 200
            # The same over plain http is nobody's.
            plain = {**headers, "X-Forwarded-Proto": "http"}
            assert (await web.get("/api/admin/cache/stats", headers=plain)).status_code == 401
            await page.click("#sign-out")
            await page.wait_for_selector("#door:not([hidden])")
            assert (await web.get("/api/admin/cache/stats", headers=headers)).status_code == 401
        assert await page.context.cookies() == []


async def test_a_session_that_ended_says_so(chromium: Chromium, prod: Service) -> None:
    """Whoever was signed out elsewhere is told when the page asks next, and can sign in again."""
    async with inside(chromium, prod) as visit:
        headers = {"Cookie": "hashcache=" + (await visit.page.context.cookies())[0]["value"]}
        async with client(prod.url) as web:
            await web.delete("/admin/session", headers={**headers, "Sec-Fetch-Site": "same-origin"})
        await visit.page.wait_for_selector("#door-refused:not([hidden])")
        assert await visit.page.inner_text("#door-refused") == "You were signed out: the session has ended."
        assert visit.console == [REFUSED]
        visit.console.clear()


async def test_figures_move_while_requests_run(chromium: Chromium, prod: Service) -> None:
    """Without a reload: what others ask meanwhile is counted, and the rate of now appears."""
    content = photo()
    async with inside(chromium, prod) as visit, client(prod.url) as web:
        await visit.page.evaluate("window.same = true")  # a page that is loaded anew would not have it
        before = await number(visit)
        for _ in range(5):
            await web.post("/api/analyze", content=content)

        async def moved() -> bool:
            return await number(visit) >= before + 5

        await until(moved)
        assert re.search(r"Last minute: [\d.]+ %", await visit.page.inner_text("#tiles"))
        assert await visit.page.evaluate("window.same") is True


async def test_it_says_when_it_is_not_live(chromium: Chromium, prod: Service) -> None:
    """A server out of reach is told, with the last figures left; it goes on by itself."""
    async with inside(chromium, prod) as visit:
        await visit.page.context.set_offline(True)
        await visit.page.wait_for_selector("#away:not([hidden])")
        assert (await visit.page.inner_text("#live")).startswith("Not live")
        await visit.page.context.set_offline(False)
        await visit.page.wait_for_selector("#away", state="hidden")
        assert (await visit.page.inner_text("#live")).startswith("Live")
        assert {re.sub("net::.*", "", one) for one in visit.console} == {"error: Failed to load resource: "}
        visit.console.clear()


async def test_alerts_stand_on_top(chromium: Chromium, prod: Service) -> None:
    """A budget near its end is the first thing that is seen, with what follows from it."""
    async with inside(chromium, prod) as visit:
        alert = visit.page.locator("#alerts .alert", has_text="The daily budget is near its end")
        assert "$0.4" in await alert.inner_text()
        assert await visit.page.inner_text("#environment") == "prod"


async def test_an_entry_is_found_opened_and_forgotten(chromium: Chromium, prod: Service) -> None:
    """By its digest, with where it came from; forgetting asks once more, and then it is bought again."""
    content = photo()
    digest = sha256(content).hexdigest()
    async with inside(chromium, prod) as visit, client(prod.url) as web:
        page = visit.page
        await web.post("/api/analyze", content=content)
        await page.fill("#search-pattern", digest)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#entry dt")
        shown = await page.inner_text("#entry")
        assert digest in shown
        assert "$0.01" in shown
        await page.click("#entry summary")
        assert '"verdict"' in await page.inner_text("#entry pre")
        await visit.keep("admin-entry")
        assert await visit.faults() == []
        await page.get_by_role("button", name="Forget this entry").click()
        assert (await web.post("/api/analyze", content=content)).headers["X-Cache"] == "HIT"
        await page.get_by_role("button", name="Yes, forget it").click()
        await page.get_by_text("Forgotten.").wait_for()
        assert (await web.post("/api/analyze", content=content)).headers["X-Cache"] == "MISS"


async def test_a_search_narrows(chromium: Chromium, prod: Service) -> None:
    """A piece of a name and a kind leave out the rest."""
    async with inside(chromium, prod) as visit:
        await visit.page.select_option("#search-kind", "text")
        await visit.page.click("#search button")
        await visit.page.get_by_text("10 shown, that is all.").wait_for()
        await visit.page.fill("#search-pattern", "nothing of this name")
        await visit.page.click("#search button")
        await visit.page.get_by_text("Nothing found.").wait_for()


async def test_a_clear_is_counted_before_it_is_confirmed(chromium: Chromium, prod: Service) -> None:
    """The number is shown first; cancelled, nothing is gone; in prod everything has to be typed."""
    content = photo()
    digest = sha256(content).hexdigest()
    async with inside(chromium, prod) as visit, client(prod.url) as web:
        page = visit.page
        await web.post("/api/analyze", content=content)
        for answer, cache in (("Cancel", "HIT"), ("Clear", "MISS")):
            await page.fill("#clear-pattern", f"analysis:{digest}")
            await page.get_by_role("button", name="Count and clear…").click()
            await page.get_by_text("Clear 1 entry?").wait_for()
            assert not await page.is_visible("#clear-type")
            await page.get_by_role("button", name=answer, exact=True).click()
            await page.get_by_text("Nothing was cleared." if answer == "Cancel" else "1 entry removed.").wait_for()
            assert (await web.post("/api/analyze", content=content)).headers["X-Cache"] == cache
        await page.fill("#clear-pattern", "*")
        await page.get_by_role("button", name="Count and clear…").click()
        await page.wait_for_selector("#clear-type")
        await visit.keep("admin-clear")
        assert await visit.faults() == []
        assert await page.is_disabled("#clear-yes")
        await page.fill("#clear-type", "yes")
        assert await page.is_disabled("#clear-yes")
        await page.fill("#clear-type", "*")
        assert await page.is_enabled("#clear-yes")
        await page.keyboard.press("Escape")
        await page.get_by_text("Nothing was cleared.").wait_for()
    assert (await _known(prod, content)) == "HIT"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desktop", "phone"])
async def test_the_dashboard_is_accessible(chromium: Chromium, prod: Service, scheme: str, width: str) -> None:
    """axe-core finds nothing, nothing moves while it fills, and a phone is not asked to scroll sideways."""
    viewport = PHONE if width == "phone" else {"width": 1280, "height": 800}
    async with inside(chromium, prod, color_scheme=scheme, viewport=viewport) as visit:
        await visit.keep(f"admin-{width}-{scheme}")
        assert await visit.faults() == []
        assert await visit.shifts() == []
        assert await visit.wide() <= 0
        await visit.page.click("#range-day")
        assert await visit.page.get_attribute("#range-day", "aria-pressed") == "true"
        assert "last 24 hours" in str(await visit.page.get_attribute("#rate svg", "aria-label"))


async def _known(service: Service, content: bytes) -> str:
    async with client(service.url) as web:
        return (await web.post("/api/analyze", content=content)).headers["X-Cache"]
