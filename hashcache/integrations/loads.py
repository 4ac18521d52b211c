"""
A function as something that the engine buys from, and its failures on their way to every caller.

Rule 1: whatever the function raises reaches everybody who waits for it as the very error that it raised. So it travels
        in a LoadFailed, which the engine knows: an expired answer may serve instead, and nothing is kept of it.
Rule 2: only errors of the classes that the type names are remembered. What is remembered of one is its class, as
        declared, and its arguments, as far as JSON holds them: never a pickle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any

import msgspec

from hashcache.engine.load import Kept, Loaded, LoadFailed
from hashcache.integrations.types import Duration, class_name
from hashcache.integrations.values import Values

Negatives = Mapping[type[Exception], Duration]


class RememberedFailure(Exception):
    """A failure that is remembered, of a class that could not be made again from what is known of it."""


class Raised(LoadFailed):
    """The function raised *error*."""

    def __init__(self, error: Exception, kind: str) -> None:
        super().__init__(kind, _written(error))
        self.error = error
        self.traceback: TracebackType | None = error.__traceback__


class FunctionLoad:
    """
    An `engine.load.Load` that awaits *run* and keeps its value, written by *values*, unless *unless* says no.

    *began*: whether it was started; *payload*: what it gave; *secret*: whether that was not kept since it holds one. It
    holds nothing else, so it may be used again after `close`.
    """

    def __init__(
        self,
        run: Callable[[], Awaitable[Any]],
        values: Values,
        negatives: Negatives,
        unless: Callable[[Any], bool] | None = None,
    ) -> None:
        self.run = run
        self.began = False
        self.payload: bytes | None = None
        self.secret = False
        self._values = values
        self._negatives = negatives
        self._unless = unless

    async def __call__(self, token: str) -> Loaded:  # noqa: ARG002 - a name for vendors; a function has no use for it
        """Run the function."""
        self.began = True
        try:
            value = await self.run()
            keep = self._unless is None or not self._unless(value)
            self.payload = self._values.encode(value)
            return Loaded(self.payload, keep=keep)
        except Exception as error:
            declared = next((one for one in self._negatives if isinstance(error, one)), None)
            raise Raised(error, class_name(declared) if declared else "") from error

    def again(self) -> FunctionLoad:
        """The same once more, for a run of its own."""
        return FunctionLoad(self.run, self._values, self._negatives, self._unless)

    async def kept(self, how: Kept, *, duplicate: bool) -> None:
        """Nobody keeps books of functions."""

    async def close(self) -> None:
        """Nothing is held."""


def error_of(failed: LoadFailed, negatives: Negatives) -> Exception:
    """
    What *failed* carries, to be raised: the error of the function, or the like of one that is remembered.
    RememberedFailure, where its class cannot be made from its arguments.
    """
    if isinstance(failed, Raised):
        return failed.error.with_traceback(failed.traceback)  # anew for each caller: tracebacks would add up
    return _again(failed, negatives)


def _again(failed: LoadFailed, negatives: Negatives) -> Exception:
    told = msgspec.json.decode(failed.payload)
    made: Exception = RememberedFailure(f"{failed.kind}: {told['text']}")
    for one in negatives:
        if class_name(one) == failed.kind:
            try:
                made = one(*told["arguments"])
            except Exception:  # noqa: BLE001, S112 - a constructor of the user's own may raise anything
                continue
    made.add_note(f"Remembered by hashcache; the function runs again in {failed.retry_after:.0f} s.")
    return made


def _written(error: Exception) -> bytes:
    """What is remembered of *error*."""
    text = str(error).encode(errors="replace").decode()
    arguments = error.args if all(isinstance(one, str | int | float | None) for one in error.args) else (text,)
    try:
        return msgspec.json.encode({"text": text, "arguments": arguments})
    except UnicodeEncodeError:
        return msgspec.json.encode({"text": text, "arguments": (text,)})
