"""What serves the pages: the files of web/ and no others, under a strict policy."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.harness.http import exchange, problem, request
from tests.harness.service import ROOT, Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEB = ROOT / "web"
FILES = sorted(path.name for path in WEB.iterdir())


@pytest.mark.parametrize("name", FILES)
async def test_each_file_is_served_as_what_it_is(web: httpx.AsyncClient, name: str) -> None:
    """Every file of web/ is served byte for byte, packed or not, with its own media type, never to be guessed."""
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for accepted, packed in (("gzip, br", "gzip"), ("identity", None), ("gzip;q=0", None), ("br, gzip; q=0.5", "gzip")):
        answer = await web.get(f"/web/{name}", headers={"Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert answer.content == (WEB / name).read_bytes()
        assert answer.headers.get("Content-Encoding") == packed
        assert answer.headers["Content-Type"].partition(";")[0] == types[Path(name).suffix]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Vary"] == "Accept-Encoding"


async def test_the_icon_is_found_where_browsers_look(web: httpx.AsyncClient) -> None:
    """A browser that shows a document without a link to an icon asks for /favicon.ico, and gets the pages' own."""
    answer = await web.get("/favicon.ico")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert answer.content == (WEB / "icon.svg").read_bytes()


async def test_the_policy_of_the_page(web: httpx.AsyncClient) -> None:
    """The page loads from its own server, shows blob: pictures, cannot be framed, and tells nobody its address."""
    headers = (await web.get("/")).headers
    assert dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; ")) == {
        "default-src": "'self'",
        "img-src": "'self' blob:",
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_what_a_browser_has_is_not_sent_again(web: httpx.AsyncClient, accepted: str) -> None:
    """The tag of either form leads to 304 for that form alone, with the headers that keep it; HEAD says the same."""
    asked = {"Accept-Encoding": accepted}
    first = await web.get("/", headers=asked)
    tag = first.headers["ETag"]
    again = await web.get("/", headers={**asked, "If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert "Content-Security-Policy" in again.headers
    other = {"Accept-Encoding": "identity" if accepted == "gzip" else "gzip"}
    assert (await web.get("/", headers={**other, "If-None-Match": tag})).status_code == 200
    head = await web.head("/", headers=asked)
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", tag)


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web",
        "/web/nothing.js",
        "/web/..%2fpyproject.toml",
        "/web/%2e%2e/Makefile",
        "/web//etc/passwd",
        "/web/..",
    ],
)
async def test_nothing_else_is_served(service: Service, path: str) -> None:
    """No path leads out of web/: what is no name of its files is 404."""
    answer = await exchange(service.url, request("GET", path), to="GET")
    assert (answer.status, answer.problem) == (404, "not-found")


async def test_other_methods_are_refused(web: httpx.AsyncClient) -> None:
    """A page is read, nothing else."""
    answer = await web.post("/", content=b"")
    assert (answer.status_code, problem(answer)) == (405, "method-not-allowed")
