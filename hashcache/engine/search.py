"""
One flight's way: look in the store, claim, buy, keep.

Rule 1: a load starts only under a claim, or while the store is away: then at most one per key and process.
Rule 2: the store is looked at again with the claim in hand: somebody may have bought between look and claim.
Rule 3: an entry carries the barrier's sequence read with its claim, so what was cleared meanwhile is dead.
Rule 4: a store that is away never fails a request; what it should have kept is kept near, and brought to it later.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from time import monotonic

from msgspec.structs import replace

from hashcache.core.barrier import Barrier
from hashcache.core.entry import EPOCH, Entry
from hashcache.core.errors import Stopping, StoreUnavailable
from hashcache.core.freshness import Cause, Fresh, Missing, Stale, judge, lifetime
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.engine import answers
from hashcache.engine.ask import Ask, Grant
from hashcache.engine.claims import held, release
from hashcache.engine.load import Kept, Loaded, LoadFailed
from hashcache.engine.owed import Owed
from hashcache.engine.pauses import Pauses
from hashcache.engine.view import View
from hashcache.engine.waiting import Wakes
from hashcache.engine.witness import Witness
from hashcache.ports import Claim, Store


class Search:
    """How flights find answers. *token* names attempts, *chance* draws from [0, 1)."""

    def __init__(
        self,
        store: Store,
        witness: Witness,
        view: View,
        owed: Owed,
        wakes: Wakes,
        *,
        token: Callable[[], str],
        chance: Callable[[], float],
    ) -> None:
        self._store = store
        self._witness = witness
        self._view = view
        self._wakes = wakes
        self._token = token
        self._chance = chance
        self._owed = owed
        self.pauses = Pauses()
        self.stopping = False

    async def fly(self, ask: Ask) -> Outcome:
        """
        The outcome of *ask*. Its load is closed by whoever asks.

        Raises:
            LoadFailed: there is none, now or as remembered. Stopping: it would have to be bought.
            StoreUnavailable: the store is away and nobody waits for this flight.
        """
        try:
            found = await self._look(ask)
            return found if isinstance(found, Outcome) else await self._buy(ask, found)
        finally:
            self._wakes.wake(ask.flight.key.logical)

    async def _look(self, ask: Ask) -> Outcome | Grant:
        """The answer that is there, or the right to buy it."""
        try:
            if not ask.away:
                return await self._from_store(ask)
        except StoreUnavailable as away:
            self._view.lost(away)
            if ask.background:
                raise  # what is refreshed is there: nobody needs it so much as to buy without a claim
        return await self._without_store(ask)

    async def _without_store(self, ask: Ask) -> Outcome | Grant:
        """The answer that is near, or being bought by a refresh; else the right to buy it without a claim."""
        verdict = self._judge(ask, self._view.near.get(ask.flight.key), self._view.barrier)
        if not isinstance(verdict, Missing):
            status = Status.HIT if isinstance(verdict, Fresh) else Status.STALE
            return self._served(ask, verdict.entry, Level.NEAR, status=status)
        if verdict.fallback is not None and self._pauses(ask):
            return self._instead(ask, verdict.fallback, verdict.cause, Level.NEAR)
        if ask.refresh is not None:
            with suppress(StoreUnavailable):  # it did not buy
                outcome = await ask.refresh.wait(ask.policy.patience)
                return outcome if outcome.cached else replace(outcome, collapsed=True)
        cause = Cause.REFRESH if ask.not_before > EPOCH else Cause.NEW
        at, view = self._store.now(), self._view
        return Grant(None, view.barrier, cause, view.generation, at, fallback=verdict.fallback)

    async def _from_store(self, ask: Ask) -> Outcome | Grant:
        cause = Cause.REFRESH if ask.not_before > EPOCH else ask.looked
        if cause is not None:  # the store is looked at again with the claim in hand
            return await self._claimed(ask, Missing(cause))
        generation = self._view.generation
        reading = await self._witness.read([ask.flight.key])
        entry = reading.slots[0].entry
        match self._judge(ask, entry, reading.barrier):
            case Fresh(entry):
                self._view.keep(entry, generation)
                return self._served(ask, entry, Level.STORE)
            case Stale(entry):
                return self._served(ask, entry, Level.STORE, status=Status.STALE)
            case Missing(cause, fallback) if fallback is not None and self._pauses(ask):
                return self._instead(ask, fallback, cause, Level.STORE)
            case Missing() as missing:
                return await self._claimed(ask, missing)

    async def _claimed(self, ask: Ask, missing: Missing) -> Outcome | Grant:
        """Get the claim, or wait until somebody else has bought."""
        token = self._token()
        pause, waited = ask.policy.poll, False
        while True:
            if self.stopping:
                raise Stopping("this process takes no new work")
            generation = self._view.generation
            bid = await self._witness.claim(ask.flight.key, token, ask.policy.lease)
            # Look again: somebody may have stored between our look and our claim, or while we waited for theirs.
            #   A: miss, claim, buy, commit          B: miss ..., claim  <- we are B
            try:
                verdict = self._judge(ask, bid.entry, bid.barrier)
            except LoadFailed:
                await release(self._store, bid.claim)
                raise
            if isinstance(verdict, Fresh):
                await release(self._store, bid.claim)
                self._view.keep(verdict.entry, generation)
                hit = self._served(ask, verdict.entry, Level.STORE)
                return replace(hit, status=Status.MISS, cause=missing.cause, collapsed=True) if waited else hit
            if bid.claim is not None:
                fallback = verdict.fallback if isinstance(verdict, Missing) else verdict.entry
                return Grant(bid.claim, bid.barrier, missing.cause, generation, bid.claim.granted, bid.entry, fallback)
            ask, waited = ask if waited else ask.waited(), True
            await self._wakes.wait(ask.flight.key.logical, min(bid.held, pause))
            pause = min(pause * 2, ask.policy.longest_poll)

    async def _buy(self, ask: Ask, grant: Grant) -> Outcome:
        """Load, and keep what came."""
        if self.stopping and grant.claim is None:
            raise Stopping("this process takes no new work")
        began = monotonic()
        try:
            async with held(self._store, grant.claim, ask.policy) as tenure:
                loaded = await self._load(ask, grant)
        except LoadFailed as failed:
            if grant.fallback is None:
                raise
            self.pauses.failed(ask.flight.key, failed.kind, ask.policy, self._store.now())
            return self._instead(ask, grant.fallback, grant.cause, Level.STORE)
        self.pauses.succeeded(ask.flight.key)
        bought = monotonic() - began
        life = lifetime(ask.policy, chance=self._chance(), before=grant.before, payload=loaded.payload)
        entry = answers.answer(
            ask.flight,
            loaded,
            life,
            stale=ask.policy.stale,
            sequence=grant.barrier.sequence,
            now=self._store.now(),
            took=timedelta(seconds=bought),
        )
        stored = False
        if loaded.keep and ask.flight.keep:
            stored = await self._keep(entry, grant, ask, duplicate=tenure.lost)
        else:
            await release(self._store, grant.claim)
            ask.flight.afterwards(partial(ask.load.kept, Kept.UNKEPT, duplicate=tenure.lost))
        return Outcome(
            entry=entry,
            status=Status.MISS,
            level=Level.SOURCE,
            at=entry.created,
            cause=grant.cause,
            stored=stored,
            store_away=grant.claim is None,
            duplicate=tenure.lost and stored,
            looked=(began - ask.began) * 1000,
            bought=bought * 1000,
        )

    async def _load(self, ask: Ask, grant: Grant) -> Loaded:
        """Buy; a failure that the policy remembers is kept before it is raised."""
        try:
            return await ask.load(grant.claim.token if grant.claim else self._token())
        except LoadFailed as failed:
            remembered = ask.policy.negatives.get(failed.kind)
            # Behind the back of a refresh the old answer still serves: a negative entry would take its place.
            if remembered is not None and ask.flight.keep and grant.fallback is None and not ask.background:
                await self._remember(ask, grant, failed, remembered.life)
            raise

    async def _remember(self, ask: Ask, grant: Grant, failed: LoadFailed, life: Callable[[int], timedelta]) -> None:
        entry = answers.failure(
            ask.flight, failed, life, before=grant.before, sequence=grant.barrier.sequence, now=self._store.now()
        )
        if grant.claim is not None:
            try:
                await self._witness.commit(grant.claim, entry)
            except StoreUnavailable as away:
                self._view.lost(away)

    async def _keep(self, entry: Entry, grant: Grant, ask: Ask, *, duplicate: bool) -> bool:
        """Commit *entry*; whether the store keeps it. What a store that is away cannot keep it is owed."""
        claim = grant.claim
        told = partial(ask.load.kept, duplicate=duplicate)
        try:
            if claim is not None:
                stored = await self._witness.commit(claim, entry)
                if stored:
                    self._view.keep(entry, grant.generation)
                ask.flight.afterwards(partial(told, Kept.of(stored=stored, keeps=self._store.keeps)))
                return stored
        except StoreUnavailable as away:
            self._view.lost(away)
        self._view.keep(entry, grant.generation)
        self._owed.add(claim or Claim(entry.key, self._token(), "", grant.at), entry, told=told)
        return False

    def _judge(self, ask: Ask, entry: Entry | None, barrier: Barrier) -> Fresh | Stale | Missing:
        """What *entry* permits now; raises LoadFailed for the memory of a failure."""
        policy, now = ask.policy, self._store.now()
        verdict = judge(
            entry,
            now=now,
            barrier=barrier,
            not_before=ask.not_before,
            stale_while_revalidate=timedelta(0) if ask.background else policy.stale_while_revalidate,
            stale_if_error=policy.stale_if_error,
        )
        if isinstance(verdict, Fresh) and verdict.entry.error:
            raise answers.remembered(verdict.entry, now)
        return verdict

    def _pauses(self, ask: Ask) -> bool:
        """Whether buying failed a moment ago, so that an older answer must do. Who insists tries at once."""
        return ask.not_before == EPOCH and self.pauses.pauses(ask.flight.key, self._store.now())

    def _instead(self, ask: Ask, fallback: Entry, cause: Cause, level: Level) -> Outcome:
        """What has expired, instead of an error."""
        return replace(self._served(ask, fallback, level, status=Status.STALE), cause=cause)

    def _served(self, ask: Ask, entry: Entry, level: Level, *, status: Status = Status.HIT) -> Outcome:
        return Outcome(
            entry=entry,
            status=status,
            level=level,
            at=self._store.now(),
            store_away=self._view.store_away,
            looked=(monotonic() - ask.began) * 1000,
        )
