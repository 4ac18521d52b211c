"""Decorated functions: which calls share an answer, who runs, who is told what, what a write forgets."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest

from hashcache import Cache, Keys, NoCanonicalForm, NotKept, RememberedFailure, Type
from hashcache.testing import Bench
from tests.harness.turns import until_waiting
from tests.integrations.conftest import Work

AGENTS = Keys("agents:list:{org}:{params}")


async def test_equal_calls_share_an_answer(cache: Cache, bench: Bench, work: Work) -> None:
    """By position or by name, with the default said or not; another argument is another answer."""

    @cache.cached("dashboard")
    async def dashboard(org: int, *, days: int = 7, **filters: str) -> int:
        """What it is."""
        return await work()

    same = [await dashboard(1), await dashboard(org=1), await dashboard(1, days=7), await dashboard(days=7, org=1)]
    assert same == [1, 1, 1, 1]
    assert await dashboard(1, a="x", b="y") == await dashboard(1, b="y", a="x") == 2
    assert await dashboard(org=True) == 3
    assert dashboard.__doc__ == "What it is."
    assert str(inspect.signature(dashboard)).startswith("(org: 'int', *, days: 'int' = 7")
    assert inspect.iscoroutinefunction(dashboard)
    bench.clock.advance(300)
    assert await dashboard(1) == 4


async def test_calls_that_python_takes_for_equal_are_not(cache: Cache, bench: Bench, work: Work) -> None:
    """1, True and 1.0; by position and by name; asked once and again, and with more calls than are known by heart."""

    @cache.cached()
    async def number(a: object = 0, b: object = 0) -> int:
        return await work()

    async def each() -> list[int]:
        calls = [await number(one) for one in (1, True, 1.0, "1", b"1", None, 0, False, -0.0, 0.0)]
        return [*calls, await number(0, 1), await number(b=1), await number(1, 0)]

    first = await each()
    assert first == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 1]
    for other in range(1100):
        await number("x", other)
    assert await each() == first


async def test_methods_ignore_self_but_not_its_class(cache: Cache, bench: Bench, work: Work) -> None:
    """Two instances share an answer, unless they are told apart by per=; two classes never do."""

    class Shop:
        def __init__(self, number: int) -> None:
            self.number = number

        @cache.cached()
        async def price(self, thing: str) -> int:
            return await work() if thing else 0

        @cache.cached(per=lambda self, *_: self.number)
        async def own_price(self, thing: str) -> int:
            return await work() if thing else 0

        @classmethod
        @cache.cached()
        async def most(cls) -> int:
            return await work()

    class Outlet(Shop):
        pass

    assert [await shop.price("pen") for shop in (Shop(1), Shop(2), Outlet(1))] == [1, 1, 2]
    assert [await shop.own_price("pen") for shop in (Shop(1), Shop(2), Shop(1))] == [3, 4, 3]
    assert [await Shop.most(), await Outlet.most(), await Shop.most()] == [5, 6, 5]


async def test_a_strange_argument_is_named_at_the_first_call(cache: Cache, bench: Bench, work: Work) -> None:
    """With how to give a key; the function has not run. Wrong calls fail as they would without the cache."""

    @cache.cached()
    async def rows(session: object, id: int) -> int:  # noqa: A002 - as users write
        return await work()

    @cache.cached(key="rows:{id}")
    async def keyed(session: object, id: int) -> int:  # noqa: A002 - as above
        return await work()

    with pytest.raises(NoCanonicalForm, match=r"the argument 'session' is a object.*key="):
        await rows(object(), 1)
    with pytest.raises(TypeError, match="missing a required argument: 'id'"):
        await rows(1)  # type: ignore[call-arg]  # the mistake that this is about
    assert work.calls == 0
    assert [await keyed(object(), 1), await keyed(object(), id=1), await keyed(object(), 2)] == [1, 1, 2]
    assert await cache.get("rows:1") == 1


async def test_a_hundred_callers_share_a_run(cache: Cache, bench: Bench, work: Work) -> None:
    """One runs, whoever asks meanwhile waits for it; each is given a value of his own."""
    work.gate.clear()

    @cache.cached()
    async def slow() -> dict[str, int]:
        return {"n": await work()}

    callers = [asyncio.create_task(slow()) for _ in range(100)]
    await until_waiting(callers)
    work.gate.set()
    answers = await asyncio.gather(*callers)
    assert answers == [{"n": 1}] * 100
    answers[0]["n"] = 7
    assert answers[1] == {"n": 1}
    assert await slow() == {"n": 1}
    assert [call.ran for call in bench.calls].count(True) == 1


async def test_a_caller_who_leaves_cancels_nobody(cache: Cache, bench: Bench, work: Work) -> None:
    """Not even the one whose call began the run: the others are given its answer, and it is kept."""
    work.gate.clear()

    @cache.cached()
    async def slow() -> int:
        return await work()

    first = asyncio.create_task(slow())
    await work.entered.wait()
    second = asyncio.create_task(slow())
    await until_waiting([second])
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.gate.set()
    assert await second == 1
    assert await slow() == 1


async def test_what_a_function_raises_reaches_all_who_wait_and_is_not_kept(
    cache: Cache, bench: Bench, work: Work
) -> None:
    """The very error; whoever asks later has a run of his own."""
    work.gate.clear()
    work.failing = ValueError("bad")

    @cache.cached()
    async def failing() -> int:
        return await work()

    callers = [asyncio.create_task(failing()) for _ in range(3)]
    await until_waiting(callers)
    work.gate.set()
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert [error is work.failing for error in errors] == [True] * 3
    assert work.calls == 1
    work.failing = None
    assert await failing() == 2


class Strange(Exception):
    """An error that cannot be made from its arguments."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


@dataclass
class Missing(LookupError):
    """Nobody is called so."""

    name: str = ""


async def test_a_type_may_remember_errors(cache: Cache, bench: Bench, work: Work) -> None:
    """Those it names, for as long as it says: the like is raised without a run. Others are not remembered."""
    kind = Type("people", negatives={KeyError: 10, Strange: 10, LookupError: 10})

    @cache.cached(kind)
    async def person(name: str) -> int:
        return await work()

    work.failing = KeyError("ann")
    for _ in range(2):
        with pytest.raises(KeyError) as raised:
            await person("ann")
        assert raised.value.args == ("ann",)
    assert raised.value.__notes__ == ["Remembered by hashcache; the function runs again in 10 s."]
    work.failing = Strange(1, 2)
    with pytest.raises(Strange):
        await person("bob")
    with pytest.raises(RememberedFailure, match=r"Strange: 1 and 2"):
        await person("bob")
    work.failing = Missing("eve")
    for _ in range(2):
        with pytest.raises(LookupError):
            await person("eve")
    assert work.calls == 3
    work.failing = ValueError("other")
    for _ in range(2):
        with pytest.raises(ValueError, match="other"):
            await person("kim")
    assert work.calls == 5
    bench.clock.advance(10)
    work.failing = None
    assert await person("ann") == 6


async def test_an_expired_answer_serves_while_computing_fails(cache: Cache, bench: Bench, work: Work) -> None:
    """`stale_if_error`: whatever the function raises, for as long as the type says."""

    @cache.cached(Type("news", ttl=60, stale_if_error=100))
    async def news() -> int:
        return await work()

    assert await news() == 1
    bench.clock.advance(60)
    work.failing = OSError("no network")
    assert await news() == 1
    assert [call.status for call in bench.calls] == ["MISS", "STALE"]
    bench.clock.advance(100)
    with pytest.raises(OSError, match="no network"):
        await news()


async def test_an_expired_answer_serves_while_a_new_one_is_computed(cache: Cache, bench: Bench, work: Work) -> None:
    """`stale`: nobody waits; a plain function is refreshed in a thread of its own."""
    threads: list[str] = []
    refreshed = threading.Event()

    @cache.cached(Type("news", ttl=60, stale=100))
    def news() -> int:
        threads.append(threading.current_thread().name)
        if len(threads) == 2:
            refreshed.set()
        return len(threads)

    assert await asyncio.to_thread(news) == 1
    bench.clock.advance(60)
    assert await asyncio.to_thread(news) == 1
    assert await asyncio.to_thread(refreshed.wait, 5)
    assert threads[1] == "hashcache function"
    await cache.answering.opened.engine.flights.drain(cache.answering.settings.grace)
    assert await asyncio.to_thread(news) == 2


async def test_unless_gives_the_answer_and_keeps_it_not(cache: Cache, bench: Bench, work: Work) -> None:
    """An empty answer, say."""

    @cache.cached(unless=lambda answer: answer < 3)
    async def number() -> int:
        return await work()

    assert [await number() for _ in range(4)] == [1, 2, 3, 3]


async def test_each_user_has_his_own_and_nobody_has_none(cache: Cache, bench: Bench, work: Work) -> None:
    """`per`: the argument's name or a function of the arguments; for None the function runs and nothing is kept."""

    @cache.cached("user", key="profile", per="user_id")
    async def profile(user_id: int | None) -> int:
        return await work()

    assert [await profile(1), await profile(2), await profile(1)] == [1, 2, 1]
    assert [await profile(None), await profile(None)] == [3, 4]
    assert await cache.get("profile") is None
    assert await cache.get("profile", user="2") == 2


async def test_who_asks_is_asked_anew_at_each_call(cache: Cache, bench: Bench, work: Work) -> None:
    """`per` and `key` may read what is no argument, such as who is logged in: equal calls of two users differ."""
    user: ContextVar[str] = ContextVar("user", default="ann")

    @cache.cached("user", per=lambda _: user.get())
    async def profile(page: int) -> int:
        return await work()

    @cache.cached(key=lambda _: f"of:{user.get()}")
    async def keyed(page: int) -> int:
        return await work()

    assert [await profile(1), await profile(1), await keyed(1), await keyed(1)] == [1, 1, 2, 2]
    user.set("bob")
    assert [await profile(1), await keyed(1)] == [3, 4]


async def test_an_annotated_result_is_kept_as_its_class(cache: Cache, bench: Bench) -> None:
    """A dataclass comes back as one; what JSON would change is an error that says where."""

    @cache.cached()
    async def point(x: int) -> Spot:
        return Spot(x, (1, 2))

    @cache.cached()
    async def pair() -> Any:
        return {"at": (1, 2)}

    assert await point(1) == await point(1) == Spot(1, (1, 2))
    assert bench.calls[-1].status == "HIT"
    with pytest.raises(NotKept, match=r"the value\['at'\] \(tuple\)"):
        await pair()


@dataclass
class Spot:
    """A place."""

    x: int
    at: tuple[int, int]


async def test_a_write_forgets_what_it_touches_after_it_succeeded(cache: Cache, bench: Bench, work: Work) -> None:
    """A key, a pattern, a tag, a type; when it raises, nothing."""

    @cache.cached(key="agent:{id}", tags=("org:{org}",))
    async def agent(id: int, org: str) -> int:  # noqa: A002 - as users write
        return await work()

    @cache.cached("lists", key=AGENTS)
    async def agents(org: str, params: dict[str, int]) -> int:
        return await work()

    @cache.invalidates("lists", key="agent:{id}")
    async def write(id: int, error: bool = False) -> str:  # noqa: A002, FBT001, FBT002 - as above
        if error:
            raise ValueError("not written")
        return "written"

    @cache.invalidates(pattern=AGENTS, tag="org:{org}")
    async def rename(org: str) -> None:
        return None

    async def state() -> list[int]:
        return [await agent(1, "a"), await agent(2, "a"), await agents("a", {"p": 1}), await agents("b", {})]

    assert await state() == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="not written"):
        await write(1, error=True)
    assert await state() == [1, 2, 3, 4]
    assert await write(1) == "written"
    assert await state() == [5, 2, 6, 7]
    await rename("a")
    assert await state() == [8, 9, 10, 7]


async def test_a_write_whose_caller_leaves_forgets_all_the_same(cache: Cache, bench: Bench, work: Work) -> None:
    """It has been written: what is kept is wrong."""
    written = asyncio.Event()

    @cache.cached(key="agent:{id}")
    async def agent(id: int) -> int:  # noqa: A002 - as users write
        return await work()

    @cache.invalidates(key="agent:{id}")
    async def write(id: int) -> None:  # noqa: A002 - as above
        written.set()

    assert await agent(1) == 1
    writer = asyncio.create_task(write(1))
    await written.wait()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    await asyncio.gather(*cache.answering.opened.orders)
    assert await agent(1) == 2


async def test_one_call_can_be_forgotten(cache: Cache, bench: Bench, work: Work) -> None:
    """By its arguments, without knowing its key."""

    @cache.cached()
    async def dashboard(org: int) -> int:
        return await work()

    assert [await dashboard(1), await dashboard(2)] == [1, 2]
    assert await cache.forget(dashboard, org=1)
    assert not await cache.forget(dashboard, 3)
    assert [await dashboard(1), await dashboard(2)] == [3, 2]
    with pytest.raises(TypeError, match="not decorated"):
        await cache.forget(len, [])


async def test_a_plain_function_runs_in_the_thread_that_asked(cache: Cache, bench: Bench) -> None:
    """What belongs to a thread is there; on the loop itself it says what to do instead of blocking."""
    ran: list[int] = []

    @cache.cached()
    def plain(x: int) -> int:
        ran.append(threading.get_ident())
        return x

    @cache.invalidates("default")
    def write() -> int:
        return threading.get_ident()

    def ask() -> int:
        assert plain(7) == plain(7) == 7
        return threading.get_ident()

    assert ran == [await asyncio.to_thread(ask)]
    await asyncio.to_thread(write)
    await asyncio.to_thread(ask)
    assert len(ran) == 2
    for call in (plain, lambda _: write()):
        with pytest.raises(RuntimeError, match="plain function"):
            call(7)


@pytest.mark.parametrize(
    ("wishes", "word"),
    [
        ({"key": "a:{nobody}"}, "nobody"),
        ({"tags": ("a:{nobody}",)}, "nobody"),
        ({"tags": "a"}, "tuple"),
        ({"per": "nobody"}, "nobody"),
        ({"type": "user"}, "for each user"),
        ({"type": "unknown"}, "no type is called"),
        ({"ttl": 0}, "nothing is kept for ever"),
        ({"key": "{x}{x}"}, "colon"),
    ],
)
def test_what_does_not_fit_is_said_when_decorating(cache: Cache, wishes: dict[str, Any], word: str) -> None:
    """Not at the first call."""

    async def function(x: int) -> int:
        return x

    with pytest.raises((TypeError, ValueError), match=word):
        cache.cached(**wishes)(function)


def test_what_is_no_function_is_not_decorated(cache: Cache) -> None:
    """A generator yields what cannot be kept; without parentheses the function is taken for a type."""

    async def stream() -> Any:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        cache.cached()(stream)
    with pytest.raises(TypeError, match="parentheses"):
        cache.cached(stream)  # type: ignore[arg-type]  # the mistake that this is about
    with pytest.raises(TypeError, match="what the write forgets"):
        cache.invalidates()(test_what_is_no_function_is_not_decorated)
    with pytest.raises(ValueError, match="pattern="):
        cache.invalidates(key="a:*")(test_what_is_no_function_is_not_decorated)
