"""
Answers in three short stages: near memory, the store, a load.

    get_or_load -> near memory -> join the flight -> (search: store -> claim -> load -> commit)

Rule 1: a near hit needs no task, no claim and no command to the store.
Rule 2: whoever hands in a load is rid of it: it is closed here, used or not.
Rule 3: a flight that began before a clear gives no answer to anybody who asks after it: flights are detached when
        the clear is heard; who joins one while the channel is silent, or one that flew while it was, asks the store
        whether the answer still stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from time import monotonic

from hashcache.core.barrier import Barrier
from hashcache.core.entry import EPOCH, Entry, Instant, Label
from hashcache.core.errors import StoreUnavailable
from hashcache.core.freshness import Cause, Fresh, Missing, judge
from hashcache.core.key import Key
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.core.policy import Policy
from hashcache.engine.answers import remembered
from hashcache.engine.ask import Ask
from hashcache.engine.coherence import WINDOW, Coherence
from hashcache.engine.flights import Flight, Flights
from hashcache.engine.found import Found
from hashcache.engine.hits import Hits
from hashcache.engine.load import Load, LoadFailed
from hashcache.engine.near import Near
from hashcache.engine.owed import Owed
from hashcache.engine.revival import Revival
from hashcache.engine.search import Search
from hashcache.engine.view import StoreObserver, View
from hashcache.engine.waiting import Wakes
from hashcache.engine.witness import Witness
from hashcache.ports import Channel, Slot, Store


class Cache:
    """
    Answers from near memory, the store or a load.

    *token* makes unguessable names, *chance* draws from [0, 1), *window* is how long a silent channel is trusted.
    """

    def __init__(
        self,
        store: Store,
        channel: Channel,
        near: Near,
        *,
        token: Callable[[], str],
        chance: Callable[[], float],
        observer: StoreObserver,
        window: timedelta = WINDOW,
    ) -> None:
        self.store = store
        self.channel = channel
        self.near = near
        self.flights = Flights()
        self.view = View(near, observer, returned=self._returned)
        self.witness = Witness(store, self.view)
        self.hits = Hits(self.flights, self.look, self.look_all)
        self.owed = Owed(self.witness)
        wakes = Wakes()
        self.search = Search(store, self.witness, self.view, self.owed, wakes, token=token, chance=chance)
        self.revival = Revival(store, self.view, self.flights, self.search, chance=chance)
        self.coherence = Coherence(store, channel, self.view, self.flights, wakes, token=token, window=window)

    async def open(self) -> None:
        """Begin to listen to other processes. The store is opened by whoever made it."""
        await self.coherence.open()

    def stop(self) -> None:
        """Take no new work: what would have to be bought raises Stopping; what is under way goes on."""
        self.search.stopping = True

    async def close(self, grace: timedelta) -> int:
        """Let what is under way end within *grace*, store what is owed, stop listening. How many were cancelled."""
        self.stop()
        began = monotonic()
        late = await self.flights.drain(grace)
        left = max(timedelta(0), grace - timedelta(seconds=monotonic() - began))
        late += await self.revival.drain(left)
        await self.hits.close()
        await self.owed.close()
        await self.coherence.close()
        return late

    def glance(self, keys: Iterable[Key]) -> Outcome | None:
        """
        The first fresh answer that near memory may give under *keys*, if any, and nothing else: no task, no command,
        nothing set going. For policies that ask nothing of a hit (`Revival`); the others go through `get_or_load`.
        """
        if not self.channel.alive:
            return None
        began = monotonic()
        for key in keys:
            near = self._near(key, began)
            if near is not None:
                return near
        return None

    def is_flying(self, keys: Iterable[Key]) -> bool:
        """Whether an answer under one of *keys* is being looked for or bought here, which may be joined."""
        return any(self.flights.find(key) for key in keys)

    def at_hand(self, key: Key) -> Entry | None:
        """The entry that `glance` would serve of *key*, for those who serve thousands a second and tell of none."""
        entry = self.near.get(key) if self.channel.alive else None
        if entry is None:
            return None
        return entry if isinstance(judge(entry, now=self.store.now(), barrier=self.view.barrier), Fresh) else None

    async def look(self, keys: Sequence[Key]) -> Found:
        """What is known under *keys*, best first, without buying anything: one command to the store at most."""
        near = self.glance(keys)
        if near is not None:
            return Found(near, pending=False)
        began = monotonic()
        pending = self.is_flying(keys)
        generation = self.view.generation
        try:
            reading = await self.witness.read(keys)
        except StoreUnavailable as away:
            self.view.lost(away)
            kept = (self._near(key, began) for key in keys)
            nearest = next((one for one in kept if one is not None), None)
            return Found(nearest, pending, away=True, took=_since(began))
        return self._found(keys, reading.slots, reading.barrier, began, generation, pending=pending)

    async def look_all(self, groups: Sequence[Sequence[Key]]) -> list[Found]:
        """
        What is known under each of *groups* of keys, as `look` tells it, with one read of all of them: neither near
        memory nor what is found makes it more or less. While the store is away near memory answers alone.
        """
        began = monotonic()
        under_way = [self.is_flying(keys) for keys in groups]
        generation = self.view.generation
        try:
            reading = await self.witness.read([key for keys in groups for key in keys])
        except StoreUnavailable as away:
            self.view.lost(away)
            kept = [[self._near(key, began) for key in keys] for keys in groups]
            nearest = [next((one for one in group if one is not None), None) for group in kept]
            took = _since(began)
            return [Found(one, pending, away=True, took=took) for one, pending in zip(nearest, under_way, strict=True)]
        slots = iter(reading.slots)
        return [
            self._found(keys, tuple(islice(slots, len(keys))), reading.barrier, began, generation, pending=pending)
            for keys, pending in zip(groups, under_way, strict=True)
        ]

    def _found(
        self,
        keys: Sequence[Key],
        slots: Sequence[Slot],
        barrier: Barrier,
        began: float,
        generation: int,
        *,
        pending: bool,
    ) -> Found:
        """What the *slots* of *keys* hold that were read under *barrier*, best first."""
        now = self.store.now()
        failure = None
        causes: dict[Key, Cause] = {}
        for key, slot in zip(keys, slots, strict=True):
            verdict = judge(slot.entry, now=now, barrier=barrier)
            if isinstance(verdict, Fresh) and verdict.entry.error:
                failure = failure or remembered(verdict.entry, now)
            elif isinstance(verdict, Fresh):
                self.view.keep(verdict.entry, generation)
                hit = Outcome(verdict.entry, Status.HIT, Level.STORE, now, looked=_since(began))
                return Found(hit, pending=False)
            elif isinstance(verdict, Missing):
                causes[key] = verdict.cause
        claimed = any(slot.claimed for slot in slots)
        return Found(None, pending or claimed, failure, causes, took=_since(began))

    async def get_or_load(
        self,
        key: Key,
        label: Label,
        policy: Policy,
        load: Load,
        *,
        refresh: bool = False,
        keep: bool = True,
        looked: Cause | None = None,
        away: bool = False,
    ) -> Outcome:
        """
        The answer of *key*, bought with *load* if need be.

        *refresh*: only an answer of a purchase that ends from now on will do. *keep* False: what is bought for this
        caller alone is not kept. *looked*: `look` has just found none, for this cause, and need not be repeated.
        *away*: it has just found the store away, which is not asked again.

        Raises:
            LoadFailed: there is no answer. Stopping: it would have to be bought, and this process ends.
            TimeoutError: the policy's patience is over; the purchase goes on.
        """
        began = monotonic()
        # What was kept in this very millisecond may have been bought before: only what is under way now is not.
        not_before = Instant(self.store.now() + 1) if refresh else EPOCH
        unused = True
        try:
            if not refresh and self.channel.alive:
                near = self._near(key, began, policy)
                if near is not None:
                    ask = Ask(Flight(key, label, keep=keep), policy, load, EPOCH, began)
                    unused = not self.revival.begin(ask, near)
                    return near
            older = True
            while True:
                flight = self.flights.find(key)
                # Trusted at this moment, or never: a clear that returned before we were asked was heard here before
                # it returned, or the channel was silent for so long that it is not alive now. What is heard while
                # the flight is under way comes too late. And only the first flight met can be older than we are.
                trusted = not older or flight is None or (self.channel.alive and not flight.doubtful)
                older = False
                joined = flight is not None
                if flight is None:
                    flight = Flight(key, label, keep=keep)
                    unused = False
                    refreshing = self.flights.refreshing(key)
                    ask = Ask(flight, policy, load, not_before, began, refresh=refreshing, looked=looked, away=away)
                    self.flights.start(flight, partial(self._fly, ask))
                else:
                    flight.keep = flight.keep or keep
                    if not refresh and unused and trusted:
                        unused = False
                        await load.close()
                try:
                    outcome = await flight.wait(policy.patience)
                except LoadFailed as failed:
                    if joined and failed.remembered and (refresh or not trusted):
                        continue
                    raise
                recent = outcome.entry.created + (not outcome.cached) >= not_before
                if not joined or (recent and (trusted or await self._stands(outcome))):
                    return outcome.as_seen(joined=joined, keep=keep)
        finally:
            if unused:
                await load.close()

    async def _fly(self, ask: Ask) -> Outcome:
        taken = False
        try:
            outcome = await self.search.fly(ask)
            taken = self.revival.begin(ask, outcome)
            return outcome
        finally:
            if not taken:
                await ask.load.close()

    def _returned(self) -> None:
        self.owed.bring()

    def _near(self, key: Key, began: float, policy: Policy | None = None) -> Outcome | None:
        """What near memory serves of *key*, under the last barrier seen."""
        entry = self.near.get(key)
        if entry is None:
            return None
        now = self.store.now()
        revalidate = policy.stale_while_revalidate if policy else timedelta(0)
        verdict = judge(entry, now=now, barrier=self.view.barrier, stale_while_revalidate=revalidate)
        if isinstance(verdict, Missing):
            return None
        status = Status.HIT if isinstance(verdict, Fresh) else Status.STALE
        looked = (monotonic() - began) * 1000
        return Outcome(entry, status, Level.NEAR, now, store_away=self.view.store_away, looked=looked)

    async def _stands(self, outcome: Outcome) -> bool:
        """Whether the answer of a flight still lies in the store, and may; while that is away it stands."""
        try:
            reading = await self.witness.read([outcome.entry.key])
        except StoreUnavailable as away:
            self.view.lost(away)
            return True
        entry = reading.slots[0].entry
        # One that never lay there, or another in its place: nobody can tell whether it was forgotten.
        same = entry is not None and (entry.created, entry.payload) == (outcome.entry.created, outcome.entry.payload)
        return (same or outcome.store_away) and not reading.barrier.forbids(outcome.entry)


def _since(began: float) -> float:
    """Milliseconds since *began* (monotonic)."""
    return (monotonic() - began) * 1000
