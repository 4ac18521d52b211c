"""Several providers for one kind: who is asked, whose answer is served, and when nobody else may be asked."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from hashcache.core.content import Content, Kind
from hashcache.core.digest import Digest
from hashcache.core.envelope import Envelope
from hashcache.core.errors import (
    ProviderDenied,
    ProviderDown,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
)
from hashcache.core.key import Names, Question
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Status
from hashcache.core.result import Confidence, Result, Verdict
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations
from hashcache.engine.near import Near
from hashcache.ports import Answer, Body, Estimate, Rules, Terms
from hashcache.service.analyse import Analyses, Lives
from hashcache.service.callers import ANONYMOUS
from hashcache.service.cashier import Cashier
from hashcache.service.routing import Routing
from hashcache.service.spending import Till
from hashcache.stores.memory import MemoryStore
from tests.harness.clock import HandClock
from tests.harness.held import HeldBody


class Quiet:
    """An observer who is not interested."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@dataclass
class Vendor:
    """Says its name, or fails."""

    name: str
    failing: ProviderError | None = None
    refusing: bool = False
    asked: int = 0
    kinds: frozenset[Kind] = frozenset(Kind)
    terms: Terms = field(default_factory=lambda: Terms("call", MicroDollars(10_000)))

    def question(self, kind: Kind, tenant: str) -> Question:
        return Question(kind, tenant, self.name, "model")

    async def estimate(self, _content: Content, _body: Body) -> Estimate:
        if self.refusing:
            raise ProviderRejected(self.name, "not this format")
        return Estimate(MicroDollars(10_000))

    async def start(self, _content: Content, body: Body) -> Answer:
        assert b"".join([chunk async for chunk in body.chunks()]) == b"abc"
        self.asked += 1
        if self.failing is not None:
            raise self.failing
        return Answer(result(self.name), MicroDollars(10_000))


def result(provider: str) -> Result:
    """What *provider* says."""
    return Result(
        verdict=Verdict.INCONCLUSIVE,
        score_ai=None,
        confidence=Confidence.NONE,
        evidence=(),
        provider=provider,
        model="model",
        model_version=None,
        analysed_at="2026-11-20T10:00:00Z",
        answer=None,
    )


class House:
    """Two providers for images, in order, and a cache."""

    def __init__(self) -> None:
        self.clock = clock = HandClock()
        self.first, self.second = Vendor("first"), Vendor("second")
        store = MemoryStore(names=Names("test"), envelope=Envelope(most=10_000), clock=clock, most=10**6)
        tokens = itertools.count()
        self.accounts = store.accounts
        self.cache = Cache(
            store,
            store.channel,
            Near(100_000),
            token=lambda: f"token-{next(tokens)}",
            chance=lambda: 0.5,
            observer=Quiet(),
        )
        cashier = Cashier(store.accounts, (), Rules(), now=store.now, peers=self._one)
        till = Till(cashier, "process", store.now, Quiet(), most=10_000)  # type: ignore[arg-type]  # not interested
        week, soon = timedelta(days=7), timedelta(seconds=5)
        lives = Lives(dict.fromkeys(Kind, week), dict.fromkeys(Kind, soon), timedelta(seconds=8), 10_000)
        routing = Routing({Kind.IMAGE: [self.first, self.second]})  # type: ignore[list-item]  # no closing here
        self.analyses = Analyses(self.cache, Invalidations(self.cache), routing, lives, till)
        self.body = HeldBody(b"abc")

    async def _one(self) -> int:
        return 1

    async def ask(self, **wishes: bool) -> str:
        """Who answers; the bytes are freed in the end."""
        self.clock.advance(timedelta(milliseconds=1))
        content = Content(Kind.IMAGE, "image/jpeg", Digest(hashlib.sha256(b"abc").digest(), 3))
        self.body = HeldBody(b"abc")
        try:
            outcome = await self.analyses.analyse(content, self.body, ANONYMOUS, **wishes)
        finally:
            assert self.body.closed
        return f"{outcome.entry.label.provider} {outcome.status.value}"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Open, and closed afterwards."""
    house = House()
    await house.cache.open()
    yield house
    await house.cache.close(timedelta(seconds=1))


async def test_the_first_is_asked(house: House) -> None:
    """And nobody else."""
    assert await house.ask() == "first MISS"
    assert await house.ask() == "first HIT"
    assert (house.first.asked, house.second.asked) == (1, 0)


@pytest.mark.parametrize(
    "failure",
    [
        ProviderDenied("first", "401"),
        ProviderThrottled("first", "429", retry_after=60),
        ProviderRejected("first", "415"),
        ProviderFailed("first", "unreachable"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_the_next_is_asked_when_nothing_was_billed(house: House, failure: ProviderError) -> None:
    """Its answer is stored under its own name, and served from then on, although the first is back."""
    house.first.failing = failure
    assert await house.ask() == "second MISS"
    house.first.failing = None
    assert await house.ask() == "second HIT"
    assert (house.first.asked, house.second.asked) == (1, 1)


async def test_the_next_is_asked_for_a_format_that_the_first_does_not_take(house: House) -> None:
    """It is not even tried."""
    house.first.refusing = True
    assert await house.ask() == "second MISS"
    assert (house.first.asked, house.second.asked) == (0, 1)


@pytest.mark.parametrize(
    "failure",
    [
        ProviderTimeout("first", "late", possibly_paid=True),
        ProviderInvalid("first", "nonsense", possibly_paid=True),
        ProviderFailed("first", "502", possibly_paid=True),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_nobody_else_is_asked_when_it_may_have_billed(house: House, failure: ProviderError) -> None:
    """One question is not paid twice."""
    house.first.failing = failure
    with pytest.raises(type(failure)):
        await house.ask()
    assert house.second.asked == 0


async def test_all_down_the_first_ones_reason_is_told(house: House) -> None:
    """Whoever set the order wants to know what is wrong with his first choice."""
    house.first.failing, house.second.failing = ProviderDenied("first", "401"), ProviderDenied("second", "402")
    with pytest.raises(ProviderDenied, match="401"):
        await house.ask()
    with pytest.raises(ProviderDown) as raised:
        await house.ask()
    assert raised.value.provider == "first"


async def test_a_provider_that_is_down_is_not_asked_again(house: House) -> None:
    """The fleet's breaker is open: the second is asked at once."""
    house.first.failing = ProviderDenied("first", "401")
    assert await house.ask() == "second MISS"
    assert await house.ask(refresh=True) == "second MISS"
    assert await house.ask(refresh=True) == "second MISS"
    assert (house.first.asked, house.second.asked) == (1, 3)


async def test_a_refresh_asks_the_first_again(house: House) -> None:
    """Although the second's answer is there."""
    house.first.refusing = True
    await house.ask()
    house.first.refusing = False
    assert await house.ask(refresh=True) == "first MISS"
    assert await house.ask() == f"first {Status.HIT.value}"
