"""
Prefetching: answers that many ask for are computed anew before they expire, though nobody asks at that moment.

Rule 1: off unless it is asked for, and never more calls than the budget, in any minute, in this process. What fails has
        cost a call too.
Rule 2: popular is what was asked for so often since it was computed. What nobody asks for any more expires.
Rule 3: several processes compute an answer once, as ever: who finds that another one was faster makes no call.
Rule 4: so many answers are watched at most; those go first for which nobody has asked for longest.
Rule 5: the most popular come first, when the budget does not do for all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from hashcache.core.entry import Entry, Instant
from hashcache.core.key import Key
from hashcache.core.outcome import Outcome
from hashcache.engine.flights import Flight
from hashcache.integrations.asked import Asked
from hashcache.integrations.guarding import Guarding
from hashcache.integrations.loads import FunctionLoad
from hashcache.integrations.opened import Opened

_MINUTE = 60_000
#: How often it is looked what is due, in seconds.
_PACE = 1.0


@dataclass(frozen=True, slots=True)
class Prefetch:
    """
    *calls_per_minute*: how many functions may run for it. *popular*: from how many hits on an answer is worth it.
    *ahead*: in which last part of its life it is computed anew, as a share. *most*: answers that are watched.

    Raises (when made):
        ValueError: one of them makes no sense.
    """

    calls_per_minute: int
    popular: int = 10
    ahead: float = 0.2
    most: int = 1000

    def __post_init__(self) -> None:
        if min(self.calls_per_minute, self.popular, self.most) < 1:
            raise ValueError("calls_per_minute, popular and most are 1 or more")
        if not 0 < self.ahead < 1:
            raise ValueError("ahead is a share of an answer's life, above 0 and below 1")


class Asking(Protocol):
    """What is asked: `Answering`."""

    @property
    def here(self) -> Opened: ...
    @property
    def guarding(self) -> Guarding: ...
    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]: ...
    def failed(self, operation: str, what: object, why: object) -> None: ...


@dataclass(slots=True)
class _Watched:
    """An answer, how to compute it again, and how often it was a hit."""

    asked: Asked
    load: FunctionLoad
    created: Instant
    expires: Instant
    hits: int = 0

    def saw(self, entry: Entry) -> None:
        """It is *entry* now."""
        if entry.created > self.created:
            self.created, self.hits = entry.created, 0
        self.expires = entry.expires

    def is_due(self, now: Instant, wanted: Prefetch) -> bool:
        """Whether it is popular, and in the last part of its life."""
        life = self.expires - self.created
        return self.hits >= wanted.popular and now < self.expires <= now + life * wanted.ahead


class Prefetching:
    """Does what is *wanted* for the cache that is *asking*."""

    def __init__(self, wanted: Prefetch, asking: Asking) -> None:
        self._wanted = wanted
        self._asking = asking
        self._watched: OrderedDict[Key, _Watched] = OrderedDict()
        self._calls: deque[Instant] = deque()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look from now on what is due."""
        self._task = asyncio.create_task(self._look(), name="prefetch")

    async def end(self) -> None:
        """Look no more, and forget what was watched."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._watched.clear()
        self._calls.clear()

    def saw(self, asked: Asked, load: FunctionLoad, outcome: Outcome) -> None:
        """*outcome* answered *asked*, and *load* would compute it again."""
        entry = outcome.entry
        watched = self._watched.get(asked.key)
        if watched is None:
            watched = self._watched[asked.key] = _Watched(asked, load.again(), entry.created, entry.expires)
            if len(self._watched) > self._wanted.most:
                self._watched.popitem(last=False)
        watched.saw(entry)
        watched.hits += outcome.cached
        self._watched.move_to_end(asked.key)

    async def look(self) -> int:
        """Begin what is due now, as far as the budget goes; how many calls that were."""
        engine, now, begun = self._asking.here.engine, self._asking.here.store.now(), 0
        for key in [key for key, one in self._watched.items() if one.expires <= now]:
            del self._watched[key]
        due = [one for one in self._watched.values() if one.is_due(now, self._wanted)]
        for one in sorted(due, key=lambda one: one.hits, reverse=True):
            if not self._may_call(now):
                break
            asked = one.asked
            found = (await engine.look([asked.key])).outcome
            if found is None:  # it was forgotten, or the store is away
                self._watched.pop(asked.key, None)
                continue
            one.saw(found.entry)
            if not one.is_due(now, self._wanted) or not self._may_call(now):
                continue
            load = self._asking.guarding.guarded(asked, one.load.again())
            flight = await engine.revival.renew(found.entry, asked.kind.policy, load)
            if flight is not None:
                self._calls.append(now)
                one.hits = 0
                begun += 1
                self._asking.begin(self._renewed(one, flight))
        return begun

    def _may_call(self, now: Instant) -> bool:
        while self._calls and self._calls[0] <= now - _MINUTE:
            self._calls.popleft()
        return len(self._calls) < self._wanted.calls_per_minute

    async def _renewed(self, one: _Watched, flight: Flight) -> None:
        """See what came of it. What fails leaves the old answer where it is."""
        try:
            outcome = await flight.wait(one.asked.kind.policy.patience)
        except Exception as error:  # noqa: BLE001 - a function may raise anything, and nobody waits for it
            self._asking.failed("prefetch", one.asked.key, repr(error))
        else:
            one.saw(outcome.entry)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_PACE)  # the pace of looking; cancelled when the cache is closed
            await self.look()
