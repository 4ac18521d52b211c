"""
How a function is called: its arguments by name, templates filled with them, and whose call it is.

Rule: what does not fit the function is said when it is decorated, not when it is called.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from hashcache.integrations.arguments import digest_of
from hashcache.integrations.keys import parsed, written
from hashcache.integrations.types import check_tag

_LONGEST_TAG = 128


class Calls:
    """
    The calls of *function* by the names of their arguments.

    Raises (when made):
        TypeError: it is no function, or gives what cannot be kept.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        plain = inspect.unwrap(function) if callable(function) else function
        if not callable(function) or isinstance(function, type) or not hasattr(plain, "__qualname__"):
            raise TypeError(f"a function is decorated, with @cache.cached(...) and its parentheses; not {function!r}")
        if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
            raise TypeError(f"{plain.__qualname__} is a generator: what it yields cannot be kept; return a list")
        self.function = function
        self.name = f"{plain.__module__}.{plain.__qualname__}"
        self.signature = inspect.signature(function)
        self.is_async = inspect.iscoroutinefunction(function)
        parameters = self.signature.parameters.values()
        self._positional = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
        self._defaults = {one.name: one.default for one in parameters}
        self._required = [name for name, default in self._defaults.items() if default is inspect.Parameter.empty]
        self._simple = all(one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) for one in parameters)

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments by name, defaults included; TypeError as of the call itself."""
        if self._simple and len(args) <= len(self._positional):  # as `bind`, at a tenth of its time
            given = dict(zip(self._positional, args, strict=False))
            every = {**self._defaults, **given, **kwargs}
            fits = len(every) == len(self._defaults) and given.keys().isdisjoint(kwargs)
            if fits and not any(every[name] is inspect.Parameter.empty for name in self._required):
                return every
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def check(self, fields: tuple[str, ...], where: str) -> None:
        """TypeError, if one of *fields* is no parameter."""
        strange = [name for name in fields if name not in self.signature.parameters]
        if strange:
            raise TypeError(f"{where} names {', '.join(strange)}, but {self.name} has no such parameter")

    def filled(self, template: str, where: str) -> Callable[[Mapping[str, Any]], str]:
        """What fills *template* with arguments."""
        pieces, fields = parsed(template)
        self.check(fields, where)

        def fill(arguments: Mapping[str, Any]) -> str:
            return "".join(text + ("" if name is None else written(arguments[name], name)) for text, name in pieces)

        return fill

    def user(self, per: str | Callable[..., object] | None) -> Callable[..., object] | None:
        """What tells, of the arguments of a call, whose answer it is."""
        if not isinstance(per, str):
            return per
        self.check((per,), "per=")
        return lambda *args, **kwargs: self.arguments(args, kwargs)[per]


def runs_on(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether who asks would block *loop* by waiting."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def identity(value: object) -> str | None:
    """Who somebody is, as a text; None: nobody."""
    if value is None or value == "":
        return None
    if isinstance(value, str | int | UUID) and not isinstance(value, bool):
        return str(value)
    return digest_of(value, "per")


def tag_of(text: str) -> str:
    """*text* as a tag; of a long one the end is a digest."""
    return check_tag(text if len(text) <= _LONGEST_TAG else text[:64] + digest_of(text, "tag"))
