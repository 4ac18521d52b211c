"""
The load that pays: on record before, asked, checked, settled after.

    estimate -> reserve (budget, journal, breaker) -> start -> [note the receipt -> resume ...] -> result -> settle

Rule 1: an error, an incomplete or out-of-range answer never becomes a result.
Rule 2: what the vendor would refuse is refused before anything is reserved; it costs nothing.
Rule 3: a receipt is on record before its job is asked for, so that another process asks on instead of paying again.
Rule 4: each call ends in exactly one class: with an answer by what became of that, without one as failed, and cut
        short in the middle as unknown.
Rule 5: an answer larger than an entry may be is given, and kept without the vendor's raw part; if that is not
        enough, it is given and not kept.
Rule 6: the bytes belong to this load from the moment it is made, and are freed when it is closed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

import msgspec

from hashcache.core.content import Content
from hashcache.core.entry import Instant
from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
)
from hashcache.core.key import Key
from hashcache.core.money import FREE
from hashcache.core.result import Result, encode
from hashcache.core.spend import Account, Fate
from hashcache.engine.load import Kept, Loaded
from hashcache.ports import Answer, Attempt, Body, Estimate, Health, Observer, Pending, Provider, Settlement
from hashcache.service.cashier import Cashier
from hashcache.service.failures import remember

_MILLISECOND = timedelta(milliseconds=1)
#: For so long after its deadline an attempt may still be settled by who made it, if calls may take as long.
_SLACK = timedelta(minutes=1)
_FATES = {Kept.STORED: Fate.STORED, Kept.UNKEPT: Fate.UNKEPT, Kept.FENCED: Fate.FENCED}


@dataclass(frozen=True, slots=True)
class Till:
    """
    Where purchases of this process are paid: *process* is its name, *now* the store's clock, *most* the bytes that an
    entry may have.
    """

    cashier: Cashier
    process: str
    now: Callable[[], Instant]
    observer: Observer
    most: int


class Purchase:
    """
    One paid (or embedded) analysis of *content*, kept under *key* and paid for *account*; an `engine.load.Load`.
    *deadline* bounds it; *refresh*: somebody wanted it bought anew.
    """

    def __init__(
        self,
        provider: Provider,
        content: Content,
        body: Body,
        *,
        key: Key,
        account: Account,
        till: Till,
        deadline: timedelta,
        refresh: bool = False,
    ) -> None:
        self._provider = provider
        self._content = content
        self._body = body
        self._key = key
        self._account = account
        self._till = till
        self._deadline = deadline
        self._refresh = refresh
        self._attempt: Attempt | None = None
        self._answer: Answer | None = None

    async def __call__(self, token: str) -> Loaded:
        """
        Reserve, ask, and wait for the answer.

        Raises:
            LoadFailed: there is none, because of the ProviderError that caused it; the observer knows.
        """
        began = monotonic()
        observer, name = self._till.observer, self._provider.name
        try:
            estimate = await self._estimate()
            await self._admit(token, estimate)
        except ProviderError as error:
            observer.declined(name, error)
            raise remember(error, sent=False) from error
        try:
            answer = self._answer = await self._ask()
            payload, keep = self._encoded(answer)
        except ProviderError as error:
            self._answer = None
            settlement = _failed(error, estimate)
            await self._settle(settlement)
            observer.lost(name, duration=monotonic() - began, error=error, price=settlement.wasted)
            raise remember(error) from error
        except BaseException:  # cut short, by the end of this process or by a fault of ours: it may have been billed
            await self._settle(Settlement(Fate.UNKNOWN, wasted=estimate.price, health=Health.SILENT))
            raise
        observer.bought(name, answer.price, duration=monotonic() - began, stored=keep)
        return Loaded(payload, answer.price, keep=keep)

    async def kept(self, how: Kept, *, duplicate: bool) -> None:
        """Settle what was bought by what became of it; what was bought twice was wasted once."""
        answer = self._answer
        if answer is not None:
            price, wasted = (FREE, answer.price) if duplicate else (answer.price, FREE)
            await self._settle(Settlement(_FATES[how], price, wasted, answer.units or {}, duplicate=duplicate))

    async def close(self) -> None:
        """Free the bytes of the upload."""
        await self._body.close()

    async def _admit(self, token: str, estimate: Estimate) -> None:
        """Put the call on record, unless nobody bills it. Raises as `Cashier.admit`."""
        if self._provider.terms.embedded:
            return
        started = self._till.now()
        attempt = Attempt(
            token=token,
            key=self._key,
            account=self._account,
            estimate=estimate.price,
            started=started,
            until=Instant(started + (self._deadline + min(self._deadline, _SLACK)) // _MILLISECOND),
            process=self._till.process,
            refresh=self._refresh,
        )
        self._attempt = await self._till.cashier.admit(attempt)

    async def _settle(self, settlement: Settlement) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            await self._till.cashier.settle(attempt, settlement)

    async def _estimate(self) -> Estimate:
        try:
            return await self._provider.estimate(self._content, self._body)
        except (OSError, MemoryError) as error:
            raise ProviderFailed(self._provider.name, f"the upload cannot be read: {type(error).__name__}") from error

    async def _ask(self) -> Answer:
        name = self._provider.name
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                answer = await self._begin()
                while isinstance(answer, Pending):
                    await self._note(answer.receipt)
                    await asyncio.sleep(answer.after.total_seconds())  # the vendor's pace, under the deadline
                    answer = await self._provider.resume(answer.receipt)
        except TimeoutError:
            raise ProviderTimeout(name, f"{name} did not answer in time", possibly_paid=True) from None
        except (OSError, MemoryError) as error:
            raise ProviderFailed(name, f"{name} failed: {type(error).__name__}", possibly_paid=True) from error
        _check(name, answer.result)
        return answer

    async def _begin(self) -> Answer | Pending:
        """Send the content; or ask for the job that a process before us had the vendor take."""
        attempt = self._attempt
        if attempt is not None and attempt.receipt:
            return await self._provider.resume(attempt.receipt)
        return await self._provider.start(self._content, self._body)

    async def _note(self, receipt: str) -> None:
        """The receipt is on record before the job is asked for, by us or by who comes after us."""
        attempt = self._attempt
        if attempt is not None and attempt.receipt != receipt:
            self._attempt = await self._till.cashier.note(attempt, receipt)

    def _encoded(self, answer: Answer) -> tuple[bytes, bool]:
        try:
            payload = encode(answer.result)
            if len(payload) <= self._till.most:
                return payload, True
            smaller = encode(msgspec.structs.replace(answer.result, answer=None))
        except (TypeError, ValueError, RecursionError):
            raise ProviderInvalid(
                self._provider.name, "its answer cannot be written as JSON", possibly_paid=True
            ) from None
        return (smaller, True) if len(smaller) <= self._till.most else (payload, False)


def _failed(error: ProviderError, estimate: Estimate) -> Settlement:
    """How a call ended that gave no answer, and what that says of the provider."""
    pause = timedelta(0)
    match error:
        case ProviderDenied():
            health = Health.DENIED
        case ProviderFailed() | ProviderTimeout() | ProviderInvalid():
            health = Health.FAILED
        case ProviderThrottled(retry_after=float(seconds)):
            health, pause = Health.THROTTLED, timedelta(seconds=seconds)
        case ProviderRejected() | _:
            health = Health.SILENT
    wasted = estimate.price if error.possibly_paid else FREE
    return Settlement(Fate.FAILED, wasted=wasted, health=health, pause=pause)


def _check(name: str, result: Result) -> None:
    """What no adapter may let through, whatever it was told."""
    score = result.score_ai
    if score is not None and not (math.isfinite(score) and 0 <= score <= 1):
        raise ProviderInvalid(name, "its score is not between 0 and 1", possibly_paid=True)
    if result.provider != name:
        raise ProviderInvalid(name, "its answer names another provider", possibly_paid=True)
