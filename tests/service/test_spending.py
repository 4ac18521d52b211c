"""The load that pays: what it lets through, what it counts, what it frees."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from hashcache.core.content import Content, Kind
from hashcache.core.digest import Digest
from hashcache.core.errors import ProviderFailed, ProviderInvalid, ProviderTimeout
from hashcache.core.key import Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Result, Verdict
from hashcache.engine.load import LoadFailed
from hashcache.ports import Answer, Body, Estimate, Pending, Terms
from hashcache.service.failures import recall
from hashcache.service.spending import Purchase
from tests.harness.held import HeldBody

CONTENT = Content(Kind.IMAGE, "image/jpeg", Digest(b"\0" * 32, 3))
RESULT = Result(
    verdict=Verdict.AI_GENERATED,
    score_ai=0.98,
    confidence=Confidence.HIGH,
    evidence=(),
    provider="shop",
    model="model",
    model_version=None,
    analysed_at="2026-11-20T10:00:00Z",
    answer={"score": 0.98},
)


@dataclass
class Vendor:
    """A provider of our own, in two phases: *script* gives what `start` and each `resume` answer."""

    script: list[Callable[[], Answer | Pending]]
    name: str = "shop"
    kinds: frozenset[Kind] = frozenset(Kind)
    receipts: list[str] = field(default_factory=list)

    def question(self, kind: Kind, tenant: str) -> Question:
        return Question(kind, tenant, self.name, "model")

    terms = Terms("call", MicroDollars(10_000))

    async def estimate(self, content: Content, _body: Body) -> Estimate:
        assert content is CONTENT
        return Estimate(MicroDollars(10_000))

    async def start(self, content: Content, body: Body) -> Answer | Pending:
        assert content is CONTENT
        assert b"".join([chunk async for chunk in body.chunks()]) == b"abc"
        return self.script.pop(0)()

    async def resume(self, receipt: str) -> Answer | Pending:
        self.receipts.append(receipt)
        return self.script.pop(0)()

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Told:
    """An observer that writes down what it is told about money."""

    bought_prices: list[tuple[int, bool]] = field(default_factory=list)
    lost_errors: list[Exception] = field(default_factory=list)

    def bought(self, provider: str, price: MicroDollars, *, duration: float, stored: bool) -> None:
        assert provider == "shop"
        assert duration >= 0
        self.bought_prices.append((price, stored))

    def lost(self, provider: str, *, duration: float, error: Exception, price: MicroDollars) -> None:
        assert (provider, price) == ("shop", 10_000)
        assert duration >= 0
        self.lost_errors.append(error)


def answer(**changed: Any) -> Answer:
    """A good answer, but for what is *changed*."""
    return Answer(msgspec.structs.replace(RESULT, **changed), MicroDollars(12_000))


def purchase(vendor: Vendor, told: Told, *, deadline: float = 5, most: int = 10_000) -> Purchase:
    """A purchase of three bytes."""
    return Purchase(vendor, CONTENT, HeldBody(b"abc"), observer=told, deadline=deadline, most=most)  # type: ignore[arg-type]  # it is told of nothing else


async def test_an_answer_becomes_its_json_and_its_own_price() -> None:
    """The payload is the `result` object; what the vendor charged counts, not what was estimated."""
    told = Told()
    loaded = await purchase(Vendor([answer]), told)("token")
    assert msgspec.json.decode(loaded.payload, type=Result) == RESULT
    assert (loaded.price, loaded.keep) == (12_000, True)
    assert told.bought_prices == [(12_000, True)]


async def test_a_job_is_asked_for_until_it_is_done() -> None:
    """The receipt of `start` and those of later answers are what is asked with."""
    soon = timedelta(0)
    vendor = Vendor([lambda: Pending("one", soon), lambda: Pending("two", soon), answer])
    assert (await purchase(vendor, Told())("token")).price == 12_000
    assert vendor.receipts == ["one", "two"]


@pytest.mark.parametrize(
    "changed",
    [
        {"score_ai": 2.0},
        {"score_ai": -0.1},
        {"score_ai": float("nan")},
        {"provider": "other"},
        {"answer": {1, object()}},
    ],
    ids=["above", "below", "nan", "provider", "unwritable"],
)
async def test_nonsense_never_becomes_a_result(changed: dict[str, Any]) -> None:
    """Whatever an adapter lets through: it is an error, and counted as possibly paid."""
    told = Told()
    with pytest.raises(LoadFailed) as raised:
        await purchase(Vendor([lambda: answer(**changed)]), told)("token")
    error = recall(raised.value)
    assert isinstance(error, ProviderInvalid)
    assert error.possibly_paid
    assert (told.bought_prices, told.lost_errors) == ([], [error])


async def test_a_job_that_never_ends_is_cut_at_the_deadline() -> None:
    """One deadline for all phases; the call may have been billed."""
    told = Told()
    vendor = Vendor([lambda: Pending("one", timedelta(seconds=60))])
    with pytest.raises(LoadFailed) as raised:
        await purchase(vendor, told, deadline=0.01)("token")
    error = recall(raised.value)
    assert isinstance(error, ProviderTimeout)
    assert error.possibly_paid
    assert told.lost_errors == [error]


async def test_a_fault_of_the_machine_is_a_failed_provider() -> None:
    """An OSError on the way is translated, so that it is answered as a problem and counted."""

    def broken() -> Answer:
        raise OSError("no more descriptors")

    with pytest.raises(LoadFailed) as raised:
        await purchase(Vendor([broken]), Told())("token")
    assert isinstance(recall(raised.value), ProviderFailed)


async def test_too_large_an_answer_loses_its_raw_part_first() -> None:
    """Kept without `answer` when that suffices, else given whole and not kept."""
    big = {"raw": "x" * 5000}
    slim = await purchase(Vendor([lambda: answer(answer=big)]), Told(), most=1000)("token")
    assert slim.keep
    assert msgspec.json.decode(slim.payload)["answer"] is None
    whole = await purchase(Vendor([lambda: answer(answer=big)]), Told(), most=10)("token")
    assert not whole.keep
    assert msgspec.json.decode(whole.payload)["answer"] == big


async def test_the_bytes_are_freed_when_it_is_closed() -> None:
    """Used or not, closing it closes the body."""
    body = HeldBody(b"abc")
    one = Purchase(Vendor([answer]), CONTENT, body, observer=Told(), deadline=1, most=1)  # type: ignore[arg-type]  # as above
    await one.close()
    assert body.closed


async def test_a_cancelled_purchase_is_no_lost_call_of_ours_to_swallow() -> None:
    """Cancelling it at the end of the service goes through."""
    vendor = Vendor([lambda: Pending("one", timedelta(seconds=60))])
    task = asyncio.create_task(purchase(vendor, Told())("token"))
    await asyncio.wait({task}, timeout=0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
