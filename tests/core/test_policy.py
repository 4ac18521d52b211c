"""What a policy may say, and how long a failure is remembered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.policy import NEVER, Policy, Remembered

TTL = timedelta(days=7)
LENGTHS = st.timedeltas(timedelta(microseconds=1), timedelta(days=3650))


def test_nothing_that_costs_or_prolongs_is_on_by_itself() -> None:
    """A policy of a ttl alone serves nothing stale, refreshes nothing ahead, prolongs and remembers nothing."""
    policy = Policy(TTL)
    assert (policy.stale_while_revalidate, policy.stale_if_error, policy.stale) == (NEVER, NEVER, NEVER)
    assert (policy.refresh_ahead, policy.jitter, policy.late) == (0, 0, 0)
    assert (policy.shortest, policy.longest, dict(policy.negatives)) == (None, None, {})
    assert policy.renewal * 2 <= policy.lease


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl": NEVER},
        {"ttl": timedelta(seconds=-1)},
        {"jitter": 1.0},
        {"jitter": -0.1},
        {"jitter": float("nan")},
        {"late": 1.1},
        {"late": -0.1},
        {"late": float("nan")},
        {"refresh_ahead": -1.0},
        {"refresh_ahead": float("nan")},
        {"renewal": timedelta(seconds=4.1)},
        {"shortest": timedelta(1)},
        {"longest": timedelta(1)},
        {"shortest": timedelta(2), "longest": timedelta(1)},
        {"shortest": NEVER, "longest": timedelta(1)},
        {"shortest": timedelta(-1), "longest": timedelta(1)},
    ],
    ids=str,
)
def test_a_policy_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    """Where it is made, not where it first bites."""
    with pytest.raises(ValueError, match=r"ttl|lease|shares|bounds"):
        Policy(**{"ttl": TTL} | wrong)


@pytest.mark.parametrize(
    "right",
    [
        {"ttl": timedelta(microseconds=1)},
        {"jitter": 0.999, "late": 1.0, "refresh_ahead": 10.0},
        {"renewal": timedelta(seconds=4)},
        {"shortest": timedelta(1), "longest": timedelta(1)},
    ],
    ids=str,
)
def test_the_last_allowed_values_are_allowed(right: dict[str, Any]) -> None:
    """A bound belongs to what it bounds."""
    assert Policy(**{"ttl": TTL} | right)


@given(LENGTHS, LENGTHS)
def test_a_stale_answer_is_kept_for_the_longer_of_both_reasons(one: timedelta, other: timedelta) -> None:
    """To be served meanwhile, or in place of an error: the store keeps it for whichever lasts longer."""
    assert Policy(TTL, stale_while_revalidate=one, stale_if_error=other).stale == max(one, other)


@given(LENGTHS, LENGTHS, st.integers(1, 10**6))
def test_a_failure_is_remembered_longer_each_time_within_its_bound(
    first: timedelta, longest: timedelta, failures: int
) -> None:
    """Never longer than the bound, never shorter than the time before, whatever the numbers are."""
    remembered = Remembered(first, longest)
    assert remembered.life(1) == min(first, longest)
    assert remembered.life(failures) <= remembered.life(failures + 1) <= longest


@given(LENGTHS, st.integers(1, 12))
def test_a_failure_is_remembered_twice_as_long_each_time(first: timedelta, failures: int) -> None:
    """As long as the bound is far."""
    far = Remembered(first, timedelta.max)
    assert far.life(failures) == first * 2 ** (failures - 1)


def test_a_bound_is_reached_exactly() -> None:
    """10 s, 20, 40, 60, 60, and so on for ever."""
    remembered = Remembered(timedelta(seconds=10), timedelta(seconds=60))
    lives = [remembered.life(failures).total_seconds() for failures in (1, 2, 3, 4, 5, 33, 34, 10**9)]
    assert lives == [10, 20, 40, 60, 60, 60, 60, 60]


def test_a_long_memory_does_not_overflow() -> None:
    """Six hours doubled 32 times are more than a timedelta holds."""
    assert Remembered(timedelta(hours=6), timedelta(days=7)).life(40) == timedelta(days=7)
