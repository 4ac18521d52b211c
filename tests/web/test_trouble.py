"""The upload page when something is in the way: it says what, loses nothing, and offers a way to go on."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from urllib.parse import urlsplit

import pytest

from tests.harness.browser import ELSEWHERE, Chromium
from tests.harness.contents import photo
from tests.harness.http import client
from tests.harness.proxy import FaultProxy
from tests.harness.service import Service
from tests.harness.vendor import ScriptedVendor, gate, ok, status
from tests.web.conftest import KEY

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def test_an_upload_can_be_cancelled(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """A cancelled upload buys nothing; trying again starts afresh and is answered."""
    content, calls = photo(5_000_000), vendor.ledger.calls
    async with chromium.visit(bought.url) as visit:
        await visit.slow(1_000_000)
        await visit.choose(content)
        await visit.shows(" left")
        await visit.page.get_by_role("button", name="Cancel").click()
        await visit.page.locator(".notice", has_text="Cancelled").wait_for()
        await visit.keep("upload-cancelled")
        assert await visit.faults() == []
        assert vendor.ledger.calls == calls
        await visit.slow(-1)
        await visit.page.get_by_role("button", name="Try again").click()
        await visit.page.locator(".verdict").wait_for()
    assert vendor.ledger.calls == calls + 1


async def test_a_lost_connection_can_be_gone_on_from(
    chromium: Chromium, bought: Service, vendor: ScriptedVendor
) -> None:
    """Cut off in the middle of an upload the page says how far it was; going on asks by hash first, then uploads."""
    port = urlsplit(bought.url).port
    assert port is not None
    async with FaultProxy(port) as proxy, chromium.visit(f"http://127.0.0.1:{proxy.port}") as visit:
        await visit.slow(1_000_000)
        await visit.choose(photo(5_000_000))
        await visit.shows(" left")
        proxy.refuse()
        proxy.reset()
        await visit.shows("The connection to the server was lost")
        await visit.shows("of 5 MB had been sent")
        await visit.keep("upload-lost")
        assert await visit.faults() == []
        visit.expect_console("net::ERR_CONNECTION")
        await visit.page.get_by_role("button", name="Go on").click()
        await visit.shows("Nothing was uploaded yet.")
        visit.expect_console("net::ERR_CONNECTION_REFUSED")
        proxy.heal()
        await visit.slow(-1)
        before = len(visit.requests)
        await visit.page.get_by_role("button", name="Go on").click()
        await visit.page.locator(".verdict").wait_for()
        assert visit.requests[before:] == ["POST /api/lookup", "POST /api/analyze"]


async def test_what_was_lost_while_it_was_bought_is_not_uploaded_again(
    chromium: Chromium, bought: Service, vendor: ScriptedVendor
) -> None:
    """Cut off while the answer is bought, going on waits for that very purchase: one upload, one call."""
    port, opened, calls = urlsplit(bought.url).port, asyncio.Event(), vendor.ledger.calls
    assert port is not None
    vendor.then(gate(opened, ok()))
    async with FaultProxy(port) as proxy, chromium.visit(f"http://127.0.0.1:{proxy.port}") as visit:
        await visit.choose(photo())
        await visit.shows("Uploaded; being analysed")
        async with asyncio.timeout(10):
            await vendor.called(calls + 1)
        # A browser sends again by itself what was cut off on a connection that it had used before.
        proxy.refuse()
        proxy.reset()
        await visit.shows("Everything had been sent")
        visit.expect_console("net::ERR_CONNECTION")
        proxy.heal()
        await visit.page.get_by_role("button", name="Go on").click()
        await visit.shows("for somebody else already")
        opened.set()
        await visit.shows("Answered without uploading")
        assert len(visit.uploads()) == 1
    assert vendor.ledger.calls == calls + 1


async def test_the_key_is_asked_for_once(chromium: Chromium, keyed: Service, vendor: ScriptedVendor) -> None:
    """Several files lead to one question; a wrong key to another; then it is kept in the tab until it is forgotten."""
    async with chromium.visit(keyed.url) as visit:
        page = visit.page
        await visit.choose(photo(), photo(), photo())
        await page.get_by_role("dialog").wait_for()
        await visit.keep("upload-key")
        assert await visit.faults() == []
        await page.get_by_label("API key").fill("not-it")
        await page.keyboard.press("Enter")
        await visit.shows("That key is not known here.")
        await page.get_by_label("API key").fill(KEY)
        await page.get_by_role("button", name="Use this key").click()
        await visit.shows("3 answered")
        visit.expect_console("401")
        await page.reload()
        await visit.choose(photo())
        await page.locator(".verdict").wait_for()
        assert await page.evaluate("() => [localStorage.length, sessionStorage.length]") == [0, 1]
        await page.get_by_text("The same with curl").click()
        assert KEY not in await page.locator("pre").first.inner_text()
        await page.get_by_role("button", name="Forget it").click()
        assert await page.evaluate("() => sessionStorage.length") == 0


async def test_without_a_key_it_says_so(chromium: Chromium, keyed: Service, vendor: ScriptedVendor) -> None:
    """Whoever gives no key is told that one is wanted, and is asked again when he tries again."""
    async with chromium.visit(keyed.url) as visit:
        await visit.choose(photo())
        await visit.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        await visit.shows("This server wants a key")
        await visit.page.get_by_role("button", name="Try again").click()
        await visit.page.get_by_role("dialog").wait_for()
        visit.expect_console("401")


async def test_a_page_that_cannot_hash_uploads_and_says_so(
    chromium: Chromium, bought: Service, vendor: ScriptedVendor
) -> None:
    """From plain http on another name the browser offers no hash: the page says why it uploads what is known."""
    content = photo()
    async with client(bought.url) as web:
        await web.post("/api/analyze", content=content)
    async with chromium.visit(f"http://{ELSEWHERE}:{urlsplit(bought.url).port}") as visit:
        await visit.slow(300)
        await visit.choose(content)
        await visit.shows("so it is uploaded without asking first")
        await visit.slow(-1)
        await visit.shows("Answered from the cache, after uploading 600 bytes")
        assert visit.uploads() == ["POST /api/analyze"]
        assert "POST /api/lookup" not in visit.requests
        # Nor may such a page be isolated from others, of which the browser complains.
        visit.console[:] = [line for line in visit.console if "Cross-Origin-Opener-Policy" not in line]


async def test_a_file_too_large_to_hash_is_uploaded(chromium: Chromium, bought: Service) -> None:
    """More than the browser can hold in memory is not hashed: the page says so, and uploads without asking."""
    async with chromium.visit(bought.url) as visit:
        large = visit.folder / "large.mp4"
        with large.open("wb") as file:
            file.truncate(256_000_001)
        await visit.slow(1000)
        await visit.page.set_input_files("#file", large)
        await visit.shows("Too large for this browser to hash")
        await visit.page.get_by_role("button", name="Cancel").click()
        await visit.shows("Cancelled")
        assert visit.requests == ["POST /api/analyze"]


async def test_a_failure_is_explained_and_not_repeated(
    chromium: Chromium, bought: Service, vendor: ScriptedVendor
) -> None:
    """What the vendor refuses is said in words; asked again it is not uploaded again, unless a person insists."""
    content = photo()
    vendor.then(status(400))
    async with chromium.visit(bought.url) as visit:
        page = visit.page
        await visit.choose(content)
        await visit.shows("The provider does not take this content")
        await visit.keep("upload-failed")
        assert await visit.faults() == []
        await page.get_by_role("button", name="Try again").click()
        await visit.shows("Analysing this failed a moment ago")
        assert len(visit.uploads()) == 1
        await page.get_by_role("button", name="Upload and try again").click()
        await page.locator(".verdict").wait_for()
        assert len(visit.uploads()) == 2
        visit.expect_console("422")


async def test_somebody_elses_purchase_is_waited_for(
    chromium: Chromium, bought: Service, vendor: ScriptedVendor
) -> None:
    """What is being bought by somebody else is not uploaded: the page waits for that answer."""
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok()))
    async with client(bought.url) as web:
        await web.post("/api/analyze", content=content, headers={"Prefer": "respond-async"})
    async with chromium.visit(bought.url) as visit:
        await visit.choose(content)
        await visit.shows("for somebody else already")
        opened.set()
        await visit.page.locator(".verdict").wait_for()
        assert visit.uploads() == []
        assert sha256(content).hexdigest() in await visit.page.locator(".verdict").inner_text()


async def test_what_is_too_large_is_refused_in_words(
    chromium: Chromium, bought: Service, vendor: ScriptedVendor
) -> None:
    """More than the server takes is refused before all of it was sent, and the page shows the server's own sentence."""
    async with chromium.visit(bought.url) as visit:
        await visit.choose(photo(40_000_000))
        await visit.shows("The body has 400001")  # with the form around it
        visit.expect_console("413")
