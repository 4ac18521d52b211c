"""What failed is remembered as bytes, and comes back as the error that it was."""

from __future__ import annotations

import pytest

from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
)
from hashcache.engine.load import LoadFailed
from hashcache.service.failures import NEGATIVES, recall, remember

REMEMBERED = [ProviderRejected, ProviderInvalid, ProviderFailed, ProviderTimeout]


@pytest.mark.parametrize("kind", REMEMBERED)
def test_an_error_survives_being_remembered(kind: type[ProviderError]) -> None:
    """Class, provider and words come back, with the time after which asking again makes sense."""
    stored = remember(kind("shop", "it broke"))
    back = recall(LoadFailed(stored.kind, stored.payload, remembered=True, retry_after=4.5))
    assert type(back) is kind
    assert (back.provider, str(back), back.retry_after) == ("shop", "it broke", 4.5)
    assert not back.possibly_paid  # remembering it cost nothing


def test_whoever_was_there_gets_the_very_error() -> None:
    """The cause itself, with all it knows."""
    error = ProviderTimeout("shop", "too late", possibly_paid=True)
    failed = remember(error)
    failed.__cause__ = error
    assert recall(failed) is error


@pytest.mark.parametrize("error", [ProviderDenied("shop", "no credit"), ProviderThrottled("shop", "later")])
def test_what_says_nothing_of_one_content_is_not_remembered(error: ProviderError) -> None:
    """A refused account or a pause is the provider's, not the content's."""
    assert remember(error).kind not in NEGATIVES


def test_how_long() -> None:
    """Ten minutes for what will never do; a second, doubled up to five minutes, for what may."""
    assert {NEGATIVES["rejected"].life(number).total_seconds() for number in (1, 2, 50)} == {600}
    lives = [NEGATIVES["failed"].life(number).total_seconds() for number in (1, 2, 3, 9, 10, 1000)]
    assert lives == [1, 2, 4, 256, 300, 300]


def test_junk_is_a_failure_all_the_same() -> None:
    """What cannot be read says at least that something failed."""
    assert isinstance(recall(LoadFailed("failed", b"\xff", remembered=True)), ProviderFailed)
    assert isinstance(recall(LoadFailed("of another release", b"{}", remembered=True)), ProviderFailed)
