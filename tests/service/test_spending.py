"""The load that pays: what it lets through, what it counts, what it frees."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from hashcache.core.budget import Budget, Period
from hashcache.core.content import Content, Kind
from hashcache.core.digest import Digest
from hashcache.core.entry import Instant
from hashcache.core.errors import (
    BudgetSpent,
    ProviderDenied,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
)
from hashcache.core.key import Key, Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Result, Verdict
from hashcache.core.spend import Account
from hashcache.engine.load import Kept, LoadFailed
from hashcache.ports import Answer, Body, Estimate, Pending, Rules, Terms
from hashcache.service.cashier import Cashier
from hashcache.service.failures import recall
from hashcache.service.spending import Purchase, Till
from hashcache.stores.accounts import MemoryAccounts
from tests.harness.clock import HandClock
from tests.harness.held import HeldBody
from tests.harness.service import until

CONTENT = Content(Kind.IMAGE, "image/jpeg", Digest(b"\0" * 32, 3))
KEY = Key.of("0" * 64, Question(Kind.IMAGE, "default", "shop", "model"))
ACCOUNT = Account("shop", "image", "default")
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
    declined_errors: list[Exception] = field(default_factory=list)

    def bought(self, provider: str, price: MicroDollars, *, duration: float, stored: bool) -> None:
        assert provider == "shop"
        assert duration >= 0
        self.bought_prices.append((price, stored))

    def lost(self, provider: str, *, duration: float, error: Exception, price: MicroDollars) -> None:
        assert (provider, price) == ("shop", 10_000 if getattr(error, "possibly_paid", False) else 0)
        assert duration >= 0
        self.lost_errors.append(error)

    def declined(self, provider: str, error: Exception) -> None:
        assert provider == "shop"
        self.declined_errors.append(error)


def answer(**changed: Any) -> Answer:
    """A good answer, but for what is *changed*."""
    return Answer(msgspec.structs.replace(RESULT, **changed), MicroDollars(12_000))


@dataclass
class Shop:
    """Where purchases are paid: accounts in memory under a clock in the test's hand, and their cashier."""

    clock: HandClock = field(default_factory=HandClock)
    budgets: tuple[Budget, ...] = ()
    rules: Rules = field(default_factory=Rules)
    told: Told = field(default_factory=Told)

    def __post_init__(self) -> None:
        self.accounts = MemoryAccounts(self.clock)
        self.cashier = Cashier(
            self.accounts, self.budgets, self.rules, now=self.now, peers=one_peer, patience=timedelta()
        )

    def now(self) -> Instant:
        return Instant(self.clock())

    def purchase(
        self, vendor: Vendor, *, deadline: float = 5, most: int = 10_000, body: HeldBody | None = None
    ) -> Purchase:
        """A purchase of three bytes."""
        till = Till(self.cashier, "process", self.now, self.told, most=most)  # type: ignore[arg-type]  # told of money only
        return Purchase(
            vendor,
            CONTENT,
            body or HeldBody(b"abc"),
            key=KEY,
            account=ACCOUNT,
            till=till,
            deadline=timedelta(seconds=deadline),
        )

    async def booked(self) -> dict[str, int]:
        """What the books say, each figure by its name, but for what is 0."""
        return {line.partition("|")[0]: count for line, count in (await self.accounts.totals()).items() if count}


async def one_peer() -> int:
    """Nobody else is there."""
    return 1


@pytest.fixture
def shop() -> Shop:
    """A shop without budgets."""
    return Shop()


async def test_an_answer_becomes_its_json_and_its_own_price(shop: Shop) -> None:
    """The payload is the `result` object; what the vendor charged counts, not what was estimated."""
    one = shop.purchase(Vendor([answer]))
    loaded = await one("token")
    assert msgspec.json.decode(loaded.payload, type=Result) == RESULT
    assert (loaded.price, loaded.keep) == (12_000, True)
    assert shop.told.bought_prices == [(12_000, True)]
    assert [attempt.token for attempt in await shop.accounts.attempts()] == ["token"]
    await one.kept(Kept.STORED, duplicate=False)
    assert await shop.booked() == {"calls": 1, "stored": 1, "spent": 12_000}
    assert not await shop.accounts.attempts()


async def test_a_job_is_asked_for_until_it_is_done(shop: Shop) -> None:
    """The receipt of `start` and those of later answers are what is asked with."""
    soon = timedelta(0)
    vendor = Vendor([lambda: Pending("one", soon), lambda: Pending("two", soon), answer])
    assert (await shop.purchase(vendor)("token")).price == 12_000
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
async def test_nonsense_never_becomes_a_result(shop: Shop, changed: dict[str, Any]) -> None:
    """Whatever an adapter lets through: it is an error, and counted as possibly paid."""
    with pytest.raises(LoadFailed) as raised:
        await shop.purchase(Vendor([lambda: answer(**changed)]))("token")
    error = recall(raised.value)
    assert isinstance(error, ProviderInvalid)
    assert error.possibly_paid
    assert (shop.told.bought_prices, shop.told.lost_errors) == ([], [error])


async def test_a_job_that_never_ends_is_cut_at_the_deadline(shop: Shop) -> None:
    """One deadline for all phases; the call may have been billed."""
    vendor = Vendor([lambda: Pending("one", timedelta(seconds=60))])
    with pytest.raises(LoadFailed) as raised:
        await shop.purchase(vendor, deadline=0.01)("token")
    error = recall(raised.value)
    assert isinstance(error, ProviderTimeout)
    assert error.possibly_paid
    assert shop.told.lost_errors == [error]


async def test_a_fault_of_the_machine_is_a_failed_provider(shop: Shop) -> None:
    """An OSError on the way is translated, so that it is answered as a problem and counted."""

    def broken() -> Answer:
        raise OSError("no more descriptors")

    with pytest.raises(LoadFailed) as raised:
        await shop.purchase(Vendor([broken]))("token")
    assert isinstance(recall(raised.value), ProviderFailed)


async def test_too_large_an_answer_loses_its_raw_part_first(shop: Shop) -> None:
    """Kept without `answer` when that suffices, else given whole and not kept."""
    big = {"raw": "x" * 5000}
    slim = await shop.purchase(Vendor([lambda: answer(answer=big)]), most=1000)("token")
    assert slim.keep
    assert msgspec.json.decode(slim.payload)["answer"] is None
    whole = await shop.purchase(Vendor([lambda: answer(answer=big)]), most=10)("token")
    assert not whole.keep
    assert msgspec.json.decode(whole.payload)["answer"] == big


async def test_the_bytes_are_freed_when_it_is_closed(shop: Shop) -> None:
    """Used or not, closing it closes the body."""
    body = HeldBody(b"abc")
    one = shop.purchase(Vendor([answer]), body=body)
    await one.close()
    assert body.closed


async def test_a_cancelled_purchase_is_no_lost_call_of_ours_to_swallow(shop: Shop) -> None:
    """Cancelling it at the end of the service goes through."""
    vendor = Vendor([lambda: Pending("one", timedelta(seconds=60))])
    task = asyncio.create_task(shop.purchase(vendor)("token"))
    await asyncio.wait({task}, timeout=0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await shop.booked() == {"calls": 1, "unknown": 1, "wasted": 10_000}


@pytest.mark.parametrize(
    ("error", "figures"),
    [
        (ProviderFailed("shop", ""), {"failed": 1}),
        (ProviderTimeout("shop", "", possibly_paid=True), {"failed": 1, "wasted": 10_000}),
        (ProviderRejected("shop", ""), {"failed": 1}),
        (ProviderDenied("shop", ""), {"failed": 1}),
    ],
)
async def test_a_call_without_an_answer_failed(shop: Shop, error: Exception, figures: dict[str, int]) -> None:
    """It is in that class and no other; what may have been billed is wasted."""

    def refuse() -> Answer:
        raise error

    with pytest.raises(LoadFailed):
        await shop.purchase(Vendor([refuse]))("token")
    assert await shop.booked() == {"calls": 1, **figures}
    assert not await shop.accounts.attempts()


@pytest.mark.parametrize(
    ("error", "heard"),
    [
        (ProviderFailed("shop", ""), [(1, "")]),
        (ProviderTimeout("shop", ""), [(1, "")]),
        (ProviderInvalid("shop", ""), [(1, "")]),
        (ProviderDenied("shop", ""), [(1, "denied")]),
        (ProviderThrottled("shop", "", retry_after=30.0), [(0, "throttled")]),
        (ProviderThrottled("shop", ""), []),
        (ProviderRejected("shop", ""), []),
    ],
)
async def test_what_a_failure_says_of_its_provider(shop: Shop, error: Exception, heard: list[tuple[int, str]]) -> None:
    """To the fleet: one failure more, a refused account, a wait for all; or nothing, when the content was refused."""

    def refuse() -> Answer:
        raise error

    with pytest.raises(LoadFailed):
        await shop.purchase(Vendor([refuse]))("token")
    assert [(one.failures, one.reason) for one in await shop.accounts.breakers()] == heard


@pytest.mark.parametrize(
    ("how", "duplicate", "figures"),
    [
        (Kept.STORED, False, {"stored": 1, "spent": 12_000}),
        (Kept.UNKEPT, False, {"unkept": 1, "spent": 12_000}),
        (Kept.FENCED, False, {"fenced": 1, "spent": 12_000}),
        (Kept.STORED, True, {"stored": 1, "wasted": 12_000, "duplicate": 1}),
    ],
)
async def test_an_answer_is_booked_by_what_became_of_it(
    shop: Shop,
    how: Kept,
    *,
    duplicate: bool,
    figures: dict[str, int],
) -> None:
    """In one class; what was bought twice was wasted."""
    one = shop.purchase(Vendor([answer]))
    await one("token")
    await one.kept(how, duplicate=duplicate)
    await one.kept(how, duplicate=duplicate)
    assert await shop.booked() == {"calls": 1, **figures}


async def test_another_process_asks_on_for_a_job_that_was_taken(shop: Shop) -> None:
    """Killed after the vendor took the job: the next holder of the claim resumes it, and nothing is sent again."""
    vendor = Vendor([lambda: Pending("job-1", timedelta(seconds=60))])
    dying = asyncio.create_task(shop.purchase(vendor)("first"))
    await until(lambda: noted(shop))
    heir = Vendor([answer])
    two = shop.purchase(heir)
    await two("second")
    await two.kept(Kept.STORED, duplicate=False)
    assert heir.receipts == ["job-1"]
    assert await shop.booked() == {"calls": 1, "stored": 1, "spent": 12_000}
    dying.cancel()
    await asyncio.wait({dying})
    assert await shop.booked() == {"calls": 1, "stored": 1, "spent": 12_000}, "whoever lost it books nothing"


async def noted(shop: Shop) -> bool:
    """Whether the receipt is on record."""
    return any(attempt.receipt for attempt in await shop.accounts.attempts())


async def test_what_the_vendor_would_refuse_costs_nothing(shop: Shop) -> None:
    """Nothing is reserved, sent, booked or remembered."""

    class Choosy(Vendor):
        async def estimate(self, _content: Content, _body: Body) -> Estimate:
            raise ProviderRejected("shop", "too long")

    with pytest.raises(LoadFailed) as raised:
        await shop.purchase(Choosy([answer]))("token")
    assert raised.value.kind == ""
    assert isinstance(recall(raised.value), ProviderRejected)
    assert await shop.booked() == {}
    assert len(shop.told.declined_errors) == 1


async def test_row_52_a_spent_budget_forbids_the_call() -> None:
    """Nothing is sent; the error tells which budget, and when it begins anew."""
    shop = Shop(budgets=(Budget(MicroDollars(15_000), Period.DAY, provider="shop"),))
    one = shop.purchase(Vendor([answer]))
    await one("one")
    vendor = Vendor([answer])
    with pytest.raises(LoadFailed) as raised:
        await shop.purchase(vendor)("two")
    error = recall(raised.value)
    assert isinstance(error, BudgetSpent)
    assert (error.budget, error.resets[10:]) == ("provider=shop", "T00:00:00Z")
    assert len(vendor.script) == 1, "nothing was sent"
