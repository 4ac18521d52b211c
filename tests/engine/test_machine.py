"""
Whatever happens to two or three processes, in whatever order, what the engine promises holds after every step.

The promises are in `model`, what can happen is in `machine`. `make prove` looks for a counterexample for two minutes,
or for as many as HASHCACHE_TEST_MINUTES says.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.engine.machine import QUESTIONS, SELECTORS, Fleet, Member
from tests.harness.away import Fault

_MINUTES = float(os.environ.get("HASHCACHE_TEST_MINUTES", "2"))  # noqa: TID251 - how long to prove is told to the tests alone
_STEADY = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
)

_members = some.integers(0, 2)
_questions = some.integers(0, len(QUESTIONS) - 1)
_which = some.integers(0, 3)
_seldom = some.sampled_from([False, False, True])
_moments = some.sampled_from([1, 100, 300, 1_000, 2_000, 3_000, 9_000])
_spells = some.sampled_from([1, 9, 300, 700, 2_000, 4_000, 9_000, 90_000, 604_800])


class Machine(RuleBasedStateMachine):
    """Anything may happen next."""

    fleet: Fleet

    @initialize(size=some.integers(2, 3))
    def begin(self, size: int) -> None:
        """So many processes start."""
        self.fleet = Fleet(size)

    def member(self, number: int) -> Member:
        """The process in this place."""
        return self.fleet.members[number % len(self.fleet.members)]

    @rule(member=_members, question=_questions)
    def ask(self, member: int, question: int) -> None:
        """Somebody asks."""
        self.fleet.ask(self.member(member), QUESTIONS[question])

    @rule(member=_members, question=_questions, refresh=_seldom, keep=_seldom)
    def insist(self, *, member: int, question: int, refresh: bool, keep: bool) -> None:
        """Somebody asks, with wishes of his own."""
        self.fleet.ask(self.member(member), QUESTIONS[question], refresh=refresh, keep=keep)

    @rule(member=_members)
    def look(self, member: int) -> None:
        """Somebody looks what is known."""
        self.fleet.look(self.member(member), QUESTIONS)

    @rule(which=_which)
    def leave(self, which: int) -> None:
        """A caller leaves."""
        self.fleet.leave(which)

    @rule(which=_which, verdict=some.sampled_from(["ok", "ok", "private"]))
    def answer(self, which: int, verdict: str) -> None:
        """A purchase ends well."""
        self.fleet.end(which, verdict)

    @rule(which=_which, verdict=some.sampled_from(["down", "bad", "crash"]))
    def fail(self, which: int, verdict: str) -> None:
        """A purchase fails, in a way that is remembered, that is not, or that nobody has thought of."""
        self.fleet.end(which, verdict)

    @rule(member=_members, selector=some.integers(0, len(SELECTORS) - 1))
    def clear(self, member: int, selector: int) -> None:
        """Somebody clears."""
        self.fleet.clear(self.member(member), SELECTORS[selector])

    @rule(member=_members, question=_questions)
    def forget(self, member: int, question: int) -> None:
        """Somebody has one answer forgotten."""
        self.fleet.forget(self.member(member), QUESTIONS[question])

    @rule(milliseconds=_moments)
    def pass_time(self, milliseconds: int) -> None:
        """Time passes."""
        self.fleet.pass_time(timedelta(milliseconds=milliseconds))

    @rule(seconds=_spells)
    def sleep(self, seconds: int) -> None:
        """Time passes, and no process notices."""
        self.fleet.sleep(timedelta(seconds=seconds))

    @rule(member=_members, milliseconds=some.sampled_from([-500, 0, 500]))
    def skew(self, member: int, milliseconds: int) -> None:
        """A clock goes wrong."""
        self.fleet.skew(self.member(member), milliseconds)

    @rule(member=_members, fault=some.sampled_from(Fault))
    def break_store(self, member: int, fault: Fault) -> None:
        """A process is cut off from its store, or as good as."""
        self.fleet.break_store(self.member(member), fault)

    @rule(member=_members)
    def heal_store(self, member: int) -> None:
        """It is not any more."""
        self.fleet.heal_store(self.member(member))

    @rule(member=_members)
    def break_channel(self, member: int) -> None:
        """A process hears nothing, and what it should hear is lost."""
        self.fleet.break_channel(self.member(member))

    @rule(member=_members)
    def mend_channel(self, member: int) -> None:
        """It hears again."""
        self.fleet.mend_channel(self.member(member))

    @rule(member=_members)
    def slow_channel(self, member: int) -> None:
        """What a process should hear is late."""
        self.fleet.slow_channel(self.member(member))

    @rule(member=_members, shuffled=some.booleans())
    def catch_up(self, *, member: int, shuffled: bool) -> None:
        """It hears it now."""
        self.fleet.catch_up(self.member(member), shuffled=shuffled)

    @rule(member=_members, which=some.integers(0, 20))
    def echo(self, member: int, which: int) -> None:
        """A process hears something once more."""
        self.fleet.echo(self.member(member), which)

    @rule(member=_members, away=some.booleans())
    def mute(self, *, member: int, away: bool) -> None:
        """Nobody hears what a process tells, or does again."""
        self.fleet.mute(self.member(member), away=away)

    @rule(question=_questions)
    def evict(self, question: int) -> None:
        """The store needs room."""
        self.fleet.evict(QUESTIONS[question])

    @rule(question=_questions, position=some.integers(0, 300))
    def corrupt(self, question: int, position: int) -> None:
        """The store does not keep what it was given."""
        self.fleet.corrupt(QUESTIONS[question], position)

    @rule()
    def lose_barrier(self) -> None:
        """The store loses the record of what was cleared."""
        self.fleet.lose_barrier()

    @rule(question=_questions)
    def lapse(self, question: int) -> None:
        """A claim is lost."""
        self.fleet.lapse(QUESTIONS[question])

    @rule(member=_members)
    def kill(self, member: int) -> None:
        """A process is killed, and another one started."""
        self.fleet.kill(self.member(member))

    @rule(member=_members, grace=some.sampled_from([0, 1, 5]))
    def restart(self, member: int, grace: int) -> None:
        """A process ends in good order, and another one is started."""
        self.fleet.restart(self.member(member), timedelta(seconds=grace))

    def teardown(self) -> None:
        """Everything heals, and nothing is left over."""
        if hasattr(self, "fleet"):
            try:
                self.fleet.close()
            finally:
                self.fleet.abandon()


@pytest.mark.timeout(300)  # a counterexample is made short before it is told
def test_what_is_promised_holds_whatever_happens() -> None:
    """A few thousand steps of all kinds break no promise."""
    run_state_machine_as_test(Machine, settings=settings(_STEADY, max_examples=30, stateful_step_count=30))


@pytest.mark.prove
@pytest.mark.timeout(_MINUTES * 60 + 600)
def test_what_is_promised_holds_for_long() -> None:
    """Nor do as many steps as there is time for, in short and long lives of a fleet."""
    over = time.monotonic() + _MINUTES * 60
    steps = 30
    while time.monotonic() < over:
        run_state_machine_as_test(Machine, settings=settings(_STEADY, max_examples=20, stateful_step_count=steps))
        steps = 30 if steps == 240 else steps * 2
