"""Routes of Starlette whose answers are kept: over real sockets, under uvicorn."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from hashcache import Cache, SyncCache, Type
from hashcache.integrations.starlette import cached_route
from hashcache.testing import Bench
from tests.harness.http import cache_status
from tests.harness.served import served
from tests.harness.turns import until
from tests.harness.valkey import Valkey

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
METHODS = ["GET", "HEAD", "POST", "PUT"]


class Desk:
    """A route that counts its runs, waits at a gate, and answers as it is told: with *headers* and *status*."""

    def __init__(self) -> None:
        self.asked = 0
        self.runs = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.headers: dict[str, str] = {}
        self.status = 200
        self.failing: Exception | None = None

    async def __call__(self, request: Request) -> Response:
        """Its number, and what it was sent."""
        self.runs += 1
        number = self.runs
        sent = (await request.body()).decode()
        await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        return JSONResponse({"run": number, "sent": sent}, self.status, self.headers)


@pytest.fixture
def desk() -> Desk:
    """The route."""
    return Desk()


@pytest.fixture
def serve(cache: Cache, desk: Desk) -> Serve:
    """What serves the route, or another one, decorated with these words."""

    def serve(*args: Any, route: Any = None, **wishes: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        async def endpoint(request: Request) -> Response:
            return await desk(request)

        decorated = cached_route(cache, *args, **wishes)(route or endpoint)

        async def counted(request: Request) -> Response:
            desk.asked += 1
            response: Response = await decorated(request)
            return response

        routes = [Route("/nothing", lambda _: Response()), Route("/{path:path}", counted, methods=METHODS)]
        return served(Starlette(routes=routes))

    return serve


async def asked(web: httpx.AsyncClient, desk: Desk, visitors: int) -> None:
    """Wait until so many visitors have asked and wait for an answer."""
    await until(lambda: desk.asked == visitors)
    await web.get("/nothing")  # the server has turned to this one after them


def by(request: Request) -> str | None:
    """Whose answer it is."""
    return request.headers.get("x-user")


async def test_a_hit_is_the_answer_byte_for_byte(serve: Serve, bench: Bench, desk: Desk) -> None:
    """Status, body, media type and the route's own headers; and both say what the cache did."""
    desk.headers = {"X-Own": "1", "Content-Language": "en"}
    desk.status = 203
    async with serve("dashboard") as web:
        first = await web.get("/agents?b=2")
        bench.clock.advance(7)
        second = await web.get("/agents?b=2")
    assert (first.status_code, first.content) == (second.status_code, second.content) == (203, first.content)
    mine = ("content-type", "content-length", "x-own", "content-language", "x-cache-key")
    assert [first.headers[name] for name in mine] == [second.headers[name] for name in mine]
    assert (first.headers["x-cache"], first.headers["x-cache-status"], "age" in first.headers) == (
        "MISS",
        "MISS",
        False,
    )
    assert (second.headers["x-cache"], second.headers["x-cache-status"], second.headers["age"]) == ("HIT", "HIT", "7")
    told = cache_status(first.headers["cache-status"])
    assert told == {"": "hashcache", "fwd": "uri-miss", "ttl": 300, "stored": True, "detail": "source"}
    told = cache_status(second.headers["cache-status"])
    assert told == {"": "hashcache", "hit": True, "ttl": 293, "detail": "near"}
    assert len(second.headers.get_list("date")) == 1


async def test_an_answer_expires(serve: Serve, bench: Bench, desk: Desk) -> None:
    """With the TTL of the decorator, else of the type."""
    async with serve("dashboard", ttl=10) as web:
        await web.get("/")
        bench.clock.advance(9)
        assert (await web.get("/")).json()["run"] == 1
        bench.clock.advance(1)
        assert (await web.get("/")).json()["run"] == 2


async def test_one_run_for_all(serve: Serve, bench: Bench, desk: Desk, cache: Cache) -> None:
    """25 who ask at once wait for one run; one of them is told that he bought it, the others that they joined."""
    desk.gate.clear()
    async with serve() as web:
        asking = [asyncio.create_task(web.get("/")) for _ in range(25)]
        await asked(web, desk, 25)
        desk.gate.set()
        answers = await asyncio.gather(*asking)
    assert desk.runs == 1
    assert {answer.content for answer in answers} == {answers[0].content}
    assert sum("collapsed" in answer.headers["cache-status"] for answer in answers) == 24


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("/a?x=1&y=2", "/a?y=2&x=1", "HIT"),
        ("/a?x=1&x=2", "/a?x=2&x=1", "MISS"),
        ("/a?%78=1&x=2", "/a?x=2&%78=1", "MISS"),
        ("/a?x=1", "/a?x=2", "MISS"),
        ("/a?x=1", "/a", "MISS"),
        ("/a", "/b", "MISS"),
        ("/a/b", "/a%2Fb", "MISS"),
    ],
)
async def test_the_whole_address_makes_the_key(
    serve: Serve, bench: Bench, desk: Desk, one: str, other: str, found: str
) -> None:
    """Parameters of different names in any order; those of one name in theirs."""
    async with serve() as web:
        await web.get(one)
        assert (await web.get(other)).headers["x-cache"] == found


async def test_hosts_are_kept_apart(serve: Serve, bench: Bench, desk: Desk) -> None:
    """What one site answers, another one of the same application does not."""
    async with serve() as web:
        await web.get("/", headers={"Host": "a.example"})
        assert (await web.get("/", headers={"Host": "b.example"})).headers["x-cache"] == "MISS"
        assert (await web.get("/", headers={"Host": "A.example"})).headers["x-cache"] == "HIT"


async def test_a_head_never_answers_a_get(serve: Serve, bench: Bench, desk: Desk) -> None:
    """Each has its own, also under a key of one's own."""

    async def route(request: Request) -> Response:
        return PlainTextResponse("" if request.method == "HEAD" else "the whole")

    async with serve(route=route, key=lambda _: "page") as web:
        heads = [await web.head("/") for _ in range(2)]
        gets = [await web.get("/") for _ in range(2)]
    assert [one.headers["x-cache"] for one in (*heads, *gets)] == ["MISS", "HIT", "MISS", "HIT"]
    assert [one.text for one in gets] == ["the whole"] * 2


async def test_only_what_is_named_as_a_read(serve: Serve, bench: Bench, desk: Desk) -> None:
    """A POST is none unless it is named; then its body and the body's type are part of the key."""
    async with serve() as web:
        assert [(await web.post("/", content=b"a")).json()["run"] for _ in range(2)] == [1, 2]
        assert (await web.post("/")).headers["cache-status"] == "hashcache; fwd=bypass; detail=method"
    async with serve(reads=("post",)) as web:
        text = {"Content-Type": "text/plain"}
        first = await web.post("/", content=b"a", headers=text)
        assert first.json()["sent"] == "a"
        assert (await web.post("/", content=b"a", headers=text)).content == first.content
        assert (await web.post("/", content=b"b", headers=text)).json()["sent"] == "b"
        assert (await web.post("/", content=b"a", headers={"Content-Type": "a/b"})).headers["x-cache"] == "MISS"
        assert (await web.get("/")).headers["x-cache"] == "MISS"
        assert (await web.put("/")).headers["x-cache-status"] == "BYPASS"


async def test_a_body_of_unknown_size_is_the_routes_own(serve: Serve, bench: Bench, desk: Desk) -> None:
    """In chunks, or larger than a megabyte: the route has it whole."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    async with serve(reads=("POST",)) as web:
        answers = [await web.post("/", content=pieces()), await web.post("/", content=b"x" * 1_000_001)]
    assert [one.json()["sent"] for one in answers] == ["abcd", "x" * 1_000_001]
    assert {one.headers["cache-status"] for one in answers} == {"hashcache; fwd=bypass; detail=body"}


NEVER: list[tuple[dict[str, str], int, str]] = [
    ({"Set-Cookie": "session=1"}, 200, "set-cookie"),
    ({"Cache-Control": "max-age=60, Private"}, 200, "private"),
    ({"Cache-Control": "no-store"}, 200, "no-store"),
    ({"Cache-Control": "no-cache"}, 200, "no-cache"),
    ({"Cache-Control": "max-age=0"}, 200, "max-age"),
    ({"Vary": "Accept, *"}, 200, "vary"),
    ({}, 206, "status"),
    ({}, 301, "status"),
    ({}, 404, "status"),
    ({}, 500, "status"),
]


@pytest.mark.parametrize(("headers", "status", "why"), NEVER)
async def test_never_kept_and_never_shared(
    serve: Serve, bench: Bench, desk: Desk, headers: dict[str, str], status: int, why: str
) -> None:
    """Neither later nor by those who wait: each visitor has a run of his own."""
    desk.headers, desk.status = headers, status
    desk.gate.clear()
    async with serve() as web:
        asking = [asyncio.create_task(web.get("/")) for _ in range(3)]
        await asked(web, desk, 3)
        assert desk.runs == 1
        desk.gate.set()
        answers = await asyncio.gather(*asking)
        web.cookies.clear()
        answers.append(await web.get("/"))
    assert sorted(one.json()["run"] for one in answers) == [1, 2, 3, 4]
    assert {one.headers["x-cache-status"] for one in answers} == {"BYPASS"}
    assert answers[-1].headers["cache-status"] == f"hashcache; fwd=uri-miss; detail={why}"
    assert {one.status_code for one in answers} == {status}


async def test_what_is_streamed_or_has_work_left_is_never_kept(
    serve: Serve, bench: Bench, desk: Desk, tmp_path: Path
) -> None:
    """A stream, a file, a background task: given as they are, and the work is done each time."""
    done: list[int] = []
    (tmp_path / "file").write_bytes(b"file")

    async def route(request: Request) -> Response:
        match request.url.path:
            case "/stream":
                return StreamingResponse(iter([b"a", b"b"]))
            case "/file":
                return FileResponse(tmp_path / "file")
        return PlainTextResponse("work", background=BackgroundTask(done.append, 1))

    async with serve(route=route) as web:
        answers = [await web.get(path) for path in ("/stream", "/stream", "/file", "/work", "/work")]
    assert [one.text for one in answers] == ["ab", "ab", "file", "work", "work"]
    why = [cache_status(one.headers["cache-status"])["detail"] for one in answers]
    assert why == ["streaming", "streaming", "streaming", "background", "background"]
    assert done == [1, 1]


async def test_a_failure_is_each_visitors_own(serve: Serve, bench: Bench, desk: Desk, cache: Cache) -> None:
    """What a route raises is not kept, and whoever waited for it runs the route himself; the cache has not failed."""
    desk.failing = HTTPException(404, headers={"Set-Cookie": "seen=1"})
    desk.gate.clear()
    async with serve() as web:
        asking = [asyncio.create_task(web.get("/")) for _ in range(3)]
        await asked(web, desk, 3)
        assert desk.runs == 1
        desk.gate.set()
        assert {one.status_code for one in await asyncio.gather(*asking)} == {404}
        assert desk.runs == 3
        assert (await cache.stats()).errors == 0
        desk.failing = None
        assert (await web.get("/")).json()["run"] == 4


async def test_credentials_are_never_cached_without_an_identity(serve: Serve, bench: Bench, desk: Desk) -> None:
    """Neither asked nor kept: also not where an answer for everybody lies there."""
    async with serve() as web:
        await web.get("/")
        for header in ("Authorization", "Cookie", "X-API-Key"):
            answer = await web.get("/", headers={header: "a=1"})
            assert answer.headers["cache-status"] == "hashcache; fwd=bypass; detail=credentials"
        assert (await web.get("/")).json()["run"] == 1
    assert desk.runs == 4


async def test_two_users_are_isolated(serve: Serve, bench: Bench, desk: Desk, cache: Cache) -> None:
    """Each has his own answer, in turn and at once; who is nobody has none; one can be forgotten without the other."""
    desk.gate.clear()
    async with serve("user", identity=by) as web:
        asking = [asyncio.create_task(web.get("/", headers={"X-User": user})) for user in ("ann", "bob")]
        await until(lambda: desk.runs == 2)
        desk.gate.set()
        ann, bob = await asyncio.gather(*asking)
        assert ann.content != bob.content
        assert (await web.get("/", headers={"X-User": "ann", "Cookie": "a=1"})).content == ann.content
        assert (await web.get("/", headers={"X-User": "bob"})).content == bob.content
        assert (await web.get("/")).headers["cache-status"] == "hashcache; fwd=bypass; detail=identity"
        assert await cache.invalidate(user="ann") == 1
        assert (await web.get("/", headers={"X-User": "bob"})).headers["x-cache"] == "HIT"
        assert (await web.get("/", headers={"X-User": "ann"})).headers["x-cache"] == "MISS"
        assert "ann" not in ann.headers["x-cache-key"]


def test_a_type_of_users_needs_an_identity(cache: Cache) -> None:
    """It is said when the route is decorated; so is a cache of the other sort."""
    with pytest.raises(TypeError, match="identity="):
        cached_route(cache, "user")
    with pytest.raises(TypeError, match="not in a SyncCache"):
        cached_route(SyncCache("off"))  # type: ignore[arg-type]  # the mistake that is proved
    with pytest.raises(ValueError, match="no type is called"):
        cached_route(cache, "nothing")


async def test_answers_that_vary(serve: Serve, bench: Bench, desk: Desk) -> None:
    """By what the request says in the headers that Vary names; also for those who ask at once."""

    async def route(request: Request) -> Response:
        desk.runs += 1
        await desk.gate.wait()
        return PlainTextResponse(request.headers["accept-language"], headers={"Vary": "Accept-Language, X-Other"})

    def asks(language: str, **more: str) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(web.get("/", headers={"Accept-Language": language, **more}))

    desk.gate.clear()
    async with serve(route=route) as web:
        asking = [asks(language) for language in ("en", "de", "en", "fr")]
        await asked(web, desk, 4)
        desk.gate.set()
        assert [one.text for one in await asyncio.gather(*asking)] == ["en", "de", "en", "fr"]
        assert desk.runs == 3
        again = [await asks(language) for language in ("en", "de", "fr")]
        assert [(one.text, one.headers["x-cache"]) for one in again] == [("en", "HIT"), ("de", "HIT"), ("fr", "HIT")]
        bench.clock.advance(1)
        refreshed = await asks("de", **{"X-Force-Refresh": "true"})
        assert (refreshed.text, refreshed.headers["x-cache"], desk.runs) == ("de", "MISS", 4)
        assert [(await asks(language)).text for language in ("en", "de", "fr")] == ["en", "de", "fr"]
        assert desk.runs == 4


async def test_a_refresh_replaces(serve: Serve, bench: Bench, desk: Desk) -> None:
    """X-Force-Refresh runs the route, and the others are given what it gave."""
    async with serve() as web:
        await web.get("/")
        bench.clock.advance(1)
        forced = await web.get("/", headers={"X-Force-Refresh": "true"})
        assert (forced.json()["run"], forced.headers["x-cache-status"]) == (2, "MISS")
        assert cache_status(forced.headers["cache-status"])["fwd"] == "request"
        assert (await web.get("/")).json()["run"] == 2


async def test_entity_tags(serve: Serve, bench: Bench, desk: Desk) -> None:
    """A miss and a hit have the same ETag; who names it is answered 304 without a body; the route's own stays."""
    async with serve() as web:
        first, second = await web.get("/"), await web.get("/")
        assert first.headers["etag"] == second.headers["etag"]
        for named in (first.headers["etag"], f'"other", {first.headers["etag"]}', first.headers["etag"][2:], "*"):
            unchanged = await web.get("/", headers={"If-None-Match": named})
            assert (unchanged.status_code, unchanged.content) == (304, b"")
            assert (unchanged.headers["etag"], unchanged.headers["x-cache"]) == (first.headers["etag"], "HIT")
            assert "content-type" not in unchanged.headers
        assert (await web.get("/", headers={"If-None-Match": '"other"'})).status_code == 200
        head = await web.head("/", headers={"If-None-Match": first.headers["etag"]})
        assert head.status_code == 200  # of another run
        desk.headers = {"ETag": '"own"'}
        assert (await web.get("/own")).headers["etag"] == '"own"'
        assert (await web.get("/own", headers={"If-None-Match": 'W/"own"'})).status_code == 304


async def test_parts_and_versions_are_the_routes_own(serve: Serve, bench: Bench, desk: Desk) -> None:
    """A range, a precondition, and a visitor who wants nothing kept."""
    headers = [{"Range": "bytes=0-1"}, {"If-Match": '"a"'}, {"If-Unmodified-Since": "x"}, {"Cache-Control": "no-store"}]
    async with serve() as web:
        await web.get("/")
        for one in headers:
            assert (await web.get("/", headers=one)).headers["x-cache-status"] == "BYPASS"
    assert desk.runs == 5


async def test_on_and_off_per_request(serve: Serve, bench: Bench, desk: Desk) -> None:
    """`when` decides, also if it has to be awaited."""

    async def when(request: Request) -> bool:
        return "live" not in request.query_params

    async with serve(when=when) as web:
        assert [(await web.get("/?live=1")).json()["run"] for _ in range(2)] == [1, 2]
        assert [(await web.get("/")).json()["run"] for _ in range(2)] == [3, 3]


@pytest.mark.parametrize("what", ["when", "identity", "key"])
async def test_a_function_that_raises_never_breaks_the_route(
    serve: Serve, bench: Bench, desk: Desk, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """The route runs, nothing is kept, and the log says why."""

    def broken(_: Request) -> Any:
        raise ZeroDivisionError

    async with serve(**{what: broken}) as web:
        answers = [await web.get("/") for _ in range(2)]
    assert [one.json()["run"] for one in answers] == [1, 2]
    assert answers[0].headers["cache-status"] == f"hashcache; fwd=bypass; detail={what}"
    assert f"cache.error operation={what}" in caplog.text


async def test_keys_and_tags_of_ones_own(serve: Serve, bench: Bench, desk: Desk, cache: Cache) -> None:
    """A key leaves out what does not count, and is forgotten by its name; so are a tag, a type and a path."""
    async with serve("lists", key=lambda request: f"agents:{request.query_params['id']}", tags=("org",)) as web:
        await web.get("/a?id=7&utm=1")
        assert (await web.get("/b?id=7")).headers["x-cache-key"] == "agents:7:GET"
        assert (await web.get("/b?id=8")).headers["x-cache"] == "MISS"
        assert await cache.invalidate("agents:7") == 1
        assert await cache.invalidate(tag="org") == 1
        await web.get("/b?id=8")
        assert await cache.invalidate(type="lists") == 1
    async with serve() as web:
        for path in ("/api/a", "/api/a?x=1", "/api/a/b", "/caf%C3%A9"):
            assert (await web.get(path)).headers["x-cache"] == "MISS"
        assert await cache.invalidate("route:/api/a") == 2
        assert await cache.invalidate("route:/api/*") == 1
        key = (await web.get("/caf%C3%A9")).headers["x-cache-key"]
        assert key.startswith("route:/caf%C3%A9:GET:")
        assert await cache.invalidate(key) == 1


async def test_a_type_that_keeps_nothing(serve: Serve, bench: Bench, desk: Desk) -> None:
    """The route runs each time."""
    async with serve(Type("mine", personal=True)) as web:
        assert [(await web.get("/")).json()["run"] for _ in range(2)] == [1, 2]
        assert (await web.get("/")).headers["cache-status"] == "hashcache; fwd=bypass; detail=type"


async def test_an_expired_answer_serves_where_the_route_fails(serve: Serve, bench: Bench, desk: Desk) -> None:
    """As the type says: for a 5xx as for what is raised; not for a 404, which is an answer."""
    async with serve(Type("shaky", ttl=10, stale_if_error=100)) as web:
        await web.get("/")
        bench.clock.advance(11)
        desk.status = 503
        stale = await web.get("/")
        assert (stale.status_code, stale.json()["run"], stale.headers["x-cache-status"]) == (200, 1, "STALE")
        desk.status, desk.failing = 200, ZeroDivisionError()
        assert (await web.get("/")).json()["run"] == 1
        bench.clock.advance(30)
        desk.status, desk.failing = 404, None
        assert (await web.get("/")).status_code == 404


async def test_the_store_goes_away(valkey: Valkey, environment: str, desk: Desk) -> None:
    """The route runs for each who asks, with its own answer; and when the store is back, answers are kept again."""
    async with Cache(valkey.url, environment=environment, near_bytes=0) as cache:

        @cached_route(cache, "dashboard")
        async def endpoint(request: Request) -> Response:
            return await desk(request)

        async with served(Starlette(routes=[Route("/", endpoint)])) as web:
            assert [(await web.get("/")).json()["run"] for _ in range(2)] == [1, 1]
            valkey.kill()
            answers = [await web.get("/") for _ in range(2)]
            assert [(one.status_code, one.json()["run"]) for one in answers] == [(200, 2), (200, 3)]
            assert answers[1].headers["cache-status"].endswith("detail=store-away")


async def test_a_cache_that_is_not_open(serve: Serve, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The route runs; the log says what was forgotten, and the answer that the cache failed."""
    async with serve() as web:
        assert [(await web.get("/")).json()["run"] for _ in range(2)] == [1, 2]
        assert (await web.get("/")).headers["cache-status"].endswith("detail=cache-error")
    assert "this cache is not open" in caplog.text


async def test_routes_of_any_shape(cache: Cache, bench: Bench) -> None:
    """A plain function, in a thread as Starlette's are; a method of an HTTPEndpoint; more arguments, as of FastAPI."""
    runs: list[str] = []

    @cached_route(cache)
    def plain(request: Request) -> Response:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        runs.append(request.url.path)
        return PlainTextResponse("plain")

    class Shop(HTTPEndpoint):
        @cached_route(cache)
        async def get(self, request: Request) -> Response:
            runs.append(request.url.path)
            return PlainTextResponse("shop")

    @cached_route(cache)
    async def named(*, word: str, request: Request) -> Response:
        runs.append(request.url.path)
        return PlainTextResponse(word)

    async def called(request: Request) -> Response:
        response: Response = await named(word="named", request=request)
        return response

    routes = [Route("/plain", plain), Route("/shop", Shop), Route("/named", called)]
    async with served(Starlette(routes=routes)) as web:
        for name in ("plain", "shop", "named"):
            assert [(await web.get(f"/{name}")).text for _ in range(2)] == [name] * 2
    assert runs == ["/plain", "/shop", "/named"]
    with pytest.raises(TypeError, match="no argument that is one"):
        await named(word="a")  # type: ignore[call-arg]  # the mistake that is proved


def test_a_route_keeps_what_fastapi_reads_of_it(cache: Cache) -> None:
    """Its signature, defaults and all, with annotations that can be evaluated; that it is async; its name and words."""
    dependency = object()

    async def plain(word: str, *, page: int = 1, request: Request, user: object = dependency) -> Response:
        """What the documentation shows."""
        return PlainTextResponse(f"{word} {page} {request.url} {user}")

    decorated = cached_route(cache, "lists")(plain)
    for evaluated in (False, True):
        assert inspect.signature(decorated, eval_str=evaluated) == inspect.signature(plain, eval_str=evaluated)
    assert inspect.signature(decorated, eval_str=True).parameters["request"].annotation is Request
    assert get_type_hints(decorated) == get_type_hints(plain)
    assert inspect.iscoroutinefunction(decorated)
    assert (decorated.__name__, decorated.__doc__, decorated.__module__) == ("plain", plain.__doc__, __name__)


async def test_a_session_that_a_route_changes(cache: Cache, bench: Bench) -> None:
    """The answer is its visitor's own: the middleware sends the cookie after the cache has seen it. A look is none."""

    @cached_route(cache)
    async def writes(request: Request) -> Response:
        request.session["token"] = "secret"
        return PlainTextResponse(request.session["token"])

    @cached_route(cache)
    async def reads(request: Request) -> Response:
        return PlainTextResponse(str(request.session.get("token")))

    app = Starlette(
        routes=[Route("/writes", writes), Route("/reads", reads)],
        middleware=[Middleware(SessionMiddleware, secret_key="of this test")],
    )
    async with served(app) as web:
        for path, statuses in (("/writes", ["BYPASS", "BYPASS"]), ("/reads", ["MISS", "HIT"])):
            web.cookies.clear()
            answers = []
            for _ in range(2):
                answers.append(await web.get(path))
                web.cookies.clear()
            assert [one.headers["x-cache-status"] for one in answers] == statuses
            assert ["set-cookie" in one.headers for one in answers] == [path == "/writes"] * 2


async def test_what_is_no_response_is_not_kept(cache: Cache, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """FastAPI filters it afterwards, so what would be kept is not what visitors are to see; the log says so."""

    @cached_route(cache)
    async def rows(request: Request) -> dict[str, str]:
        return {"path": request.url.path, "secret": "x"}

    async def route(request: Request) -> Response:
        given = await rows(request)
        return JSONResponse({"path": given["path"]})

    async with served(Starlette(routes=[Route("/", route)])) as web:
        assert [(await web.get("/")).json() for _ in range(2)] == [{"path": "/"}] * 2
    assert caplog.text.count("the route gives dict, not a Response") == 2


async def test_nothing_of_the_visitors_is_logged(
    serve: Serve, bench: Bench, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a query nor a body nor who asks."""
    caplog.set_level(logging.DEBUG, "hashcache")
    async with serve(identity=by, reads=("POST",)) as web:
        for _ in range(2):
            await web.post("/?token=sesame", content=b"sesame", headers={"X-User": "sesame", "Cookie": "sesame=1"})
    assert "cache.hit" in caplog.text
    assert "sesame" not in caplog.text
