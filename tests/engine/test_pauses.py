"""A source that fails while an older answer serves is not asked by every request; and nobody buys beside a refresh."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hashcache.core.entry import Instant
from hashcache.core.outcome import Status
from hashcache.core.policy import NEVER, Policy, Remembered
from hashcache.engine import pauses
from hashcache.engine.pauses import Pauses
from tests.engine.conftest import key_of
from tests.engine.machine import QUESTIONS, RICH, Fleet, Member, Question
from tests.harness.away import Fault

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
KEY, LABEL = QUESTIONS[2].key, QUESTIONS[2].label
#: Five seconds, doubled, at most a minute, as `RICH` remembers failures.
REVALIDATED = Question(KEY, LABEL, replace(RICH, stale_if_error=NEVER, shortest=None, longest=None, late=0, jitter=0))
ON_ERROR = Question(KEY, LABEL, replace(REVALIDATED.policy, stale_while_revalidate=NEVER, stale_if_error=2 * HOUR))


def expired(fleet: Fleet, member: Member, question: Question) -> None:
    """Have *question* bought, and let its answer expire."""
    fleet.ask(member, question)
    fleet.end(0, "ok")
    fleet.pass_time(HOUR)


@pytest.mark.parametrize("question", [REVALIDATED, ON_ERROR], ids=["revalidated", "on error"])
@pytest.mark.parametrize("verdict", ["down", "bad"])
def test_a_source_that_fails_is_asked_less_and_less_often(
    fleet: Fleet, one: Member, question: Question, verdict: str
) -> None:
    """
    As often as the policy would if nothing lay there; a class that it does not remember after 1, 2, 4 seconds. In
    between the old answer is served, and nobody is asked.
    """
    expired(fleet, one, question)
    for pause in (5, 10, 20) if verdict == "down" else (1, 2, 4):
        before = fleet.bought
        fleet.ask(one, question)
        fleet.end(0, verdict)
        for _ in range(3):
            fleet.ask(one, question)
            assert (fleet.waiting, fleet.given().status) == (0, Status.STALE)
        fleet.pass_time(pause * SECOND - timedelta(milliseconds=1))
        fleet.ask(one, question)
        assert (fleet.waiting, fleet.bought) == (0, before + 1)
        fleet.pass_time(timedelta(milliseconds=1))
    fleet.ask(one, question)
    fleet.end(0, "ok")
    fleet.ask(one, question)
    assert fleet.given().status is Status.HIT
    assert len(one.cache.search.pauses) == 0


def test_who_insists_does_not_mind_a_pause(fleet: Fleet, one: Member) -> None:
    """A forced refresh asks at once; when it succeeds, nothing pauses any more."""
    expired(fleet, one, ON_ERROR)
    fleet.ask(one, ON_ERROR)
    fleet.end(0, "down")
    fleet.ask(one, ON_ERROR, refresh=True)
    fleet.end(0, "ok")
    fleet.ask(one, ON_ERROR)
    assert (fleet.bought, fleet.given().status) == (3, Status.HIT)


def test_a_pause_holds_while_the_store_is_away(fleet: Fleet, one: Member) -> None:
    """The old answer that is near is served, as it is when the store tells it."""
    expired(fleet, one, ON_ERROR)
    fleet.ask(one, ON_ERROR)
    fleet.end(0, "down")
    fleet.break_store(one, Fault.AWAY)
    fleet.break_channel(one)
    fleet.ask(one, ON_ERROR)
    assert (fleet.waiting, fleet.bought, fleet.given().status) == (0, 2, Status.STALE)


def test_without_the_store_a_failure_is_answered_with_what_is_near(fleet: Fleet, one: Member) -> None:
    """Buying without a claim fails: what has expired serves, within its window."""
    expired(fleet, one, ON_ERROR)
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, ON_ERROR)
    fleet.end(0, "down")
    assert (fleet.waiting, fleet.given().status) == (0, Status.STALE)


@pytest.mark.parametrize("verdict", ["ok", "down"])
def test_nobody_buys_beside_a_refresh_while_the_store_is_away(fleet: Fleet, one: Member, verdict: str) -> None:
    """One is under way when the store goes away, and nothing is near: who asks is given that, or fails."""
    expired(fleet, one, REVALIDATED)
    fleet.ask(one, REVALIDATED)
    one.cache.near.clear()
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, REVALIDATED)
    assert (fleet.waiting, fleet.bought) == (1, 2)
    fleet.end(0, verdict)
    assert (fleet.waiting, fleet.bought) == (0, 2)
    if verdict == "ok":
        assert (fleet.given().spent, fleet.given().collapsed) == (0, True)


def test_a_refresh_from_before_a_clear_is_not_joined(fleet: Fleet, one: Member) -> None:
    """What it buys was cleared before anybody asked: he has it bought anew."""
    expired(fleet, one, REVALIDATED)
    fleet.ask(one, REVALIDATED)
    fleet.forget(one, REVALIDATED)
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, REVALIDATED)
    assert (fleet.waiting, fleet.bought) == (1, 3)


def test_no_refresh_begins_beside_a_flight(fleet: Fleet, one: Member) -> None:
    """Somebody insists while the store is away, and it comes back: a stale answer is served, and nothing else begun."""
    expired(fleet, one, REVALIDATED)
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, REVALIDATED, refresh=True)
    fleet.heal_store(one)
    fleet.ask(one, REVALIDATED)
    assert (fleet.waiting, fleet.bought, fleet.given().status) == (1, 2, Status.STALE)


def test_pauses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is dropped; one that was over for long enough begins anew."""
    monkeypatch.setattr(pauses, "MOST", 2)
    known, policy = Pauses(), Policy(ttl=HOUR, negatives={"down": Remembered(SECOND, HOUR)})
    for number in range(3):
        known.failed(key_of(number), "down", policy, Instant(0))
    assert [known.pauses(key_of(number), Instant(999)) for number in range(3)] == [False, True, True]
    assert not known.pauses(key_of(1), Instant(1000))
    known.failed(key_of(1), "down", policy, Instant(3999))
    assert known.pauses(key_of(1), Instant(5998))
    known.failed(key_of(2), "down", policy, Instant(4000))
    assert not known.pauses(key_of(2), Instant(5000))
