"""
Functions whose answers are kept.

Rule 1: without `key=` all arguments make the key, and the class of `self`, but not `self` itself.
Rule 2: where an answer belongs to somebody and nobody knows to whom, the function runs and nothing is kept.
Rule 3: the decorated function has the signature and the types of the plain one.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial, wraps
from typing import Any, ParamSpec, TypeVar, cast, get_type_hints

from hashcache.integrations import names
from hashcache.integrations.answering import NOTHING, Answering
from hashcache.integrations.arguments import digest_of_all
from hashcache.integrations.asked import Asked
from hashcache.integrations.calls import Calls, identity, runs_on, tag_of
from hashcache.integrations.keys import Keys
from hashcache.integrations.loads import FunctionLoad
from hashcache.integrations.threads import ThreadRun
from hashcache.integrations.types import Type
from hashcache.integrations.values import Codec, Values

P = ParamSpec("P")
R = TypeVar("R")
_QUESTION = "__hashcache_question__"
#: How many calls of a function are known by heart, and values of which types, no longer than so.
_KNOWN, _SCALARS, _LONGEST = 1_000, frozenset({str, bytes, int, bool, type(None)}), 200
_SIZED = frozenset({str, bytes})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a decorator was told; see `Cache.cached`."""

    kind: Type
    key: str | Keys | Callable[..., str] | None = None
    tags: tuple[str, ...] = ()
    unless: Callable[[Any], bool] | None = None
    per: str | Callable[..., object] | None = None
    codec: Codec | None = None


class Question:
    """What each call of a function asks."""

    def __init__(self, function: Callable[..., Any], wishes: Wishes) -> None:
        self.calls = Calls(function)
        self.wishes = wishes
        kind, key = wishes.kind, wishes.key
        self._user = self.calls.user(wishes.per)
        if kind.scope == "user" and self._user is None:
            raise TypeError(f"type {kind.name!r} is kept for each user: say whose it is, such as per='user_id'")
        template = key.template if isinstance(key, Keys) else key
        self._key = self.calls.filled(template, "key=") if isinstance(template, str) else template
        self._templated = isinstance(template, str)
        if isinstance(wishes.tags, str):  # type: ignore[unreachable]  # a mistake that types would find, if asked
            raise TypeError(f"tags= is a tuple of strings: ({wishes.tags!r},)")
        self._tags = [self.calls.filled(tag, "tags=") for tag in wishes.tags]
        # What a function of the user's own makes of a call may differ from one call to the next.
        self._fixed = not callable(wishes.per) and not callable(key)
        self._known: dict[Hashable, Asked] = {}
        #: Who hears of each call that was answered, and with which arguments.
        self.heard: list[Callable[[Asked, Mapping[str, Any]], Coroutine[Any, Any, None]]] = []

    @cached_property
    def values(self) -> Values:
        """How its answers are written; known at the first call, when all names of annotations are."""
        try:
            hints = get_type_hints(inspect.unwrap(self.calls.function), include_extras=True)
        except (NameError, TypeError, AttributeError):
            hints = {}
        return Values(hints.get("return", Any), self.wishes.codec)

    def of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Asked | None:
        """
        What this call asks; None: nobody knows whose answer it would be, so it is not kept.

        Raises:
            TypeError: an argument has no canonical form, or the call is none.
        """
        call = _written_as(args, kwargs) if self._fixed else None
        if call is None:
            return self._asked(args, kwargs)
        known = self._known.get(call)
        if known is None:
            known = self._asked(args, kwargs)
            if known is not None:
                if len(self._known) >= _KNOWN:
                    self._known.clear()
                self._known[call] = known
        return known

    def _asked(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Asked | None:
        user = None
        if self._user is not None:
            user = identity(self._user(*args, **kwargs))
            if user is None:
                return None
        arguments = self.calls.arguments(args, kwargs) if self._templated or self._key is None or self._tags else {}
        kind = self.wishes.kind
        tags = tuple(dict.fromkeys((*kind.tags, *(tag_of(fill(arguments)) for fill in self._tags))))
        return Asked(names.key_of(self._name(arguments, args, kwargs), user), kind, tags, self.values, user)

    def _name(self, arguments: Mapping[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        if self._key is not None:
            return self._key(arguments) if self._templated else self._key(*args, **kwargs)
        what = {name: type(one) if name == "self" else one for name, one in arguments.items()}
        return f"{self.calls.name}:{digest_of_all(what)}"


def _written_as(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable | None:
    """
    What tells this call from all others, without looking at the function; None: that cannot be told cheaply. Types
    count: 1 and True are equal.
    """
    values = (*args, *kwargs.values()) if kwargs else args
    kinds = tuple(map(type, values))
    if not _SCALARS.issuperset(kinds):
        return None
    if not _SIZED.isdisjoint(kinds):
        for value, kind in zip(values, kinds, strict=True):
            if kind in _SIZED and len(value) > _LONGEST:
                return None
    return (values, kinds, tuple(kwargs)) if kwargs else (values, kinds)


def question_of(function: Callable[..., Any]) -> Question:
    """
    What a decorated *function* asks.

    Raises:
        TypeError: it is not decorated by `cached`.
    """
    found = getattr(function, _QUESTION, None)
    if not isinstance(found, Question):
        raise TypeError(f"{function!r} is not decorated with @cache.cached(...)")
    return found


def cached(answering: Answering, function: Callable[P, R], wishes: Wishes) -> Callable[P, R]:
    """*function*, with its answers kept."""
    question = Question(function, wishes)
    wrapped = _cached_async(answering, function, question) if question.calls.is_async else None
    decorated: Any = wraps(function)(wrapped or _cached_plain(answering, function, question))
    setattr(decorated, _QUESTION, question)
    return cast("Callable[P, R]", decorated)


def load_of(question: Question, asked: Asked | None, run: Callable[[], Awaitable[Any]]) -> FunctionLoad:
    """One run of a function."""
    values = asked.values if asked is not None else question.values
    return FunctionLoad(run, values, question.wishes.kind.negatives, question.wishes.unless)


def _answered(
    answering: Answering,
    question: Question,
    asked: Asked | None,
    load: FunctionLoad,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Coroutine[Any, Any, Any]:
    """What becomes of one call of a decorated function."""
    if asked is None:
        return answering.refuse(question.wishes.kind, load)
    if not question.heard:
        return answering.answer(asked, load)

    async def answer() -> Any:
        given = await answering.answer(asked, load)
        arguments = question.calls.arguments(args, kwargs)
        for heard in question.heard:
            await heard(asked, arguments)
        return given

    return answer()


def _cached_async(answering: Answering, function: Callable[..., Any], question: Question) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        asked = question.of(args, kwargs)
        near = NOTHING if asked is None else answering.near(asked)
        if near is not NOTHING:
            return near
        load = load_of(question, asked, partial(function, *args, **kwargs))
        return await _answered(answering, question, asked, load, args, kwargs)

    return call


def _cached_plain(answering: Answering, function: Callable[..., Any], question: Question) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        asked = question.of(args, kwargs)
        opened = answering.opened
        if runs_on(opened.loop):
            raise RuntimeError(
                f"{question.calls.name} is a plain function, and would block the event loop of its cache: call it in a "
                "thread (asyncio.to_thread), make it async, or use a SyncCache"
            )
        run = ThreadRun(partial(function, *args, **kwargs), opened.refreshes)
        load = load_of(question, asked, run.run)
        return run.ask(opened.loop, _answered(answering, question, asked, load, args, kwargs))

    return call
