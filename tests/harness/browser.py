"""
The system's Chromium, driven by Playwright, as somebody who visits the pages.

Rule 1: what is missing (Playwright, Chromium) is said in a line that tells how to get it; it is never skipped.
Rule 2: a visit notes everything that the page does: requests, console, breaches of its policy, layout shifts.
Rule 3: each visit is a browser context of its own: no cache, key or cookie of another.

Playwright is imported when a browser starts, so that everything else is tested without it.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: Where pictures of the pages are kept, for people to look at.
SCREENS = Path(__file__).parents[2] / "build" / "screens"
#: A name of this machine that is not loopback to the browser: plain http from there is no secure context.
ELSEWHERE = "elsewhere.test"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 10.0
_WATCH = """
window.breaches = []; window.shifts = []; window.urls = 0;
for (const [name, step] of [["createObjectURL", 1], ["revokeObjectURL", -1]]) {
  const own = URL[name].bind(URL);
  URL[name] = (of) => { urls += step; return own(of); };
}
addEventListener("securitypolicyviolation", (event) => breaches.push(`${event.violatedDirective} ${event.blockedURI}`));
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) shifts.push([one.value, ...one.sources.map(
    (source) => source.node && (source.node.outerHTML || source.node.textContent).slice(0, 90))]);
}).observe({type: "layout-shift", buffered: true});
"""
_TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Visit:
    """
    One *page* in a context of its own. *console*: what it said; *requests*: those to the API, as `METHOD /path`;
    *hosts*: all that it asked. Files that are chosen lie in *folder*.
    """

    page: Any
    folder: Path
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def uploads(self) -> list[str]:
        """The requests that carried a content."""
        return [one for one in self.requests if one == "POST /api/analyze" or one.startswith("PUT ")]

    async def breaches(self) -> list[str]:
        """What the page's policy forbade it."""
        return list(await self.page.evaluate("breaches"))

    async def shifts(self) -> list[Any]:
        """Each layout shift that no input explains: how much, and what moved."""
        return list(await self.page.evaluate("shifts"))

    async def painted_early(self) -> bool:
        """Whether something was drawn before the whole document had come."""
        return bool(
            await self.page.evaluate(
                "performance.getEntriesByName('first-paint')[0].startTime"
                " < performance.getEntriesByType('navigation')[0].responseEnd"
            )
        )

    async def held(self) -> int:
        """How many blob: URLs the page made and has not given back."""
        return int(await self.page.evaluate("urls"))

    async def faults(self) -> list[str]:
        """What axe-core finds: rule, and the elements."""
        from axe_playwright_python.async_playwright import Axe

        found = (await Axe().run(self.page)).response["violations"]
        return [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]

    async def shows(self, text: str) -> str:
        """Wait until the page shows *text*, to whoever looks at it; the whole of the element that holds it."""
        found = (
            self.page.locator("main, dialog").get_by_text(text).locator("visible=true").locator(":scope:not(.unseen)")
        )
        await found.first.wait_for()
        return str(await found.first.inner_text())

    async def choose(self, *contents: bytes, names: Sequence[str] = ()) -> None:
        """Choose files with these *contents*, all at once, as photo-0.jpg, photo-1.jpg ... or by their *names*."""
        paths = [self.folder / (names[at] if names else f"photo-{at}.jpg") for at in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        await self.page.set_input_files("#file", paths)

    async def drop(self, *paths: Path) -> None:
        """Drop these files and folders onto the middle of the window, as somebody who drags them from elsewhere."""
        session = await self.page.context.new_cdp_session(self.page)
        window = await self.page.evaluate("[innerWidth / 2, innerHeight / 2]")
        carried = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for what in ("dragEnter", "dragOver", "drop"):
            event = {"type": what, "x": window[0], "y": window[1], "data": carried}
            await session.send("Input.dispatchDragEvent", event)

    async def slow(self, upload: int) -> None:
        """From now on the browser sends *upload* bytes a second, and no more."""
        session = await self.page.context.new_cdp_session(self.page)
        network = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload}
        await session.send("Network.emulateNetworkConditions", network)

    async def uncached(self) -> None:
        """From now on the browser fetches everything anew."""
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("Network.enable")
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def expect_console(self, *parts: str) -> None:
        """Take out of the console what holds one of *parts*; AssertionError when one of them is nowhere."""
        for part in parts:
            assert any(part in line for line in self.console), f"{part!r} is not in {self.console}"
        self.console[:] = [line for line in self.console if not any(part in line for part in parts)]

    async def wide(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(
            await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    async def keep(self, name: str) -> None:
        """Keep a picture of the whole page as build/screens/*name*.png. The window grows for it: no shift counts."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        seen = len(await self.shifts())
        await self.page.screenshot(path=SCREENS / f"{name}.png", full_page=True)
        await self.page.evaluate(_TWO_FRAMES)
        await self.page.evaluate("(seen) => { shifts.length = seen; }", seen)


class Chromium:
    """A running browser; `visit` opens a page. Made by `started`."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    @asynccontextmanager
    async def visit(self, url: str, **options: Any) -> AsyncIterator[Visit]:
        """
        *url* in a new context with these Playwright *options*: `color_scheme="dark"`, `viewport={...}`.

        AssertionError at the end when something is left in `Visit.console`, the policy was breached or another host was
        asked. A test takes out of the console what it expects there.
        """
        context = await self._browser.new_context(**options)
        folder = TemporaryDirectory(prefix="hashcache-visit-")
        try:
            context.set_default_timeout(_SECONDS * 1000)
            await context.add_init_script(_WATCH)
            page = await context.new_page()
            visit = Visit(page, Path(folder.name))
            page.on("console", lambda message: visit.console.append(f"{message.type}: {message.text}"))
            page.on("pageerror", lambda error: visit.console.append(f"uncaught: {error}"))
            page.on("request", lambda request: _note(visit, request))
            await page.goto(url)
            yield visit
            assert visit.console == [], visit.console
            assert await visit.breaches() == []
            assert len(visit.hosts) <= 1, visit.hosts
        finally:
            await context.close()
            folder.cleanup()


@asynccontextmanager
async def started() -> AsyncIterator[Chromium]:
    """
    A browser until the end of the block.

    Raises:
        RuntimeError: what is missing, and how to get it.
    """
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        raise RuntimeError("Playwright is not installed: run `make test-web`") from None
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise RuntimeError(f"no Chromium is installed (looked for {', '.join(_NAMES)}): apt-get install chromium")
    async with async_playwright() as playwright:
        # In a container it runs as root, without the kernel's namespaces and with little shared memory.
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"],
        )
        try:
            yield Chromium(browser)
        finally:
            await browser.close()


def _note(visit: Visit, request: Any) -> None:
    origin, _, path = request.url.partition("//")[2].partition("/")
    if request.url.startswith("http"):
        visit.hosts.add(origin)
        if path.startswith("api/"):
            visit.requests.append(f"{request.method} /{path}")
