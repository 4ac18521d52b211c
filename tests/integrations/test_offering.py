"""Answers to nearly the same question: what is offered, how it is marked, and when it is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from hashcache import Cache, SyncCache, Type
from hashcache.integrations.offering import Offer
from hashcache.testing import Bench, in_memory_sync
from tests.harness.turns import until

Make = Callable[[], Awaitable[Cache]]
QUESTION = "how do I reset the password of my account please"
NEARLY = "How do I reset the password of my account?"


class Desk:
    """A function that counts its runs."""

    def __init__(self, cache: Cache) -> None:
        self.runs = 0

        @cache.cached(Type("faq", ttl=60), per="user", tags=("faq:{lang}",))
        async def ask(question: str, lang: str = "en", user: str = "ada") -> str:
            self.runs += 1
            return f"{self.runs} {lang} {user}"

        self.ask = ask
        self.nearest = cache.similar(ask, "question", threshold=0.8)


@pytest.fixture
def desk(cache: Cache) -> Desk:
    """It belongs to the cache of the bench."""
    return Desk(cache)


async def remembered(cache: Cache) -> None:
    """Wait until what was answered is remembered."""
    await until(lambda: not cache.answering.opened.orders)


async def test_the_nearest_answer_is_offered_as_near(cache: Cache, desk: Desk, bench: Bench) -> None:
    """With its distance and its source; the very same question has its exact answer. Nothing runs."""
    assert await desk.nearest(NEARLY) is None
    await desk.ask(QUESTION)
    await remembered(cache)
    near, exact = await desk.nearest(NEARLY), await desk.nearest(QUESTION)
    assert near is not None
    assert exact == Offer("1 en ada", "exact", 0.0, near.source)
    assert (near.answer, near.match, near.distance) == ("1 en ada", "near", 0.1)
    assert await cache.get(near.source, user="ada") == "1 en ada"
    assert await desk.nearest("what is the weather like") is None
    assert desk.runs == 1


async def test_what_was_offered_is_never_stored_as_the_answer(cache: Cache, desk: Desk, bench: Bench) -> None:
    """Who asks the function itself has it run."""
    await desk.ask(QUESTION)
    await remembered(cache)
    assert await desk.nearest(NEARLY) is not None
    assert (await cache.stats()).keys == 1
    assert await desk.ask(NEARLY) == "2 en ada"


async def test_near_is_only_the_text(cache: Cache, desk: Desk, bench: Bench) -> None:
    """Not another language, not another user's, and not another number."""
    await desk.ask(QUESTION)
    await desk.ask("what does order 17 cost me all in all")
    await remembered(cache)
    assert await desk.nearest(NEARLY, lang="de") is None
    assert await desk.nearest(NEARLY, user="eve") is None
    assert await desk.nearest("what does order 18 cost me all in all") is None


@pytest.mark.parametrize("how", ["tag", "forget", "expiry", "clear"])
async def test_an_offer_ends_with_its_entry(cache: Cache, desk: Desk, bench: Bench, how: str) -> None:
    """However that ends; the next nearest is offered then, if there is one."""
    await desk.ask(QUESTION)
    await desk.ask("how do I reset the password of my own account please", lang="en")
    await remembered(cache)
    first = await desk.nearest(NEARLY)
    assert first is not None
    assert first.answer == "1 en ada"
    if how == "forget":
        await cache.forget(desk.ask, QUESTION)
        second = await desk.nearest(NEARLY)
        assert second is not None
        assert second.answer == "2 en ada"
        return
    if how == "expiry":
        bench.clock.advance(60)
    else:
        await (cache.invalidate(tag="faq:en") if how == "tag" else cache.clear())
    assert await desk.nearest(NEARLY) is None


async def test_another_process_invalidates_what_is_offered_here(make_cache: Make) -> None:
    """On a real server: the index is this process's own, the answer is everybody's."""
    one, two = await make_cache(), await make_cache()
    desk = Desk(one)
    await desk.ask(QUESTION)
    await remembered(one)
    assert await desk.nearest(NEARLY) is not None
    await two.invalidate(tag="faq:en")
    assert await desk.nearest(NEARLY) is None


async def test_an_embedding_that_fails_hinders_nobody_who_asks(
    cache: Cache, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is given; it is logged; and only who wants what is near is raised the error."""

    async def embed(text: str) -> list[float]:
        raise OSError(f"no model for {len(text)} characters")

    @cache.cached("static")
    async def ask(question: str) -> str:
        return question

    nearest = cache.similar(ask, "question", embed=embed)
    caplog.set_level(logging.WARNING)
    assert await ask(QUESTION) == QUESTION
    await remembered(cache)
    assert "cache.error operation=similar" in caplog.text
    assert await nearest(NEARLY) is None  # nothing is remembered, so nothing is compared
    assert (await cache.stats()).errors == 1


async def test_types_that_keep_nothing_offer_nothing(cache: Cache, bench: Bench) -> None:
    """Nor does an argument that is no text; what is no argument is said at once."""

    @cache.cached("conversations")
    async def say(text: str) -> str:
        return text

    @cache.cached("static")
    async def count(text: int) -> int:
        return text

    nearest, nearest_count = cache.similar(say, "text"), cache.similar(count, "text")
    await asyncio.gather(say("hello you there"), count(3))
    await remembered(cache)
    assert [await nearest("hello you there"), await nearest_count(4)] == [None, None]
    with pytest.raises(TypeError, match="no such parameter"):
        cache.similar(say, "question")


def test_without_a_loop_too() -> None:
    """The same words."""
    cache = SyncCache("memory://")

    async def settled() -> None:
        await until(lambda: not cache.answering.opened.orders)

    @cache.cached("static")
    def ask(question: str) -> str:
        return question.upper()

    nearest = cache.similar(ask, "question", threshold=0.8)
    with in_memory_sync(cache):
        ask(QUESTION)
        cache.run(settled())
        offer = nearest(NEARLY)
        assert offer is not None
        assert (offer.match, offer.answer) == ("near", QUESTION.upper())
