"""
A fleet of caches on one store and one channel, on a loop whose time stands still: what can happen to it, as methods.

Each method lets happen what follows from it, as far as it needs no time, and then raises whatever the model found
wrong.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from hashcache.core.barrier import NONE, Selector
from hashcache.core.entry import Label
from hashcache.core.envelope import Envelope
from hashcache.core.errors import Stopping, StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Outcome
from hashcache.core.policy import Policy, Remembered
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations
from hashcache.engine.load import Kept, Loaded, LoadFailed
from hashcache.engine.near import Near
from hashcache.stores.memory import MemoryStore
from tests.engine.model import Model, Process, Purchase, Request
from tests.harness.away import CutOff, Fault
from tests.harness.clock import START
from tests.harness.hub import Hub, HubChannel
from tests.harness.loop import HandLoop

_HOUR = timedelta(hours=1)
_CRASH = "a load crashed"
_NAMES = Names("test")
#: What a paid analysis is bought under, and a policy with everything on.
PAID = Policy(ttl=timedelta(days=7), negatives={"down": Remembered(timedelta(seconds=5), timedelta(minutes=1))})
RICH = replace(
    PAID,
    ttl=_HOUR,
    stale_while_revalidate=_HOUR,
    stale_if_error=2 * _HOUR,
    jitter=0.1,
    late=0.5,
    shortest=_HOUR / 4,
    longest=2 * _HOUR,
)


@dataclass(frozen=True, slots=True)
class Question:
    """Something that can be asked."""

    key: Key
    label: Label
    policy: Policy


QUESTIONS = (
    Question(Key("analysis", "a" * 64, "v"), Label("image", "one", "shop", ("x",)), PAID),
    Question(Key("analysis", "b" * 64, "v"), Label("video", "two", "shop"), PAID),
    Question(Key("text", "c" * 64, "v"), Label("text", "one", "else", ("x", "y")), RICH),
)
SELECTORS = (
    Selector(pattern="*"),
    Selector(pattern="analysis:a*"),
    Selector(pattern="text"),
    Selector(kind="video"),
    Selector(tenant="one"),
    Selector(tag="y"),
    Selector(provider="shop"),
)


class Purse:
    """A load of *request*: it runs until the test says how it ends."""

    def __init__(self, fleet: Fleet, request: Request, label: Label) -> None:
        self._fleet = fleet
        self._request = request
        self._label = label
        self._verdict: asyncio.Future[str] = fleet.loop.create_future()
        self.closed = 0
        self.told = 0
        self.purchase: Purchase | None = None

    @property
    def runs(self) -> bool:
        """Whether it waits for its verdict."""
        return self.purchase is not None and not self._verdict.done() and not self.purchase.verdict

    def end(self, verdict: str) -> None:
        """
        Let it end: with an answer (`ok`; `private`: one that must not be kept), a failure of that kind, or an error
        of its own (`crash`).
        """
        self._verdict.set_result(verdict)

    async def __call__(self, token: str) -> Loaded:
        fleet = self._fleet
        fleet.holds(self.purchase is None, "a load ran twice")
        fleet.holds(not self.closed, "a load ran after it was closed")
        self.purchase = purchase = fleet.model.bought(self._request, self._label, token)
        fleet.note(fleet.model.may_run, purchase)
        verdict = "cut"
        try:
            verdict = await self._verdict
        finally:
            fleet.model.ended(purchase, verdict)
        if verdict in ("ok", "private"):
            return Loaded(purchase.payload, MicroDollars(100), keep=verdict == "ok")
        if verdict == "crash":
            raise RuntimeError(_CRASH)
        raise LoadFailed(verdict, b"failure of " + purchase.payload)

    async def kept(self, how: Kept, *, duplicate: bool) -> None:
        purchase = self.purchase
        self._fleet.holds(not duplicate or how is not None, "nothing became of an answer")
        self._fleet.holds(purchase is not None and purchase.verdict in ("ok", "private"), "kept what was not bought")
        self.told += 1
        self._fleet.holds(self.told == 1, "told twice what became of an answer")

    async def close(self) -> None:
        self.closed += 1
        self._fleet.holds(self.closed == 1, "a load was closed twice")
        self._fleet.holds(not self.runs, "a load was closed while it ran")


class Deaf:
    """An observer to whom it does not matter whether the store is there."""

    def store(self, *, available: bool, reason: str) -> None:
        """Nothing."""


class Member:
    """One process of the fleet."""

    def __init__(self, fleet: Fleet, store: MemoryStore, hub: Hub, number: int) -> None:
        self.process = Process(number)
        self.store = CutOff(store)
        self.end: HubChannel = hub.join(f"process-{number}")
        tokens = itertools.count()
        self.cache = Cache(
            self.store,
            self.end,
            Near(1_000_000),
            token=lambda: f"{number}-{next(tokens)}",
            chance=lambda: 0.5,
            observer=Deaf(),
        )
        self.invalidations = Invalidations(self.cache)
        self.stopping = False

        def applied(verb: str, args: tuple[Any, ...], result: Any) -> None:
            fleet.note(fleet.model.applied, self.process, verb, args, result)
            if verb in ("commit", "release"):
                self.end.done(args[0].key)

        self.store.applied = applied

    def __repr__(self) -> str:
        return f"process {self.process.number}"


class Fleet:
    """*size* processes on one store."""

    def __init__(self, size: int) -> None:
        self.loop = HandLoop()
        self._slept = 0
        self.model = Model(self._now, lambda: self._root._shared.barrier.sequence)
        self.purses: list[Purse] = []
        self._given_up = 0
        self._lost = NONE
        self._wrong: list[BaseException] = []
        self._callers: dict[Request, asyncio.Task[None]] = {}
        self._hub = Hub()
        self.sent = self._hub.sent
        self._numbers = itertools.count()
        self._root = MemoryStore(names=_NAMES, envelope=Envelope(most=1_000_000), clock=self._now, most=10_000_000)
        self.loop.set_exception_handler(self._unhandled)
        self.members = [self._new() for _ in range(size)]

    def _now(self) -> int:
        return START + self._slept + round(self.loop.time() * 1000)

    @property
    def bought(self) -> int:
        """How many purchases began."""
        return len(self.model.purchases)

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return sum(request.ended is None for request in self.model.requests)

    def given(self, caller: int = -1) -> Outcome:
        """The outcome that this caller was given."""
        outcome = self.model.requests[caller].outcome
        assert outcome is not None
        return outcome

    # What callers do

    def ask(self, member: Member, question: Question, *, refresh: bool = False, keep: bool = True) -> None:
        """Somebody asks *member*."""
        request = self.model.asked(member.process, question.key, question.policy, refresh=refresh, keep=keep)
        purse = Purse(self, request, question.label)
        self.purses.append(purse)
        self._callers[request] = self._start(self._ask(member, question, request, purse))
        self._go_on()

    def look(self, member: Member, questions: Iterable[Question]) -> None:
        """Somebody looks, without buying, at one question after the other."""
        for question in questions:
            request = self.model.asked(member.process, question.key, question.policy, refresh=False, keep=False)
            self._start(self._look(member, request))
        self._go_on()

    def leave(self, index: int) -> None:
        """A caller goes away."""
        waiting = [request for request, task in self._callers.items() if not task.done()]
        if waiting:
            request = waiting[index % len(waiting)]
            request.leaving = True
            self._callers[request].cancel()
            self._go_on()

    def end(self, index: int, verdict: str) -> None:
        """A load comes to its end."""
        running = [purse for purse in self.purses if purse.runs]
        if running:
            running[index % len(running)].end(verdict)
            self._go_on()

    # What is cleared

    def clear(self, member: Member, selector: Selector) -> None:
        """Somebody clears."""
        self._start(self._clear(selector, None, lambda: member.invalidations.invalidate(selector, reason="test")))
        self._go_on()

    def forget(self, member: Member, question: Question) -> None:
        """Somebody has one key forgotten."""
        self._start(self._clear(None, question.key, lambda: member.invalidations.forget([question.key])))
        self._go_on()

    # What time does

    def pass_time(self, duration: timedelta) -> None:
        """All processes live on for *duration*."""
        self.loop.pass_time(duration)
        self._go_on()

    def sleep(self, duration: timedelta) -> None:
        """All processes are frozen for *duration*: nothing is renewed, and what is on its way arrives afterwards."""
        self._slept += duration // timedelta(milliseconds=1)
        self.model.jumped = self.model.tick()
        self._go_on()

    def freeze(self, duration: timedelta, *, meanwhile: Callable[[], None]) -> None:
        """All processes stop for *duration*, and find out when they go on; *meanwhile* something happens."""
        self.loop.leap(duration)
        self.model.jumped = self.model.tick()
        meanwhile()
        self._go_on()

    def skew(self, member: Member, milliseconds: int) -> None:
        """*member* is wrong about the time."""
        member.store.skew = milliseconds

    # What breaks

    def break_store(self, member: Member, fault: Fault | None) -> None:
        """The store is not well for *member*; None: what begins from here on is, but what waits goes on waiting."""
        member.process.faulty = True
        member.store.fault = fault

    def heal_store(self, member: Member) -> None:
        """It is again."""
        if member.process.faulty:
            member.process.faulty = False
            member.process.fault_ended = self.model.tick()
            member.store.go_on()
            self._go_on()
            member.process.fault_ended = self.model.tick()

    def break_channel(self, member: Member) -> None:
        """*member* hears nothing more."""
        member.process.deaf = True
        member.end.broken = True

    def mend_channel(self, member: Member) -> None:
        """It does again, and knows that it missed something."""
        if member.end.broken:
            self._now_do(member.end.mend)
            self._hears(member)

    def slow_channel(self, member: Member) -> None:
        """What *member* hears is late."""
        if not member.end.broken:
            member.process.deaf = True
            member.end.slow_down(self.loop.time())

    def catch_up(self, member: Member, *, shuffled: bool) -> None:
        """It hears what was late, in another order if *shuffled*."""
        if shuffled:
            member.end.late.reverse()
        self._now_do(member.end.catch_up)
        if not member.end.broken:
            self._hears(member)

    def echo(self, member: Member, index: int) -> None:
        """An old notice comes again."""
        if self._hub.sent and not member.end.broken:
            self._now_do(partial(member.end.echo, self._hub.sent[index % len(self._hub.sent)]))
            member.process.hearing_since = self.model.tick()

    def mute(self, member: Member, *, away: bool) -> None:
        """Nothing that *member* sends itself leaves it (or does again)."""
        member.end.away = away

    def evict(self, question: Question) -> None:
        """The store needs room."""
        self._root._shelf.drop(_NAMES.entry(question.key))

    def corrupt(self, question: Question, position: int) -> None:
        """A bit of an entry turns."""
        shelf, name = self._root._shelf, _NAMES.entry(question.key)
        sealed = shelf.find(name)
        if sealed is not None:
            at = position % len(sealed.raw)
            raw = sealed.raw[:at] + bytes([sealed.raw[at] ^ 1]) + sealed.raw[at + 1 :]
            shelf.put(name, replace(sealed, raw=raw))

    def lose_barrier(self) -> None:
        """The record of what was cleared is lost. Not while there is somebody who has not read it."""
        barrier = self._root._shared.barrier
        if all(member.cache.view.barrier.sequence == barrier.sequence for member in self.members):
            self._lost, self._root._shared.barrier = barrier, NONE
            self._go_on()

    def lose_everything(self) -> None:
        """The store comes back empty."""
        shared = self._root._shared
        for question in QUESTIONS:
            shared.shelf.drop(_NAMES.entry(question.key))
            shared.tombstones.drop(question.key)
            self.lapse(question)
        self.lose_barrier()

    def stored(self, question: Question) -> bool:
        """Whether something lies under its key."""
        return self._root._shelf.find(_NAMES.entry(question.key)) is not None

    def lapse(self, question: Question) -> None:
        """The claim on a key is lost."""
        self._root._claims.drop(question.key)
        self.model.lapsed[question.key] = self.model.tick()
        self._go_on()

    # What comes and goes

    def kill(self, member: Member) -> None:
        """*member* is no more, and another process takes its place. What it had claimed stays claimed."""
        member.process.killed = True
        self.break_store(member, Fault.AWAY)
        self._end(member, timedelta(0))
        self._replace(member)

    def restart(self, member: Member, grace: timedelta) -> None:
        """*member* ends in good order, and another process takes its place."""
        member.stopping = True
        self._end(member, grace)
        self._replace(member)

    def begin_to_end(self, member: Member, grace: timedelta) -> None:
        """*member* is about to end."""
        member.stopping = True
        self._start(self._close(member, grace))
        self._go_on()

    def close(self) -> None:
        """Everything heals and comes to its end. Nothing is left over, and the money adds up."""
        for member in self.members:
            self.heal_store(member)
            self.mend_channel(member)
            self.catch_up(member, shuffled=False)
            self.mute(member, away=False)
        self._finish()
        for member in self.members:  # in the end everybody who asks is answered
            for question in QUESTIONS:
                self.ask(member, question)
        self._finish()
        for member in self.members:
            self._nothing_left(member)
            self._end(member, timedelta(seconds=5))
        self.pass_time(timedelta(seconds=5))
        self._go_on()
        gc.collect()
        self.note(self.model.settled, self._given_up)
        for purse in self.purses:
            self.holds(purse.closed == 1, "a load was not closed")
        left = asyncio.all_tasks(self.loop)
        self.holds(not left, f"tasks are left: {left}")
        self._go_on()

    def abandon(self) -> None:
        """Leave no loop behind."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self.loop.close()

    def holds(self, truth: object, otherwise: str) -> None:
        """*truth* must be; what is not is raised by the step under way."""
        if not truth:
            self._wrong.append(AssertionError(otherwise))

    def note(self, call: Callable[..., None], *args: Any, **named: Any) -> None:
        """Tell the model; what it finds wrong is raised by the step under way."""
        try:
            call(*args, **named)
        except AssertionError as wrong:
            self._wrong.append(wrong)

    def _new(self) -> Member:
        # Whoever remembers what was lost asks the store before somebody does who does not.
        shared = self._root._shared
        shared.barrier = shared.barrier.restored(self._lost, now=self._root.now())
        number = next(self._numbers)
        member = Member(self, self._root.join(), self._hub, number)
        self._start(member.cache.open())
        self._start(member.invalidations.resume())
        self._go_on()
        return member

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.loop.create_task(work)

    def _now_do(self, what: Callable[[], None]) -> None:
        """Let *what* happen on the loop, and all that follows."""
        self.loop.call_soon(what)
        self._go_on()

    def _go_on(self) -> None:
        """Let everything happen that can, and raise what was wrong with it."""
        self.loop.settle()
        if self._wrong:
            raise self._wrong[0]

    async def _ask(self, member: Member, question: Question, request: Request, purse: Purse) -> None:
        try:
            outcome = await member.cache.get_or_load(
                question.key, question.label, question.policy, purse, refresh=request.refresh, keep=request.keep
            )
        except LoadFailed as failure:
            self.note(self.model.failed, request, failure)
        except TimeoutError:
            self.note(self.model.impatient, request)
        except asyncio.CancelledError:
            self.note(self.model.left, request)
        except Stopping:
            self.note(self.model.refused, request)
            self.holds(member.stopping or member.process.killed, "refused by a process that does not end")
        except RuntimeError as crash:
            self.note(self.model.refused, request)
            self.holds(str(crash) == _CRASH, f"an error of the engine: {crash!r}")
        else:
            self.note(self.model.answered, request, outcome)

    async def _look(self, member: Member, request: Request) -> None:
        found = await member.cache.look([request.key])
        self.note(self.model.glimpsed, request, found.outcome, found.failure, pending=found.pending)

    async def _clear(
        self, selector: Selector | None, key: Key | None, clearing: Callable[[], Coroutine[Any, Any, Any]]
    ) -> None:
        note = self.model.clears(selector, key)
        try:
            await clearing()
        except StoreUnavailable:
            return
        self.model.cleared(note)

    async def _close(self, member: Member, grace: timedelta) -> None:
        await member.invalidations.close()
        await member.cache.close(grace)
        self._given_up += member.cache.owed.given_up

    def _end(self, member: Member, grace: timedelta) -> None:
        if member.process.killed:
            member.end.hang_up()
            for request, task in self._callers.items():
                if request.process is member.process:
                    task.cancel()
        self._start(self._close(member, grace))
        self.pass_time(grace)

    def _replace(self, member: Member) -> None:
        self.members[self.members.index(member)] = self._new()

    def _hears(self, member: Member) -> None:
        if member.process.deaf:
            member.process.deaf = False
            member.process.hearing_since = self.model.tick()

    def _finish(self) -> None:
        """All loads end well, and time passes until nobody waits."""
        for _ in range(4):
            for purse in self.purses:
                if purse.runs:
                    purse.end("ok")
            self.pass_time(timedelta(seconds=10))

    def _nothing_left(self, member: Member) -> None:
        cache = member.cache
        left = {
            "flights": len(cache.flights),
            "waiting": len(cache.search._wakes),
            "owed": len(cache.owed),
            "refreshes": len(cache.revival._tasks) + len(cache.flights._refreshing),
            "unacknowledged": len(cache.coherence._acknowledging) + len(cache.coherence._sending),
            "sweeps": len(member.invalidations._sweeps),
        }
        self.holds(not any(left.values()), f"{member} has left over {left}")

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG002 - a hook
        self.holds(truth=False, otherwise=f"nobody expected {context}")
