"""
The path of an answer: look in the store, claim, buy, keep.

    get_or_load -> join the flight -> look -> bid for the claim -> load -> commit

Rule 1: a load starts only under a claim, or while the store is away: then at most one per key and process.
Rule 2: the store is looked at again with the claim in hand: somebody may have bought between look and claim.
Rule 3: an entry carries the barrier's sequence read with its claim, so what was cleared meanwhile is dead.
Rule 4: a store that is away never fails a request; what it would have kept stays in near memory.
Rule 5: whoever hands in a load is rid of it: it is closed here, used or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import Protocol

from hashcache.core.barrier import NONE, Barrier
from hashcache.core.entry import EPOCH, Entry, Instant, Label
from hashcache.core.errors import StoreUnavailable
from hashcache.core.freshness import Cause, Fresh, Missing, judge
from hashcache.core.key import Key
from hashcache.core.money import FREE, MicroDollars
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.core.policy import Policy
from hashcache.engine.flights import Flight, Flights
from hashcache.engine.near import Near
from hashcache.ports import Claim, Store


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load gave: opaque bytes and what they cost. *keep* False: the answer is given, but must not be kept."""

    payload: bytes
    price: MicroDollars = FREE
    keep: bool = True


class Load(Protocol):
    """Whatever is slow or paid. *token* names this attempt across the fleet."""

    async def __call__(self, token: str) -> Loaded:
        """Buy the answer. Its errors reach everybody who waits for this flight."""
        ...

    async def close(self) -> None:
        """Free what the load holds; called once, whether it ran or not."""
        ...


class StoreObserver(Protocol):
    """Who wants to know whether the store is there."""

    def store(self, *, available: bool, reason: str) -> None:
        """The store went away (for *reason*) or came back."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under some keys: the outcome of the first fresh one, else whether one is being bought."""

    outcome: Outcome | None
    pending: bool


class Cache:
    """Answers from near memory, the store or a load. *token* makes unguessable names for claims."""

    def __init__(self, store: Store, near: Near, *, token: Callable[[], str], observer: StoreObserver) -> None:
        self.store = store
        self.near = near
        self.flights = Flights()
        self._token = token
        self._barrier = NONE
        self._observer = observer
        self._away = False

    def saw(self, barrier: Barrier) -> None:
        """Note the newest barrier: near memory is judged by it while the store is away."""
        if barrier.sequence >= self._barrier.sequence:
            self._barrier = barrier
        self._noticed(None)

    def _noticed(self, away: StoreUnavailable | None) -> None:
        """Tell the observer when the store goes away or comes back, once."""
        if self._away is not (away is not None):
            self._away = away is not None
            self._observer.store(available=away is None, reason=away.reason if away else "")

    async def look(self, keys: Sequence[Key]) -> Found:
        """What is known under *keys*, best first, without buying anything: one command to the store."""
        began = monotonic()
        pending = any(self.flights.find(key) for key in keys)
        try:
            reading = await self.store.read(keys)
        except StoreUnavailable as away:
            self._noticed(away)
            for key in keys:
                kept = self._from_near(key, began)
                if kept is not None:
                    return Found(kept, pending=False)
            return Found(None, pending)
        self.saw(reading.barrier)
        now = self.store.now()
        for slot in reading.slots:
            verdict = judge(slot.entry, now=now, barrier=reading.barrier)
            if isinstance(verdict, Fresh):
                return Found(self._hit(verdict.entry, now, began), pending=False)
        return Found(None, pending or any(slot.claimed for slot in reading.slots))

    async def get_or_load(
        self, key: Key, label: Label, policy: Policy, load: Load, *, refresh: bool = False, keep: bool = True
    ) -> Outcome:
        """
        The answer of *key*, bought with *load* if need be.

        *refresh*: only an answer of a purchase that ends from now on will do. *keep* False: what is bought for this
        caller alone is not kept.

        Raises:
            TimeoutError: the policy's patience is over; the purchase goes on.
            Exception: whatever *load* raised.
        """
        not_before = self.store.now() if refresh else EPOCH
        unused = True
        try:
            while True:
                flight = self.flights.find(key)
                joined = flight is not None
                if flight is None:
                    flight = Flight(key, label, keep=keep)
                    unused = False
                    self.flights.start(flight, lambda one: self._fly(one, policy, load, not_before))
                else:
                    flight.keep = flight.keep or keep
                    if not refresh and unused:
                        unused = False
                        await load.close()
                outcome = await flight.wait(policy.patience)
                if not joined or outcome.entry.created >= not_before:
                    return _for_caller(outcome, joined=joined, keep=keep)
        finally:
            if unused:
                await load.close()

    async def _fly(self, flight: Flight, policy: Policy, load: Load, not_before: Instant) -> Outcome:
        began = monotonic()
        try:
            try:
                cause = Cause.REFRESH
                if not_before == EPOCH:
                    reading = await self.store.read([flight.key])
                    self.saw(reading.barrier)
                    verdict = judge(reading.slots[0].entry, now=self.store.now(), barrier=reading.barrier)
                    if isinstance(verdict, Fresh):
                        return self._hit(verdict.entry, self.store.now(), began)
                    cause = verdict.cause
                return await self._claimed(flight, policy, load, not_before, cause, began)
            except StoreUnavailable as away:
                self._noticed(away)
                kept = None if not_before > EPOCH else self._from_near(flight.key, began)
                return kept or await self._buy(flight, policy, load, None, self._barrier, cause, began)
        finally:
            await load.close()

    async def _claimed(
        self, flight: Flight, policy: Policy, load: Load, not_before: Instant, cause: Cause, began: float
    ) -> Outcome:
        """Get the claim and buy, or wait until somebody else has bought."""
        token = self._token()
        pause = policy.poll
        waited = False
        while True:
            bid = await self.store.claim(flight.key, token, policy.lease)
            self.saw(bid.barrier)
            # Look again: somebody may have stored between our look and our claim, or while we waited for theirs.
            #   A: miss, claim, buy, commit          B: miss ..., claim  <- we are B
            verdict = judge(bid.entry, now=self.store.now(), barrier=bid.barrier, not_before=not_before)
            if isinstance(verdict, Fresh):
                if bid.claim is not None:
                    await self._release(bid.claim)
                hit = self._hit(verdict.entry, self.store.now(), began)
                return replace(hit, status=Status.MISS, cause=cause, collapsed=True) if waited else hit
            if bid.claim is not None:
                return await self._buy(flight, policy, load, bid.claim, bid.barrier, cause, began)
            waited = True
            await asyncio.sleep(min(bid.held, pause).total_seconds())
            pause = min(pause * 2, policy.longest_poll)

    async def _buy(
        self,
        flight: Flight,
        policy: Policy,
        load: Load,
        claim: Claim | None,
        barrier: Barrier,
        cause: Cause,
        began: float,
    ) -> Outcome:
        """Load, and keep what came."""
        bought_from = monotonic()
        try:
            async with self._renewing(claim, policy):
                loaded = await load(claim.token if claim else self._token())
        except BaseException:
            if claim is not None:
                await self._release(claim)
            raise
        now = self.store.now()
        entry = Entry(
            key=flight.key,
            label=flight.label,
            payload=loaded.payload,
            sequence=barrier.sequence,
            created=now,
            expires=Instant(now + policy.ttl // timedelta(milliseconds=1)),
            price=loaded.price,
        )
        bought = monotonic() - bought_from
        stored = await self._keep(entry, claim) if loaded.keep and flight.keep else await self._drop(claim)
        return Outcome(
            entry=entry,
            status=Status.MISS,
            level=Level.SOURCE,
            at=now,
            cause=cause,
            stored=stored,
            store_away=claim is None,
            looked=(bought_from - began) * 1000,
            bought=bought * 1000,
        )

    async def _keep(self, entry: Entry, claim: Claim | None) -> bool:
        """Commit *entry*; whether the store keeps it. Near memory keeps what a store that is away cannot."""
        if claim is None:
            self.near.put(entry)
            return False
        try:
            stored = await self.store.commit(claim, entry)
        except StoreUnavailable:
            self.near.put(entry)
            return False
        if stored:
            self.near.put(entry)
        return stored

    async def _drop(self, claim: Claim | None) -> bool:
        if claim is not None:
            await self._release(claim)
        return False

    async def _release(self, claim: Claim) -> None:
        try:
            await self.store.release(claim)
        except StoreUnavailable:
            return  # it ends by itself with its lease

    @asynccontextmanager
    async def _renewing(self, claim: Claim | None, policy: Policy) -> AsyncIterator[None]:
        """Hold *claim* while the body runs. A claim that cannot be renewed stops nothing: the call is already paid."""
        if claim is None:
            yield
            return
        task = asyncio.create_task(self._renew(claim, policy), name=f"renew {claim.key.logical}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _renew(self, claim: Claim, policy: Policy) -> None:
        while True:
            await asyncio.sleep(policy.renewal.total_seconds())
            try:
                if not await self.store.renew(claim, policy.lease):
                    return
            except StoreUnavailable:
                continue

    def _hit(self, entry: Entry, now: Instant, began: float) -> Outcome:
        self.near.put(entry)
        return Outcome(entry=entry, status=Status.HIT, level=Level.STORE, at=now, looked=(monotonic() - began) * 1000)

    def _from_near(self, key: Key, began: float) -> Outcome | None:
        """What near memory knows of *key*, judged by the last barrier seen: only while the store is away."""
        now = self.store.now()
        match judge(self.near.get(key), now=now, barrier=self._barrier):
            case Fresh(entry):
                return Outcome(
                    entry=entry,
                    status=Status.HIT,
                    level=Level.NEAR,
                    at=now,
                    store_away=True,
                    looked=(monotonic() - began) * 1000,
                )
            case Missing():
                return None


def _for_caller(outcome: Outcome, *, joined: bool, keep: bool) -> Outcome:
    """The same flight as this caller saw it."""
    if outcome.cached:
        return outcome
    if joined:
        outcome = replace(outcome, collapsed=True)
    return outcome if keep else replace(outcome, status=Status.BYPASS)
