"""
What is answered at once, or soon, is answered as the pages answer it.

The application is asked in both ways: through ASGI, which always goes by the pages, and by `at_once`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import Response

from hashcache import app
from hashcache.api.admission import Share
from hashcache.api.connection import Connection
from hashcache.core.errors import BudgetSpent, ProviderDown, SpoolFull, Stopping, UnsupportedContent
from hashcache.ports import Attempt, Settlement
from hashcache.service.analyse import Analyses
from hashcache.settings import load
from hashcache.stores.accounts import MemoryAccounts
from hashcache.stores.redis.store import RedisStore
from tests.api.conftest import KEYS, MAX_UPLOAD, UPLOAD_BUDGET, keyed_entries, settings
from tests.harness.contents import photo, text
from tests.harness.http import Wire, client, exchange, request, timings
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor, gate, ok

#: Fields that tell of this very answer.
_OWN = {"x-request-id", "server-timing", "age", "date", "cache-status"}
Answer = tuple[int, dict[str, str], bytes]


class Asked:
    """The application *of*, asked in both ways."""

    def __init__(self, of: Connection) -> None:
        self.app = of
        self._web = httpx.AsyncClient(transport=httpx.ASGITransport(of), base_url="http://here")

    async def by_the_pages(self, request: httpx.Request) -> Answer:
        """The answer to *request* as an ASGI application gives it."""
        answer = await self._web.send(request)
        return answer.status_code, _told(answer.headers.raw), answer.content

    async def at_once(self, request: httpx.Request, **scope: Any) -> Answer | None:
        """The same without a task, if it can be; *scope* is written over what *request* says."""
        url = urlsplit(str(request.url))
        told = {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "path": url.path,
            "query_string": url.query.encode(),
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }
        head = sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
        before = b"as it came: ".ljust(head)
        answer = self.app.at_once({**told, **scope}, before + request.read(), len(before))
        if answer is not None and not isinstance(answer, Response):
            answer = await answer
        return None if answer is None else (answer.status_code, _told(answer.raw_headers), bytes(answer.body))

    def room(self, line: str, fields: dict[str, str], size: int) -> Share | None:
        """Room for the rest of the request that begins with *line* and these header *fields*, of *size* bytes."""
        method, _, target = line.partition(" ")
        path, _, query = target.partition("?")
        headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        asked = {"method": method, "path": path, "query_string": query.encode(), "headers": headers}
        return self.app.room({"type": "http", "http_version": "1.1", **asked}, size)

    async def close(self) -> None:
        """Close the client."""
        await self._web.aclose()


@asynccontextmanager
async def _asked(**variables: str) -> AsyncIterator[Asked]:
    made = app.create(load({"HASHCACHE_STORE": "memory://", **variables}))
    assert isinstance(made, Connection)
    asked = Asked(made)
    router: Any = made._app
    async with router.lifespan_context(made):
        yield asked
    await asked.close()


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    """An application of its own that answers for free."""
    async with _asked() as one:
        yield one


def upload(content: bytes, name: str = "a.png", **headers: str) -> httpx.Request:
    """A form as client libraries write it."""
    named = {field.replace("_", "-"): value for field, value in headers.items()}
    return httpx.Request("POST", "http://here/api/analyze", files={"file": (name, content)}, headers=named)


def raw(body: bytes, kind: str) -> httpx.Request:
    """The *body* of an upload, as it is."""
    return httpx.Request(
        "POST", "http://here/api/analyze", content=body, headers={"content-type": kind} if kind else {}
    )


def question(content: bytes, method: str = "GET", after: str = "", **headers: str) -> httpx.Request:
    """A question by the digest of *content*."""
    named = {field.replace("_", "-"): value for field, value in headers.items()}
    return httpx.Request(method, f"http://here/api/analyses/{sha256(content).hexdigest()}{after}", headers=named)


def _told(fields: list[tuple[bytes, bytes]]) -> dict[str, str]:
    told = {name.decode().lower(): value.decode() for name, value in fields}
    assert len(told) == len(fields)
    timing = ",".join(part.partition(";")[0] for part in told.get("server-timing", "").split(", "))
    looked = timings(told["server-timing"]).get("lookup", 0.0) if "server-timing" in told else 0.0
    return {name: value for name, value in told.items() if name not in _OWN} | {
        "timings": timing,
        "in_the_store": "long" if looked > 200 else "",
        "detail": told.get("cache-status", "").rpartition("; ")[2],
        "collapsed": str("collapsed" in told.get("cache-status", "")),
    }


@pytest.mark.parametrize("size", [100, 4096, 4097, 200_000])
@pytest.mark.parametrize("of", [photo, lambda size: text(size).encode()], ids=["image", "text"])
async def test_what_is_known_is_answered_as_by_the_pages(asked: Asked, of: Callable[[int], bytes], size: int) -> None:
    """An upload and a question by its digest."""
    content = of(size)
    assert await asked.at_once(question(content)) is None
    first = await asked.by_the_pages(upload(content))
    assert (first[0], first[1]["x-cache"]) == (200, "MISS")
    for one in (upload(content), upload(content, "Grüße (2).png"), question(content), question(content, "HEAD")):
        expected = await asked.by_the_pages(one)
        assert (expected[0], expected[1]["x-cache"]) == (200, "HIT")
        found = await asked.at_once(one)
        assert found is not None
        # The server leaves out the body of an answer to HEAD; here it is still there.
        assert found[:2] == expected[:2]
        assert found[2] == (await asked.by_the_pages(question(content)) if one.method == "HEAD" else expected)[2]


WRITTEN = text(3_000)
RAW = {
    "image": (photo(10_000), "image/jpeg"),
    "image of another kind": (photo(10_001), "image/x-y.z+w"),
    "video that is an image": (photo(10_002), "video/mp4"),
    "bytes": (photo(10_003), "application/octet-stream"),
    "bytes without a type": (photo(10_004), ""),
    "text": (WRITTEN.encode(), "text/plain"),
    "text with its charset": ((WRITTEN + "1").encode(), "text/plain;charset=UTF-8"),
    "text that looks like an image": (b"GIF89a", "text/plain"),
    "text without a type": ((WRITTEN + "2").encode(), ""),
    "JSON": (json.dumps({"text": WRITTEN + "3"}).encode(), "application/json"),
    "JSON, with blanks and not escaped": (f' {{\n"text" : "{WRITTEN}é"}} '.encode(), "application/json; charset=utf-8"),
    "JSON that looks like an image": (b'{"text": "GIF89a!"}', "application/json"),
}


@pytest.mark.parametrize(("body", "kind"), RAW.values(), ids=RAW)
@pytest.mark.parametrize("first", ["by_the_pages", "at_once"])
async def test_the_content_itself_is_answered_as_by_the_pages(asked: Asked, body: bytes, kind: str, first: str) -> None:
    """A file or a text as the body, or as JSON: bought in one way, known in the other."""
    ways = {"by_the_pages": asked.by_the_pages, "at_once": asked.at_once}
    bought = await ways.pop(first)(raw(body, kind))
    (other,) = ways.values()
    known, again = await other(raw(body, kind)), await asked.by_the_pages(raw(body, kind))
    assert bought is not None
    assert known == again
    assert (bought[0], bought[1]["x-cache"], again[0], again[1]["x-cache"]) == (200, "MISS", 200, "HIT")
    assert json.loads(bought[2])["sha256"] == json.loads(again[2])["sha256"]


@pytest.mark.parametrize("of", [photo, lambda size: text(size).encode()], ids=["image", "text"])
async def test_what_must_be_bought_is_answered_as_by_the_pages(asked: Asked, of: Callable[[int], bytes]) -> None:
    """An upload that nobody has asked about, or that was forgotten: bought once, and known afterwards."""
    content = of(10_000)
    answers = []
    for ask in (asked.by_the_pages, asked.at_once):
        answers.append(await ask(upload(content)))
        assert (await ask(upload(content)))[1]["x-cache"] == "HIT"  # type: ignore[index]  # one that is known has one
        await asked.by_the_pages(question(content, "DELETE"))
    (status, fields, body), second = answers
    assert (status, fields["x-cache"], fields["timings"]) == (200, "MISS", "receive,hash,lookup,provider")
    assert second is not None
    assert second[:2] == (status, {**fields, "content-length": second[1]["content-length"]})
    told, again = json.loads(body), json.loads(second[2])
    assert told.pop("result").keys() == again.pop("result").keys()
    assert told == again


async def test_several_at_once_are_one_purchase(asked: Asked) -> None:
    """The second joins the first, whichever way it comes."""
    content = photo(10_000)
    answers = await asyncio.gather(
        *(ask(upload(content)) for ask in (asked.at_once, asked.by_the_pages, asked.at_once))
    )
    assert [one[1]["x-cache"] for one in answers if one] == ["MISS"] * 3
    assert sorted(one[1]["collapsed"] for one in answers if one) == ["False", "True", "True"]


@pytest.mark.parametrize(
    "error",
    [
        SpoolFull("too many uploads are under way", retry_after=3),
        ProviderDown("generic", "it is down", retry_after=7),
        UnsupportedContent("nobody takes it"),
        BudgetSpent("generic", "it is spent", budget="all", resets="2027-01-01T00:00:00Z", retry_after=9),
        Stopping("this process takes no new work"),
        TimeoutError(),
        RuntimeError("a fault"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_refusal_is_the_pages_refusal(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """With its status, its fields and its members; a fault is logged."""

    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Analyses, "analyse", refuse)
    (status, fields, body), second = [await ask(upload(photo(10_000))) for ask in (asked.by_the_pages, asked.at_once)]
    assert second is not None
    assert (second[0], second[1]) == (status, fields)
    assert status >= 400
    told, again = json.loads(body), json.loads(second[2])
    assert told.pop("instance") != again.pop("instance")
    assert told == again


async def test_a_server_that_gives_up_says_so(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is cancelled, because the grace is over, answers still."""
    begun = asyncio.Event()

    async def wait(*_: object, **__: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Analyses, "analyse", wait)
    asking = asyncio.create_task(asked.at_once(upload(photo(10_000))))
    await begun.wait()
    asking.cancel()
    answer = await asking
    assert answer is not None
    assert (answer[0], json.loads(answer[2])["type"]) == (503, "urn:hashcache:problem:shutting-down")
    assert answer[1]["retry-after"] == "5"


@pytest.mark.asyncio(loop_scope="session")
async def test_who_leaves_takes_no_room_along(vendor: ScriptedVendor, tmp_path: Path) -> None:
    """The purchase goes on, and its bytes hold their room until it ends; where there is none, nobody is let in."""
    opened, calls = asyncio.Event(), vendor.ledger.calls
    vendor.then(gate(opened, ok()))
    small = {"HASHCACHE_STORE": "memory://", "HASHCACHE_UPLOAD_BUDGET": "150KB", "HASHCACHE_MAX_UPLOAD": "100KB"}
    async with _asked(**settings(vendor, tmp_path, **small)) as asked:
        leaving = asyncio.create_task(asked.at_once(upload(photo(90_000))))
        await vendor.called(calls + 1)
        leaving.cancel()
        await leaving
        refused = await asked.at_once(upload(photo(90_000)))
        opened.set()
    assert refused is not None
    assert (refused[0], json.loads(refused[2])["type"]) == (503, "urn:hashcache:problem:spool-full")


async def test_what_the_store_has_is_answered_as_by_the_pages() -> None:
    """An upload that near memory does not have: the same answer, after a read."""
    async with _asked(HASHCACHE_NEAR_BYTES="0") as asked:
        for content in (photo(100), photo(50_000), text(50_000).encode()):
            await asked.by_the_pages(upload(content))
            expected = await asked.by_the_pages(upload(content))
            assert "detail=store" in expected[1]["detail"]
            assert await asked.at_once(upload(content)) == expected


@pytest.mark.parametrize(
    ("providers", "way"),
    [
        ("generic", "at_once"),
        ("generic", "by_the_pages"),
        ("generic,provenance", "at_once"),
        ("generic,provenance", "by_the_pages"),
    ],
)
async def test_a_store_that_does_not_answer_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, providers: str, way: str
) -> None:
    """Each asking would let the client wait as long as the store may take: one of them, and then it is bought."""
    asking: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        original = getattr(RedisStore, name)

        def ask(store: RedisStore, *args: Any) -> Any:
            asking.append(name)
            return original(store, *args)

        return ask

    for name in ("read", "claim", "barrier"):
        monkeypatch.setattr(RedisStore, name, counted(name))
    with Valkey() as server:
        async with ScriptedVendor(ok()) as vendor:
            settings = {
                "HASHCACHE_STORE": server.url,
                "HASHCACHE_PROVIDER": providers,
                "HASHCACHE_GENERIC_URL": vendor.url,
                "HASHCACHE_GENERIC_SCORE": "/score",
                "HASHCACHE_GENERIC_PRICE_USD": "0",
                "HASHCACHE_NEAR_BYTES": "0",
            }
            async with _asked(**settings) as asked:
                assert (await asked.by_the_pages(upload(photo(10_000))))[1]["x-cache"] == "MISS"
                asking.clear()
                server.freeze()
                try:
                    answer = await getattr(asked, way)(upload(photo(10_001)))
                    asked_then = list(asking)
                finally:
                    server.thaw()
    assert (answer[0], answer[1]["x-cache"], answer[1]["in_the_store"]) == (200, "MISS", "long")
    assert asked_then == ["read"]


@pytest.mark.parametrize(
    "unusual",
    [
        {"Cache_Control": "no-cache"},
        {"Cache_Control": "only-if-cached"},
        {"Prefer": "respond-async"},
        {"X_Force_Refresh": "true"},
        {"X_Cache_Tags": "a"},
        {"X_Webhook_Url": "http://here/"},
        {"Content_Encoding": "gzip"},
        {"Expect": "100-continue"},
        {"If_None_Match": "*"},
        {"Transfer_Encoding": "chunked"},
        {"X_API_Key": "nobody's"},
        {"X_Padding": "x" * 17_000},
    ],
    ids=lambda unusual: next(iter(unusual)),
)
async def test_what_is_unusual_is_left_to_the_pages(asked: Asked, unusual: dict[str, str]) -> None:
    """Wishes, preconditions, codings, keys that are not known, too many headers."""
    content = photo(10_000)
    await asked.by_the_pages(upload(content))
    assert await asked.at_once(upload(content)) is not None
    assert await asked.at_once(upload(content, **unusual)) is None
    assert await asked.at_once(question(content, **unusual)) is None


async def test_other_requests_are_left_to_the_pages(asked: Asked) -> None:
    """Other methods, paths and bodies; forms of another shape; no Host, or any header twice."""
    content = photo(10_000)
    await asked.by_the_pages(upload(content))
    sent = upload(content)
    whole = sent.read()
    kind = sent.headers["content-type"]
    fields = [(name.lower(), value) for name, value in sent.headers.raw]
    assert await asked.at_once(sent, headers=fields) is not None
    others: list[tuple[httpx.Request, dict[str, Any]]] = [
        (question(content, after="?kind=image"), {}),
        (question(content, "DELETE"), {}),
        (question(content, "PUT"), {}),
        (question(content), {"path": f"/api/analyses/{sha256(content).hexdigest().upper()}"}),
        (question(content), {"path": "/api/analyze"}),
        (upload(content), {"path": "/api/analyze/"}),
        (upload(content), {"path": "/api/lookup"}),
        (upload(content), {"query_string": b"a=b"}),
        (sent, {"headers": [one for one in fields if one[0] != b"host"]}),
        *((sent, {"headers": [*fields, one]}) for one in fields),
        (upload(b""), {}),
        *(
            (raw(body, kind), {})
            for body, kind in (
                (content, "text/plain"),
                (content, "image/png; q=1"),
                (content, "application/pdf"),
                (content, "application/json"),
                (b"a text", "image/png"),
                (b"a text", "text/plain; charset=latin-1"),
                (b"a text\x00", "text/plain"),
                (b"\xff" + b"a text", ""),
                (b"", "image/png"),
                (b'{"text": ""}', "application/json"),
                (b'{"text": "a", "text": "a"}', "application/json"),
                (b'{"text": "a", "b": 1}', "application/json"),
                (b'{"text": "\\ud800"}', "application/json"),
                (b'{"text": "a"}' + b" " * 70_000, "application/json"),
                (b'{"text": 1}', "application/json"),
                (b'["text"]', "application/json"),
            )
        ),
        *(
            (raw(body, kind), {})
            for body in (whole[:-2], whole + b"x", b"x" + whole, whole + whole, whole.replace(b'"file"', b'"other"'))
        ),
    ]
    for one, scope in others:
        assert await asked.at_once(one, **scope) is None, (one, scope)


FORM = {"host": "here", "content-type": "multipart/form-data; boundary=b", "content-length": "500"}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("POST /api/analyze", {"expect": "100-continue"}),
        ("POST /api/analyze", {"content-type": "application/pdf"}),
        ("POST /api/analyze", {"content-type": "multipart/form-data"}),
        ("POST /api/analyze", {"repr-digest": "sha-256=:abc=:"}),
        ("POST /api/analyze", {"x-force-refresh": "true"}),
        ("POST /api/analyze", {"host": ""}),
        ("POST /api/analyze", {"Content-Type": "multipart/form-data"}),
        ("POST /api/analyze?a=b", {}),
        ("POST /api/lookup", {}),
        (f"PUT /api/analyses/{'0' * 64}", {}),
    ],
)
async def test_only_what_may_be_answered_at_once_is_waited_for(line: str, fields: dict[str, str]) -> None:
    """The rest of an upload, while there is room; not the rest of what the pages answer before they read it."""
    async with _asked(HASHCACHE_UPLOAD_BUDGET="1MB", HASHCACHE_MAX_UPLOAD="1MB") as asked:
        plain = asked.room("POST /api/analyze", FORM, 1_000_000)
        assert plain is not None
        assert asked.room("POST /api/analyze", FORM, 1_000) is None
        plain.close()
        assert asked.room(line, FORM | fields, 1_000) is None


async def test_who_is_not_known_takes_no_room() -> None:
    """Where uploads need a key."""
    async with _asked(HASHCACHE_API_KEYS=keyed_entries()) as asked:
        for key, known in (("", False), ("Bearer nobody's", False), (f"Bearer {KEYS['ann']}", True)):
            fields = FORM | ({"authorization": key} if key else {})
            share = asked.room("POST /api/analyze", fields, 1_000)
            assert (share is not None) == known


async def test_a_fault_is_left_to_the_pages(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong here, the client has an answer still."""
    content = photo(10_000)
    await asked.by_the_pages(upload(content))
    monkeypatch.setattr("hashcache.api.whole.file_in", None)
    assert await asked.at_once(upload(content)) is None
    assert (await asked.by_the_pages(upload(content)))[0] == 200
    monkeypatch.setattr("hashcache.api.whole.boundary_of", None)
    assert asked.room("POST /api/analyze", FORM, 1_000) is None


async def test_nobody_is_given_what_another_tenant_has() -> None:
    """Only the tenant whose key it is, and nobody without a key."""
    async with _asked(HASHCACHE_API_KEYS=keyed_entries()) as asked:
        content = photo(10_000)
        await asked.by_the_pages(upload(content, X_API_Key=KEYS["ann"]))
        for form in (upload, question):
            assert await asked.at_once(form(content, X_API_Key=KEYS["ann"])) is not None
            assert await asked.at_once(form(content, Authorization=f"Bearer {KEYS['amy']}")) is not None
            assert await asked.at_once(form(content)) is None
        assert await asked.at_once(question(content, X_API_Key=KEYS["bob"])) is None
        bought = await asked.at_once(upload(content, X_API_Key=KEYS["bob"]))
        assert bought is not None
        assert bought[1]["x-cache"] == "MISS"


async def test_what_is_forgotten_or_too_large_is_left_to_the_pages() -> None:
    """A clear counts at once; what a limit forbids is refused by the pages."""
    async with _asked(HASHCACHE_MAX_TEXT="10000", HASHCACHE_MAX_UPLOAD="20000") as asked:
        content, words = photo(10_000), text(9_000).encode()
        for one in (content, words):
            await asked.by_the_pages(upload(one))
            assert await asked.at_once(upload(one)) is not None
        assert await asked.at_once(upload(words + b"!" * 2_000)) is None
        assert await asked.at_once(upload(content + bytes(11_000))) is None
        await asked.by_the_pages(question(content, "DELETE"))
        assert await asked.at_once(question(content)) is None
        anew = await asked.at_once(upload(content))
        assert anew is not None
        assert anew[1]["x-cache"] == "MISS"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("path", ["/api/admin/spend", "/api/admin/cache/stats"])
async def test_who_looks_into_the_books_finds_what_he_was_answered(
    market: ScriptedVendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """An answer does not wait until it is booked; the pages that tell of money do."""
    booked, settle = asyncio.Event(), MemoryAccounts.settle

    async def late(self: MemoryAccounts, attempt: Attempt, settlement: Settlement) -> None:
        await booked.wait()
        await settle(self, attempt, settlement)

    monkeypatch.setattr(MemoryAccounts, "settle", late)
    admin = {"HASHCACHE_STORE": "memory://", "HASHCACHE_ADMIN_TOKEN": ADMIN_TOKEN}
    async with _asked(**settings(market, tmp_path, **admin)) as asked:
        answer = await asked.at_once(upload(photo(10_000)))
        assert answer is not None
        assert answer[1]["x-cache"] == "MISS"
        page = httpx.Request("GET", f"http://here{path}", headers={"X-API-Key": ADMIN_TOKEN})
        looking = asyncio.create_task(asked.by_the_pages(page))
        for _ in range(50):
            await asyncio.sleep(0)  # so many turns of the loop it would have to answer too early
        early = looking.done()
        booked.set()
        assert b'"spent_usd":"0.01"' in (await looking)[2]
        assert not early


@pytest.mark.asyncio(loop_scope="session")
async def test_serve_asks_for_it(service: Service) -> None:
    """
    `hashcache serve` answers a known upload that came whole even while there is no room for a body that is to be read:
    nothing is read any more. One that is not known is refused.
    """
    content = photo(10_000)
    async with client(service.url) as web, AsyncExitStack() as stack:
        assert (await web.post("/api/analyze", files={"file": ("a.jpg", content)})).headers["x-cache"] == "MISS"
        for size in (MAX_UPLOAD, MAX_UPLOAD, UPLOAD_BUDGET - 2 * MAX_UPLOAD):
            wire = await stack.enter_async_context(await Wire.open(service.url))
            await wire.send(request("POST", "/api/analyze", b"", Content_Length=size, Expect="100-continue"))
            assert await wire.interim() == 100
        known = httpx.Request("POST", "/api/analyze", files={"file": ("a.jpg", content)})
        new = httpx.Request("POST", "/api/analyze", files={"file": ("a.jpg", photo(10_000))})
        answers = [await exchange(service.url, _as_sent(one)) for one in (known, new)]
        assert [(one.status, one.header("x-cache")) for one in answers] == [(200, "HIT"), (503, None)]
    line = next(line for line in service.events("cache.hit") if line["request"] == answers[0].header("x-request-id"))
    assert (line["found"], line["file"]) == ("near", "a.jpg")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("size", [600, 100_000, 1_000_000])
async def test_a_body_that_follows_its_head_is_bought_once(service: Service, vendor: ScriptedVendor, size: int) -> None:
    """As most clients send it: its head, and then its body, in as many pieces as it takes; slowly as well."""
    content, calls = photo(size), vendor.ledger.calls
    sent = _as_sent(httpx.Request("POST", "/api/analyze", files={"file": ("a.jpg", content)}))
    begin = sent.index(b"\r\n\r\n") + 4
    async with await Wire.open(service.url) as wire:
        for status, pause, received in (("MISS", 0.0, 0), ("HIT", 0.0, 0), ("HIT", 0.03, 50), ("HIT", 0.2, 250)):
            await wire.send(sent[:begin])
            await asyncio.sleep(pause)  # within what is waited for, and beyond it
            await wire.send(sent[begin:-100])
            await asyncio.sleep(pause)  # the same
            await wire.send(sent[-100:])
            answer = await wire.answer()
            assert (answer.status, answer.header("x-cache")) == (200, status)
            assert answer.json["sha256"] == sha256(content).hexdigest()
            assert timings(answer.header("server-timing") or "")["receive"] >= received
    assert vendor.ledger.calls == calls + 1


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("size", [600, 4097, 200_000])
async def test_what_came_whole_is_bought_once(service: Service, vendor: ScriptedVendor, size: int) -> None:
    """What came whole and is not known is bought once, with its digest and its bytes, and known afterwards."""
    content, calls = photo(size), vendor.ledger.calls
    sent = _as_sent(httpx.Request("POST", "/api/analyze", files={"file": ("a.jpg", content)}))
    answers = [await exchange(service.url, sent) for _ in range(2)]
    assert [(one.status, one.header("x-cache")) for one in answers] == [(200, "MISS"), (200, "HIT")]
    assert {one.json["sha256"] for one in answers} == {sha256(content).hexdigest()}
    assert vendor.ledger.calls == calls + 1
    assert vendor.ledger.requests[-1].content == sha256(content).hexdigest()
    line = next(line for line in service.events("cache.miss") if line["request"] == answers[0].header("x-request-id"))
    assert line["file"] == "a.jpg"


@pytest.mark.asyncio(loop_scope="session")
async def test_of_json_the_text_is_bought(service: Service, vendor: ScriptedVendor) -> None:
    """As it is in UTF-8, however it was written; its head and its body may come one after the other."""
    written, calls = text(2_000) + "é", vendor.ledger.calls
    body = json.dumps({"text": written}).encode()
    sent = request("POST", "/api/analyze", body, Content_Type="application/json")
    async with await Wire.open(service.url) as wire:
        for cut, status in ((len(sent), "MISS"), (len(sent) - len(body), "HIT")):
            await wire.send(sent[:cut])
            await asyncio.sleep(0.01)  # a read of its own
            await wire.send(sent[cut:])
            answer = await wire.answer()
            assert (answer.status, answer.header("x-cache")) == (200, status)
    assert vendor.ledger.calls == calls + 1
    assert vendor.ledger.requests[-1].content == sha256(written.encode()).hexdigest() == answer.json["sha256"]


@pytest.mark.asyncio(loop_scope="session")
async def test_the_store_is_read_once(market: ScriptedVendor, valkey: Valkey, tmp_path: Path) -> None:
    """Without near memory: a miss reads once and a hit reads once, and that is all that a hit asks of the store."""
    more = {"HASHCACHE_STORE": valkey.url, "HASHCACHE_NEAR_BYTES": "0", "HASHCACHE_ENV": f"once-{token_hex(4)}"}
    sent = _as_sent(httpx.Request("POST", "/api/analyze", files={"file": ("a.jpg", photo(50_000))}))
    async with Service(tmp_path / "service", settings(market, tmp_path, **more)) as service:
        asked = [_asked_of(valkey)]
        for status in ("MISS", "HIT", "HIT"):
            answer = await exchange(service.url, sent)
            assert (answer.status, answer.header("x-cache")) == (200, status)
            asked.append(_asked_of(valkey))
    reads = [after["mget"] - before["mget"] for before, after in pairwise(asked)]
    scripts = [after["evalsha"] - before["evalsha"] for before, after in pairwise(asked)]
    assert reads == [1, 1, 1]
    assert scripts[0] <= 5
    assert scripts[1:] == [0, 0]


def _asked_of(valkey: Valkey) -> dict[str, int]:
    """How often the server was read, and asked to run scripts."""
    with valkey.client() as there:
        ran = there.info("commandstats")
    return {one: ran.get(f"cmdstat_{one}", {"calls": 0})["calls"] for one in ("mget", "evalsha")}


def _as_sent(one: httpx.Request) -> bytes:
    return request("POST", one.url.path, one.read(), Content_Type=one.headers["content-type"])
