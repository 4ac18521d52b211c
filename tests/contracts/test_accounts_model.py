"""
Whatever is asked of accounts, in whatever order, they agree with a plain account of what happened, on each store.

The model keeps one `Call` for everything that drew, and adds all sums up anew from those after every step: it knows no
differences, corrections or reversals, which is what the stores work with.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from hashcache.core.budget import Budget, Charge, Period
from hashcache.core.entry import Instant
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.core.spend import Account, Fate, day_of
from hashcache.ports import Attempt, Breaker, Health, Reason, Refused, Rules, Settlement
from tests.contracts.backends import Both, backend_of

MINUTE = 60_000
#: For how many minutes the vendor asks to wait, when it does.
THROTTLED = 20
A_DAY = 24 * 60 * MINUTE
HIVE = Account("hive", "image", "default")
#: Pauses and lives are so chosen that no sum of leaps ends one at the very moment at which it is looked at.
LEAPS = (17, 47, 23 * 60)
LASTING = 30 * MINUTE
RULES = Rules(threshold=2, pause=timedelta(minutes=10), denied_pause=timedelta(minutes=40), probe=timedelta(minutes=20))
BUDGETS = (Budget(MicroDollars(22), Period.DAY), Budget(MicroDollars(50), Period.MONTH, provider="hive"))

_estimates, _prices = some.sampled_from([0, 3, 10]), some.sampled_from([0, 2, 10, 14])
_which = some.integers(0, 5)


@dataclass(frozen=True)
class Ask:
    """Reserve: a new attempt at a key, or a former one again."""

    key: int
    estimate: int
    again: int | None
    force: bool
    refresh: bool


@dataclass(frozen=True)
class End:
    """Settle one of the latest attempts."""

    which: int
    fate: Fate
    price: int
    wasted: int
    duplicate: bool
    health: Health


@dataclass(frozen=True)
class Note:
    """Note a receipt of one of the latest attempts."""

    which: int


@dataclass(frozen=True)
class Reap:
    """The reaper comes by."""


@dataclass(frozen=True)
class Leap:
    """So many minutes pass."""

    minutes: int


_seldom = some.sampled_from([False] * 7 + [True])
_asks = some.builds(Ask, some.integers(0, 1), _estimates, some.none() | some.none() | _which, _seldom, some.booleans())
_fates = some.sampled_from([fate for fate in Fate if fate is not Fate.UNKNOWN])
_ends = some.builds(End, _which, _fates, _prices, _prices, some.booleans(), some.sampled_from(list(Health)))
_notes = some.builds(Note, some.integers(0, 1))
_leaps = some.builds(Leap, some.sampled_from(LEAPS))
STEPS = some.lists(_asks | _ends | _asks | _notes | some.builds(Reap) | _leaps, min_size=20, max_size=40)


@dataclass
class Call:
    """One call that drew, and what is known of it."""

    attempt: Attempt
    day: date
    settlement: Settlement

    @property
    def drawn(self) -> int:
        """What is or may be billed for it."""
        return self.settlement.price + self.settlement.wasted


@dataclass
class Model:
    """What happened."""

    calls: list[Call] = field(default_factory=list)
    open: dict[Key, Call] = field(default_factory=dict)
    lapsed: dict[str, tuple[Call, int]] = field(default_factory=dict)
    tried: dict[Key, tuple[int, int]] = field(default_factory=dict)
    windows: dict[str, Charge] = field(default_factory=dict)
    failures: int = 0
    until: int = 0
    reason: str = ""
    probe: tuple[str, int] | None = None

    def drawn(self, name: str) -> int:
        """What was drawn on a window."""
        return sum(call.drawn for call in self.calls if name in call.attempt.charges)

    def lines(self) -> dict[str, int]:
        """The lines of all calls that ended or lapsed."""
        running = [id(call) for call in self.open.values()]
        sums: Counter[str] = Counter()
        for call in self.calls:
            if id(call) not in running:
                sums.update(HIVE.lines(call.settlement.figures(call.attempt)))
        return {name: amount for name, amount in sums.items() if amount}

    def days(self) -> set[date]:
        """The days in which something was booked."""
        running = [id(call) for call in self.open.values()]
        return {call.day for call in self.calls if id(call) not in running}

    def _begin(self, attempt: Attempt, charges: list[Charge], now: int, tries: int) -> Call:
        attempt = replace(attempt, charges=tuple(charge.name for charge in charges), tries=tries, receipt="")
        call = Call(attempt, day_of(Instant(now)), Settlement(Fate.UNKNOWN, wasted=attempt.estimate))
        self.calls.append(call)
        self.windows |= {charge.name: charge for charge in charges}
        return call

    def _lapse(self, key: Key, now: int) -> None:
        call = self.open.pop(key)
        call.day = day_of(Instant(now))
        self.lapsed[call.attempt.token] = (call, now)
        self.tried[key] = (call.attempt.tries, now + 60 * MINUTE)

    def reserve(self, one: Attempt, charges: list[Charge], now: int, *, force: bool) -> Attempt | Reason:
        """What must be answered."""
        there = self.open.get(one.key)
        if one.token in self.lapsed:
            return replace(self.lapsed[one.token][0].attempt, key=one.key)
        if there is not None:
            if there.attempt.token == one.token:
                return there.attempt
            if force:
                self.lapsed[one.token] = (self._begin(one, charges, now, 1), now)
                return self.lapsed[one.token][0].attempt
            if there.attempt.receipt:
                there.attempt = replace(
                    there.attempt, token=one.token, started=one.started, until=one.until, process=one.process
                )
                return there.attempt
            self._lapse(one.key, now)
        tries, until = self.tried.get(one.key, (0, 0))
        tries = tries + 1 if until > now else 1
        if not force:
            if tries > RULES.tries:
                return Reason.UNKNOWN
            if self.until > now or (self.until and self.probe and self.probe[1] > now):
                return Reason.BREAKER
            if one.estimate and any(self.drawn(charge.name) + one.estimate > charge.most for charge in charges):
                return Reason.BUDGET
            if self.until:
                self.probe = (one.token, now + 20 * MINUTE)
        self.tried.pop(one.key, None)
        self.open[one.key] = self._begin(one, charges, now, tries)
        return self.open[one.key].attempt

    def note(self, one: Attempt, receipt: str) -> bool:
        """Whether it is on record."""
        there = self.open.get(one.key)
        if there is None or there.attempt.token != one.token:
            return False
        there.attempt = replace(there.attempt, receipt=receipt)
        return True

    def settle(self, one: Attempt, settlement: Settlement, now: int) -> bool:
        """Whether it was on record or had lapsed."""
        call = self.open.get(one.key)
        if call is not None and call.attempt.token == one.token:
            del self.open[one.key]
        elif one.token in self.lapsed:
            call, _ = self.lapsed.pop(one.token)
            self.tried.pop(one.key, None)
        else:
            return False
        call.settlement, call.day = settlement, day_of(Instant(now))
        self._hear(one.token, settlement.health, now)
        return True

    def _hear(self, token: str, health: Health, now: int) -> None:
        if health is Health.WELL:
            self.failures = 0
            if self.reason != "throttled" or now >= self.until:
                self.until, self.reason, self.probe = 0, "", None
                return
        if self.probe and self.probe[0] == token:
            self.probe = None
        self.failures += health in {Health.FAILED, Health.DENIED}
        pause = {Health.DENIED: 40, Health.THROTTLED: THROTTLED}.get(health, 10)
        opens = health in {Health.DENIED, Health.THROTTLED}
        opens = opens or (health is Health.FAILED and (self.until > 0 or self.failures >= 2))
        if opens and now + pause * MINUTE > self.until:
            self.until, self.reason = now + pause * MINUTE, health.value

    def reap(self, now: int) -> list[str]:
        """The tokens of what is booked as unknown now."""
        late = [call for call in self.open.values() if call.attempt.until <= now]
        for call in late:
            self._lapse(call.attempt.key, now)
        self.lapsed = {token: one for token, one in self.lapsed.items() if one[1] + 2 * A_DAY > now}
        self.windows = {name: one for name, one in self.windows.items() if one.ends + 7 * A_DAY > now}
        return [call.attempt.token for call in late]


class Play:
    """Steps on two instances of a store, and on the model."""

    def __init__(self, stores: list[Both]) -> None:
        self.stores = stores
        self.model = Model()
        self.asked: list[Attempt] = []
        self.settled: set[str] = set()
        self.turn = 0

    async def step(self, step: Ask | End | Note | Reap | Leap) -> None:
        """One step; a repeated verb goes to the other instance."""
        self.turn += 1
        store = self.stores[self.turn % 2]
        now = store.now()
        if isinstance(step, Ask):
            await self.ask(store, step, now)
        elif isinstance(step, Reap):
            reaped = [one.token for one in await store.accounts.reap()]
            assert sorted(reaped) == sorted(self.model.reap(now))
        elif self.asked and isinstance(step, Note | End):
            one = self.asked[-1 - step.which % len(self.asked)]
            if isinstance(step, Note):
                receipt = f"job {self.turn}"
                assert await store.accounts.note(one, receipt) == self.model.note(one, receipt)
            else:
                await self.end(one, step, now)

    async def ask(self, store: Both, step: Ask, now: int) -> None:
        """Reserve."""
        until = Instant(now + LASTING)
        key = Key("analysis", f"{step.key:064x}", "v")
        estimate, token = MicroDollars(step.estimate), f"t{self.turn}"
        one = Attempt(token, key, HIVE, estimate, Instant(now), until, token, refresh=step.refresh)
        if step.again is not None and self.asked:
            one = self.asked[-1 - step.again % len(self.asked)]
        if one.token in self.settled:
            return  # asked again after it has ended, it would be another attempt
        charges = [budget.charge(Instant(now)) for budget in BUDGETS]
        answer = await store.accounts.reserve(one, charges, RULES, force=step.force)
        expected = self.model.reserve(one, charges, now, force=step.force)
        if isinstance(answer, Refused):
            assert answer.reason == expected
            return
        assert answer.attempt == expected
        assert answer.left == {charge.name: max(0, charge.most - self.drawn(charge.name)) for charge in charges}
        self.asked = [former for former in self.asked if former.token != one.token] + [one]

    def drawn(self, name: str) -> int:
        """As the model knows it, of windows that are kept."""
        return self.model.drawn(name) if name in self.model.windows else 0

    async def end(self, one: Attempt, step: End, now: int) -> None:
        """Settle, twice."""
        settlement = Settlement(
            step.fate,
            MicroDollars(step.price),
            MicroDollars(step.wasted),
            {"frames": step.price},
            duplicate=step.duplicate,
            health=step.health,
            pause=timedelta(minutes=THROTTLED),
        )
        for store in self.stores:
            expected = self.model.settle(one, settlement, now)
            assert await store.accounts.settle(one, settlement) == expected
            self.settled |= {one.token} if expected else set()

    async def agrees(self) -> None:
        """What the store tells is what happened."""
        accounts, model = self.stores[0].accounts, self.model
        expected = sorted((call.attempt for call in model.open.values()), key=lambda one: (one.started, one.token))
        assert await accounts.attempts() == expected
        windows = list(model.windows.values())
        assert await accounts.used(windows) == [model.drawn(window.name) for window in windows]
        totals, days = await accounts.totals(), await accounts.days(date(2000, 1, 1))
        assert totals == model.lines()
        assert {day.day for day in days} == model.days()
        sums: Counter[str] = Counter()
        for day in days:
            sums.update(day.lines)
        assert {name: amount for name, amount in sums.items() if amount} == totals
        figures = {fate: totals.get(HIVE.line(fate.value), 0) for fate in Fate}
        assert totals.get(HIVE.line("calls"), 0) == sum(figures.values())
        assert min(totals.values(), default=0) >= 0
        told = [replace(breaker, until=None) for breaker in await accounts.breakers()]
        assert told == ([Breaker("hive", model.failures, None, model.reason)] if model.failures or model.until else [])


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_accounts_agree_with_a_plain_account_of_what_happened(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """
    Up to forty steps, some of them repeated over another connection: the answers are the model's; what is
    drawn is what is open, unknown or settled; each call is in one class; totals are the sum of the days.
    """

    async def play(steps: list[Ask | End | Note | Reap | Leap]) -> None:
        async with AsyncExitStack() as stack:
            backend = await stack.enter_async_context(backend_of(kind, tmp_path / uuid4().hex, request.getfixturevalue))
            game = Play([await backend.instance(), await backend.instance()])
            noon = A_DAY + A_DAY // 2 - game.stores[0].now() % A_DAY
            backend.leap(timedelta(milliseconds=noon))
            for step in steps:
                if isinstance(step, Leap):
                    backend.leap(timedelta(minutes=step.minutes))
                await game.step(step)
                await game.agrees()

    # A store in memory is fast enough to look for the shortest counterexample; the others tell the first.
    phases = [Phase.generate, Phase.shrink] if kind == "memory" else [Phase.generate]
    examples = 200 if kind == "memory" else 25

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), phases=phases)
    @given(STEPS)
    def games(steps: list[Ask | End | Note | Reap | Leap]) -> None:
        asyncio.run(play(steps))

    games()
