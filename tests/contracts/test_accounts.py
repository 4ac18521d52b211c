"""
What all accounts promise, on each of them: the SQLite file and the Redis server are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.budget import Budget, Charge, Period
from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.money import FREE, MicroDollars
from hashcache.core.spend import Account, Fate, added, day_of
from hashcache.ports import (
    Accounts,
    Attempt,
    Batch,
    Breaker,
    Day,
    Granted,
    Health,
    Reason,
    Refused,
    Rules,
    Settlement,
)
from tests.contracts.backends import KINDS, Backend, Both, backend_of

HIVE = Account("hive", "image", "default")
CENT = MicroDollars(10_000)
RULES = Rules()
ALWAYS = date(2000, 1, 1)
MINUTE, HOUR, A_DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STORED = Settlement(Fate.STORED, CENT)
FAILED = Settlement(Fate.FAILED, health=Health.FAILED)


@pytest.fixture(params=KINDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    """Each store in turn. A server is started only when its turn comes."""
    async with backend_of(request.param, tmp_path, request.getfixturevalue) as backend:
        yield backend


@pytest.fixture
async def store(backend: Backend) -> Both:
    """One instance."""
    return await backend.instance()


@pytest.fixture
def accounts(store: Both) -> Accounts:
    """Its accounts."""
    return store.accounts


@pytest.fixture
def budgets(store: Both) -> list[Charge]:
    """A dollar a day in all, and two a month for the provider."""
    budgets = [Budget(MicroDollars(1_000_000), Period.DAY), Budget(MicroDollars(2_000_000), Period.MONTH, "hive")]
    return [budget.charge(store.now()) for budget in budgets]


def key(number: int) -> Key:
    """One of many keys."""
    return Key("analysis", f"{number:064x}", f"{number:032x}")


def attempt(
    store: Both, token: str, *, at: int = 1, estimate: int = CENT, lasting: timedelta = MINUTE, account: Account = HIVE
) -> Attempt:
    """An attempt at one of the keys, which starts now."""
    now = store.now()
    until = Instant(now + lasting // timedelta(milliseconds=1))
    return Attempt(token, key(at), account, MicroDollars(estimate), now, until, "process")


def lines(account: Account = HIVE, **figures: int) -> dict[str, int]:
    """*figures* as lines."""
    return account.lines(figures)


async def granted(
    accounts: Accounts, one: Attempt, charges: list[Charge] | None = None, rules: Rules = RULES, *, force: bool = False
) -> Attempt:
    """*one* as it is on record; it must be let through."""
    answer = await accounts.reserve(one, charges or [], rules, force=force)
    assert isinstance(answer, Granted)
    return answer.attempt


async def booked(accounts: Accounts) -> Mapping[str, int]:
    """The lines of all days, which agree with those of each day."""
    totals = await accounts.totals()
    days = await accounts.days(ALWAYS)
    assert {name: n for name, n in added(day.lines for day in days).items() if n} == totals
    return totals


# Reserving and settling


async def test_empty_accounts_are_empty(accounts: Accounts, budgets: list[Charge]) -> None:
    """Before anything was paid there is nothing, and nobody is refused because of it."""
    assert (await accounts.attempts(), await accounts.breakers(), await accounts.days(ALWAYS)) == ([], [], [])
    assert (await accounts.totals(), await accounts.used([]), await accounts.used(budgets)) == ({}, [], [0, 0])
    assert await accounts.reap() == []


async def test_an_attempt_is_on_record_until_it_is_settled(
    store: Both, backend: Backend, accounts: Accounts, budgets: list[Charge]
) -> None:
    """As it was handed in, with the names of its charges; every process sees it. Then its lines are booked."""
    other = (await backend.instance()).accounts
    one = attempt(store, "a")
    answer = await accounts.reserve(one, budgets, RULES)
    on_record = replace(one, charges=(budgets[0].name, budgets[1].name))
    assert answer == Granted(on_record, {budgets[0].name: 990_000, budgets[1].name: 1_990_000})
    assert await other.attempts() == [on_record]
    assert await other.used(budgets) == [CENT, CENT]
    assert await other.totals() == {}
    assert await accounts.settle(on_record, replace(STORED, units={"operations": 5}))
    assert await other.attempts() == []
    assert await booked(other) == lines(**{"calls": 1, "stored": 1, "spent": CENT, "units.operations": 5})
    assert await other.days(ALWAYS) == [Day(day_of(store.now()), await other.totals())]


async def test_windows_are_corrected_to_what_it_cost(store: Both, accounts: Accounts, budgets: list[Charge]) -> None:
    """More, less, nothing, or wasted: drawn is what was or may be billed; never below nothing."""
    drawn = 0
    for token, price, wasted in (("a", 25_000, 0), ("b", 3_000, 0), ("c", 0, 0), ("d", 0, 7_000), ("e", 0, 10_000)):
        one = await granted(accounts, attempt(store, token), budgets)
        fate = Fate.STORED if price else Fate.FAILED
        assert await accounts.settle(one, Settlement(fate, MicroDollars(price), MicroDollars(wasted)))
        drawn += price + wasted
        assert await accounts.used(budgets) == [drawn, drawn]
    assert await booked(accounts) == lines(calls=5, stored=2, failed=3, spent=28_000, wasted=17_000)


async def test_labels_stand_beside_the_classes(store: Both, accounts: Accounts) -> None:
    """A refresh and a duplicate are told, each by account."""
    hers = Account("sightengine", "video", "acme")
    one = await granted(accounts, replace(attempt(store, "a", account=hers), refresh=True))
    await accounts.settle(one, Settlement(Fate.FENCED, wasted=CENT, duplicate=True))
    two = await granted(accounts, attempt(store, "b", at=2))
    await accounts.settle(two, Settlement(Fate.UNKEPT, CENT))
    first = lines(hers, calls=1, fenced=1, wasted=CENT, duplicate=1, refresh=1)
    assert await booked(accounts) == first | lines(calls=1, unkept=1, spent=CENT)


async def test_attempts_come_in_the_order_in_which_they_started(
    backend: Backend, store: Both, accounts: Accounts
) -> None:
    """The oldest first, whatever their keys are."""
    for number, token in ((3, "x"), (1, "y"), (2, "z")):
        await granted(accounts, attempt(store, token, at=number))
        backend.leap(MINUTE / 60)
    assert [one.token for one in await accounts.attempts()] == ["x", "y", "z"]


async def test_large_amounts_are_exact(store: Both, accounts: Accounts) -> None:
    """Billions of dollars in millionths, to the last one, in windows and lines."""
    most = 9_000_000_000_000_000
    charge = Charge("all|ever", MicroDollars(most), Instant(store.now() + 1000))
    for number in range(4):
        one = attempt(store, f"t{number}", at=number, estimate=2_000_000_000_000_001)
        await accounts.settle(await granted(accounts, one, [charge]), Settlement(Fate.STORED, one.estimate))
    assert await accounts.used([charge]) == [8_000_000_000_000_004]
    assert (await booked(accounts))[HIVE.line("spent")] == 8_000_000_000_000_004


# Budgets


async def test_a_budget_is_exact_over_the_fleet(backend: Backend, store: Both) -> None:
    """200 at the same moment from five processes against 50: 50 go, 150 are told which budget and until when."""
    fleet = [(await backend.instance()).accounts for _ in range(5)]
    day = Budget(MicroDollars(50), Period.DAY).charge(store.now())
    roomy = Budget(MicroDollars(1000), Period.MONTH).charge(store.now())
    asked = (
        fleet[number % 5].reserve(attempt(store, f"t{number}", at=number, estimate=1), [roomy, day], RULES)
        for number in range(200)
    )
    answers = await asyncio.gather(*asked)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert refused == [Refused(Reason.BUDGET, day.name, day.ends)] * 150
    assert len(await fleet[0].attempts()) == 50
    assert await fleet[0].used([roomy, day]) == [50, 50]
    left = sorted(answer.left[day.name] for answer in answers if isinstance(answer, Granted))
    assert left == list(range(50))


async def test_a_refusal_leaves_nothing(store: Both, accounts: Accounts, budgets: list[Charge]) -> None:
    """Neither on the charge that had room, nor on record; what is smaller still goes through."""
    tight = replace(budgets[1], most=MicroDollars(15_000))
    await granted(accounts, attempt(store, "a"), [budgets[0], tight])
    before = await accounts.attempts()
    answer = await accounts.reserve(attempt(store, "b", at=2), [budgets[0], tight], RULES)
    assert answer == Refused(Reason.BUDGET, tight.name, tight.ends)
    assert await accounts.used([budgets[0], tight]) == [CENT, CENT]
    assert (await accounts.attempts(), await accounts.totals()) == (before, {})
    await granted(accounts, attempt(store, "c", at=3, estimate=5_000), [budgets[0], tight])
    await granted(accounts, attempt(store, "d", at=4, estimate=FREE), [budgets[0], tight])


async def test_what_a_settlement_gives_back_can_be_drawn_again(store: Both, accounts: Accounts) -> None:
    """A failed call that is not billed makes room for the next one."""
    charge = Budget(CENT, Period.DAY).charge(store.now())
    one = await granted(accounts, attempt(store, "a"), [charge])
    assert isinstance(await accounts.reserve(attempt(store, "b", at=2), [charge], RULES), Refused)
    await accounts.settle(one, Settlement(Fate.FAILED, health=Health.SILENT))
    await granted(accounts, attempt(store, "b", at=2), [charge])


async def test_force_notes_what_was_spent_already(store: Both, accounts: Accounts) -> None:
    """Whatever the budget and the breaker say; nothing is left then, never less."""
    charge = Budget(CENT, Period.DAY).charge(store.now())
    first = await granted(accounts, attempt(store, "a"), [charge])
    await accounts.settle(first, Settlement(Fate.FAILED, wasted=CENT, health=Health.DENIED))
    answer = await accounts.reserve(attempt(store, "b", at=2), [charge], RULES, force=True)
    assert isinstance(answer, Granted)
    assert answer.left == {charge.name: 0}
    assert await accounts.used([charge]) == [2 * CENT]
    assert await accounts.attempts() == [answer.attempt]
    assert await accounts.settle(answer.attempt, STORED)
    assert await booked(accounts) == lines(calls=2, failed=1, stored=1, wasted=CENT, spent=CENT)


async def test_a_new_day_is_a_new_window(backend: Backend, store: Both, accounts: Accounts) -> None:
    """
    (1) A call draws on today; (2) midnight; (3) it is settled. Its price is corrected where it was drawn, and its
    lines are those of the day of the settlement.
    """
    budget = Budget(CENT, Period.DAY)
    today = budget.charge(store.now())
    first_day = day_of(store.now())
    one = await granted(accounts, attempt(store, "a", lasting=3 * A_DAY), [today])
    backend.leap(A_DAY)
    tomorrow = budget.charge(store.now())
    assert tomorrow.name != today.name
    two = await granted(accounts, attempt(store, "b", at=2), [tomorrow])
    assert await accounts.settle(one, Settlement(Fate.STORED, MicroDollars(4_000)))
    assert await accounts.used([today, tomorrow]) == [4_000, CENT]
    second_day = first_day + A_DAY
    assert [day.day for day in await accounts.days(ALWAYS)] == [second_day]
    await accounts.settle(two, STORED)
    assert await accounts.days(second_day) == [Day(second_day, lines(calls=2, stored=2, spent=14_000))]


async def test_windows_that_ended_are_dropped(backend: Backend, store: Both, accounts: Accounts) -> None:
    """Some days after their end; a call that is settled even later makes none anew."""
    charge = Budget(CENT, Period.DAY).charge(store.now())
    one = await granted(accounts, attempt(store, "a", lasting=30 * A_DAY), [charge])
    backend.leap(3 * A_DAY)
    await accounts.reap()
    assert await accounts.used([charge]) == [CENT]
    backend.leap(6 * A_DAY)
    await accounts.reap()
    assert await accounts.used([charge]) == [0]
    assert await accounts.settle(one, Settlement(Fate.STORED, MicroDollars(20_000)))
    assert await accounts.used([charge]) == [0]
    assert await booked(accounts) == lines(calls=1, stored=1, spent=20_000)


# Replies that got lost


async def test_a_repeated_reserve_changes_nothing(store: Both, backend: Backend, budgets: list[Charge]) -> None:
    """Over whichever connection, however often, also at the same time: granted each time, drawn once."""
    fleet = [(await backend.instance()).accounts for _ in range(4)]
    one = attempt(store, "a")
    answers = await asyncio.gather(*(accounts.reserve(one, budgets, RULES) for accounts in fleet * 2))
    assert all(answer == answers[0] and isinstance(answer, Granted) for answer in answers)
    assert await fleet[0].used(budgets) == [CENT, CENT]
    assert len(await fleet[0].attempts()) == 1


async def test_a_repeated_reserve_is_granted_though_nothing_is_left(store: Both, accounts: Accounts) -> None:
    """Its own draw spent the budget; a breaker that opened meanwhile does not take back what was granted."""
    charge = Budget(CENT, Period.DAY).charge(store.now())
    one = attempt(store, "a")
    first = await granted(accounts, one, [charge])
    other = await granted(accounts, attempt(store, "b", at=2))
    await accounts.settle(other, Settlement(Fate.FAILED, health=Health.DENIED))
    assert await accounts.reserve(one, [charge], RULES) == Granted(first, {charge.name: 0})


async def test_a_repeated_settle_changes_nothing(store: Both, backend: Backend, budgets: list[Charge]) -> None:
    """True once, False ever after: neither lines nor windows nor the breaker are touched again."""
    fleet = [(await backend.instance()).accounts for _ in range(4)]
    one = await granted(fleet[0], attempt(store, "a"), budgets)
    settlement = Settlement(Fate.FAILED, wasted=MicroDollars(3), health=Health.FAILED)
    settled = await asyncio.gather(*(accounts.settle(one, settlement) for accounts in fleet * 2))
    assert sorted(settled) == [False] * 7 + [True]
    assert await booked(fleet[0]) == lines(calls=1, failed=1, wasted=3)
    assert await fleet[0].used(budgets) == [3, 3]
    assert await fleet[0].breakers() == [Breaker("hive", 1)]


async def test_a_settlement_does_not_touch_another_attempt(store: Both, accounts: Accounts) -> None:
    """One that is not on record ends nothing, also when another one is at the same key."""
    one = await granted(accounts, attempt(store, "a"))
    assert not await accounts.settle(attempt(store, "b"), STORED)
    assert not await accounts.settle(attempt(store, "c", at=2), STORED)
    assert await accounts.attempts() == [one]
    assert await accounts.totals() == {}


async def test_what_is_on_record_counts_not_what_is_handed_in(
    store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """A settlement by the attempt as it was before it was granted corrects the same windows."""
    one = attempt(store, "a")
    await granted(accounts, one, budgets)
    assert await accounts.settle(replace(one, estimate=MicroDollars(1)), Settlement(Fate.FAILED))
    assert await accounts.used(budgets) == [0, 0]


# Receipts


async def test_a_receipt_is_put_on_record(store: Both, accounts: Accounts, budgets: list[Charge]) -> None:
    """Any text, and a second time; the attempt can be settled with or without it in hand."""
    one = await granted(accounts, attempt(store, "a"), budgets)
    for receipt in ("job-1", "line\nbreak \u2603 rules 1 1 1 1 1\n", "job-2"):
        assert await accounts.note(one, receipt)
        assert await accounts.attempts() == [replace(one, receipt=receipt)]
    assert await accounts.settle(one, STORED)
    assert not await accounts.note(one, "job-3")
    assert not await accounts.note(attempt(store, "b", at=2), "job-4")
    assert await accounts.attempts() == []


async def test_a_job_that_the_vendor_has_is_continued(
    store: Both, backend: Backend, accounts: Accounts, budgets: list[Charge]
) -> None:
    """
    (1) A process reserves, has the vendor take the job, notes its receipt, and dies; (2) another one has the claim and
    reserves. It gets the receipt, and the job runs under its token: nothing is drawn or counted twice, and neither
    breaker nor budget has a say, since nothing is sent. (3) The dead one was only asleep: it has nothing to settle.
    """
    first = await granted(accounts, attempt(store, "a"), [replace(one, most=CENT) for one in budgets])
    await accounts.note(first, "job-1")
    denied = await granted(accounts, attempt(store, "x", at=2))
    await accounts.settle(denied, Settlement(Fate.FAILED, health=Health.DENIED))
    backend.leap(MINUTE)
    second = replace(attempt(store, "b", estimate=5), process="other")
    answer = await accounts.reserve(second, [replace(one, most=CENT) for one in budgets], RULES)
    taken = replace(
        first, token="b", receipt="job-1", started=second.started, until=second.until, process=second.process
    )
    assert answer == Granted(taken, {budgets[0].name: 0, budgets[1].name: 0})
    assert await accounts.attempts() == [taken]
    assert await accounts.used(budgets) == [CENT, CENT]
    assert not await accounts.settle(first, STORED)
    assert await accounts.settle(taken, STORED)
    assert await booked(accounts) == lines(calls=2, failed=1, stored=1, spent=CENT)


# Unknown outcomes


async def test_an_attempt_that_lost_its_claim_is_unknown(
    store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """
    (1) A process reserves and dies; (2) the next one reserves: the first may be billed, so it stays drawn and is booked
    as wasted; the second is the second try. (3) It dies as well; (4) the third is refused: twice is enough.
    """
    await granted(accounts, attempt(store, "a"), budgets)
    second = await granted(accounts, attempt(store, "b"), budgets)
    assert (second.tries, second.token) == (2, "b")
    assert await accounts.attempts() == [second]
    assert await accounts.used(budgets) == [2 * CENT, 2 * CENT]
    assert await booked(accounts) == lines(calls=1, unknown=1, wasted=CENT)
    for token in ("c", "c", "d"):
        answer = await accounts.reserve(attempt(store, token), budgets, RULES)
        assert isinstance(answer, Refused)
        assert answer.reason is Reason.UNKNOWN
        assert store.now() < answer.until <= store.now() + 601_000
    assert await accounts.attempts() == []
    assert await accounts.used(budgets) == [2 * CENT, 2 * CENT]
    assert await booked(accounts) == lines(calls=2, unknown=2, wasted=2 * CENT)


async def test_tries_in_vain_are_forgotten_after_an_hour(backend: Backend, store: Both, accounts: Accounts) -> None:
    """Then it is the first try again, whether or not a reaper came by."""
    for token in ("a", "b"):
        await granted(accounts, attempt(store, token))
    assert isinstance(await accounts.reserve(attempt(store, "c"), [], RULES), Refused)
    backend.leap(HOUR - MINUTE)
    await accounts.reap()
    assert isinstance(await accounts.reserve(attempt(store, "c"), [], RULES), Refused)
    backend.leap(MINUTE)
    assert (await granted(accounts, attempt(store, "c"))).tries == 1


async def test_tries_in_vain_are_forgotten_once_a_call_is_settled(store: Both, accounts: Accounts) -> None:
    """Whichever it is: the last one, or the one that was taken for lost."""
    await granted(accounts, attempt(store, "a"))
    await accounts.settle(await granted(accounts, attempt(store, "b")), STORED)
    lost = await granted(accounts, attempt(store, "c"))
    assert lost.tries == 1
    assert isinstance(await accounts.reserve(attempt(store, "d"), [], Rules(tries=1)), Refused)
    assert await accounts.settle(lost, STORED)
    assert (await granted(accounts, attempt(store, "e"), rules=Rules(tries=1))).tries == 1


async def test_a_refusal_leaves_the_tries_as_they_were(store: Both, accounts: Accounts) -> None:
    """The one before is unknown whatever becomes of the next; that one is refused, and is no try."""
    charge = Budget(CENT, Period.DAY).charge(store.now())
    await granted(accounts, attempt(store, "a"), [charge])
    for token in ("b", "c"):
        answer = await accounts.reserve(attempt(store, token), [charge], RULES)
        assert answer == Refused(Reason.BUDGET, charge.name, charge.ends)
    assert await booked(accounts) == lines(calls=1, unknown=1, wasted=CENT)
    assert await accounts.attempts() == []
    assert (await granted(accounts, attempt(store, "d"))).tries == 2


async def test_the_reaper_books_what_nobody_runs(
    backend: Backend, store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """Past its time, and not before; it is told once, stays drawn, and the next attempt is the second try."""
    late = await granted(accounts, attempt(store, "a"), budgets)
    fresh = await granted(accounts, attempt(store, "b", at=2, lasting=HOUR), budgets)
    assert await accounts.reap() == []
    backend.leap(MINUTE)
    assert await accounts.reap() == [late]
    assert await accounts.reap() == []
    assert await accounts.attempts() == [fresh]
    assert await accounts.used(budgets) == [2 * CENT, 2 * CENT]
    assert await booked(accounts) == lines(calls=1, unknown=1, wasted=CENT)
    assert (await granted(accounts, attempt(store, "c"))).tries == 2


async def test_of_several_reapers_each_attempt_is_booked_by_one(backend: Backend, store: Both) -> None:
    """At the same moment, in five processes."""
    fleet = [(await backend.instance()).accounts for _ in range(5)]
    for number in range(20):
        await granted(fleet[0], attempt(store, f"t{number:02}", at=number))
    backend.leap(HOUR)
    reaped = await asyncio.gather(*(accounts.reap() for accounts in fleet))
    assert sorted(one.token for some in reaped for one in some) == [f"t{number:02}" for number in range(20)]
    assert await booked(fleet[0]) == lines(calls=20, unknown=20, wasted=20 * CENT)


@pytest.mark.parametrize("days", [0, 1])
async def test_an_unknown_outcome_that_becomes_known_is_booked_anew(
    backend: Backend, store: Both, accounts: Accounts, days: int
) -> None:
    """
    (1) An attempt is reaped, booked as unknown; (2) its answer comes after all, on the same or the next day. The lines
    of the first day are taken back, the real ones are those of the day of the settlement, and its window is corrected.
    """
    charge = Budget(MicroDollars(1_000_000), Period.DAY).charge(store.now())
    one = await granted(accounts, replace(attempt(store, "a"), refresh=True), [charge])
    backend.leap(2 * MINUTE)
    assert await accounts.reap() == [one]
    backend.leap(days * A_DAY)
    for true in (True, False):
        assert await accounts.settle(one, Settlement(Fate.STORED, MicroDollars(12_000))) is true
        assert await accounts.used([charge]) == [12_000]
        assert await accounts.days(ALWAYS) == [
            Day(day_of(store.now()), lines(calls=1, stored=1, spent=12_000, refresh=1))
        ]
        assert await booked(accounts) == lines(calls=1, stored=1, spent=12_000, refresh=1)


async def test_a_late_settlement_leaves_the_next_try_alone(
    store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """(1) a; (2) b takes its place, a is unknown; (3) a is settled after all; (4) b is: two calls, both real."""
    first = await granted(accounts, attempt(store, "a"), budgets)
    second = await granted(accounts, attempt(store, "b"), budgets)
    assert await accounts.settle(first, STORED)
    assert await accounts.attempts() == [second]
    assert await accounts.settle(second, Settlement(Fate.STORED, CENT, duplicate=True))
    assert await booked(accounts) == lines(calls=2, stored=2, spent=2 * CENT, duplicate=1)
    assert await accounts.used(budgets) == [2 * CENT, 2 * CENT]


async def test_a_reserve_that_is_repeated_too_late_draws_nothing(
    store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """
    (1) a reserves, the reply is lost; (2) b takes its place, a is unknown; (3) a asks again: it is granted what it drew
    already, and (4) its settlement books it anew.
    """
    one = attempt(store, "a")
    first = await granted(accounts, one, budgets)
    second = await granted(accounts, attempt(store, "b"), budgets)
    assert await granted(accounts, one, budgets) == first
    assert await accounts.attempts() == [second]
    assert await accounts.used(budgets) == [2 * CENT, 2 * CENT]
    assert await accounts.settle(first, STORED)
    assert await booked(accounts) == lines(calls=1, stored=1, spent=CENT)


async def test_a_reserve_that_is_repeated_when_all_is_over_draws_nothing(
    store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """
    (1) a reserves, the reply is lost; (2) b takes its place, a is unknown; (3) b is settled, so the key is free;
    (4) a asks again: it still is the one that is unknown, and drew already.
    """
    one = attempt(store, "a")
    first = await granted(accounts, one, budgets)
    await accounts.settle(await granted(accounts, attempt(store, "b"), budgets), STORED)
    assert await granted(accounts, one, budgets) == first
    assert await accounts.used(budgets) == [2 * CENT, 2 * CENT]
    assert await accounts.attempts() == []
    assert await accounts.settle(first, STORED)
    assert await booked(accounts) == lines(calls=2, stored=2, spent=2 * CENT)


async def test_of_many_that_reserve_at_one_key_all_but_the_last_are_unknown(
    backend: Backend, store: Both, budgets: list[Charge]
) -> None:
    """Ten at the same moment from five processes, as if each had lost its claim: none is lost or counted twice."""
    fleet = [(await backend.instance()).accounts for _ in range(5)]
    asked = (granted(fleet[at % 5], attempt(store, f"t{at}"), budgets, Rules(tries=10)) for at in range(10))
    answers = await asyncio.gather(*asked)
    assert sorted(one.tries for one in answers) == list(range(1, 11))
    (last,) = await fleet[0].attempts()
    assert last.tries == 10
    assert await fleet[1].used(budgets) == [10 * CENT, 10 * CENT]
    assert await booked(fleet[2]) == lines(calls=9, unknown=9, wasted=9 * CENT)


async def test_a_forced_attempt_leaves_another_one_alone(
    store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """
    (1) a calls while the store is away; (2) the store is back, b has the claim, and a receipt; (3) a is noted, and at
    once unknown: b can be continued still; (4) a is settled as what it is.
    """
    other = await granted(accounts, attempt(store, "b"), budgets)
    await accounts.note(other, "job-1")
    one = attempt(store, "a")
    for _ in range(2):
        forced = await granted(accounts, one, budgets, force=True)
        assert await accounts.attempts() == [replace(other, receipt="job-1")]
        assert await accounts.used(budgets) == [2 * CENT, 2 * CENT]
        assert await booked(accounts) == lines(calls=1, unknown=1, wasted=CENT)
    assert await accounts.settle(forced, STORED)
    assert await booked(accounts) == lines(calls=1, stored=1, spent=CENT)


async def test_what_has_lapsed_is_remembered_for_two_days(backend: Backend, store: Both, accounts: Accounts) -> None:
    """Then it stays unknown."""
    kept = await granted(accounts, attempt(store, "a"))
    gone = await granted(accounts, attempt(store, "b", at=2))
    backend.leap(MINUTE)
    assert await accounts.reap() == [kept, gone]
    backend.leap(2 * A_DAY - MINUTE)
    await accounts.reap()
    assert await accounts.settle(kept, STORED)
    backend.leap(MINUTE)
    await accounts.reap()
    assert not await accounts.settle(gone, STORED)
    assert await booked(accounts) == lines(calls=2, stored=1, spent=CENT, unknown=1, wasted=CENT)


# Breakers


async def fail(store: Both, accounts: Accounts, token: str, health: Health = Health.FAILED, at: int = 1) -> None:
    """One call that ends with *health*."""
    one = await granted(accounts, attempt(store, token, at=at))
    await accounts.settle(one, Settlement(Fate.FAILED, health=health))


async def test_a_breaker_opens_after_so_many_failures_in_a_row(
    backend: Backend, store: Both, accounts: Accounts
) -> None:
    """One success between them begins the count anew; silence does not count. Then whoever asks is told until when."""
    other = (await backend.instance()).accounts
    healths = [Health.FAILED] * 4 + [Health.WELL] + [Health.FAILED, Health.SILENT] * 4
    for number, health in enumerate(healths):
        await fail(store, accounts, f"t{number}", health)
    assert await other.breakers() == [Breaker("hive", 4)]
    await fail(store, other, "last")
    (breaker,) = await accounts.breakers()
    assert breaker.until is not None
    assert (breaker.provider, breaker.failures, breaker.reason) == ("hive", 5, "failed")
    # The store's own clock decided; ours of it is sampled, and may be a little behind.
    assert 0 < breaker.until - store.now() <= 11_000
    answer = await accounts.reserve(attempt(store, "no"), [], RULES)
    assert answer == Refused(Reason.BREAKER, "failed", breaker.until)
    assert await accounts.attempts() == []
    elsewhere = Account("sightengine", "image", "default")
    await granted(accounts, attempt(store, "yes", at=2, account=elsewhere))


async def test_failures_at_the_same_moment_all_count(backend: Backend, store: Both) -> None:
    """Thirty from five processes; none is lost."""
    fleet = [(await backend.instance()).accounts for _ in range(5)]
    ones = [await granted(fleet[0], attempt(store, f"t{at}", at=at)) for at in range(30)]
    await asyncio.gather(*(fleet[at % 5].settle(one, FAILED) for at, one in enumerate(ones)))
    (breaker,) = await fleet[0].breakers()
    assert breaker.failures == 30


async def test_a_vendor_that_refuses_the_account_is_left_alone_at_once(store: Both, accounts: Accounts) -> None:
    """For longer; a failure that comes late makes it no shorter, and a late success closes it."""
    late = [await granted(accounts, attempt(store, f"t{at}", at=at)) for at in range(2, 8)]
    await fail(store, accounts, "a", Health.DENIED)
    for one in late[:5]:
        await accounts.settle(one, FAILED)
    (breaker,) = await accounts.breakers()
    assert breaker.until is not None
    assert (breaker.reason, breaker.failures) == ("denied", 6)
    assert 50_000 < breaker.until - store.now() <= 61_000
    assert isinstance(await accounts.reserve(attempt(store, "b"), [], RULES), Refused)
    await accounts.settle(late[5], STORED)
    assert await accounts.breakers() == []
    await granted(accounts, attempt(store, "b"))


async def test_a_vendor_that_asks_to_wait_is_left_alone_by_everybody(backend: Backend, store: Both) -> None:
    """
    For as long as it asked, whatever calls that were under way tell of it; it counts as no failure. Then one call goes
    first, and its answer lets the others follow.
    """
    accounts, other = store.accounts, (await backend.instance()).accounts
    late = [await granted(accounts, attempt(store, f"t{at}", at=at)) for at in range(2, 5)]
    throttled = Settlement(Fate.FAILED, health=Health.THROTTLED, pause=timedelta(seconds=30))
    await accounts.settle(await granted(accounts, attempt(store, "a")), throttled)
    await accounts.settle(late[0], FAILED)
    await accounts.settle(late[1], STORED)
    (breaker,) = await other.breakers()
    assert breaker.until is not None
    assert (breaker.reason, breaker.failures) == ("throttled", 0)
    assert 20_000 < breaker.until - store.now() <= 31_000
    assert await other.reserve(attempt(store, "b"), [], RULES) == Refused(Reason.BREAKER, "throttled", breaker.until)
    backend.leap(timedelta(seconds=31))
    probe = await granted(other, attempt(store, "c", at=6))
    assert isinstance(await accounts.reserve(attempt(store, "d", at=7), [], RULES), Refused)
    await other.settle(probe, STORED)
    assert await accounts.breakers() == []
    await granted(accounts, attempt(store, "d", at=7))


async def test_one_probe_at_a_time_is_let_through(backend: Backend, store: Both) -> None:
    """
    Once the pause is over: of fifty in five processes one goes; the others are told when it is given up. When it is,
    the next one goes; its failure opens the breaker for another pause, its success closes it.
    """
    fleet = [(await backend.instance()).accounts for _ in range(5)]
    await fail(store, fleet[0], "a", Health.DENIED)

    async def probes(name: str) -> list[Attempt]:
        asked = (
            fleet[at % 5].reserve(attempt(store, f"{name}{at}", at=at, lasting=HOUR), [], RULES) for at in range(50)
        )
        answers = await asyncio.gather(*asked)
        refused = [answer for answer in answers if isinstance(answer, Refused)]
        assert all(0 < answer.until - store.now() <= 61_000 for answer in refused)
        assert {(answer.reason, answer.what) for answer in refused} <= {
            (Reason.BREAKER, "denied"),
            (Reason.BREAKER, "failed"),
        }
        return [answer.attempt for answer in answers if isinstance(answer, Granted)]

    assert await probes("early") == []
    backend.leap(MINUTE)
    (lost,) = await probes("first")
    assert await probes("second") == []
    backend.leap(MINUTE)
    (probe,) = await probes("third")
    await fleet[1].settle(probe, FAILED)
    assert await probes("fourth") == []
    backend.leap(MINUTE / 6)
    (probe,) = await probes("fifth")
    await fleet[2].settle(probe, Settlement(Fate.FAILED, health=Health.SILENT))
    (probe,) = await probes("sixth")
    assert await fleet[3].settle(probe, STORED)
    assert await fleet[4].breakers() == []
    assert len(await probes("seventh")) == 50
    assert lost.token != probe.token


async def test_a_probe_that_the_budget_refuses_is_none(backend: Backend, store: Both, accounts: Accounts) -> None:
    """The next one that can be paid is."""
    await fail(store, accounts, "a", Health.DENIED)
    backend.leap(MINUTE)
    charge = Budget(FREE, Period.DAY).charge(store.now())
    answer = await accounts.reserve(attempt(store, "b"), [charge], RULES)
    assert answer == Refused(Reason.BUDGET, charge.name, charge.ends)
    await granted(accounts, attempt(store, "c"))


# Days, and what the ledger adds


async def test_a_batch_may_carry_lines_of_its_day(
    backend: Backend, store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """Added once, like everything in it, to the lines that calls add."""
    one = await granted(accounts, attempt(store, "a"), budgets)
    await accounts.settle(one, STORED)
    ledgers = [(await backend.instance()).ledger for _ in range(3)]
    saved = lines(saved=30_000, hits=3, spent=1)
    batch = Batch("a", 1, store.now(), {"hits": 3}, {"hits": 3}, {key(1): 3}, saved)
    assert sorted(await asyncio.gather(*(ledger.book(batch) for ledger in ledgers * 2))) == [False] * 5 + [True]
    assert await booked(accounts) == lines(calls=1, stored=1, spent=CENT + 1, saved=30_000, hits=3)
    yesterday = Instant(store.now() - 86_400_000)
    assert await ledgers[0].book(Batch("a", 2, yesterday, days=lines(saved=7)))
    assert [(one.day, one.lines[HIVE.line("saved")]) for one in await accounts.days(ALWAYS)] == [
        (day_of(yesterday), 7),
        (day_of(store.now()), 30_000),
    ]
    assert (await booked(accounts))[HIVE.line("saved")] == 30_007
    assert await ledgers[0].totals() == {"hits": 3}


async def test_days_are_kept_for_400(backend: Backend, store: Both, accounts: Accounts) -> None:
    """In order, from the one that was asked for; older ones are not told, the totals know them for ever."""
    first = day_of(store.now())
    for number, age in enumerate((0, 20, 201, 400), 1):
        at = Instant(store.now() + age * 86_400_000)
        await store.ledger.book(Batch("a", number, at, days=lines(saved=number)))
    backend.leap(400 * A_DAY)
    days = await accounts.days(ALWAYS)
    assert [((day.day - first).days, day.lines) for day in days] == [
        (age, lines(saved=number)) for number, age in enumerate((0, 20, 201, 400), 1)
    ]
    assert await accounts.days(first + 20 * A_DAY) == days[1:]
    assert await accounts.days(first + 21 * A_DAY) == days[2:]
    assert await accounts.days(first + 401 * A_DAY) == []
    backend.leap(A_DAY)
    assert await accounts.days(ALWAYS) == days[1:]
    assert await accounts.totals() == lines(saved=10)


# What touches the accounts, and what does not


async def test_no_invalidation_touches_the_accounts(store: Both, accounts: Accounts, budgets: list[Charge]) -> None:
    """They are no entries: a clear of everything forbids and removes nothing of them, and nobody comes across them."""
    await fail(store, accounts, "x", at=2)
    one = await granted(accounts, attempt(store, "a"), budgets)
    await store.forbid(Selector(pattern="*"), "everything")
    page = await store.scan(None, 1000)
    assert (page.heads, page.cursor) == ((), None)
    assert await accounts.attempts() == [one]
    assert await accounts.used(budgets) == [CENT, CENT]
    assert await booked(accounts) == lines(calls=1, failed=1)
    assert await accounts.breakers() == [Breaker("hive", 1)]


async def test_environments_keep_their_own_accounts(
    backend: Backend, store: Both, accounts: Accounts, budgets: list[Charge]
) -> None:
    """Nothing of one is seen in another on the same store, and the same token there is another attempt."""
    there = (await backend.instance(f"other-{uuid4().hex}")).accounts
    await fail(store, accounts, "x", Health.DENIED, at=2)
    await granted(accounts, attempt(store, "a"), budgets, force=True)
    assert (await there.attempts(), await there.breakers(), await there.totals()) == ([], [], {})
    assert (await there.days(ALWAYS), await there.used(budgets)) == ([], [0, 0])
    await granted(there, attempt(store, "a"), budgets)
