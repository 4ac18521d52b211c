"""
Several processes under forced schedules, on time that stands still; the model judges each step, and the end.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.outcome import Status
from tests.engine.machine import QUESTIONS, Fleet, Member
from tests.harness.away import Fault

ALL = Selector(pattern="*")
PAID, OTHER, RICH = QUESTIONS
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_what_was_looked_up_before_a_clear_is_not_kept_near_after_it(fleet: Fleet, one: Member, two: Member) -> None:
    """The reply was on its way when the clear was heard."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.break_store(two, Fault.SLOW_REPLIES)
    fleet.look(two, [PAID])
    fleet.clear(one, ALL)
    fleet.heal_store(two)
    assert two.cache.near.get(PAID.key) is None


def test_what_was_asked_for_before_a_clear_is_not_kept_near_after_it(fleet: Fleet, one: Member, two: Member) -> None:
    """The same for who would have bought."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.break_store(two, Fault.SLOW_REPLIES)
    fleet.ask(two, PAID)
    fleet.clear(one, ALL)
    fleet.heal_store(two)
    assert two.cache.near.get(PAID.key) is None


@pytest.mark.parametrize("fault", [Fault.SLOW_REPLIES, Fault.SLOW_REQUESTS])
def test_what_was_stored_before_a_clear_is_not_kept_near_after_it(
    fleet: Fleet, one: Member, two: Member, fault: Fault
) -> None:
    """The commit was on its way, or its reply, when the clear was heard."""
    fleet.ask(two, PAID)
    fleet.break_store(two, fault)
    fleet.end(0, "ok")
    fleet.clear(one, ALL)
    fleet.heal_store(two)
    assert two.cache.near.get(PAID.key) is None


def test_a_flight_is_not_joined_by_who_asks_after_a_key_was_forgotten(fleet: Fleet, one: Member, two: Member) -> None:
    """Another process forgot it: this one has heard of it before the caller asked."""
    fleet.ask(two, PAID)
    fleet.forget(one, PAID)
    fleet.ask(two, PAID)
    fleet.end(0, "ok")
    assert fleet.bought == 2


def test_an_acknowledgement_counts_once(fleet: Fleet, one: Member, two: Member) -> None:
    """Who acknowledges twice does not stand in for who has not heard yet."""
    fleet.slow_channel(two)
    fleet.forget(one, PAID)
    last = max(number for number, notice in enumerate(fleet.sent) if notice.kind == "acknowledge")
    fleet.echo(one, last)
    assert fleet.model.clearings[0].returned is None
    fleet.catch_up(two, shuffled=False)
    assert fleet.model.clearings[0].returned is not None


def test_a_look_tells_of_a_purchase_without_a_claim(fleet: Fleet, one: Member) -> None:
    """The store is away and knows nothing of it, this process does."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, PAID)
    fleet.heal_store(one)
    fleet.look(one, [OTHER, PAID])
    assert [request.pending for request in fleet.model.requests[1:]] == [False, True]


def test_a_failure_of_who_keeps_nothing_is_not_remembered(fleet: Fleet, one: Member) -> None:
    """`no-store` holds for failures too."""
    fleet.ask(one, PAID, keep=False)
    fleet.end(0, "down")
    fleet.ask(one, PAID)
    assert fleet.bought == 2


def test_a_failure_behind_a_stale_answer_is_not_remembered(fleet: Fleet, one: Member, two: Member) -> None:
    """The stale answer is served in its place, by every process, as long as the policy allows."""
    fleet.ask(one, RICH)
    fleet.end(0, "ok")
    fleet.sleep(150 * MINUTE)
    for member in (one, two):
        fleet.ask(member, RICH)
        fleet.end(0, "down")
        assert fleet.given().status is Status.STALE
    assert fleet.bought == 3


def test_what_the_store_refused_is_not_kept_near(fleet: Fleet, one: Member, two: Member) -> None:
    """Forgotten meanwhile, which this process has not heard of: the store says so."""
    fleet.ask(two, PAID)
    fleet.break_channel(two)
    fleet.forget(one, PAID)
    fleet.end(0, "ok")
    assert two.cache.near.get(PAID.key) is None


def test_the_memory_of_a_failure_from_before_a_clear_is_dead(fleet: Fleet, one: Member) -> None:
    """It carries the sequence of its purchase, like an answer."""
    fleet.ask(one, PAID)
    fleet.clear(one, ALL)
    fleet.end(0, "down")
    fleet.ask(one, PAID)
    assert fleet.bought == 2


def test_a_deaf_process_hears_of_a_clear_from_the_store(fleet: Fleet, one: Member, two: Member) -> None:
    """Whatever it asks there, the barrier comes with the answer, and near memory heeds it: just what is meant."""
    for question in (PAID, OTHER):
        fleet.ask(two, question)
        fleet.end(0, "ok")
    fleet.break_channel(two)
    fleet.clear(one, Selector(pattern="analysis:a*"))
    fleet.look(two, [RICH])
    assert two.cache.near.get(PAID.key) is None
    assert two.cache.near.get(OTHER.key) is not None


def test_a_deaf_process_that_missed_too_much_forgets_all(fleet: Fleet, one: Member, two: Member) -> None:
    """Some of what was cleared is not in the barrier any more."""
    fleet.ask(two, PAID)
    fleet.end(0, "ok")
    fleet.break_channel(two)
    for number in range(70):
        fleet.clear(one, Selector(tag=f"t{number}"))
    fleet.look(two, [RICH])
    assert len(two.cache.near) == 0


def test_an_owed_answer_is_brought_under_its_own_claim(fleet: Fleet, one: Member, two: Member) -> None:
    """Its key had been forgotten before it was claimed: that does not refuse it."""
    fleet.forget(one, PAID)
    fleet.ask(one, PAID)
    fleet.break_store(one, Fault.AWAY)
    fleet.end(0, "ok")
    fleet.heal_store(one)
    fleet.pass_time(2 * SECOND)
    fleet.ask(two, PAID)
    assert fleet.bought == 1


@pytest.mark.parametrize("by", ["clear", "forget"])
def test_a_process_that_is_cut_off_forgets_what_it_has_near(fleet: Fleet, one: Member, by: str) -> None:
    """Whoever clears there is told that it failed, and is not given it there all the same."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.break_store(one, Fault.AWAY)
    if by == "clear":
        fleet.clear(one, ALL)
    else:
        fleet.forget(one, PAID)
    assert one.cache.near.get(PAID.key) is None


def test_what_was_read_while_a_key_was_being_forgotten_is_forgotten_too(fleet: Fleet, one: Member) -> None:
    """The store had not forgotten it yet when it was asked in between."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.break_store(one, Fault.SLOW_REQUESTS)
    fleet.forget(one, PAID)
    fleet.break_store(one, None)
    fleet.ask(one, PAID)
    assert one.cache.near.get(PAID.key) is not None
    fleet.heal_store(one)
    assert one.cache.near.get(PAID.key) is None


def test_what_was_read_before_a_key_was_forgotten_is_not_kept_near_after_it(
    fleet: Fleet, one: Member, two: Member
) -> None:
    """The reply was on its way when that was heard."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.break_store(two, Fault.SLOW_REPLIES)
    fleet.ask(two, PAID)
    fleet.forget(one, PAID)
    fleet.heal_store(two)
    assert two.cache.near.get(PAID.key) is None


def test_what_was_read_before_a_gap_is_not_kept_near_after_it(fleet: Fleet, one: Member, two: Member) -> None:
    """It may have been cleared in between, which this process has not heard."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.break_channel(two)
    fleet.break_store(two, Fault.SLOW_REPLIES)
    fleet.ask(two, PAID)
    fleet.forget(one, PAID)
    fleet.mend_channel(two)
    fleet.heal_store(two)
    assert two.cache.near.get(PAID.key) is None


def test_a_flight_that_is_not_meant_is_joined_on(fleet: Fleet, one: Member, two: Member) -> None:
    """A clear of something else detaches nobody."""
    fleet.ask(two, OTHER)
    fleet.clear(one, Selector(kind="image"))
    fleet.ask(two, OTHER)
    assert len(two.cache.flights) == 1


def test_an_older_barrier_does_not_replace_a_newer_one(fleet: Fleet, one: Member, two: Member) -> None:
    """The reply that carries it was late."""
    fleet.break_store(two, Fault.SLOW_REPLIES)
    fleet.look(two, [PAID])
    fleet.clear(one, ALL)
    fleet.break_store(two, None)
    fleet.look(two, [OTHER])
    fleet.heal_store(two)
    assert two.cache.view.barrier.sequence == 1


def test_who_clears_and_is_then_cut_off_buys_under_the_new_barrier(fleet: Fleet, one: Member, two: Member) -> None:
    """So what it owes the store is not refused as older than its own clear."""
    fleet.clear(one, ALL)
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.heal_store(one)
    fleet.pass_time(2 * SECOND)
    fleet.ask(two, PAID)
    assert fleet.bought == 1


def test_an_owed_answer_is_brought_at_once_when_the_store_is_heard_to_be_back(fleet: Fleet, one: Member) -> None:
    """Not at the next try."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.heal_store(one)
    assert len(one.cache.owed) == 1
    fleet.look(one, [OTHER])
    assert len(one.cache.owed) == 0


def test_an_owed_answer_is_brought_at_the_end(fleet: Fleet, one: Member, two: Member) -> None:
    """A process that ends does not wait for the next try."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.heal_store(one)
    fleet.restart(one, timedelta(0))
    fleet.ask(two, PAID)
    assert fleet.bought == 1


@pytest.mark.parametrize("keep", [True, False])
def test_who_is_cut_off_from_everything_is_given_what_he_joined(fleet: Fleet, two: Member, *, keep: bool) -> None:
    """Nobody can be asked whether it still stands."""
    fleet.break_channel(two)
    fleet.ask(two, PAID, keep=keep)
    fleet.ask(two, PAID, keep=keep)
    fleet.break_store(two, Fault.AWAY)
    fleet.end(0, "ok")
    assert (fleet.waiting, fleet.bought) == (0, 1)


def test_who_is_cut_off_from_everything_is_given_what_is_near(fleet: Fleet, two: Member) -> None:
    """Under the last barrier seen: docs/guarantees.md says what that means."""
    fleet.ask(two, PAID)
    fleet.end(0, "ok")
    fleet.break_channel(two)
    fleet.break_store(two, Fault.AWAY)
    fleet.ask(two, PAID)
    assert (fleet.given().status, fleet.bought) == (Status.HIT, 1)


def test_what_was_bought_while_the_store_was_away_is_held_against_its_barrier(
    fleet: Fleet, one: Member, two: Member
) -> None:
    """Cleared meanwhile, which this process has not heard: who joins after the store is back asks it."""
    fleet.break_channel(two)
    fleet.break_store(two, Fault.AWAY)
    fleet.ask(two, PAID)
    fleet.clear(one, ALL)
    fleet.heal_store(two)
    fleet.ask(two, PAID)
    fleet.end(0, "ok")
    assert (fleet.waiting, fleet.bought) == (1, 2)


def test_what_was_bought_while_the_store_was_away_is_not_bought_again_by_who_joined(fleet: Fleet, two: Member) -> None:
    """The store does not have it yet, and forbids nothing."""
    fleet.break_channel(two)
    fleet.break_store(two, Fault.AWAY)
    fleet.ask(two, PAID)
    fleet.heal_store(two)
    fleet.ask(two, PAID)
    fleet.end(0, "ok")
    assert (fleet.waiting, fleet.bought) == (0, 1)


def test_a_claim_whose_reply_was_slow_may_have_been_lost(fleet: Fleet, one: Member, two: Member) -> None:
    """Evicted before its holder heard of it, and somebody else bought: one purchase too many, which is no fault."""
    for member in (one, two):
        fleet.ask(member, QUESTIONS[0], keep=False)
    fleet.break_store(two, Fault.SLOW_REPLIES)
    fleet.end(0, "ok")
    fleet.lapse(QUESTIONS[0])
    fleet.ask(one, QUESTIONS[0], keep=False)
    fleet.heal_store(two)
    assert (fleet.bought, fleet.waiting) == (3, 2)
