"""
How the library asks the engine, and gives no error of the store to the application.

Rule 1: a store that is away costs time and money, never an answer: the function runs, nothing is raised. `cache.error`
        is logged when it goes away and for each order that it did not carry out, and all of it is counted.
Rule 2: an answer that cannot be read, because the function returns something else by now, is none: it is replaced.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from hashcache import wiring
from hashcache.core.barrier import Selector
from hashcache.core.errors import Stopping, StoreUnavailable
from hashcache.core.key import Key
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.engine.found import UNKNOWN
from hashcache.engine.invalidation import SOON
from hashcache.engine.load import LoadFailed
from hashcache.integrations.asked import Asked
from hashcache.integrations.figures import Stats, Tally
from hashcache.integrations.guarding import Guarding, UserKeys
from hashcache.integrations.guards.guard import OnSecret
from hashcache.integrations.lifetime import Lifetime
from hashcache.integrations.loads import FunctionLoad, error_of
from hashcache.integrations.prefetching import Prefetch, Prefetching
from hashcache.integrations.types import TYPES, Type, find
from hashcache.integrations.values import NotRead, Values
from hashcache.settings import Settings

#: How often a value is offered while others keep computing the same.
_TRIES = 5
#: What is no value.
NOTHING: Final = object()
#: Every lookup reads the reasons of all open invalidations; they are for people.
_LONGEST_REASON = 80

log = logging.getLogger("hashcache")


class Answering(Lifetime):
    """
    One cache, open or not. *types* are known by name beside TYPES, *keys* are its users'. *tally* counts since it was
    opened last; *callbacks* are told what is invalidated; *refreshing*: nothing that is kept will do; *witness* is told
    each answer: both are for tests.
    """

    def __init__(
        self, settings: Settings, types: Iterable[Type], keys: UserKeys | None = None, prefetch: Prefetch | None = None
    ) -> None:
        super().__init__(settings)
        self.types = {**TYPES, **{one.name: one for one in types}}
        self.tally = Tally()
        self.guarding = Guarding(keys, settings.max_entry, self._leaked)
        self.prefetching = Prefetching(prefetch, self) if prefetch is not None else None
        self.refreshing = False
        self.witness: Callable[[Asked, Outcome | None], None] | None = None

    async def open(self, store: wiring.Shared | None = None) -> None:
        """
        Open it on *store*, or on that of its settings.

        Raises:
            RuntimeError: it is open. SettingsError: there is no such store.
        """
        await super().open(store)
        self.tally = Tally()
        if self.prefetching is not None:
            self.prefetching.begin()

    async def close(self) -> None:
        """Close it. Safe to call twice."""
        if self.prefetching is not None and self._opened is not None:
            await self.prefetching.end()
        await super().close()

    def type_of(self, kind: Type | str) -> Type:
        """
        The type called *kind*, or *kind* itself.

        Raises:
            ValueError: no type is called so, or it encrypts, and no user has keys. TypeError: as of `types.find`.
        """
        known = find(kind, self.types)
        if known.on_secret == OnSecret.ENCRYPT and not self.guarding.encrypts:
            raise ValueError(f"type {known.name!r} encrypts under keys of users: give the cache user_keys=")
        return known

    def near(self, asked: Asked) -> Any:
        """The value of *asked*, where near memory knows it and a hit is just given; else NOTHING, and not counted."""
        if not asked.kind.plain or self.refreshing or self.prefetching is not None:
            return NOTHING
        engine = self.here.engine
        entry = engine.at_hand(asked.key)
        if entry is None:
            return NOTHING
        try:
            value = asked.values.decode(self.guarding.opened(asked.key, asked.user, entry.payload))
        except NotRead:  # `answer` finds it again, says so, and replaces it
            return NOTHING
        away = engine.view.store_away
        if self.witness is None and not log.isEnabledFor(logging.DEBUG):
            self.tally.hit(asked.kind.name)
            self.tally.errors += away
        else:
            self.count(asked, Outcome(entry, Status.HIT, Level.NEAR, engine.store.now(), store_away=away))
        return value

    async def answer(self, asked: Asked, load: FunctionLoad, *, refresh: bool = False) -> Any:
        """
        The value of *asked*: kept, or of *load*, which runs once however many ask; *refresh*: of a run from now on.

        Raises:
            Exception: what the function raised. TimeoutError: the type's patience is over; the run goes on.
        """
        if asked.kind.refusal is not None:
            return await self.refuse(asked.kind, load)
        if self.refreshing:
            await self.forget([asked.key])
        for again in (refresh, True):
            try:
                outcome = await self._outcome(asked, load, refresh=again)
            except Stopping:
                if load.began:
                    raise
                break
            ours = load.payload if not (outcome.cached or outcome.collapsed) else None
            try:
                return asked.values.decode(ours or self.guarding.opened(asked.key, asked.user, outcome.entry.payload))
            except NotRead as error:
                self.failed("read", asked.key, error)
        return await load.run()  # this process ends, or somebody else writes another shape under the same key

    async def refuse(self, kind: Type, load: FunctionLoad) -> Any:
        """Run *load* for a *kind* that keeps nothing."""
        self.tally.refused(kind.name)
        log.debug("cache.refused type=%s reason=%s", kind.name, kind.refusal)
        return await load.run()

    async def look(self, key: Key, values: Values, user: str | None = None) -> tuple[Any, bool]:
        """What is kept under *key*, for *user* if it is his, and whether anything is."""
        opened = self.here
        found = (await opened.engine.look([key])).outcome
        if opened.engine.view.store_away:
            self.tally.errors += 1
        if found is not None:
            try:
                value = values.decode(self.guarding.opened(key, user, found.entry.payload))
            except NotRead as error:
                self.failed("get", key, error)
            else:
                self.tally.looked(found.entry.label.kind, found=True)
                return value, True
        self.tally.looked("default", found=False)
        return None, False

    async def put(self, asked: Asked, load: FunctionLoad) -> bool:
        """Keep what *load* gives, whatever is being computed meanwhile; whether it is kept."""
        engine = self.here.engine
        if asked.kind.refusal is not None:
            log.debug("cache.refused type=%s reason=%s", asked.kind.name, asked.kind.refusal)
            return False
        outcome = None
        if engine.flights.find(asked.key) is not None:  # it would be joined; and what it gives is older than ours
            await self.forget([asked.key])
        for _ in range(_TRIES):
            try:
                guarded = self.guarding.guarded(asked, load)
                outcome = await engine.get_or_load(asked.key, asked.label, asked.kind.policy, guarded, refresh=True)
            except LoadFailed as failed:
                if load.began:
                    raise error_of(failed, asked.kind.negatives) from None
            except (Stopping, TimeoutError) as error:
                self.failed("set", asked.key, error)
                return False
            if load.began:
                break
            await self.forget([asked.key])  # somebody else's run ended meanwhile, or in this very millisecond
        if load.secret:
            return False
        if not load.began or outcome is None or not outcome.stored:
            self.failed("set", asked.key, "the store did not keep it")
            return False
        return True

    async def forget(self, keys: list[Key]) -> int:
        """Forget *keys*, everywhere; how many there were."""
        try:
            return await self.here.invalidations.forget(keys)
        except StoreUnavailable as away:
            self.failed("delete", keys[0], away)
            return 0

    async def invalidate(self, selector: Selector, reason: str, within: timedelta = SOON) -> tuple[int, int]:
        """
        Forget what *selector* means, everywhere; how many entries are gone *within* that time, and how many processes
        heard.
        """
        opened = self.here
        try:
            cleared = await opened.forgetting.forget(selector, reason[:_LONGEST_REASON], within)
        except StoreUnavailable as away:
            self.failed("invalidate", selector, away)
            return 0, 0
        log.info("cache.invalidate selector=%s count=%d reason=%s", selector, cleared.deleted, reason)
        return cleared.deleted, opened.channel.listeners(cleared.sequence)

    async def order(self, work: Coroutine[Any, Any, Any]) -> None:
        """Have *work* done to its end, also when the caller is cancelled meanwhile."""
        await asyncio.shield(self.begin(work))

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin *work*, for which nobody waits but who closes the cache."""
        orders = self.here.orders
        task = asyncio.create_task(work)
        orders.add(task)
        task.add_done_callback(orders.discard)
        return task

    async def stats(self) -> Stats:
        """The figures now. Never raises because the store is away."""
        return self.tally.stats(await self.here.store.health(), self.types.values())

    def failed(self, operation: str, what: object, why: object) -> None:
        """Count and log that *operation* was not carried out on *what*."""
        self.tally.errors += 1
        what = what.logical if isinstance(what, Key) else what
        log.warning("cache.error operation=%s of=%s reason=%s", operation, what, why)

    def _leaked(self, kind: str, found: Mapping[str, int]) -> None:
        self.tally.leaked(kind, found)

    async def _outcome(self, asked: Asked, load: FunctionLoad, *, refresh: bool) -> Outcome:
        """The engine's answer, counted; raises the function's own error."""
        kind, opened = asked.kind, self.here
        found = await opened.engine.hits.look(asked.key) if kind.plain and not refresh else UNKNOWN
        try:
            outcome = found.outcome or await opened.engine.get_or_load(
                asked.key,
                asked.label,
                kind.policy,
                self.guarding.guarded(asked, load),
                refresh=refresh,
                looked=found.causes.get(asked.key),
                away=found.away,
            )
        except LoadFailed as failed:
            error = error_of(failed, kind.negatives)
        else:
            self.count(asked, outcome)
            if self.prefetching is not None:
                self.prefetching.saw(asked, load, outcome)
            return outcome
        self.tally.missed(asked.kind.name)
        if self.witness is not None:
            self.witness(asked, None)
        raise error

    def count(self, asked: Asked, outcome: Outcome) -> None:
        """Count, log and tell the witness that *outcome* answered *asked*."""
        self.tally.answered(asked.kind.name, outcome)
        self.tally.errors += outcome.store_away
        most = self.settings.max_entry
        if not outcome.stored and len(outcome.entry.payload) > most:  # else it would run each time, and nobody knew why
            self.failed("keep", asked.key, f"larger than {most} bytes (max_entry)")
        if self.witness is not None:
            self.witness(asked, outcome)
        if log.isEnabledFor(logging.DEBUG):
            word, ttl = "hit" if outcome.cached else "miss", outcome.entry.ttl(outcome.at)
            log.debug("cache.%s key=%s ttl=%d found=%s", word, asked.key.logical, ttl, outcome.level)
