"""
Short lives of a fleet in which a promise was broken once: the model says what must hold, at each step and at the end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hashcache.core.barrier import Selector
from tests.engine.machine import QUESTIONS, Fleet, Member
from tests.harness.away import Fault

ALL = Selector(pattern="*")
PAID, OTHER, RICH = QUESTIONS
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_a_caller_is_told_that_the_process_ends(fleet: Fleet, one: Member) -> None:
    """Who waits for a purchase that is cut short at the end is told so, not cancelled."""
    fleet.ask(one, PAID)
    fleet.restart(one, timedelta(0))
    assert fleet.waiting == 0


def test_an_owed_answer_is_brought_without_being_asked_for(fleet: Fleet, one: Member, two: Member) -> None:
    """A process that has all near never asks the store; it brings what it owes all the same, and nobody buys again."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.pass_time(5 * SECOND)
    fleet.heal_store(one)
    fleet.pass_time(31 * SECOND)
    assert len(one.cache.owed) == 0
    fleet.ask(two, PAID)
    assert fleet.bought == 1


def test_an_owed_answer_is_brought_after_a_first_try_that_failed(fleet: Fleet, one: Member) -> None:
    """The store is back for one command and away for the next: it is tried again."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.break_store(one, Fault.LOSING_REPLIES)
    fleet.look(one, [OTHER])
    fleet.pass_time(40 * SECOND)
    fleet.heal_store(one)
    fleet.pass_time(31 * SECOND)
    assert len(one.cache.owed) == 0


def test_an_owed_answer_does_not_replace_a_newer_one(fleet: Fleet, one: Member, two: Member) -> None:
    """What somebody bought and stored meanwhile is the newest answer, and stays."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.pass_time(2 * SECOND)
    fleet.ask(two, PAID)
    fleet.end(0, "ok")
    fleet.heal_store(one)
    fleet.pass_time(31 * SECOND)
    assert len(one.cache.owed) == 0


def test_an_owed_answer_that_is_too_old_is_given_up(fleet: Fleet, one: Member, two: Member) -> None:
    """The store does not know any more that the key was forgotten; so the answer does not come back."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.forget(two, PAID)
    fleet.sleep(71 * MINUTE)
    fleet.heal_store(one)
    fleet.pass_time(31 * SECOND)
    fleet.ask(two, PAID)
    assert (fleet.bought, one.cache.owed.given_up) == (2, 1)


@pytest.mark.parametrize("verdict", ["ok", "down"])
def test_a_purchase_that_slept_for_too_long_is_not_stored(fleet: Fleet, one: Member, two: Member, verdict: str) -> None:
    """Nor is it remembered that it failed: its key was forgotten, and the store does not know that any more."""
    fleet.ask(one, PAID)
    fleet.forget(two, PAID)
    fleet.sleep(71 * MINUTE)
    fleet.end(0, verdict)
    fleet.ask(two, PAID)
    assert fleet.bought == 2


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("forget", [True, False])
def test_a_flight_from_before_a_gap_is_verified(
    fleet: Fleet, one: Member, two: Member, *, forget: bool, keep: bool
) -> None:
    """Who joins it after the channel came back may have asked after a clear that this process never heard of."""
    fleet.ask(two, PAID, keep=keep)
    fleet.break_channel(two)
    if forget:
        fleet.forget(one, PAID)
    else:
        fleet.clear(one, ALL)
    fleet.mend_channel(two)
    fleet.ask(two, PAID, keep=keep)
    fleet.end(0, "ok")
    assert (fleet.waiting, fleet.bought) == (1, 2)


def test_a_channel_that_falls_silent_takes_no_load_twice(fleet: Fleet, one: Member, two: Member) -> None:
    """Who joined while it was alive has given his load away, and is given what he joined."""
    fleet.ask(two, PAID)
    fleet.ask(two, PAID)
    fleet.break_channel(two)
    fleet.clear(one, ALL)
    fleet.end(0, "ok")
    assert (fleet.waiting, fleet.bought) == (0, 1)


def test_a_failure_read_before_a_clear_is_not_told_after_it(fleet: Fleet, one: Member, two: Member) -> None:
    """On a silent channel the memory of a failure is as doubtful as an answer: who joined asks again."""
    fleet.ask(one, PAID)
    fleet.end(0, "down")
    fleet.break_channel(two)
    fleet.break_store(two, Fault.SLOW_REPLIES)
    fleet.ask(two, PAID)
    fleet.clear(one, ALL)
    fleet.ask(two, PAID)
    fleet.heal_store(two)
    assert (fleet.waiting, fleet.bought) == (1, 2)


def test_a_refresh_is_not_content_with_what_its_neighbour_remembers(fleet: Fleet, one: Member) -> None:
    """It joined somebody's look-up, which found a failure of before: whoever insists buys again."""
    fleet.ask(one, PAID)
    fleet.end(0, "down")
    fleet.pass_time(2 * SECOND)
    fleet.break_store(one, Fault.SLOW_REPLIES)
    fleet.ask(one, PAID)
    fleet.ask(one, PAID, refresh=True)
    fleet.heal_store(one)
    assert (fleet.waiting, fleet.bought) == (1, 2)


def test_with_a_silent_channel_what_cannot_be_kept_is_bought_once_more_at_most(fleet: Fleet, one: Member) -> None:
    """All who joined a purchase that is not to be kept ask again together, not one after the other."""
    fleet.break_channel(one)
    for _ in range(10):
        fleet.ask(one, PAID, keep=False)
    fleet.end(0, "ok")
    fleet.end(0, "ok")
    assert (fleet.waiting, fleet.bought) == (0, 2)


def test_a_clear_that_nobody_heard_of_is_not_said_to_be_done(fleet: Fleet, one: Member, two: Member) -> None:
    """The store was reached, the channel was not: others go on to serve what they have near."""
    fleet.ask(two, PAID)
    fleet.end(0, "ok")
    fleet.mute(one, away=True)
    fleet.forget(one, PAID)
    fleet.clear(one, ALL)
    fleet.pass_time(3 * SECOND)
    assert [clearing.returned for clearing in fleet.model.clearings] == [None, None]
    fleet.ask(two, PAID)


def test_a_refresh_replaces_what_others_have_near(fleet: Fleet, one: Member, two: Member) -> None:
    """Its new answer is what every process gives soon, not only the one that bought it."""
    fleet.ask(one, PAID)
    fleet.end(0, "ok")
    fleet.ask(two, PAID)
    fleet.pass_time(SECOND)
    fleet.ask(one, PAID, refresh=True)
    fleet.end(0, "ok")
    assert two.cache.near.get(PAID.key) is None


def test_who_is_away_from_the_store_keeps_what_he_has_near(fleet: Fleet, one: Member, two: Member) -> None:
    """Somebody else bought a newer answer, which he cannot have: the older one is better than another purchase."""
    fleet.ask(two, PAID)
    fleet.end(0, "ok")
    fleet.break_store(two, Fault.AWAY)
    fleet.look(two, [OTHER])
    fleet.pass_time(SECOND)
    fleet.ask(one, PAID, refresh=True)
    fleet.end(0, "ok")
    fleet.ask(two, PAID)
    assert (fleet.waiting, fleet.bought) == (0, 2)


def stale(fleet: Fleet, member: Member) -> None:
    """Let *member* have a stale answer of RICH near."""
    fleet.ask(member, RICH)
    fleet.end(0, "ok")
    fleet.sleep(70 * MINUTE)


def test_a_refresh_without_the_store_buys_nothing(fleet: Fleet, one: Member) -> None:
    """The stale answer is there, so nobody needs a new one so much as to buy it without a claim."""
    stale(fleet, one)
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, RICH)
    assert (fleet.waiting, fleet.bought) == (0, 1)


def test_a_refresh_that_fails_leaves_the_stale_answer(fleet: Fleet, one: Member, two: Member) -> None:
    """Its failure is not remembered in the place of the answer, which others still serve."""
    question = replace(RICH, policy=replace(RICH.policy, stale_if_error=timedelta(0)))
    stale(fleet, one)
    fleet.ask(one, question)
    fleet.end(0, "down")
    fleet.ask(two, question)
    assert fleet.waiting == 0
    assert not fleet.model.requests[-1].failed


def test_a_refresh_that_crashes_troubles_nobody(fleet: Fleet, one: Member) -> None:
    """Nobody waits for it; who asks after its pause has another one begun."""
    stale(fleet, one)
    fleet.ask(one, RICH)
    fleet.end(0, "crash")
    fleet.ask(one, RICH)
    assert fleet.bought == 2
    fleet.pass_time(SECOND)
    fleet.ask(one, RICH)
    assert fleet.bought == 3


def test_no_store_keeps_nothing_behind_the_back_of_who_says_it(fleet: Fleet, one: Member) -> None:
    """His load buys no answer to be kept for others."""
    stale(fleet, one)
    fleet.ask(one, RICH, keep=False)
    assert (fleet.waiting, fleet.bought) == (0, 1)
