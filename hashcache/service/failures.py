"""
What failed, as the engine remembers it: a provider's error as bytes, and back.

Rule 1: content that the vendor refuses is remembered for ten minutes: asking again is useless.
Rule 2: a failure of the vendor is remembered for a second, then twice as long each time, up to five minutes: a
        burst of callers does not pay for each one's try.
Rule 3: a refused account or a vendor that asks to wait says nothing about one content: neither is remembered here,
        but for who was told to come back for the answer (`service/jobs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from hashcache.core.errors import (
    BudgetSpent,
    OutcomeUnknown,
    ProviderDenied,
    ProviderDown,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
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
_JOB = "job-"
_JOB_ERRORS: dict[str, type[ProviderError]] = {
    **{_JOB + kind: error for kind, error in _ERRORS.items()},
    _JOB + "throttled": ProviderThrottled,
    _JOB + "denied": ProviderDenied,
    _JOB + "down": ProviderDown,
    _JOB + "budget": BudgetSpent,
    _JOB + "unknown": OutcomeUnknown,
}
#: The classes of failures of jobs: all that there are.
JOB_KINDS = tuple(_JOB_ERRORS)
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
    retry_after: float | None = None
    budget: str = ""
    resets: str = ""


def remember_job(error: ProviderError) -> LoadFailed:
    """*error*, of whatever class, for whoever asks what became of a job."""
    kind = next((kind for kind, one in _JOB_ERRORS.items() if type(error) is one), _JOB + "failed")
    failure = _Failure(error.provider, str(error), error.retry_after)
    if isinstance(error, BudgetSpent):
        failure = msgspec.structs.replace(failure, budget=error.budget, resets=error.resets)
    return LoadFailed(kind, msgspec.json.encode(failure))


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
    if failed.kind.startswith(_JOB):
        return _recalled_job(failed.kind, failure)
    error = kind(failure.provider, failure.detail)
    error.retry_after = failed.retry_after
    return error


def _recalled_job(kind: str, failure: _Failure) -> ProviderError:
    """What became of a job. Whoever brings the content again may do so when *retry_after* was over, or at once."""
    name, detail, after = failure.provider, failure.detail, failure.retry_after
    match _JOB_ERRORS.get(kind, ProviderFailed):
        case one if one is BudgetSpent:
            return BudgetSpent(name, detail, budget=failure.budget, resets=failure.resets, retry_after=after or 0)
        case one if one is ProviderDown:
            return ProviderDown(name, detail, retry_after=after or 0)
        case one if one is OutcomeUnknown:
            return OutcomeUnknown(name, detail, retry_after=after or 0)
        case other:
            error = other(name, detail)
            error.retry_after = after
            return error
