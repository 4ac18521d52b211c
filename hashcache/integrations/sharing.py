"""
One run of a route for all who ask the same at once, whichever framework carries it.

Rule 1: what may not be kept is not shared either: whoever waited for such an answer, or for an error, runs the route
        himself. So no visitor is given what another one's Set-Cookie or failure says.
Rule 2: whoever's route ran is given the very answer that it gave, with its background work, whatever the store did.
Rule 3: no failure of the cache reaches a visitor: it is counted and logged as `cache.error`, and the route runs.
Rule 4: a route that fails (raises, or answers 5xx) is a failure for the engine too: an expired answer serves instead,
        where the type says so (stale_if_error, RFC 5861 section 4). Failures of routes are not remembered.
Rule 5: under one name lies the answer of whoever came first; where it varies (Vary) and a visitor says otherwise, his
        lies beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hashcache.core.outcome import Outcome
from hashcache.engine.load import LoadFailed
from hashcache.integrations import names, responses
from hashcache.integrations.answering import Answering
from hashcache.integrations.asked import Asked
from hashcache.integrations.loads import FunctionLoad
from hashcache.integrations.responses import UNSHARED, VALUES, Headers, Stored
from hashcache.integrations.types import Type
from hashcache.integrations.values import NotRead
from hashcache.integrations.visits import Visit

#: What others are given of an answer with a secret in it.
_NOT_SHARED = VALUES.encode(UNSHARED)
#: A first answer, that of another visitor, his own; and one of them written by a version that is not this one.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Given:
    """
    What a route gave: *live*, the framework's own answer, and what is kept of it; or, in one word, *why* nothing is.
    *failed*: it is a 5xx.
    """

    live: Any
    stored: Stored = UNSHARED
    why: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What a visitor is answered: the *live* answer of his own run, or else *stored*; and *headers* to be added. *kept*:
    what is kept of a live one, if it is.
    """

    headers: Mapping[str, str]
    live: Any = None
    stored: Stored | None = None
    kept: Stored | None = None

    def to(self, visit: Visit) -> Reply:
        """As *visit* is sent it: with its entity tag, or as a 304; either `live` or `stored`, and `headers` to set."""
        answer = self.stored or self.kept
        if answer is None:
            return self
        unchanged = responses.not_modified(answer, method=visit.method, request=visit.headers)
        if unchanged is not None or self.stored is not None:
            return Reply(self.headers, stored=unchanged or self.stored)
        tag = responses.said(answer.headers, "etag")
        return Reply({**self.headers, "etag": tag} if tag else self.headers, live=self.live)


def given(
    live: Any, visit: Visit, *, status: int, headers: Headers, body: bytes | None, obstacle: str | None = None
) -> Given:
    """
    What becomes of the framework's answer *live* to *visit*. *body* None: it is streamed, so it cannot be kept;
    *obstacle*: what else forbids that, in one word.
    """
    why = responses.refusal(status, headers) or ("streaming" if body is None else obstacle)
    if why is not None or body is None:
        return Given(live, why=why, failed=status >= 500)
    return Given(live, responses.stored(status, headers, body, method=visit.method, request=visit.headers))


class _RouteFailed(Exception):
    """For the engine alone: the route gave a 5xx."""


@dataclass(slots=True)
class _Run:
    """A run of the route for one visitor, and what came of it: *given* or *error*; neither: it has not ended."""

    route: Callable[[], Awaitable[Given]]
    given: Given | None = None
    error: Exception | None = None

    async def __call__(self) -> Stored:
        try:
            given = self.given = await self.route()
        except Exception as error:
            self.error = error
            raise
        if given.failed:
            raise _RouteFailed(given.why)
        return given.stored


@dataclass(frozen=True, slots=True)
class Shared:
    """
    One visit to a route, whose answers *answering* keeps as *kind* with *tags* under *name*, for *user* or (None) for
    everybody.
    """

    answering: Answering
    kind: Type
    tags: tuple[str, ...]
    visit: Visit
    name: str
    user: str | None

    async def reply(self, route: Callable[[], Awaitable[Given]]) -> Reply:
        """
        The answer of *route*, kept or run once for all.

        Raises:
            Exception: what the route raised. TimeoutError: the type's patience is over; the run goes on.
        """
        run = _Run(route)
        load = FunctionLoad(run, VALUES, {}, unless=lambda stored: not stored.kept)
        try:
            found = await self._found(load, run)
        except Exception as error:
            if run.given is None and run.error is None and load.began:
                raise  # patience is over
            headers = self.failed(error)
            if run.given is None and run.error is None:
                return Reply(headers, live=(await route()).live)
            found = None
        if run.error is not None and found is None:
            raise run.error
        if run.given is not None and load.secret:
            run.given = replace(run.given, why="secret")
        if run.given is not None:
            return self._own(run.given, found)
        if found is not None:
            return Reply(responses.told(found[1]), stored=found[0])
        return Reply(self._bypass("unshared"), live=(await route()).live)

    def failed(self, error: Exception) -> Mapping[str, str]:
        """What this visitor is told, beside what the route gives him, where the cache itself failed."""
        self.answering.failed("answer", self.name, error)
        return self._bypass("cache-error")

    def _own(self, given: Given, found: tuple[Stored, Outcome] | None) -> Reply:
        """For the visitor whose route ran; *found*: what the engine made of it."""
        if found is not None and found[1].cached:  # an expired answer serves, and the run was a refresh or failed
            return Reply(responses.told(found[1]), stored=found[0])
        if given.why is not None or found is None:
            return Reply(self._bypass(given.why or "cache-error"), live=given.live)
        return Reply(responses.told(found[1]), live=given.live, kept=given.stored)

    def _bypass(self, why: str) -> dict[str, str]:
        return responses.told_of_bypass(why, self._asked(self.name).key)

    async def _found(self, load: FunctionLoad, run: _Run) -> tuple[Stored, Outcome] | None:
        """An answer for this visitor and how it was found; None: there is none that may be shared."""
        name, refresh = self.name, self.visit.forces_refresh or self.answering.refreshing
        if refresh:  # of his own answer, not of another visitor's
            name = await self._where(name)
        for _ in range(_TRIES):
            asked = self._asked(name)
            try:
                guarded = self.answering.guarding.guarded(asked, load, instead=_NOT_SHARED)
                outcome = await self.answering.here.engine.get_or_load(
                    asked.key, asked.label, self.kind.policy, guarded, refresh=refresh
                )
            except LoadFailed:
                self.answering.tally.missed(self.kind.name)
                return None
            try:
                stored = self._read(asked, outcome)
            except NotRead as error:
                self.answering.failed("read", asked.key, error)
                refresh = True
                continue
            if run.given is not None or not stored.kept or stored.fits(self.visit.headers):
                self.answering.count(asked, outcome)
                return (stored, outcome) if stored.kept else None
            name = self.visit.varied(self.name, stored)
        return None

    async def _where(self, name: str) -> str:
        """Under which name this visitor's answer lies, as far as it is known which answers vary."""
        asked = self._asked(name)
        found = (await self.answering.here.engine.look([asked.key])).outcome
        if found is None:
            return name
        try:
            stored = self._read(asked, found)
        except NotRead:
            return name
        return name if stored.fits(self.visit.headers) else self.visit.varied(name, stored)

    def _read(self, asked: Asked, outcome: Outcome) -> Stored:
        """The answer in *outcome*; raises NotRead: it is written otherwise, or for other keys."""
        stored: Stored = VALUES.decode(self.answering.guarding.opened(asked.key, asked.user, outcome.entry.payload))
        return stored

    def _asked(self, name: str) -> Asked:
        return Asked(names.key_of(name, self.user), self.kind, self.tags, VALUES, self.user)
