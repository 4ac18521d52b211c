"""
What failed, as the engine remembers it: a provider's error as bytes, and back.

Rule 1: content that the vendor refuses is remembered for ten minutes: asking again is useless.
Rule 2: a failure of the vendor is remembered for a second, then twice as long each time, up to five minutes: a
        burst of callers does not pay for each one's try.
Rule 3: a refused account or a vendor that asks to wait says nothing about one content: neither is remembered here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from hashcache.core.errors import (
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderTimeout,
)
from hashcache.core.policy import Remembered
from hashcache.engine.load import LoadFailed

_TEN_MINUTES = timedelta(minutes=10)
_BACKING_OFF = Remembered(timedelta(seconds=1), timedelta(minutes=5))
_KINDS: dict[type[ProviderError], str] = {
    ProviderRejected: "rejected",
    ProviderInvalid: "invalid",
    ProviderFailed: "failed",
    ProviderTimeout: "timeout",
}
_ERRORS = {kind: error for error, kind in _KINDS.items()}
#: For the policy of a paid analysis.
NEGATIVES: Mapping[str, Remembered] = {
    "rejected": Remembered(_TEN_MINUTES, _TEN_MINUTES),
    "invalid": _BACKING_OFF,
    "failed": _BACKING_OFF,
    "timeout": _BACKING_OFF,
}


class _Failure(msgspec.Struct, frozen=True):
    """What is stored of an error."""

    provider: str
    detail: str


def remember(error: ProviderError, *, sent: bool = True) -> LoadFailed:
    """
    *error* for the engine; raise it from *error*, which is what callers of now are given. What failed before anything
    was *sent* is not remembered: finding out again costs nothing.
    """
    payload = msgspec.json.encode(_Failure(error.provider, str(error)))
    return LoadFailed(_KINDS.get(type(error), "") if sent else "", payload)


def recall(failed: LoadFailed) -> ProviderError:
    """The error that *failed* stands for: the very one, or one like the one that is remembered."""
    if isinstance(failed.__cause__, ProviderError):
        return failed.__cause__
    kind = _ERRORS.get(failed.kind, ProviderFailed)
    try:
        failure = msgspec.json.decode(failed.payload, type=_Failure)
    except msgspec.DecodeError:
        failure = _Failure("", "the provider failed a moment ago")
    error = kind(failure.provider, failure.detail)
    error.retry_after = failed.retry_after
    return error
