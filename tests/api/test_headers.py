"""The headers of every answer, to the letter of the contract."""

from __future__ import annotations

import re
from hashlib import sha256

import httpx
import pytest

from tests.harness.contents import photo, text
from tests.harness.http import cache_status, client, problem, timings
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

_WEEK, _MONTH = 7 * 86_400, 30 * 86_400


@pytest.mark.parametrize(
    ("content", "space", "life"),
    [(photo(), "analysis", _WEEK), (text().encode(), "text", _MONTH)],
    ids=["image", "text"],
)
async def test_headers_of_an_analysis(
    web: httpx.AsyncClient, vendor: ScriptedVendor, content: bytes, space: str, life: int
) -> None:
    """MISS and HIT carry the key, the level, the life left and the time spent; a HIT its age as well."""
    miss, hit = [(await web.post("/api/analyze", content=content)).headers for _ in range(2)]
    key = re.escape(f"{space}:{sha256(content).hexdigest()}:") + "[0-9a-f]{32}"
    for headers in (miss, hit):
        assert re.fullmatch(key, headers["X-Cache-Key"])
        assert headers["Content-Type"] == "application/json"
        assert headers["Cache-Control"] == "private, no-cache"
        assert set(headers["Vary"].split(", ")) == {"Authorization", "X-API-Key"}
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert miss["X-Cache-Key"] == hit["X-Cache-Key"]
    assert (miss["X-Cache"], miss["X-Cache-Status"]) == ("MISS", "MISS")
    assert (hit["X-Cache"], hit["X-Cache-Status"]) == ("HIT", "HIT")
    assert cache_status(miss["Cache-Status"]) == {
        "": "hashcache",
        "fwd": "uri-miss",
        "ttl": life,
        "stored": True,
        "detail": "source",
    }
    told = cache_status(hit["Cache-Status"])
    assert told.pop("ttl") in range(life - 60, life + 1)
    assert told == {"": "hashcache", "hit": True, "detail": "near"}
    assert "Age" not in miss
    assert int(hit["Age"]) in range(61)
    assert set(timings(miss["Server-Timing"])) == {"receive", "hash", "lookup", "provider"}
    assert set(timings(hit["Server-Timing"])) == {"receive", "hash", "lookup"}
    assert "ETag" not in miss


async def test_headers_of_a_look_up(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """GET by digest carries the same, and a strong ETag; there is nothing to receive or hash."""
    content = photo()
    await web.post("/api/analyze", content=content)
    headers = (await web.get(f"/api/analyses/{sha256(content).hexdigest()}")).headers
    assert re.fullmatch('"[0-9a-f]{32,}"', headers["ETag"])
    assert set(timings(headers["Server-Timing"])) == {"lookup"}
    assert headers["Cache-Control"] == "private, no-cache"
    assert cache_status(headers["Cache-Status"])["hit"] is True


async def test_the_length_of_every_answer_is_told(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """Answers come with Content-Length, so that a connection can be used again."""
    for answer in (
        await web.post("/api/analyze", content=photo()),
        await web.get("/healthz"),
        await web.get("/nowhere"),
    ):
        assert int(answer.headers["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize("sent", ["order-7_b.1", "A" * 64, "0"])
async def test_a_request_id_is_taken_over(web: httpx.AsyncClient, service: Service, sent: str) -> None:
    """A client's own id comes back in the answer, in a problem's `instance`, and stands in the log."""
    assert (await web.get("/healthz", headers={"X-Request-Id": sent})).headers["X-Request-Id"] == sent
    refused = await web.get("/nowhere", headers={"X-Request-Id": sent})
    assert (refused.headers["X-Request-Id"], refused.json()["instance"]) == (sent, sent)
    assert sent in {line["request"] for line in service.events("request.refused")}


@pytest.mark.parametrize("sent", ["", "two words", "A" * 65, 'x"', "\u00e9".encode("latin-1"), None])
async def test_another_request_id_is_replaced(web: httpx.AsyncClient, sent: str | bytes | None) -> None:
    """An id that is none, or that could confuse a log, is replaced by one of ours; no two are the same."""
    headers = {} if sent is None else {"X-Request-Id": sent}
    given = [(await web.get("/healthz", headers=headers)).headers["X-Request-Id"] for _ in range(2)]
    assert all(re.fullmatch("[0-9a-f]{16,64}", one) for one in given)
    assert given[0] != given[1]


async def test_the_log_tells_each_analysis(web: httpx.AsyncClient, service: Service, vendor: ScriptedVendor) -> None:
    """One line a request: the file's name made safe, the first 12 digits, the level, the life left, the time."""
    content = photo()
    name = "böse\x1b[31m\u202egpj.jpg"
    ids = [(await web.post("/api/analyze", files={"file": (name, content)})).headers["X-Request-Id"] for _ in range(2)]
    lines = [line for line in service.events() if line.get("request") in ids]
    assert [line["event"] for line in lines] == ["cache.miss", "cache.hit"]
    for line in lines:
        assert line["sha256"] == sha256(content).hexdigest()[:12]
        assert line["ttl"] in range(_WEEK - 60, _WEEK + 1)
        assert line["ms"] > 0
        assert "\x1b" not in line["file"]
        assert "\u202e" not in line["file"]
        assert line["file"].startswith("böse")
    assert sha256(content).hexdigest() not in service.log()


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/api/analyses/", 404, "not-found"),
        ("POST", "/api/analyze/", 404, "not-found"),
        ("GET", "/api//", 404, "not-found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404, "not-found"),
        ("GET", "/caf%C3%A9", 404, "not-found"),
        ("GET", "/%ff%fe", 404, "not-found"),
        ("GET", "/%00", 404, "not-found"),
        ("GET", "/api/analyze", 405, "method-not-allowed"),
        ("TRACE", "/api/analyze", 405, "method-not-allowed"),
        ("OPTIONS", "/healthz", 405, "method-not-allowed"),
        ("PATCH", "/api/analyses/" + "0" * 64, 405, "method-not-allowed"),
        ("POST", "/readyz", 405, "method-not-allowed"),
        ("DELETE", "/api/admin/cache/stats", 405, "method-not-allowed"),
    ],
)
async def test_what_does_not_exist(web: httpx.AsyncClient, method: str, path: str, status: int, slug: str) -> None:
    """An unknown path is 404, an unknown method 405 with the known ones in Allow; both are problems."""
    refused = await web.request(method, path)
    assert (refused.status_code, problem(refused)) == (status, slug)
    assert refused.headers["Cache-Control"] == "no-store"
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    if status == 405:
        allowed = refused.headers["Allow"].split(", ")
        assert method not in allowed
        assert allowed


async def test_health(web: httpx.AsyncClient, service: Service) -> None:
    """/healthz says that the process is alive, /readyz how its dependencies are, /openapi.json what it speaks."""
    assert (await web.get("/healthz")).json() == {"status": "ok"}
    ready = await web.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert set(ready.json()["store"]) == {"status", "where", "reason"}
    assert ready.json()["store"]["status"] == "embedded"
    assert ready.json()["providers"] == {kind: ["generic"] for kind in ("image", "video", "text")}
    assert (await web.get("/openapi.json")).json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/api/admin/cache/stats", "/nowhere"])
async def test_nobody_keeps_what_is_not_an_analysis(service: Service, path: str) -> None:
    """Health, figures and problems are `no-store`, typed exactly, and not to be sniffed."""
    async with client(service.url, ADMIN_TOKEN) as admin:
        headers = (await admin.get(path)).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] in {"application/json", "application/problem+json"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers
