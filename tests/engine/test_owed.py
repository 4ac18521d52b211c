"""What the store is owed: bounded, brought in order, tried again less and less often."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from hashcache.core.entry import Entry, Instant
from hashcache.engine.load import Kept
from hashcache.engine.near import Near
from hashcache.engine.owed import MOST, Owed, Told
from hashcache.engine.view import View
from hashcache.engine.witness import Witness
from hashcache.ports import Claim
from tests.engine.conftest import LABEL, Heard, key_of
from tests.engine.machine import QUESTIONS, Fleet, Member
from tests.harness.away import CutOff, Fault
from tests.harness.clock import HandClock


def witness_of(store: CutOff) -> Witness:
    """Who asks *store* for a process that remembers nothing."""
    return Witness(store, View(Near(0), Heard(), returned=lambda: None))


@pytest.fixture
def ends() -> list[Kept]:
    """What became of answers."""
    return []


@pytest.fixture
def told(ends: list[Kept]) -> Told:
    """Notes it in *ends*."""

    async def note(how: Kept) -> None:
        ends.append(how)

    return note


async def test_the_oldest_are_given_up_first(store: CutOff, clock: HandClock, ends: list[Kept], told: Told) -> None:
    """As many as it holds are brought; what was owed anew counts as new."""
    owed = Owed(witness_of(store))
    now = Instant(clock())
    for number in (*range(MOST), 0, MOST):
        entry = Entry(key_of(number), LABEL, b"", 0, now, Instant(now + 60_000))
        owed.add(Claim(entry.key, "token", "", now), entry, told=told)
    assert (len(owed), owed.given_up) == (MOST, 1)
    await owed.close()
    reading = await store.read([key_of(number) for number in (0, 1, 2, MOST)])
    assert [slot.entry is not None for slot in reading.slots] == [True, False, True, True]
    assert Counter(ends) == {Kept.STORED: MOST, Kept.UNKEPT: 2}, "the one that was replaced, and the one given up"


async def test_what_cannot_be_brought_at_the_end_is_counted(
    store: CutOff, clock: HandClock, ends: list[Kept], told: Told
) -> None:
    """It was paid for, and nobody will have it."""
    owed = Owed(witness_of(store))
    now = Instant(clock())
    store.away = True
    entry = Entry(key_of(), LABEL, b"", 0, now, Instant(now + 60_000))
    owed.add(Claim(key_of(), "token", "", now), entry, told=told)
    await owed.close()
    assert (len(owed), owed.given_up) == (0, 1)
    assert ends == [Kept.UNKEPT]


def test_a_store_that_stays_away_is_tried_less_and_less_often(fleet: Fleet, one: Member) -> None:
    """After 1, 3, 7, 15 and 31 seconds, and from then on twice a minute."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, QUESTIONS[0])
    fleet.end(0, "ok")
    one.store.calls.clear()
    fleet.pass_time(timedelta(seconds=120))
    assert one.store.calls == {"read": 7}


def test_the_memory_of_a_failure_does_not_stand_in_for_an_answer(fleet: Fleet, one: Member, two: Member) -> None:
    """Somebody else failed meanwhile: what this process owes is an answer, and takes its place."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, QUESTIONS[0])
    fleet.end(0, "ok")
    fleet.pass_time(timedelta(seconds=2))
    fleet.ask(two, QUESTIONS[0])
    fleet.end(0, "down")
    fleet.heal_store(one)
    fleet.look(one, [QUESTIONS[1]])
    fleet.ask(two, QUESTIONS[0])
    assert (fleet.waiting, fleet.bought) == (0, 2)
    assert fleet.given().entry.payload == fleet.model.purchases[0].payload


def test_what_is_there_already_is_not_stored_again(fleet: Fleet, one: Member) -> None:
    """Only the reply of the commit was lost."""
    fleet.ask(one, QUESTIONS[0])
    fleet.break_store(one, Fault.LOSING_REPLIES)
    fleet.end(0, "ok")
    fleet.heal_store(one)
    fleet.look(one, [QUESTIONS[1]])
    assert (len(one.cache.owed), one.store.calls["commit"]) == (0, 1)


def test_what_is_owed_anew_while_the_older_answer_is_brought_is_brought_too(
    fleet: Fleet, one: Member, two: Member
) -> None:
    """The debt that is settled is the older one."""
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, QUESTIONS[0])
    fleet.end(0, "ok")
    fleet.break_store(one, Fault.SLOW_REPLIES)
    fleet.pass_time(timedelta(seconds=1))
    fleet.break_store(one, Fault.AWAY)
    fleet.ask(one, QUESTIONS[0], refresh=True)
    fleet.end(0, "ok")
    fleet.heal_store(one)
    fleet.look(one, [QUESTIONS[1]])
    fleet.ask(two, QUESTIONS[0])
    assert fleet.given().entry.payload == fleet.model.purchases[1].payload
    assert fleet.bought == 2
