"""An application that forgets a great deal, on a real server, beside what the service has paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from hashcache import Cache
from hashcache.core.barrier import MOST, encode
from hashcache.core.content import Kind
from hashcache.core.entry import Label
from hashcache.core.key import Key, Question
from hashcache.core.policy import Policy
from tests.harness.loads import Shop

SEVEN_DAYS = Policy(ttl=timedelta(days=7))
PAID = [Key.of(f"{number:064}", Question(Kind.IMAGE, "default", "shop", "model")) for number in range(3)]
LABEL = Label("image", "default", "shop", ("org:1",))


async def test_a_thousand_tags_touch_nothing_that_was_paid_for(make_cache: Callable[[], Awaitable[Cache]]) -> None:
    """
    One tag for each object, fifty writes at a time, from two processes: each write is forgotten, what was paid for is
    still there and known to both, a purchase that was under way all the time is kept, and the record stays small.
    """
    shop = Shop()
    shop.gate.set()
    one, two = await make_cache(), await make_cache()
    engines = [cache.answering.opened.engine for cache in (one, two)]
    for key in PAID[:2]:
        await engines[0].get_or_load(key, LABEL, SEVEN_DAYS, shop.load())
    shop.gate.clear()
    shop.entered.clear()
    buying = asyncio.create_task(engines[1].get_or_load(PAID[2], LABEL, SEVEN_DAYS, shop.load()))
    await shop.entered.wait()

    @one.invalidates(tag="org:{number}")
    async def rename(number: int) -> None:
        """A write."""

    @two.invalidates(tag="org:{number}")
    async def move(number: int) -> None:
        """Another."""

    async def write(number: int) -> list[object]:
        """What is left of an object that was just read, in both processes; most objects were not."""
        if number % 10 == 0:
            await one.set(f"org:{number}", number, tags=(f"org:{number}",))
        await (rename if number % 20 else move)(number)
        return [await cache.get(f"org:{number}") for cache in (one, two) if number % 10 == 0]

    for begin in range(0, 1000, 50):
        told = await asyncio.gather(*(write(number) for number in range(begin, begin + 50)))
        assert not any(value for values in told for value in values)
    shop.gate.set()
    assert (await buying).stored
    for engine in engines:
        assert [(await engine.look([key])).outcome is not None for key in PAID] == [True] * 3
    barrier = await one.answering.opened.store.barrier()
    assert len(barrier.open) <= MOST
    assert len(encode(barrier)) <= 16_000
    assert (await one.stats()).errors == (await two.stats()).errors == 0
    assert shop.paid == len(PAID)
