"""
Leave to spend: reserve before a call, settle after it, whatever the store does meanwhile.

Rule 1: no call is made that is not on record, and none that would pass a budget.
Rule 2: while the store is away and no budget is set, calls go on; they are written down here and booked when it is
        back. With a budget each process may spend its share of what was left at the last contact, then no more:
        money comes before availability. So does a moment's patience: a burst of requests is no outage.
Rule 3: what an attempt's end changes is booked once: verbs may be repeated after a lost reply.
Rule 4: a provider that the fleet's breaker excludes is not asked about again before its time: no command is spent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from hashcache.core.budget import Budget, Charge
from hashcache.core.entry import Instant
from hashcache.core.errors import (
    BudgetSpent,
    OutcomeUnknown,
    ProviderDown,
    ProviderError,
    ProviderThrottled,
    StoreUnavailable,
)
from hashcache.core.spend import Fate
from hashcache.ports import Accounts, Attempt, Granted, Health, Reason, Refused, Rules, Settlement
from hashcache.service.shares import Shares
from hashcache.service.times import rfc3339

#: How often attempts that nobody runs any more are looked for, in seconds.
_REAP_EVERY = 600.0
#: How soon what could not be booked is tried again, and how late at most, in seconds.
_RETRY, _LATEST_RETRY = 1.0, 30.0
#: How often the other processes that share the budgets are counted, in seconds.
_COUNT_EVERY = 60.0
#: How soon a reservation under a budget is tried again when the store did not answer, in seconds.
_PAUSE = 0.1
#: Ends that are remembered while the store is away; beyond, the oldest are given up and counted.
_MOST_OWED = 10_000

log: structlog.stdlib.BoundLogger = structlog.get_logger("hashcache")


@dataclass(frozen=True, slots=True)
class _Owed:
    """An end that is still to be booked; *unrecorded*: the attempt itself is not on record either."""

    attempt: Attempt
    settlement: Settlement
    unrecorded: bool


class Cashier:
    """
    The money of this process in *accounts*, within *budgets* and *rules*. *now* is the store's clock, *peers* tells how
    many processes share the budgets. *patience*: for so long after the store stopped answering it is asked again
    before a share of a budget is spent without it.
    """

    def __init__(
        self,
        accounts: Accounts,
        budgets: Sequence[Budget],
        rules: Rules,
        *,
        now: Callable[[], Instant],
        peers: Callable[[], Awaitable[int]],
        patience: timedelta = timedelta(seconds=3),
    ) -> None:
        self._accounts = accounts
        self._budgets = tuple(budgets)
        self._rules = rules
        self._now = now
        self._shares = Shares()
        self._peers = peers
        self._patience = patience.total_seconds()
        #: Since when the store has not answered a reservation, by the loop's clock.
        self._unanswered: float | None = None
        self._down: dict[str, Refused] = {}
        #: Providers of which it was said that they are down.
        self._alarmed: set[str] = set()
        self._owed: deque[_Owed] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: Ends that were never booked, since the store was away too long.
        self.given_up = 0

    def start(self) -> None:
        """Begin to book what is owed, and to look for attempts that died."""
        self._task = asyncio.create_task(self._work(), name="cashier")

    async def close(self) -> None:
        """Book what is owed, once, and stop. Safe to call twice."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(StoreUnavailable):
            await self._book_owed()
        if self._owed:
            self.given_up += len(self._owed)
            log.error("money.not_booked", attempts=len(self._owed))

    def excluded(self, provider: str) -> ProviderError | None:
        """Why *provider* is not to be asked now, as far as this process knows without asking the store."""
        refused = self._down.get(provider)
        if refused is None:
            return None
        if self._now() >= refused.until:
            del self._down[provider]
            return None
        return self._as_down(provider, refused)

    async def admit(self, attempt: Attempt) -> Attempt:
        """
        Put *attempt* on record and reserve its estimate; the attempt as it is on record now. With a receipt, that job
        is to be asked for and nothing is to be sent.

        Raises:
            BudgetSpent, ProviderDown, ProviderThrottled, OutcomeUnknown: it must not be made.
        """
        charges = [
            budget.charge(attempt.started)
            for budget in self._budgets
            if budget.covers(attempt.account.provider, attempt.account.tenant)
        ]
        attempt = replace(attempt, charges=tuple(charge.name for charge in charges))
        down = self.excluded(attempt.account.provider)
        if down is not None:
            raise down
        spent = self._shares.exhausted(attempt, charges)
        if spent is not None:
            raise self._spent(attempt.account.provider, spent, "with what is not booked yet")
        try:
            answer = await self._reserve(attempt, charges)
        except StoreUnavailable:
            return self._admit_alone(attempt, charges)
        if isinstance(answer, Granted):
            self._shares.saw(answer.left)
            self._alarmed.discard(attempt.account.provider)
            return answer.attempt
        raise self._refusal(attempt, answer, charges)

    async def _reserve(self, attempt: Attempt, charges: Sequence[Charge]) -> Granted | Refused:
        """As `Accounts.reserve`, patiently when a budget is at stake. Raises StoreUnavailable: it is away indeed."""
        clock = asyncio.get_running_loop().time
        while True:
            try:
                answer = await self._accounts.reserve(attempt, charges, self._rules)
            except StoreUnavailable:
                self._unanswered = clock() if self._unanswered is None else self._unanswered
                if not charges or clock() + _PAUSE > self._unanswered + self._patience:
                    raise
                await asyncio.sleep(_PAUSE)  # back-off, within the patience above
            else:
                self._unanswered = None
                return answer

    async def note(self, attempt: Attempt, receipt: str) -> Attempt:
        """*attempt* with the vendor's *receipt*, on record before the job is asked for, if the store is there."""
        noted = replace(attempt, receipt=receipt)
        with suppress(StoreUnavailable):
            await self._accounts.note(attempt, receipt)
        return noted

    async def settle(self, attempt: Attempt, settlement: Settlement) -> None:
        """End *attempt*. What cannot be booked now is booked later; this never raises."""
        if settlement.health is Health.DENIED:
            self._alarm(attempt.account.provider, "denied")
        owed = _Owed(attempt, settlement, unrecorded=self._shares.is_alone(attempt.token))
        self._shares.settled(attempt, settlement)
        if not owed.unrecorded and not self._owed:
            try:
                await self._accounts.settle(attempt, settlement)
            except StoreUnavailable:
                pass
            else:
                return
        self._owe(owed)

    def _owe(self, owed: _Owed) -> None:
        self._owed.append(owed)
        while len(self._owed) > _MOST_OWED:
            self._shares.forget(self._owed.popleft().attempt.token)
            self.given_up += 1
        self._wake.set()

    def _admit_alone(self, attempt: Attempt, charges: Sequence[Charge]) -> Attempt:
        """Leave to spend while the store is away."""
        spent = self._shares.draw(attempt, charges)
        if spent is not None:
            # Only the reply may have been lost: then it is on record, though nothing is sent.
            self._owe(_Owed(attempt, Settlement(Fate.FAILED, health=Health.SILENT), unrecorded=False))
            raise self._spent(attempt.account.provider, spent, "as far as is known while the store is away")
        return attempt

    def _refusal(self, attempt: Attempt, refused: Refused, charges: Sequence[Charge]) -> ProviderError:
        provider = attempt.account.provider
        match refused.reason:
            case Reason.BUDGET:
                charge = next(one for one in charges if one.name == refused.what)
                return self._spent(provider, charge, "in the whole fleet")
            case Reason.BREAKER:
                self._alarm(provider, refused.what)
                self._down[provider] = refused
                return self._as_down(provider, refused)
            case Reason.UNKNOWN:
                message = f"a call to {provider} for this content died under way; it may have been billed"
                return OutcomeUnknown(provider, message, retry_after=self._seconds_until(refused.until))

    def _alarm(self, provider: str, reason: str) -> None:
        """Say once that *provider* is down, until it is asked again. That it asks to wait is no alarm."""
        if provider not in self._alarmed and reason != "throttled":
            self._alarmed.add(provider)
            advice = "check its key, credit and rights" if reason == "denied" else "it is probed by itself"
            log.error("provider.down", provider=provider, reason=reason, advice=advice)

    def _as_down(self, provider: str, refused: Refused) -> ProviderError:
        wait = self._seconds_until(refused.until)
        if refused.what == "throttled":
            return ProviderThrottled(provider, f"{provider} asked the whole fleet to come back later", retry_after=wait)
        why = "refuses our account" if refused.what == "denied" else "failed several times in a row"
        return ProviderDown(provider, f"{provider} {why} and is not asked for a while", retry_after=wait)

    def _spent(self, provider: str, charge: Charge, where: str) -> BudgetSpent:
        scope, _, window = charge.name.rpartition("|")
        resets = rfc3339(charge.ends)
        return BudgetSpent(
            provider,
            f"the budget ({scope}, {window}) is spent {where}; it begins anew at {resets}",
            budget=scope,
            resets=resets,
            retry_after=self._seconds_until(charge.ends),
        )

    def _seconds_until(self, instant: Instant) -> float:
        return max(1.0, (instant - self._now()) / 1000)

    async def _work(self) -> None:
        pause, reap_in, count_in = _RETRY, 0.0, 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._book_owed()
                if loop.time() >= reap_in:
                    await self._reap()
                    reap_in = loop.time() + _REAP_EVERY
                if self._budgets and loop.time() >= count_in:
                    self._shares.peers = await self._peers()
                    count_in = loop.time() + _COUNT_EVERY
                pause = _RETRY
                rest = (min(reap_in, count_in) if self._budgets else reap_in) - loop.time()
            except StoreUnavailable:
                rest, pause = pause, min(2 * pause, _LATEST_RETRY)
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._wake.wait()

    async def _reap(self) -> None:
        for attempt in await self._accounts.reap():
            log.warning(
                "attempt.unknown",
                provider=attempt.account.provider,
                tenant=attempt.account.tenant,
                key=attempt.key.logical,
                estimate_usd=str(attempt.estimate / 1_000_000),
                started=rfc3339(attempt.started),
            )

    async def _book_owed(self) -> None:
        """Book what is owed, the oldest first. Raises StoreUnavailable: the rest is still owed."""
        while self._owed:
            owed = self._owed[0]
            if owed.unrecorded:
                await self._accounts.reserve(owed.attempt, self._charges(owed.attempt), self._rules, force=True)
            await self._accounts.settle(owed.attempt, owed.settlement)
            self._shares.forget(owed.attempt.token)
            # Settling appends at the other end, and may drop this one when there are too many.
            if self._owed and self._owed[0] is owed:
                self._owed.popleft()

    def _charges(self, attempt: Attempt) -> list[Charge]:
        charges = (budget.charge(attempt.started) for budget in self._budgets)
        return [charge for charge in charges if charge.name in attempt.charges]
