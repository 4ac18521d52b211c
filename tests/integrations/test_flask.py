"""What is Flask's own about its routes whose answers are kept; the rest is in test_every_framework.py."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    flash,
    g,
    request,
    send_file,
    session,
)
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from hashcache import Cache, SyncCache, Type
from hashcache.integrations.flask import cached_route, current_cache, init_app
from hashcache.testing import SyncBench, in_memory_sync
from tests.harness.http import NO_TLS, cache_status
from tests.harness.valkey import Valkey
from tests.harness.wsgi import served_wsgi

TOGETHER = 25


@pytest.fixture
def cache() -> SyncCache:
    """A cache that is not open yet: decorate first."""
    return SyncCache("memory://")


@pytest.fixture
def bench(cache: SyncCache) -> Iterator[SyncBench]:
    """It is open now, in memory, with time in the test's hand."""
    with in_memory_sync(cache) as bench:
        yield bench


@pytest.fixture
def app() -> Flask:
    """An application."""
    app = Flask(__name__)
    app.secret_key = "of this test"
    return app


def told(app: Flask, path: str = "/", **wishes: Any) -> tuple[str, str]:
    """What a new visitor is told: X-Cache-Status, and where the answer was found, or why it was not kept."""
    with app.test_client().open(path, **wishes) as answer:
        return answer.headers["X-Cache-Status"], str(cache_status(answer.headers["Cache-Status"])["detail"])


def at_once(ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The answers to TOGETHER visitors, each in a thread of his own."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        return [one.result() for one in [pool.submit(ask) for _ in range(TOGETHER)]]


def test_views_of_any_shape(cache: SyncCache, bench: SyncBench) -> None:
    """What Flask makes an answer of: texts, dicts, tuples; class views, whole or a method; `async def`, if it can."""

    class App(Flask):
        def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
            return lambda *args, **kwargs: asyncio.run(func(*args, **kwargs))

    app, runs = App(__name__), list[str]()

    @app.get("/text/<word>")
    @cached_route(cache)
    def text(word: str) -> str:
        runs.append("text")
        return word

    @app.get("/tuple")
    @cached_route(cache)
    def pair() -> tuple[dict[str, int], int, dict[str, str]]:
        runs.append("tuple")
        return {"a": 1}, 201, {"X-Own": "1"}

    @app.get("/async")
    @cached_route(cache)
    async def slow() -> list[int]:
        runs.append("async")
        return [1, 2]

    class Whole(MethodView):
        decorators: ClassVar[list[Any]] = [cached_route(cache)]

        def get(self) -> str:
            runs.append("whole")
            return "whole"

    class Part(MethodView):
        @cached_route(cache)
        def get(self, number: int) -> str:
            runs.append("part")
            return f"part {number}"

    app.add_url_rule("/whole", view_func=Whole.as_view("whole"))
    app.add_url_rule("/part/<int:number>", view_func=Part.as_view("part"))
    web = app.test_client()
    for path, body in (
        ("/text/a", b"a"),
        ("/tuple", b'{"a":1}\n'),
        ("/async", b"[1,2]\n"),
        ("/whole", b"whole"),
        ("/part/7", b"part 7"),
    ):
        first, second = web.get(path), web.get(path)
        assert (first.data, second.data) == (body, body)
        assert (second.status_code, second.headers["X-Cache"]) == (first.status_code, "HIT")
    assert runs == ["text", "tuple", "async", "whole", "part"]
    assert (web.get("/tuple").status_code, web.get("/tuple").headers["X-Own"]) == (201, "1")


def test_questions_may_be_async_too(cache: SyncCache, bench: SyncBench) -> None:
    """Where the application can run such functions."""

    class App(Flask):
        def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
            return lambda *args, **kwargs: asyncio.run(func(*args, **kwargs))

    app = App(__name__)

    async def by(_: object) -> str | None:
        return request.headers.get("X-User")

    @app.get("/")
    @cached_route(cache, "user", identity=by)
    def view() -> str:
        return request.headers["X-User"]

    web = app.test_client()
    answers = [web.get("/", headers={"X-User": user}) for user in ("ann", "bob", "ann")]
    assert [(one.text, one.headers["X-Cache"]) for one in answers] == [("ann", "MISS"), ("bob", "MISS"), ("ann", "HIT")]


def test_applications_from_a_factory() -> None:
    """One blueprint, any number of applications with caches of their own, of whose types it speaks, without globals."""
    rows = Blueprint("rows", __name__)

    @rows.get("/")
    @cached_route(current_cache, "rows")
    def view() -> str:
        return current_app.name

    def create_app(name: str) -> Flask:
        app = Flask(name)
        init_app(app, SyncCache("memory://", types=[Type("rows", ttl=10)]))
        app.register_blueprint(rows)
        return app

    one, other = create_app("one"), create_app("other")
    answers = [app.test_client().get("/") for app in (one, one, other)]
    assert [(a.text, a.headers["X-Cache"]) for a in answers] == [("one", "MISS"), ("one", "HIT"), ("other", "MISS")]
    for app in (one, other):
        with app.app_context():
            current_cache().stop()
    with pytest.raises(RuntimeError, match="another cache"):
        init_app(one, SyncCache("off"))
    bare = Flask("bare", root_path=".")
    bare.testing = True
    bare.register_blueprint(rows)
    with pytest.raises(RuntimeError, match=r"say init_app\(app, cache\)"):
        bare.test_client().get("/")
    init_app(strange := Flask("strange", root_path="."), SyncCache("off"))
    strange.testing = True
    strange.register_blueprint(rows)
    with pytest.raises(ValueError, match="no type is called 'rows'"):
        strange.test_client().get("/")
    with strange.app_context():
        current_cache().stop()


def test_the_first_requests_open_it_once(app: Flask, cache: SyncCache) -> None:
    """However many come at once; one that is open already is left as it is."""
    init_app(app, cache)

    @app.get("/")
    def view() -> str:
        return str(cache.get("a"))

    with served_wsgi(app) as url:
        assert {one.text for one in at_once(lambda: httpx.get(url, verify=NO_TLS))} == {"None"}
    assert [one.name for one in threading.enumerate()].count("hashcache") == 1
    cache.stop()
    assert "hashcache" not in {one.name for one in threading.enumerate()}


def test_what_is_wrong_is_said_when_decorating(cache: SyncCache) -> None:
    """A cache of the other sort, no cache at all, a type of users without an identity."""
    with pytest.raises(TypeError, match="not in a Cache"):
        cached_route(Cache("off"))  # type: ignore[arg-type]  # the mistake that is proved
    with pytest.raises(TypeError, match="not in a str"):
        cached_route("redis://localhost")  # type: ignore[arg-type]  # as above
    with pytest.raises(TypeError, match="identity="):
        cached_route(cache, "user")
    with pytest.raises(ValueError, match="no type is called"):
        cached_route(cache, "nothing")


def test_one_run_for_all(app: Flask, cache: SyncCache, bench: SyncBench) -> None:
    """25 threads of a real server ask at once: one of them runs the view, the others are told that they joined."""
    runs, arrived = list[int](), threading.Barrier(TOGETHER)

    @app.before_request
    def together() -> None:
        arrived.wait(10)

    @app.get("/")
    @cached_route(cache)
    def view() -> dict[str, int]:
        runs.append(threading.get_ident())
        return {"thread": threading.get_ident()}

    with served_wsgi(app) as url:
        answers = at_once(lambda: httpx.get(url, verify=NO_TLS))
    assert len(runs) == 1
    assert {one.content for one in answers} == {answers[0].content}
    told = [cache_status(one.headers["cache-status"]) for one in answers]
    assert sum("hit" in one or "collapsed" in one for one in told) == TOGETHER - 1


def test_never_kept_and_never_shared(app: Flask, cache: SyncCache, bench: SyncBench) -> None:
    """Each of those who wait runs the view himself: nobody is given another one's cookie, nor his refusal."""
    numbers, arrived = iter(range(1000)), threading.Barrier(TOGETHER)

    @app.before_request
    def together() -> None:
        arrived.wait(10)

    @app.get("/cookie")
    @cached_route(cache)
    def cookie() -> Response:
        answer = Response("hello")
        answer.set_cookie("visitor", str(next(numbers)))
        return answer

    @app.get("/refusal")
    @cached_route(cache)
    def refusal() -> str:
        abort(403, response=Response(str(next(numbers)), 403))

    with served_wsgi(app) as url:
        cookies = at_once(lambda: httpx.get(f"{url}/cookie", verify=NO_TLS))
        refusals = at_once(lambda: httpx.get(f"{url}/refusal", verify=NO_TLS))
    assert len({one.headers["set-cookie"] for one in cookies}) == TOGETHER
    assert len({one.text for one in refusals}) == TOGETHER
    assert {one.status_code for one in refusals} == {403}
    assert cache.stats().errors == 0


def test_what_is_streamed_or_leaves_work_is_never_kept(
    app: Flask, cache: SyncCache, bench: SyncBench, tmp_path: Path
) -> None:
    """Given as it is; and what was left for later is done each time."""
    done: list[str] = []
    (tmp_path / "file").write_bytes(b"file")

    @app.get("/<what>")
    @cached_route(cache)
    def view(what: str) -> ResponseReturnValue:
        match what:
            case "stream":
                return (piece for piece in ("a", "b"))
            case "file":
                return send_file(tmp_path / "file", mimetype="text/plain", max_age=60)
            case "close":
                answer = Response("close")
                answer.call_on_close(lambda: done.append("close"))
                return answer
        after_this_request(lambda answer: done.append("after") or answer)  # type: ignore[func-returns-value]  # short
        return "after"

    for path, body, why in (
        ("/stream", "ab", "streaming"),
        ("/file", "file", "streaming"),
        ("/close", "close", "background"),
        ("/after", "after", "background"),
    ):
        for _ in range(2):
            answer = app.test_client().get(path)
            assert answer.text == body
            answer.close()
        assert told(app, path) == ("BYPASS", why)
    assert done.count("after") == done.count("close") == 3


def test_who_changes_a_session_is_given_his_own_answer(app: Flask, cache: SyncCache, bench: SyncBench) -> None:
    """It goes out as a cookie after the cache has seen the answer. What hooks change counts not, nor does a look."""

    @app.before_request
    def lasting() -> None:
        if request.path == "/lasting":
            session.permanent = True

    @app.get("/writes")
    @cached_route(cache)
    def writes() -> str:
        session["token"] = "secret"
        return session["token"]

    @app.get("/flashes")
    @cached_route(cache)
    def flashes() -> str:
        flash("for you alone")
        return "flashed"

    @app.get("/changes")
    @cached_route(cache, identity=lambda _: session.get("user"))
    def changes() -> str:
        session["user"] = session["user"].upper()
        return "changed"

    @app.get("/reads")
    @cached_route(cache)
    def reads() -> str:
        return str(session.get("user"))

    @app.get("/lasting")
    @cached_route(cache)
    def plain() -> str:
        return "plain"

    @app.get("/plain")
    @cached_route(cache)
    def other() -> str:
        return "plain"

    for path in ("/writes", "/flashes"):
        assert [told(app, path) for _ in range(2)] == [("BYPASS", "session")] * 2
    web = app.test_client()
    with web.session_transaction() as own:
        own["user"] = "ann"
    assert "detail=session" in web.get("/changes").headers["Cache-Status"]
    for path in ("/reads", "/lasting", "/plain"):
        assert [told(app, path)[0] for _ in range(2)] == ["MISS", "HIT"]
    assert "Set-Cookie" in app.test_client().get("/lasting").headers
    assert "Vary" not in app.test_client().get("/plain").headers


def test_hooks_run_for_hits_too(app: Flask, cache: SyncCache, bench: SyncBench) -> None:
    """What the application adds to each answer is added once to each."""

    @app.after_request
    def counted(answer: Response) -> Response:
        answer.headers.add("X-Hook", "1")
        return answer

    @app.get("/")
    @cached_route(cache)
    def view() -> str:
        return "a"

    answers = [app.test_client().get("/") for _ in range(2)]
    assert [one.headers["X-Cache"] for one in answers] == ["MISS", "HIT"]
    assert [one.headers.getlist("X-Hook") for one in answers] == [["1"], ["1"]]


def test_a_view_runs_where_its_request_is(app: Flask, cache: SyncCache, bench: SyncBench, tmp_path: Path) -> None:
    """In its thread and its context: a connection of sqlite3, which refuses other threads, is there, and is closed."""
    closed: list[sqlite3.Connection] = []

    @app.teardown_appcontext
    def close(_: BaseException | None) -> None:
        if "rows" in g:
            g.rows.close()
            closed.append(g.rows)

    @app.get("/")
    @cached_route(cache, key=lambda _: f"rows:{g.word}")
    def view() -> str:
        return str(g.rows.execute("select ?", (g.word,)).fetchone()[0])

    @app.before_request
    def connect() -> None:
        g.rows = sqlite3.connect(tmp_path / "rows.sqlite3")
        g.word = request.args["word"]

    with served_wsgi(app) as url, httpx.Client(base_url=url, verify=NO_TLS) as web:
        answers = [web.get("/", params={"word": word}) for word in ("a", "a", "b")]
    assert [(one.text, one.headers["x-cache"]) for one in answers] == [("a", "MISS"), ("a", "HIT"), ("b", "MISS")]
    assert answers[0].headers["x-cache-key"] == "rows:a:GET"
    assert len(closed) == 3


def test_a_refresh_has_a_context_of_its_own(app: Flask, cache: SyncCache, bench: SyncBench) -> None:
    """For the same request, though its visitor has left; what it opens is closed when it ends."""
    left, refreshed, opened, closed = threading.Event(), threading.Event(), list[object](), list[object]()

    @app.teardown_appcontext
    def close(_: BaseException | None) -> None:
        closed.append(g.pop("connection", None))
        if len(closed) == 3:
            refreshed.set()

    @app.get("/")
    @cached_route(cache, Type("news", ttl=60, stale=60))
    def view() -> str:
        if opened:
            assert left.wait(5)
            assert "connection" not in g
        g.connection = object()
        opened.append(g.connection)
        return f"{request.args['word']} {len(opened)}"

    assert app.test_client().get("/?word=a").text == "a 1"
    bench.clock.advance(61)
    stale = app.test_client().get("/?word=a")
    assert (stale.text, stale.headers["X-Cache-Status"]) == ("a 1", "STALE")
    left.set()
    assert refreshed.wait(5)
    assert closed == [opened[0], None, opened[1]]


def test_bodies_that_somebody_has_read(app: Flask, cache: SyncCache, bench: SyncBench) -> None:
    """A form can be read after the cache; where it was read before, its bytes are gone, and nothing is kept."""

    @app.before_request
    def early() -> None:
        if request.path == "/early":
            assert request.form["word"]

    @app.post("/early", endpoint="early")
    @app.post("/late", endpoint="late")
    @cached_route(cache, reads=("POST",))
    def view() -> str:
        return request.form["word"]

    web = app.test_client()
    for path, told in (("/late", ["MISS", "HIT", "MISS"]), ("/early", ["BYPASS"] * 3)):
        answers = [web.post(path, data={"word": word}) for word in ("a", "a", "b")]
        assert [one.text for one in answers] == ["a", "a", "b"]
        assert [one.headers["X-Cache-Status"] for one in answers] == told
    app.config["MAX_CONTENT_LENGTH"] = 4
    assert web.post("/late", data={"word": "long"}).status_code == 413


def test_a_body_in_chunks_is_the_views_own(app: Flask, cache: SyncCache, bench: SyncBench) -> None:
    """Nobody knows how long it is; the view has it whole."""

    @app.post("/")
    @cached_route(cache, reads=("POST",))
    def view() -> bytes:
        return request.get_data()

    def pieces() -> Iterator[bytes]:
        yield b"ab"
        yield b"cd"

    with served_wsgi(app) as url:
        answer = httpx.post(url, content=pieces(), verify=NO_TLS)
    assert (answer.content, answer.headers["cache-status"]) == (b"abcd", "hashcache; fwd=bypass; detail=body")


def test_whom_the_server_knows_has_credentials(app: Flask, cache: SyncCache, bench: SyncBench) -> None:
    """REMOTE_USER, as servers set it that ask for a password themselves."""

    @app.get("/")
    @cached_route(cache)
    def view() -> str:
        return str(request.remote_user)

    assert told(app) == ("MISS", "source")
    assert told(app, environ_overrides={"REMOTE_USER": "ann"}) == ("BYPASS", "credentials")
    assert told(app) == ("HIT", "near")


def test_mounted_applications_are_kept_apart(cache: SyncCache, bench: SyncBench) -> None:
    """One cache, one server, the same view below two paths; also where the server does not tell what was sent."""

    def mounted(name: str) -> Flask:
        app = Flask(name, root_path=".")

        @app.get("/caf\u00e9")
        @cached_route(cache)
        def view() -> str:
            return name

        return app

    front = Flask("front", root_path=".")
    front.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]  # as Werkzeug's own documentation does
        front.wsgi_app, {"/one": mounted("one"), "/two": mounted("two")}
    )
    for unknown in ({}, {"REQUEST_URI": "", "RAW_URI": ""}):
        web = front.test_client()
        for name in ("one", "two", "one"):
            answer = web.get(f"/{name}/caf%C3%A9", environ_overrides=unknown)
            assert answer.text == name
            assert answer.headers["X-Cache-Key"].startswith(f"route:/{name}/caf%C3%A9:GET:")
        assert answer.headers["X-Cache"] == "HIT"


def test_the_cache_is_away(app: Flask, cache: SyncCache, caplog: pytest.LogCaptureFixture) -> None:
    """Not open: the view runs, and the log says why; so does the answer."""

    @app.get("/")
    @cached_route(cache)
    def view() -> str:
        return "a"

    assert told(app) == ("BYPASS", "cache-error")
    assert "this cache is not open" in caplog.text


def test_the_store_goes_away(valkey: Valkey, environment: str, app: Flask) -> None:
    """The view runs for each who asks, with its own answer."""
    numbers = iter(range(1, 10))
    with SyncCache(valkey.url, environment=environment, near_bytes=0) as cache:

        @app.get("/")
        @cached_route(cache)
        def view() -> str:
            return str(next(numbers))

        web = app.test_client()
        assert [web.get("/").text for _ in range(2)] == ["1", "1"]
        valkey.kill()
        assert [web.get("/").text for _ in range(2)] == ["2", "3"]
        assert told(app) == ("MISS", "store-away")
