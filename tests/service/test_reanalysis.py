"""What is counted as older, and how much of the store is looked at for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.key import Key, Names, Question
from hashcache.core.money import FREE, MicroDollars
from hashcache.engine.cache import Cache
from hashcache.engine.near import Near
from hashcache.ports import Terms
from hashcache.service.reanalysis import MOST_KEYS, Reanalysis
from hashcache.service.routing import Routing
from hashcache.stores.memory import MemoryStore
from tests.harness.clock import HandClock

DAY = timedelta(days=1)
CENT = MicroDollars(10_000)


class Shop:
    """As much of a provider as is asked here."""

    name = "shop"
    kinds = frozenset({Kind.IMAGE, Kind.TEXT})
    terms = Terms("call", CENT, ai_above=0.5)

    def question(self, kind: Kind, tenant: str) -> Question:
        """What is asked."""
        return Question(kind, tenant, self.name, "model")


class House:
    """A store with some entries, and who looks for the older ones. *epoch* is what the settings say."""

    def __init__(self, monotonic: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = HandClock()
        self.store = MemoryStore(Names("test"), Envelope(most=1_000_000), self.clock, 50_000_000)
        self.cache = Cache(
            self.store,
            self.store.channel,
            Near(0),
            token=lambda: "token",
            chance=lambda: 0.5,
            observer=_Deaf(),
        )
        self.epoch = 0
        self.shop = Shop()
        self.routing = Routing({kind: [self.shop] for kind in Shop.kinds}, lambda _: self.epoch)  # type: ignore[list-item]  # as much of a provider as is asked here
        self.reanalysis = Reanalysis(self.cache, self.routing, monotonic=monotonic)
        self.bought = 0

    async def buy(
        self, payload: bytes = b'{"score_ai":0.9}', *, kind: Kind = Kind.IMAGE, provider: str = "shop", error: str = ""
    ) -> Key:
        """One more entry, bought now under the barrier in force."""
        self.bought += 1
        question = self.routing.question(self.shop, kind, "default")  # type: ignore[arg-type]  # see above
        key = Key.of(f"{self.bought:064x}", question)
        bid = await self.store.claim(key, "token", DAY)
        now = self.store.now()
        entry = Entry(
            key,
            Label(kind.value, "default", provider),
            payload,
            bid.barrier.sequence,
            now,
            Instant(now + DAY // timedelta(milliseconds=1)),
            FREE if error else CENT,
            error=error,
        )
        assert bid.claim is not None
        assert await self.store.commit(bid.claim, entry)
        return key

    async def older(self, near: float = 0.1) -> tuple[dict[str, int], int, list[float]]:
        """By kind, micro-dollars, and the scores that were near."""
        found = await self.reanalysis.count(self.shop, near=near)  # type: ignore[arg-type]  # see above
        assert found.complete
        return dict(found.kinds), found.cost, [score for _, _, score in found.nearest]


class _Deaf:
    """Nobody asks whether the store is there."""

    def store(self, *, available: bool, reason: str) -> None:
        """Nothing."""


async def test_only_older_answers_of_that_provider_count() -> None:
    """None before the epoch is raised, none after it, none of another provider, no failure."""
    house = House()
    await house.buy()
    await house.buy(kind=Kind.TEXT)
    await house.buy(provider="other")
    await house.buy(error="vendor-limit")
    assert await house.older() == ({}, 0, [])
    await house.store.advance("shop", "new model")
    await house.buy()
    assert await house.older() == ({"image": 1, "text": 1}, 2 * CENT, [])


async def test_what_raising_it_now_would_make_old() -> None:
    """The answers of the present epoch: the others, and as many as the older ones are once it was raised."""
    house = House()
    await house.buy()
    await house.store.advance("shop", "new model")
    await house.buy(kind=Kind.TEXT)
    await house.buy(error="vendor-limit")
    found = await house.reanalysis.count(house.shop, near=0.1, present=True)  # type: ignore[arg-type]  # see above
    assert (dict(found.kinds), found.cost) == ({"text": 1}, CENT)
    await house.store.advance("shop", "another one")
    assert await house.older() == ({"image": 1, "text": 1}, 2 * CENT, [])


async def test_decimals_are_compared_as_people_do() -> None:
    """0.8 is within 0.3 of 0.5."""
    house = House()
    await house.buy(b'{"score_ai":0.8}')
    await house.store.advance("shop", "new model")
    assert await house.older(0.3) == ({"image": 1}, CENT, [0.8])


async def test_an_epoch_that_was_set_counts_too() -> None:
    """What lies where nobody looks any more, because the settings say another number."""
    house = House()
    await house.buy()
    house.epoch = 1
    await house.buy()
    assert await house.older() == ({"image": 1}, CENT, [])


async def test_what_was_cleared_or_has_expired_does_not_count() -> None:
    """Also while it has not been swept yet."""
    house = House()
    await house.buy(kind=Kind.TEXT)
    await house.store.advance("shop", "new model")
    assert await house.older() == ({"text": 1}, CENT, [])
    await house.store.forbid(Selector(kind="text"), "cleared, and nobody sweeps")
    assert await house.older() == ({}, 0, [])
    house = House()
    await house.buy()
    await house.store.advance("shop", "new model")
    house.clock.advance(DAY)
    assert await house.older() == ({}, 0, [])


@pytest.mark.parametrize("payload", [b"{}", b'{"score_ai":null}', b"junk", b'{"score_ai":"0.5"}', b"[" * 50_000])
async def test_an_answer_without_a_score_is_counted_and_not_near(payload: bytes) -> None:
    """It was paid for all the same."""
    house = House()
    await house.buy(payload)
    await house.store.advance("shop", "new model")
    assert await house.older(1) == ({"image": 1}, CENT, [])


async def test_the_nearest_are_named_and_all_are_counted() -> None:
    """Of many near ones, those that a new model turns soonest, in order; decimals are compared as people do."""
    house = House()
    scores = [0.5 + number / 10_000 for number in range(3 * MOST_KEYS)]
    for score in [*scores[::2], *scores[1::2], 0.4, 0.6, 0.399, 0.601]:
        await house.buy(f'{{"score_ai":{score!r}}}'.encode())
    await house.store.advance("shop", "new model")
    found = await house.reanalysis.count(house.shop, near=0.1)  # type: ignore[arg-type]  # see above
    assert found.doubtful == len(scores) + 2
    assert [score for _, _, score in found.nearest] == scores[:MOST_KEYS]


async def test_large_answers_are_read_a_few_at_a_time() -> None:
    """However many a page names, about a megabyte comes at once."""
    house = House()
    read: list[int] = []
    ask = house.store.read

    async def watched(keys: list[Key]) -> object:
        read.append(len(keys))
        return await ask(keys)

    for _ in range(5):
        await house.buy(b'{"score_ai":0.5,"answer":"%s"}' % secrets.token_hex(400_000).encode())
    for _ in range(60):
        await house.buy()
    await house.store.advance("shop", "new model")
    house.store.read = watched  # type: ignore[assignment, method-assign]  # it only looks on
    assert (await house.older())[0] == {"image": 65}
    assert max(read) <= 50
    assert len(read) >= 4
    assert min(read) <= 2


async def test_a_scan_that_takes_too_long_says_so() -> None:
    """At the deadline it stops, with what it has; so it does with none."""
    ticks = iter(range(0, 100, 15))
    house = House(monotonic=lambda: float(next(ticks)))
    for _ in range(1_200):
        await house.buy()
    await house.store.advance("shop", "new model")
    found = await house.reanalysis.count(house.shop, near=0.1)  # type: ignore[arg-type]  # see above
    assert (found.complete, found.scanned, found.kinds["image"]) == (False, 500, 500)
