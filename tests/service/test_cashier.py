"""Leave to spend, with the store there and away."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from hashcache.core.budget import Budget, Period
from hashcache.core.content import Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import BudgetSpent, OutcomeUnknown, ProviderDown, ProviderThrottled, StoreUnavailable
from hashcache.core.key import Key, Question
from hashcache.core.money import MicroDollars
from hashcache.core.spend import Account, Fate
from hashcache.ports import Attempt, Health, Rules, Settlement
from hashcache.service.cashier import Cashier
from hashcache.stores.accounts import MemoryAccounts
from tests.harness.clock import HandClock
from tests.harness.service import until

CENT = MicroDollars(10_000)
ACCOUNT = Account("shop", "image", "acme")
BOUGHT = Settlement(Fate.STORED, CENT)


class Line:
    """The line to the accounts: while it is *away* nothing goes through; *asked* counts what was asked."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._accounts = accounts
        self.away = False
        self.asked = 0

    def __getattr__(self, verb: str) -> Any:
        async def ask(*arguments: Any, **named: Any) -> Any:
            self.asked += 1
            if self.away:
                raise StoreUnavailable("away")
            return await getattr(self._accounts, verb)(*arguments, **named)

        return ask


@dataclass
class House:
    """A fleet's accounts, and cashiers of processes that share them."""

    budgets: tuple[Budget, ...] = ()
    rules: Rules = field(default_factory=Rules)
    peers: int = 1
    patience: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.clock = HandClock()
        self.accounts = MemoryAccounts(self.clock)
        self.numbers = itertools.count()

    def now(self) -> Instant:
        return Instant(self.clock())

    def process(self) -> tuple[Cashier, Line]:
        """One more process."""
        line = Line(self.accounts)
        cashier = Cashier(
            line,  # type: ignore[arg-type]  # it passes every verb on
            self.budgets,
            self.rules,
            now=self.now,
            peers=self.count,
            patience=self.patience,
        )
        return cashier, line

    async def count(self) -> int:
        return self.peers

    def attempt(self, *, key: int | None = None, estimate: MicroDollars = CENT, tenant: str = "acme") -> Attempt:
        """One more attempt; at a key of its own unless one is named."""
        number = next(self.numbers)
        name = Key.of(f"{number if key is None else key:064x}", Question(Kind.IMAGE, "acme", "shop", "m"))
        now = self.now()
        account = Account("shop", "image", tenant)
        return Attempt(f"token-{number}", name, account, estimate, now, Instant(now + 60_000), "process")

    async def figures(self) -> dict[str, int]:
        """What the books say, each figure by its name."""
        return {line.partition("|")[0]: count for line, count in (await self.accounts.totals()).items() if count}


async def test_without_the_store_calls_go_on_and_are_booked_when_it_is_back() -> None:
    """No budget is set: nothing is refused, nothing is lost, nothing is booked twice."""
    house = House()
    cashier, line = house.process()
    line.away = True
    one, two = await cashier.admit(house.attempt()), await cashier.admit(house.attempt())
    await cashier.settle(one, BOUGHT)
    cashier.start()
    await until(lambda: line.asked)
    line.away = False
    await cashier.settle(two, Settlement(Fate.FAILED, wasted=CENT))
    await cashier.close()
    assert await house.figures() == {"calls": 2, "stored": 1, "failed": 1, "spent": 10_000, "wasted": 10_000}
    assert not await house.accounts.attempts()


async def test_an_end_that_could_not_be_booked_is_booked_later() -> None:
    """The store went away between reservation and end."""
    house = House((Budget(MicroDollars(100_000), Period.DAY),))
    cashier, line = house.process()
    attempt = await cashier.admit(house.attempt())
    line.away = True
    await cashier.settle(attempt, Settlement(Fate.STORED, MicroDollars(7_000)))
    assert await house.figures() == {}
    line.away = False
    cashier.start()
    await cashier.close()
    assert await house.figures() == {"calls": 1, "stored": 1, "spent": 7_000}
    assert await house.accounts.used([house.budgets[0].charge(house.now())]) == [7_000]


async def test_row_52_two_hundred_at_once_against_fifty() -> None:
    """Exactly 50 are let through, over several processes; 150 are told when the budget begins anew."""
    house = House((Budget(MicroDollars(50 * CENT), Period.MONTH, tenant="acme"),))
    cashiers = [house.process()[0] for _ in range(4)]
    answers = await asyncio.gather(
        *(cashiers[number % 4].admit(house.attempt()) for number in range(200)), return_exceptions=True
    )
    assert sum(isinstance(one, Attempt) for one in answers) == 50
    refused = [one for one in answers if isinstance(one, BudgetSpent)]
    assert len(refused) == 150
    assert {one.budget for one in refused} == {"tenant=acme"}
    assert all(one.retry_after and one.retry_after > 0 for one in refused)
    assert isinstance(await cashiers[0].admit(house.attempt(tenant="globex")), Attempt), "others are not concerned"


async def test_a_share_of_what_was_left_while_the_store_is_away() -> None:
    """Left were 90 cents at the last contact; one of three processes may spend 30, at real prices."""
    house = House((Budget(MicroDollars(100 * CENT), Period.DAY),), peers=3)
    cashier, line = house.process()
    cashier.start()
    await until(lambda: line.asked)
    await cashier.settle(await cashier.admit(house.attempt(estimate=MicroDollars(10 * CENT))), BOUGHT)
    line.away = True
    for _ in range(29):
        await cashier.settle(await cashier.admit(house.attempt()), BOUGHT)
    last = await cashier.admit(house.attempt())
    with pytest.raises(BudgetSpent):
        await cashier.admit(house.attempt())
    await cashier.settle(last, Settlement(Fate.FAILED))
    assert await cashier.admit(house.attempt()), "what failed free of charge may be spent again"
    await cashier.close()


async def test_a_store_that_comes_and_goes_gives_no_share_twice() -> None:
    """
    What was spent without the store, and is not booked there yet, is not to be spent again: not when it is back, and
    not when it goes away once more.
    """
    house = House((Budget(MicroDollars(10 * CENT), Period.DAY),))
    cashier, line = house.process()
    await cashier.settle(await cashier.admit(house.attempt()), BOUGHT)
    line.away = True
    alone = [await cashier.admit(house.attempt()) for _ in range(5)]
    line.away = False
    granted = [await cashier.admit(house.attempt()) for _ in range(4)]
    with pytest.raises(BudgetSpent):
        await cashier.admit(house.attempt())
    line.away = True
    with pytest.raises(BudgetSpent):
        await cashier.admit(house.attempt())
    line.away = False
    for attempt in alone + granted:
        await cashier.settle(attempt, BOUGHT)
    cashier.start()
    await cashier.close()
    assert await house.figures() == {"calls": 10, "stored": 10, "spent": 100_000}


async def test_a_share_is_one_share_however_often_the_store_goes() -> None:
    """One of two processes: what it spent without the store is of the same share when the store goes away again."""
    house = House((Budget(MicroDollars(10 * CENT), Period.DAY),), peers=2)
    cashier, line = house.process()
    cashier.start()
    await until(lambda: line.asked)
    for alone in (4, 0):
        line.away = False
        await cashier.admit(house.attempt())
        line.away = True
        for _ in range(alone):
            await cashier.admit(house.attempt())
        with pytest.raises(BudgetSpent):
            await cashier.admit(house.attempt())
    await cashier.close()


async def test_a_moment_without_an_answer_spends_no_share() -> None:
    """Under a budget a store that does not answer is asked again for a while: the reservation is made there."""
    house = House((Budget(MicroDollars(10 * CENT), Period.DAY),), patience=timedelta(seconds=20))
    cashier, line = house.process()
    line.away = True
    asked = asyncio.create_task(cashier.admit(house.attempt()))
    await until(lambda: line.asked >= 2, what="it is asked again")
    line.away = False
    attempt = await asked
    assert [one.token for one in await house.accounts.attempts()] == [attempt.token]


async def test_a_store_that_was_never_there_leaves_no_share() -> None:
    """Nobody knows what others have spent: with a budget nothing is bought."""
    house = House((Budget(MicroDollars(100 * CENT), Period.DAY),))
    cashier, line = house.process()
    line.away = True
    with pytest.raises(BudgetSpent):
        await cashier.admit(house.attempt())


async def test_row_37_a_refused_account_closes_the_provider_for_the_fleet() -> None:
    """After one 401 no process asks; each finds out with one command, then with none; later one probe goes through."""
    house = House(rules=Rules(denied_pause=timedelta(seconds=60)))
    one, _ = house.process()
    two, line = house.process()
    await one.settle(await one.admit(house.attempt()), Settlement(Fate.FAILED, health=Health.DENIED))
    for _ in range(5):
        with pytest.raises(ProviderDown) as raised:
            await two.admit(house.attempt())
        assert "account" in str(raised.value)
    assert line.asked == 1
    assert two.excluded("shop") is not None
    house.clock.advance(timedelta(seconds=61))
    assert two.excluded("shop") is None
    probe = await two.admit(house.attempt())
    with pytest.raises(ProviderDown):
        await one.admit(house.attempt())
    await two.settle(probe, BOUGHT)
    house.clock.advance(timedelta(seconds=61))
    assert await one.admit(house.attempt())


async def test_row_30_a_vendor_that_asks_to_wait_is_left_alone_by_the_fleet() -> None:
    """What it told one process holds for all: they are told how long it still is, and raise no alarm; then one goes."""
    house = House()
    one, _ = house.process()
    two, line = house.process()
    wait = Settlement(Fate.FAILED, health=Health.THROTTLED, pause=timedelta(seconds=30))
    with capture_logs() as logs:
        await one.settle(await one.admit(house.attempt()), wait)
        for cashier in (two, two, one):
            with pytest.raises(ProviderThrottled) as raised:
                await cashier.admit(house.attempt())
            assert raised.value.retry_after == 30
    assert logs == []
    assert line.asked == 1
    house.clock.advance(timedelta(seconds=31))
    probe = await two.admit(house.attempt())
    with pytest.raises(ProviderThrottled):
        await one.admit(house.attempt())
    await two.settle(probe, BOUGHT)
    house.clock.advance(timedelta(seconds=61))
    assert await one.admit(house.attempt())


async def test_a_dead_attempt_is_counted_as_unknown() -> None:
    """Nobody asked again: it is found when its time is over."""
    house = House()
    dying, _ = house.process()
    await dying.admit(house.attempt())
    house.clock.advance(timedelta(minutes=2))
    cashier, _ = house.process()
    cashier.start()
    await until(lambda: reaped(house))
    await cashier.close()
    assert await house.figures() == {"calls": 1, "unknown": 1, "wasted": 10_000}


async def reaped(house: House) -> bool:
    """Whether nothing is on record any more."""
    return not await house.accounts.attempts()


@pytest.mark.parametrize("tries", [1, 2])
async def test_after_an_unknown_outcome_the_policy_decides(tries: int) -> None:
    """`buy`: once more, and not a third time; `fail`: not at all."""
    house = House(rules=Rules(tries=tries))
    for _ in range(tries):
        cashier, _ = house.process()
        await cashier.admit(house.attempt(key=1))
    with pytest.raises(OutcomeUnknown):
        await house.process()[0].admit(house.attempt(key=1))
    assert (await house.figures())["unknown"] == tries


async def test_what_is_owed_is_bounded() -> None:
    """A store that stays away for ever does not fill the memory; what was given up is counted."""
    house = House()
    cashier, line = house.process()
    line.away = True
    for _ in range(10_050):
        await cashier.settle(await cashier.admit(house.attempt()), BOUGHT)
    assert cashier.given_up == 50
