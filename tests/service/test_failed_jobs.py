"""How a job failed: every class of failure comes back as it was."""

from __future__ import annotations

import pytest

from hashcache.core import errors
from hashcache.service.failures import JOB_KINDS, recall, remember_job

FAILURES = [
    errors.ProviderRejected("one", "too long"),
    errors.ProviderInvalid("one", "no score"),
    errors.ProviderFailed("one", "500"),
    errors.ProviderTimeout("one", "late"),
    errors.ProviderDenied("one", "no credit"),
    errors.ProviderThrottled("one", "wait", retry_after=7),
    errors.ProviderDown("one", "down", retry_after=3),
    errors.BudgetSpent("one", "spent", budget="all", resets="2026-11-22T00:00:00Z", retry_after=60),
    errors.OutcomeUnknown("one", "unknown", retry_after=9),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_comes_back_as_it_was(error: errors.ProviderError) -> None:
    """The class, the provider, the words, when to come again, and which budget."""
    back = recall(remember_job(error))
    assert type(back) is type(error)
    assert (back.provider, str(back), back.retry_after) == ("one", str(error), error.retry_after)
    if isinstance(error, errors.BudgetSpent):
        assert isinstance(back, errors.BudgetSpent)
        assert (back.budget, back.resets) == ("all", "2026-11-22T00:00:00Z")


def test_every_class_is_remembered() -> None:
    """No class of failure is left out."""
    assert {remember_job(error).kind for error in FAILURES} == set(JOB_KINDS)
    assert {type(error) for error in FAILURES} == set(errors.ProviderError.__subclasses__())
