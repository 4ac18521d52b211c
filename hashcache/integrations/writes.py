"""
Writes that forget what they touch.

Rule 1: what a call forgets is decided before the function runs, so that no mistake in a template or an argument
        strikes between the write and the forgetting.
Rule 2: it is forgotten after the write succeeded and only then, also when the caller leaves meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from hashcache.core.barrier import Selector
from hashcache.core.key import Key
from hashcache.integrations import names
from hashcache.integrations.answering import Answering
from hashcache.integrations.calls import Calls, identity, runs_on, tag_of
from hashcache.integrations.keys import Keys
from hashcache.integrations.types import Type

P = ParamSpec("P")
R = TypeVar("R")
#: Nobody is given what was forgotten, from the first moment: a write need not wait until the keys are gone too.
_AT_ONCE = timedelta(0)


class Targets:
    """What a write forgets: entries of *kinds*, those with a *tag*, the one under *key* (of *per*), of a *pattern*."""

    def __init__(
        self,
        function: Callable[..., Any],
        kinds: tuple[Type, ...],
        *,
        tag: str | None,
        key: str | Keys | None,
        pattern: str | Keys | None,
        per: str | Callable[..., object] | None,
    ) -> None:
        self.calls = Calls(function)
        if not (kinds or tag or key or pattern):
            raise TypeError("say what the write forgets: a type, tag=, key= or pattern=")
        if isinstance(key, str) and "*" in key:
            raise ValueError(f"key= names one entry, and {key!r} many: say pattern=")
        self._kinds = kinds
        self._tag = self.calls.filled(tag, "tag=") if tag else None
        self._key = self.calls.filled(key.template if isinstance(key, Keys) else key, "key=") if key else None
        self._pattern = self._patterns(pattern) if pattern else None
        self._user = self.calls.user(per)

    def _patterns(self, pattern: str | Keys) -> Callable[[Mapping[str, Any]], str]:
        if isinstance(pattern, str):
            return self.calls.filled(pattern, "pattern=")
        known = [name for name in pattern.fields if name in self.calls.signature.parameters]
        return lambda arguments: pattern.pattern(**{name: arguments[name] for name in known})

    def of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[list[Selector], list[Key]]:
        """What this call forgets: selectors, and single keys, which cost the store less."""
        arguments = self.calls.arguments(args, kwargs)
        selectors = [names.selector(kind=kind.name) for kind in self._kinds]
        if self._tag is not None:
            selectors.append(names.selector(tag=tag_of(self._tag(arguments))))
        if self._pattern is not None:
            selectors.append(names.selector(self._pattern(arguments)))
        if self._key is None:
            return selectors, []
        user = identity(self._user(*args, **kwargs)) if self._user is not None else None
        return selectors, [names.key_of(self._key(arguments), user)]


def invalidates(answering: Answering, function: Callable[P, R], targets: Targets) -> Callable[P, R]:
    """*function*, after whose success *targets* are forgotten."""
    reason = f"{targets.calls.name} was called"

    async def forget(selectors: list[Selector], keys: list[Key]) -> None:
        if keys:
            await answering.forget(keys)
        for selector in selectors:
            await answering.invalidate(selector, reason, _AT_ONCE)

    async def call(*args: Any, **kwargs: Any) -> Any:
        doomed = targets.of(args, kwargs)
        result = await cast("Callable[..., Awaitable[Any]]", function)(*args, **kwargs)
        await answering.order(forget(*doomed))
        return result

    def call_plain(*args: Any, **kwargs: Any) -> Any:
        doomed = targets.of(args, kwargs)
        loop = answering.opened.loop
        if runs_on(loop):
            raise RuntimeError(f"{targets.calls.name} is a plain function: call it in a thread, or make it async")
        result = function(*args, **kwargs)
        asyncio.run_coroutine_threadsafe(answering.order(forget(*doomed)), loop).result()
        return result

    return cast("Callable[P, R]", wraps(function)(call if targets.calls.is_async else call_plain))
