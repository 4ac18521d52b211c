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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Protocol

from hashcache.core.barrier import NONE, Barrier
from hashcache.core.entry import EPOCH, Entry, Instant, Label
from hashcache.core.errors import StoreUnavailable
from hashcache.core.freshness import Cause, Fresh, Missing, judge
from hashcache.core.key import Key
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.core.policy import Policy
from hashcache.engine.claims import held, release
from hashcache.engine.flights import Flight, Flights
from hashcache.engine.load import Load
from hashcache.engine.near import Near
from hashcache.ports import Claim, Store


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


@dataclass(frozen=True, slots=True)
class _Ask:
    """What one flight is to find: an answer bought not before *not_before*, searched since *began* (monotonic)."""

    flight: Flight
    policy: Policy
    load: Load
    not_before: Instant
    began: float


@dataclass(frozen=True, slots=True)
class _Grant:
    """The right to buy: under *claim* (None: the store is away), because of *cause*, as of *barrier*."""

    claim: Claim | None
    barrier: Barrier
    cause: Cause


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
        """Heed *barrier*, if it is the newest: near memory forgets what it forbids, and what it may have forbidden."""
        if barrier.sequence > self._barrier.sequence:
            younger = barrier.since(self._barrier.sequence)
            if younger is None:
                self.near.clear()
            for one in younger or ():
                self.near.invalidate(one.selector)
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
                return Found(self._hit(verdict.entry, began), pending=False)
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
                    ask = _Ask(flight, policy, load, not_before, monotonic())
                    self.flights.start(flight, partial(self._fly, ask))
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

    async def _fly(self, ask: _Ask) -> Outcome:
        try:
            found = await self._search(ask)
            return found if isinstance(found, Outcome) else await self._buy(ask, found)
        finally:
            await ask.load.close()

    async def _search(self, ask: _Ask) -> Outcome | _Grant:
        """The answer that is there, or the right to buy it."""
        try:
            return await self._from_store(ask)
        except StoreUnavailable as away:
            self._noticed(away)
            if ask.not_before > EPOCH:
                return _Grant(None, self._barrier, Cause.REFRESH)
            return self._from_near(ask.flight.key, ask.began) or _Grant(None, self._barrier, Cause.NEW)

    async def _from_store(self, ask: _Ask) -> Outcome | _Grant:
        if ask.not_before > EPOCH:
            return await self._claimed(ask, Cause.REFRESH)
        reading = await self.store.read([ask.flight.key])
        self.saw(reading.barrier)
        match judge(reading.slots[0].entry, now=self.store.now(), barrier=reading.barrier):
            case Fresh(entry):
                return self._hit(entry, ask.began)
            case Missing(cause):
                return await self._claimed(ask, cause)

    async def _claimed(self, ask: _Ask, cause: Cause) -> Outcome | _Grant:
        """Get the claim, or wait until somebody else has bought."""
        token = self._token()
        pause = ask.policy.poll
        waited = False
        while True:
            bid = await self.store.claim(ask.flight.key, token, ask.policy.lease)
            self.saw(bid.barrier)
            # Look again: somebody may have stored between our look and our claim, or while we waited for theirs.
            #   A: miss, claim, buy, commit          B: miss ..., claim  <- we are B
            verdict = judge(bid.entry, now=self.store.now(), barrier=bid.barrier, not_before=ask.not_before)
            if isinstance(verdict, Fresh):
                await release(self.store, bid.claim)
                hit = self._hit(verdict.entry, ask.began)
                return replace(hit, status=Status.MISS, cause=cause, collapsed=True) if waited else hit
            if bid.claim is not None:
                return _Grant(bid.claim, bid.barrier, cause)
            waited = True
            await asyncio.sleep(min(bid.held, pause).total_seconds())
            pause = min(pause * 2, ask.policy.longest_poll)

    async def _buy(self, ask: _Ask, grant: _Grant) -> Outcome:
        """Load, and keep what came."""
        began = monotonic()
        async with held(self.store, grant.claim, ask.policy):
            loaded = await ask.load(grant.claim.token if grant.claim else self._token())
        now = self.store.now()
        entry = Entry(
            key=ask.flight.key,
            label=ask.flight.label,
            payload=loaded.payload,
            sequence=grant.barrier.sequence,
            created=now,
            expires=Instant(now + ask.policy.ttl // timedelta(milliseconds=1)),
            price=loaded.price,
        )
        bought = monotonic() - began
        stored = False
        if loaded.keep and ask.flight.keep:
            stored = await self._keep(entry, grant.claim)
        else:
            await release(self.store, grant.claim)
        return Outcome(
            entry=entry,
            status=Status.MISS,
            level=Level.SOURCE,
            at=now,
            cause=grant.cause,
            stored=stored,
            store_away=grant.claim is None,
            looked=(began - ask.began) * 1000,
            bought=bought * 1000,
        )

    async def _keep(self, entry: Entry, claim: Claim | None) -> bool:
        """Commit *entry*; whether the store keeps it. Near memory keeps what a store that is away cannot."""
        try:
            stored = claim is not None and await self.store.commit(claim, entry)
        except StoreUnavailable as away:
            self._noticed(away)
            claim, stored = None, False
        if stored or claim is None:
            self.near.put(entry)
        return stored

    def _hit(self, entry: Entry, began: float) -> Outcome:
        self.near.put(entry)
        looked = (monotonic() - began) * 1000
        return Outcome(entry=entry, status=Status.HIT, level=Level.STORE, at=self.store.now(), looked=looked)

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
