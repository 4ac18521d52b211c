"""Claims: held while a purchase runs, lost, given back, taken over; on time that stands still."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.outcome import Status
from tests.engine.machine import QUESTIONS, Fleet, Member
from tests.harness.away import Fault

ALL = Selector(pattern="*")
PAID, OTHER, RICH = QUESTIONS
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.mark.parametrize("noticed", [True, False])
def test_a_lost_claim_makes_a_duplicate(fleet: Fleet, one: Member, *, noticed: bool) -> None:
    """The answer is stored all the same, and says that somebody else may have bought it too."""
    fleet.ask(one, PAID)
    fleet.lapse(PAID)
    fleet.pass_time((3 if noticed else 0) * SECOND)
    fleet.end(0, "ok")
    assert fleet.given().stored
    assert fleet.given().duplicate is noticed


def test_a_process_that_was_frozen_asks_whether_it_lost_its_claim(fleet: Fleet, one: Member) -> None:
    """It finds its call answered before it could renew, longer after than its lease lasted."""
    fleet.ask(one, PAID)
    fleet.freeze(9 * SECOND, meanwhile=partial(fleet.end, 0, "ok"))
    assert fleet.given().stored
    assert fleet.given().duplicate
    assert fleet.bought == 1


def test_a_claim_is_renewed_every_two_and_a_half_seconds(fleet: Fleet, one: Member) -> None:
    """Not more often, and not once more at the end: each command may be billed."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    assert one.store.calls.get("renew") is None
    fleet.ask(one, OTHER)
    fleet.pass_time(9 * SECOND)
    fleet.end(0, "ok")
    assert one.store.calls["renew"] == 3


def test_a_claim_outlives_a_store_that_is_away_for_less_than_its_lease(fleet: Fleet, one: Member, two: Member) -> None:
    """A renewal that fails is followed by others, and nobody else buys."""
    fleet.ask(one, PAID)
    fleet.break_store(one, Fault.AWAY)
    fleet.pass_time(4 * SECOND)
    fleet.heal_store(one)
    fleet.pass_time(20 * SECOND)
    fleet.ask(two, PAID)
    assert fleet.bought == 1


def test_a_claim_that_cannot_be_given_back_costs_nobody_his_answer(fleet: Fleet, one: Member) -> None:
    """The store went away before a purchase that is not to be kept was over."""
    fleet.ask(one, PAID, keep=False)
    fleet.break_store(one, Fault.AWAY)
    fleet.end(0, "ok")
    assert fleet.given().status is Status.BYPASS


def test_whoever_finds_a_remembered_failure_gives_the_claim_back(fleet: Fleet, one: Member, two: Member) -> None:
    """He waited for a purchase that failed, and got the claim with the news of it."""
    fleet.ask(one, PAID)
    fleet.ask(two, PAID)
    fleet.end(0, "down")
    assert fleet.waiting == 0
    fleet.pass_time(SECOND)
    fleet.ask(one, PAID, refresh=True)
    assert fleet.bought == 2


def test_a_process_waits_for_its_own_older_flight_and_is_woken(fleet: Fleet, one: Member) -> None:
    """What it was buying was cleared; once that has ended, who asked afterwards buys without losing time."""
    fleet.ask(one, PAID)
    fleet.clear(one, ALL)
    fleet.ask(one, PAID)
    assert fleet.bought == 1
    fleet.end(0, "ok")
    assert fleet.bought == 2


def test_what_was_found_with_the_claim_before_a_clear_is_not_kept_near_after_it(
    fleet: Fleet, one: Member, two: Member
) -> None:
    """The second look found it; its reply was on its way when the clear was heard."""
    fleet.ask(one, PAID)
    fleet.ask(two, PAID)
    fleet.break_store(two, Fault.SLOW_REPLIES)
    fleet.end(0, "ok")
    fleet.clear(one, ALL)
    fleet.heal_store(two)
    assert fleet.given().collapsed
    assert two.cache.near.get(PAID.key) is None


def test_a_refresh_claims_without_looking_first(fleet: Fleet, one: Member) -> None:
    """What lies in the store will not do, so it is not read."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.pass_time(SECOND)
    one.store.calls.clear()
    fleet.ask(one, PAID, refresh=True)
    assert one.store.calls == {"claim": 1}


def test_who_waits_looks_again_ever_less_often(fleet: Fleet, one: Member, two: Member) -> None:
    """From four times a second to once in two seconds: each command may be billed."""
    fleet.ask(one, PAID)
    fleet.ask(two, PAID)
    fleet.pass_time(10 * SECOND)
    assert two.store.calls["claim"] == 1 + 3 + 4  # at once; after 0.25, 0.75 and 1.75 s; then every 2 s


def test_who_waits_looks_again_when_the_claim_runs_out(fleet: Fleet, one: Member, two: Member) -> None:
    """Its holder was killed: eight seconds after it was claimed somebody else buys, and not a poll later."""
    fleet.ask(one, PAID)
    fleet.pass_time(SECOND)
    fleet.kill(one)
    fleet.ask(two, PAID)
    fleet.pass_time(7 * SECOND - timedelta(milliseconds=1))
    assert fleet.bought == 1
    fleet.pass_time(timedelta(milliseconds=2))
    assert fleet.bought == 2


def test_nobody_begins_a_purchase_in_a_process_that_ends(fleet: Fleet, one: Member) -> None:
    """Neither a caller nor a refresh of what is stale, with the store or without; what runs may end."""
    fleet.ask(one, RICH)
    fleet.end(0, "ok")
    fleet.sleep(70 * MINUTE)
    fleet.ask(one, PAID)
    fleet.begin_to_end(one, 5 * SECOND)
    fleet.ask(one, RICH)
    fleet.ask(one, OTHER)
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, OTHER)
    assert (fleet.waiting, fleet.bought) == (1, 2)
    fleet.end(0, "ok")
    assert fleet.waiting == 0


def test_a_refresh_is_cut_short_at_the_end(fleet: Fleet, one: Member) -> None:
    """It has its grace like a flight; then its claim is given back, and its load closed."""
    fleet.ask(one, RICH)
    fleet.end(0, "ok")
    fleet.sleep(70 * MINUTE)
    fleet.ask(one, RICH)
    fleet.restart(one, SECOND)
    assert [purchase.verdict for purchase in fleet.model.purchases] == ["ok", "cut"]


def test_what_its_load_forbids_to_keep_is_given_and_not_kept(fleet: Fleet, one: Member, two: Member) -> None:
    """Neither in the store nor near; and nobody waits for the claim."""
    fleet.ask(one, PAID)
    fleet.end(0, "private")
    assert fleet.given().status is Status.MISS
    assert len(one.cache.near) == 0
    fleet.ask(two, PAID)
    assert fleet.bought == 2


def test_who_joins_is_rid_of_his_load_at_once(fleet: Fleet, one: Member) -> None:
    """What it holds is not held for as long as somebody else's purchase takes."""
    fleet.ask(one, PAID)
    fleet.ask(one, PAID)
    assert [purse.closed for purse in fleet.purses] == [0, 1]


def test_an_error_that_nobody_waits_for_is_no_fault_of_the_loop(fleet: Fleet, one: Member) -> None:
    """The only caller has left: nothing is reported that nobody can do anything about."""
    fleet.ask(one, PAID)
    fleet.leave(0)
    fleet.end(0, "crash")
