"""Types as data: what makes sense, what is refused, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import hashcache
from hashcache import TYPES, Type
from hashcache.core.policy import Remembered


def test_the_types_that_are_ready_have_the_numbers_of_their_systems() -> None:
    """Seconds as the systems that hashcache replaces had them; conversations are off."""
    seconds = {name: one.policy.ttl.total_seconds() for name, one in TYPES.items() if one.refusal is None}
    assert seconds == {
        "default": 600,
        "dashboard": 300,
        "search": 3600,
        "user": 1800,
        "product": 7200,
        "analytics": 600,
        "realtime": 30,
        "frequent": 300,
        "lists": 300,
        "statistics": 900,
        "static": 3600,
        "compact_results": 300,
        "mcp_readonly": 600,
    }
    assert TYPES["conversations"].refusal == "type 'conversations' is switched off (enabled=False)"
    assert TYPES["user"].scope == "user"


@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan"), timedelta(0), 10**12, 1e-9])
def test_nothing_is_kept_for_ever(ttl: float | timedelta) -> None:
    """A TTL that is no positive, finite time is a clear error."""
    with pytest.raises(ValueError, match=r"the ttl of type 'a' must be positive .* nothing is kept for ever"):
        Type("a", ttl=ttl)


@pytest.mark.parametrize("ttl", [None, "300", True])
def test_a_ttl_is_a_time(ttl: object) -> None:
    """None would mean for ever elsewhere: here it is an error."""
    with pytest.raises(TypeError, match="nothing is kept for ever"):
        Type("a", ttl=ttl)  # type: ignore[arg-type]  # the mistake that this is about


def test_what_must_not_be_kept_says_why() -> None:
    """Personal and real-time types refuse, whatever else they say."""
    assert Type("letters", personal=True).refusal == "type 'letters' is personal data, which is not kept"
    assert "real-time data" in str(Type("ticks", realtime=True, ttl=1).refusal)
    assert Type("a").refusal is None


def test_a_type_says_what_the_engine_does() -> None:
    """Seconds and timedeltas, staleness, refresh, negatives: all reach the policy."""
    policy = Type("a", ttl=60, stale=5, stale_if_error=timedelta(hours=1), refresh=1, negatives={KeyError: 2}).policy
    assert policy.ttl == timedelta(minutes=1)
    assert policy.stale_while_revalidate == timedelta(seconds=5)
    assert policy.stale_if_error == timedelta(hours=1)
    assert policy.refresh_ahead == 1
    assert policy.negatives == {"builtins.KeyError": Remembered(timedelta(seconds=2), timedelta(seconds=2))}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "image"}, "service"),
        ({"scope": "team"}, "scope"),
        ({"tags": "org"}, "tuple"),
        ({"tags": ("*",)}, "tag"),
        ({"target_hit_rate": 101}, "percent"),
        ({"negatives": {"KeyError": 1}}, "classes"),
        ({"negatives": {KeyError: 0}}, "KeyError"),
        ({"jitter": 1}, "jitter"),
        ({"stale": -1}, "stale"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(wrong: dict[str, object], word: str) -> None:
    """At once, when the type is made, with the word for what is wrong."""
    with pytest.raises((ValueError, TypeError), match=word):
        Type(**{"name": "a", **wrong})  # type: ignore[arg-type]  # the mistakes that this is about


def test_the_public_names_are_sorted_and_there() -> None:
    """Each name of the library can be imported from hashcache itself."""
    assert hashcache.__all__ == sorted(
        hashcache.__all__, key=lambda name: (not name.isupper(), name.startswith("_"), name)
    )
    assert all(getattr(hashcache, name) is not None for name in hashcache.__all__)
    assert set(hashcache.__all__) <= set(dir(hashcache))
    with pytest.raises(AttributeError, match="nothing"):
        _ = hashcache.nothing


@pytest.mark.parametrize(
    "more",
    [
        {"refresh": 1.0},
        {"stale": 30},
        {"stale_if_error": timedelta(hours=1)},
        {"negatives": {LookupError: 10}},
        {"personal": True},
        {"realtime": True},
        {"enabled": False},
    ],
)
def test_a_hit_of_which_more_is_asked_goes_the_long_way(more: dict[str, Any]) -> None:
    """A type is plain if a hit is just given; a TTL, tags, users and jitter change nothing of that."""
    assert Type("pages", ttl=5, scope="user", tags=("a",), jitter=0.1, target_hit_rate=90).plain
    assert not Type("pages", **more).plain
