"""The upload page while all goes well: asked by hash, uploaded only when it must be, and readable by a person."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path

import pytest

from tests.harness.browser import Chromium
from tests.harness.contents import photo, text
from tests.harness.http import client
from tests.harness.service import ROOT, Service, until
from tests.harness.vendor import ScriptedVendor, gate, ok

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

SAMPLES = ROOT / "docs" / "samples"
PHONE = {"width": 390, "height": 844}


async def test_a_hit_uploads_nothing(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """What is known is shown after one look-up: nothing is uploaded or bought, and the page says what that spared."""
    content = photo(2_000_000)
    async with client(bought.url) as web:
        await web.post("/api/analyze", content=content)
    calls = vendor.ledger.calls
    async with chromium.visit(bought.url) as visit:
        before = len(visit.requests)
        await visit.choose(content)
        verdict = visit.page.locator(".verdict")
        await verdict.wait_for()
        said = await verdict.inner_text()
        assert visit.requests[before:] == ["POST /api/lookup"]
        await visit.keep("upload-hit-light")
        assert await visit.faults() == []
        assert await visit.shifts() == []
    assert vendor.ledger.calls == calls
    for part in (
        "Answered without uploading 2 MB",
        "Signs that AI generated it",
        "Provider's confidence: high",
        "98 %",
        "the answer was known, which saved $0.01",
        "From the cache, where it stays until",
        "(in 7 days)",
        "generic, version 7",
        sha256(content).hexdigest(),
    ):
        assert part in said


async def test_a_miss_is_uploaded_with_its_progress(
    chromium: Chromium, bought: Service, vendor: ScriptedVendor
) -> None:
    """What is unknown is uploaded once, byte for byte, while the page tells bytes, speed and time left."""
    content, opened = photo(6_000_000), asyncio.Event()
    vendor.then(gate(opened, ok(0.02)))
    calls = vendor.ledger.calls
    async with chromium.visit(bought.url) as visit:
        await visit.slow(2_000_000)
        await visit.choose(content)
        said = await visit.shows(" left")
        await visit.keep("upload-uploading")
        assert await visit.faults() == []
        await visit.shows("Uploaded; being analysed")
        await visit.keep("upload-analysing")
        opened.set()
        await visit.shows("No sign of AI was found")
        verdict = await visit.page.locator(".verdict").inner_text()
        await visit.keep("upload-miss")
        assert visit.uploads() == ["POST /api/analyze"]
        assert await visit.shifts() == []
    sent, speed, left = said.split(" · ")
    assert sent.endswith(" of 6 MB")
    assert speed.endswith("/s")
    assert left.endswith(" s left")
    for part in ("Uploaded 6 MB, analysed now", "$0.01 spent", "kept until", "not a sign that a person made it"):
        assert part in verdict
    assert sha256(content).hexdigest() in verdict
    assert vendor.ledger.calls == calls + 1
    assert bought.events("cache.miss")[-1]["file"] == "photo-0.jpg"


async def test_a_text_keeps_its_line_ends(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """A pasted text is sent as it was on the clipboard: its digest is that of the very bytes, CRLF and all."""
    pasted = f"{text()}\r\nA second line, \u00fcber alles.\r\n"
    async with chromium.visit(bought.url, permissions=["clipboard-read", "clipboard-write"]) as visit:
        await visit.page.evaluate("(text) => navigator.clipboard.writeText(text)", pasted)
        await visit.page.focus("#text")
        await visit.page.keyboard.press("Control+V")
        await visit.page.get_by_role("button", name="Analyse text").click()
        await visit.page.locator(".verdict").wait_for()
        digest = await visit.page.locator(".facts code").inner_text()
        assert digest == sha256(pasted.encode()).hexdigest()
        # Once it is edited it is what the text area holds.
        await visit.page.locator("#text").press("End")
        await visit.page.locator("#text").type("!")
        await visit.page.get_by_role("button", name="Analyse text").click()
        edited = pasted.replace("\r\n", "\n") + "!"
        await visit.page.locator(".analyses").wait_for()
        await until(lambda: _known(bought, edited.encode()), what="the edited text is known")
        await visit.shows("2 answered")


async def test_several_make_a_table(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """Several files are taken up two at a time, each in a line that opens its answer; the sum is told above them."""
    known, opened = photo(30_000), asyncio.Event()
    async with client(bought.url) as web:
        await web.post("/api/analyze", content=known)
    calls = vendor.ledger.calls
    vendor.then(gate(opened, ok()), gate(opened, ok(0.1)))
    async with chromium.visit(bought.url) as visit:
        page = visit.page
        await visit.choose(known, photo(), photo(), photo(), names=["known.jpg", "a.jpg", "b.jpg", "c.jpg"])
        async with asyncio.timeout(10):
            await vendor.called(calls + 2)
        await visit.shows("Waiting")
        await visit.keep("upload-several-running")
        opened.set()
        await visit.shows("4 answered")
        assert await page.locator("#summary").inner_text() == (
            "4 contents · 4 answered · 30 kB not uploaded · $0.01 saved · $0.03 spent"
        )
        await page.get_by_role("button", name="known.jpg").press("Enter")
        await visit.shows("Answered without uploading 30 kB")
        assert await page.locator(".verdict:visible").count() == 1
        assert len(visit.uploads()) == 3
        await visit.keep("upload-several")
        assert await visit.faults() == []
        assert await visit.shifts() == []


async def test_the_samples(chromium: Chromium, local: Service) -> None:
    """The embedded analysis reads well too: each piece of evidence with its strength, and who vouches for it."""
    for scheme, viewport in (("dark", None), ("light", PHONE), ("dark", PHONE)):
        options = {"color_scheme": scheme, "viewport": viewport} if viewport else {"color_scheme": scheme}
        name = f"{scheme}-phone" if viewport else scheme
        async with chromium.visit(local.url, **options) as visit:
            await visit.page.set_input_files("#file", SAMPLES / "ai-signed.jpg")
            await visit.page.locator(".verdict").wait_for()
            said = await visit.page.locator(".verdict").inner_text()
            assert "Signature intact" in said
            assert "C2PA manifest" in said
            assert "no paid provider was asked" in said
            assert await visit.held() == 0
            await visit.keep(f"upload-hit-{name}")
            await visit.page.set_input_files("#file", [SAMPLES / "photo.jpg", SAMPLES / "letter.txt"])
            await visit.shows("3 answered")
            await visit.page.locator(".open").nth(1).click()
            await visit.keep(f"upload-several-{name}")
            assert await visit.faults() == []
            assert await visit.shifts() == []
            assert await visit.wide() == 0


async def test_what_machines_read_is_one_click_away(
    chromium: Chromium, bought: Service, vendor: ScriptedVendor, tmp_path: Path
) -> None:
    """The curl line that is shown, run in a shell, gets the answer whose JSON is shown; a button copies it."""
    content, name = photo(), "it's a photo.jpg"
    (tmp_path / name).write_bytes(content)
    async with chromium.visit(bought.url, permissions=["clipboard-read", "clipboard-write"]) as visit:
        page = visit.page
        await visit.choose(content, names=[name])
        await page.get_by_text("The same with curl").click()
        await page.get_by_text("The answer as JSON").click()
        await page.get_by_role("button", name="Copy").nth(1).click()
        await page.get_by_role("button", name="Copied").wait_for()
        line = await page.evaluate("() => navigator.clipboard.readText()")
        assert line == await page.locator("pre").nth(0).inner_text()
        shown = await page.locator("pre").nth(1).inner_text()
        await visit.keep("upload-machine")
        assert await visit.faults() == []
    ran = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        line.replace("curl ", "curl --silent --noproxy '*' ", 1),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await ran.communicate()
    assert b'"cached":true' in answer
    assert sha256(content).hexdigest().encode() in answer
    assert sha256(content).hexdigest() in shown


async def test_everything_by_keyboard(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """Without a mouse: skip to the content, reach the file input and the text, analyse it, and hear what was found."""
    async with chromium.visit(bought.url) as visit:
        page, press = visit.page, visit.page.keyboard.press
        await press("Tab")
        assert await page.evaluate("() => document.activeElement.className") == "skip"
        await press("Enter")
        await press("Tab")
        assert await page.evaluate("() => document.activeElement.id") == "file"
        await press("Tab")
        await page.keyboard.type(text())
        await press("Tab")
        await press("Enter")
        await page.get_by_role("status").get_by_text("Pasted text: Signs that AI generated it").wait_for()


async def test_files_are_dropped_anywhere(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """Files that are dropped beside the zone are taken too, and the page stays; while they hover the zone shows it."""
    async with chromium.visit(bought.url) as visit:
        carried = await visit.page.evaluate_handle(
            """(name) => {
              const carried = new DataTransfer();
              carried.items.add(new File([name], name, {type: "text/plain"}));
              return carried;
            }""",
            f"{text()}.txt",
        )
        await visit.page.dispatch_event("h1", "dragover", {"dataTransfer": carried})
        await visit.page.locator("#drop[data-over]").wait_for()
        await visit.keep("upload-over")
        await visit.page.dispatch_event("h1", "drop", {"dataTransfer": carried})
        await visit.page.locator(".verdict").wait_for()
        assert await visit.page.locator("#drop[data-over]").count() == 0


async def test_a_folder_is_refused_with_a_word(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """A browser gives a page a folder as a file that cannot be read: it is left out and told, the rest is taken."""
    async with chromium.visit(bought.url) as visit:
        page = visit.page
        folder = visit.folder / "album"
        folder.mkdir()
        (folder / "inside.jpg").write_bytes(photo())
        beside = visit.folder / "beside.jpg"
        beside.write_bytes(photo())
        await visit.drop(folder)
        await visit.shows("Folders cannot be dropped here: choose the files in it.")
        assert visit.requests == []
        assert await page.locator("#results").is_hidden()
        await visit.keep("upload-folder")
        assert await visit.faults() == []
        await visit.drop(folder, beside)
        await visit.shows("Signs that AI generated it")
        assert len(visit.uploads()) == 1
        # The word goes with the next files that are dropped.
        await visit.drop(beside)
        await visit.shows("2 answered")
        assert await page.locator("#folder").is_hidden()


async def test_hashing_is_shown(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """While the browser computes a digest the page says so and asks nothing; it can be cancelled like an upload."""
    async with chromium.visit(bought.url) as visit:
        page = visit.page
        await page.evaluate(
            """() => {
              const opened = new Promise((open) => { window.open_gate = open; });
              const digest = crypto.subtle.digest.bind(crypto.subtle);
              crypto.subtle.digest = async (...of) => { await opened; return digest(...of); };
            }"""
        )
        await visit.choose(photo())
        await visit.shows("Computing its SHA-256 in this browser")
        assert visit.requests == []
        await visit.keep("upload-hashing")
        assert await visit.faults() == []
        await page.get_by_role("button", name="Cancel").click()
        await visit.shows("Cancelled")
        await page.evaluate("open_gate()")
        await page.get_by_role("button", name="Try again").click()
        await page.locator(".verdict").wait_for()
        assert visit.requests == ["POST /api/lookup", "POST /api/analyze"]


async def test_names_are_never_markup(chromium: Chromium, bought: Service, vendor: ScriptedVendor) -> None:
    """A file's name that looks like HTML is shown as it is."""
    async with chromium.visit(bought.url) as visit:
        name = "<img src=x onerror=alert(1)>.jpg"
        await visit.choose(photo(), photo(), names=[name, "b.jpg"])
        await visit.shows("2 answered")
        assert await visit.page.locator(".open .clip").first.inner_text() == name
        assert await visit.page.locator("img[src='x']").count() == 0


async def test_a_film_is_given_back(chromium: Chromium, local: Service) -> None:
    """A film's blob: URL lives while its card does; clearing the list gives it back."""
    async with chromium.visit(local.url) as visit:
        await visit.page.set_input_files(
            "#file",
            {"name": "clip.mp4", "mimeType": "video/mp4", "buffer": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(64)},
        )
        await visit.page.locator(".verdict, .notice.failed").first.wait_for()
        await visit.page.get_by_role("button", name="Clear the list").click()
        assert await visit.held() == 0
        assert await visit.page.locator("#results").is_hidden()


async def _known(service: Service, content: bytes) -> bool:
    async with client(service.url) as web:
        return (await web.get(f"/api/analyses/{sha256(content).hexdigest()}")).status_code == 200
