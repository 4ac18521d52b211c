"""
Answers to nearly the same question: offered beside the exact ones, never in their place.

    nearest = cache.similar(ask, "question")     ask("how do I log in?") was answered, and its text remembered
    await nearest("how do I log in")             Offer("...", match="near", distance=0.0, source="app.ask:3f0c...")

Rule 1: what is offered is never stored under the text that was asked, and the function never runs for it.
Rule 2: near is only the text: all other arguments, and the user, are the same.
Rule 3: what is offered lies in the store at that moment. What was invalidated or has expired is not, in any process,
        and its text is forgotten.
Rule 4: only what functions of the application gave is ever offered, never a verdict that was paid for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec

from hashcache.core.key import Key
from hashcache.integrations import functions, names
from hashcache.integrations.answering import Answering
from hashcache.integrations.arguments import digest_of_all
from hashcache.integrations.asked import Asked
from hashcache.integrations.similar import Scope, Similar
from hashcache.integrations.values import NotRead

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Offer:
    """
    The *answer* to the very question (*match* `exact`), or to one that is *near*, at a *distance* of 0 to 1: `1 -
    distance` is the similarity. *source*: the key under which it is kept.
    """

    answer: Any
    match: Literal["exact", "near"]
    distance: float
    source: str


class Nearest(Generic[P]):
    """
    Offers the answers of a decorated *function* to texts that are near to its argument *by*, from an *index*.

    Raises (when made):
        TypeError: the function is not decorated, or has no such argument.
    """

    def __init__(self, answering: Answering, function: Callable[P, Any], by: str, index: Similar) -> None:
        self._answering = answering
        self._question = functions.question_of(function)
        self._question.calls.check((by,), "similar")
        self._by = by
        self._index = index
        self._question.heard.append(self._heard)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Offer | None:
        """
        What is kept of this call, or else of the nearest; None: nothing is, or the store is away.

        Raises:
            Exception: what the embedding raises, such as EmbeddingRefused.
        """
        asked = self._question.of(args, kwargs)
        if asked is None or asked.kind.refusal is not None:
            return None
        exact = await self._kept(asked.key, asked)
        if exact is not None:
            return Offer(exact[0], "exact", 0.0, names.name_of(asked.key))
        scope, text = self._read(asked, self._question.calls.arguments(args, kwargs))
        while text is not None:
            near = await self._index.offer(scope, text)
            if near is None:
                return None
            key = Key.parse(near.key)
            found = await self._kept(key, asked)
            if found is not None:
                return Offer(found[0], "near", near.distance, names.name_of(key))
            self._index.forget(scope, near.key)
        return None

    async def _heard(self, asked: Asked, arguments: Mapping[str, Any]) -> None:
        """Remember the text of a call that was answered; behind the caller's back where an embedding is needed."""
        scope, text = self._read(asked, arguments)
        if text is None or self._index.knows(scope, asked.key.logical):
            return
        if self._index.embeds:
            self._answering.begin(self._remember(asked, scope, text))
        else:
            await self._remember(asked, scope, text)

    async def _remember(self, asked: Asked, scope: Scope, text: str) -> None:
        """Remember *text*. One that cannot be embedded is logged, and hinders nobody."""
        try:
            await self._index.remember(scope, asked.key.logical, text)
        except Exception as error:  # noqa: BLE001 - an embedding of the user's own may raise anything
            self._answering.failed("similar", asked.key, repr(error))

    def _read(self, asked: Asked, arguments: Mapping[str, Any]) -> tuple[Scope, str | None]:
        """With which texts a call is compared, and its own; None: it has none."""
        text = arguments[self._by]
        others = {name: type(one) if name == "self" else one for name, one in arguments.items() if name != self._by}
        scope = Scope(f"{asked.kind.name}:{digest_of_all(others)}", asked.user)
        return scope, text if isinstance(text, str) else None

    async def _kept(self, key: Key, asked: Asked) -> tuple[Any] | None:
        """The answer under *key*, if there is one that can be read."""
        found = (await self._answering.here.engine.look([key])).outcome
        if found is None:
            return None
        try:
            return (asked.values.decode(self._answering.guarding.opened(key, asked.user, found.entry.payload)),)
        except NotRead:
            return None


class SyncNearest(Generic[P]):
    """The same for plain functions: *run* waits for what *nearest* gives."""

    def __init__(self, nearest: Nearest[P], run: Callable[[Any], Offer | None]) -> None:
        self._nearest = nearest
        self._run = run

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Offer | None:
        """As `Nearest`."""
        return self._run(self._nearest(*args, **kwargs))
