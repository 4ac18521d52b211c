"""
What a decorator of routes was told, and what a request to such a route asks of the cache, whichever framework carries
it: step by step, without doing any.

Rule 1: a request that is not for the cache makes a bypass: the route runs, and nothing is kept. It is the route's part
        to refuse a visitor.
Rule 2: `when`, `identity` and `key` are the application's own. One that raises, or says what cannot be used, makes a
        bypass too, and is logged.
Rule 3: a body is read only where all else speaks for the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from typing import Any, Self

from hashcache.integrations.answering import Answering
from hashcache.integrations.calls import identity as identity_of
from hashcache.integrations.sharing import Shared
from hashcache.integrations.types import Duration, Type, check_tag
from hashcache.integrations.visits import READS, Visit

#: What is asked of a request, as a function of the framework's own request.
Question = Callable[[Any], Any]


class Bypass(Exception):
    """The route runs, and nothing is kept; *why*, in one word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Step:
    """
    Something to find out of a request: what *question*, which its decorator calls *word*, says of it; without a
    question its body, as bytes, or None where that cannot be had.
    """

    word: str
    question: Question | None = None


#: Sent what each step finds, or thrown what it raises; returns what is asked of the cache, or raises Bypass.
Steps = Generator[Step, Any, Shared]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decorator was told, for the cache of *answering*."""

    answering: Answering
    kind: Type
    tags: tuple[str, ...]
    reads: frozenset[str]
    key: Question | None
    identity: Question | None
    when: Question | None

    @classmethod
    def told(
        cls,
        answering: Answering,
        kind: Type | str,
        *,
        ttl: Duration | None,
        key: Question | None,
        identity: Question | None,
        tags: tuple[str, ...],
        reads: Collection[str],
        when: Question | None,
    ) -> Self:
        """
        The rules that these words make; see `cached_route` of each framework.

        Raises:
            ValueError: no type is called so, or a tag is none. TypeError: the type is kept for each user, and nobody
                says which.
        """
        known = answering.type_of(kind).with_ttl(ttl)
        if known.scope == "user" and identity is None:
            raise TypeError(f"type {known.name!r} is kept for each user: say whose it is by identity=")
        every = (*known.tags, *map(check_tag, tags))
        return cls(answering, known, every, READS | {one.upper() for one in reads}, key, identity, when)

    def steps(self, visit: Visit, *, known: bool) -> Steps:
        """
        What *visit*, without its body, asks of the cache. *known*: somebody before the route knows who the visitor is,
        whatever he shows.
        """
        if self.kind.refusal is not None:
            self.answering.tally.refused(self.kind.name)
            raise Bypass("type")
        why = visit.refusal(self.reads)
        if why is not None:
            raise Bypass(why)
        if self.when is not None and not (yield from self._asked("when", self.when, visit)):
            raise Bypass("when")
        user = None
        if self.identity is not None:
            user = yield from self._asked("identity", self.identity, visit)
            if user is None:
                raise Bypass("identity")
        elif visit.has_credentials or known:
            raise Bypass("credentials")
        visit = yield from self._with_body(visit)
        name = visit.name
        if self.key is not None:
            name = visit.named((yield from self._asked("key", self.key, visit)))
        return Shared(self.answering, self.kind, self.tags, visit, name, user)

    def _asked(self, word: str, question: Question, visit: Visit) -> Generator[Step, Any, Any]:
        """What *question* says, in the form in which it is used."""
        try:
            said = yield Step(word, question)
            return _FORMS[word](said)
        except Exception as error:  # noqa: BLE001 - it may raise anything, and the route runs
            self.answering.failed(word, visit.path, repr(error))
            raise Bypass(word) from None

    def _with_body(self, visit: Visit) -> Generator[Step, Any, Visit]:
        if visit.has_unknown_body():
            raise Bypass("body")
        body: bytes | None = yield Step("body")
        if body is None:
            raise Bypass("body")
        return visit.with_body(body)


_FORMS: dict[str, Callable[[Any], Any]] = {"when": bool, "identity": identity_of, "key": str}
