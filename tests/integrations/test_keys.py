"""Keys of one shape: no value forges another key or a wildcard; names and patterns mean what they seem to mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache import Keys, PatternError
from hashcache.core.barrier import Selector
from hashcache.core.entry import Label
from hashcache.core.key import Key
from hashcache.integrations import names

LISTS = Keys("agents:list:{org}:{page}")
TEXTS = st.text(st.characters(exclude_categories=[]), min_size=1, max_size=80)
VALUES = st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.lists(st.integers(), max_size=2), st.binary())
SPECIAL = st.text(st.sampled_from("ab:*%${} ~\ud800"), min_size=1, max_size=8)


class Labelled:
    """What a selector looks at: an entry under *name*, of *user*."""

    def __init__(self, name: str, user: str | None = None) -> None:
        self.key = names.key_of(name, user)
        self.label = Label("default", self.key.variant, "app", ())


def means(pattern: str, name: str) -> bool:
    """Whether *pattern* means the entry called *name*."""
    return names.selector(pattern).matches(Labelled(name))


def test_keys_and_patterns_come_of_one_template() -> None:
    """What is not said is a wildcard in the pattern, and an error in the key."""
    assert LISTS.key(org="acme", page=2) == "agents:list:acme:2"
    assert LISTS.pattern(org="acme") == "agents:list:acme:*"
    assert LISTS.pattern() == "agents:list:*:*"
    with pytest.raises(TypeError, match="needs page"):
        LISTS.key(org="acme")
    with pytest.raises(TypeError, match="has no team"):
        LISTS.pattern(team="a")


@given(VALUES, VALUES, VALUES, VALUES)
def test_no_values_forge_the_key_of_others(one: object, two: object, three: object, four: object) -> None:
    """Two keys are the same only if their values read the same; a pattern means its own keys and no others."""
    key, other = LISTS.key(org=one, page=two), LISTS.key(org=three, page=four)
    same = [a == b and (type(a) is type(b) or str(a) == str(b)) for a, b in ((one, three), (two, four))]
    if key == other:
        assert [str(one), str(two)] == [str(three), str(four)]
    elif all(same):
        assert type(one) is not type(three) or type(two) is not type(four)
    assert means(LISTS.pattern(org=one), key)
    assert means(LISTS.pattern(org=one), other) == (LISTS.key(org=one, page=0) == LISTS.key(org=three, page=0))


@pytest.mark.parametrize(
    "template", ["{a}{b}", "{a}-{b}", "agents", "a:*:{b}", "{a.b}", "{0}", "{a!r}", "{a:>4}", "{", "{}"]
)
def test_a_template_that_would_mix_values_is_refused(template: str) -> None:
    """Without a colon between two values one could pass for a part of the other."""
    with pytest.raises(ValueError, match=r"brace|colon|\*"):
        Keys(template)


@given(SPECIAL, SPECIAL)
def test_different_names_are_different_keys(one: str, other: str) -> None:
    """Whatever characters they hold; and each is told again as it was."""
    assert (names.key_of(one) == names.key_of(other)) == (one == other)
    assert names.name_of(names.key_of(one)) == one
    assert Key.parse(names.key_of(one).logical) == names.key_of(one)


@given(SPECIAL)
def test_a_pattern_is_told_as_it_was_written(pattern: str) -> None:
    """Whoever listens to invalidations reads what the other wrote."""
    assert names.pattern_of(names.selector(pattern)) == pattern


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        ("agents:*", ["agents:1", "agents:list:7", "agents:"], ["agents", "agent", "my:agents:1"]),
        ("agents", ["agents", "agents:1"], ["agents2", "my:agents"]),
        ("*:list", ["agents:list", "a:b:list"], ["agents:list:7", "list"]),
        ("a*z", ["az", "abcz"], ["azb", "a"]),
        ("*", ["a", "$", "a:$:all"], []),
        ("100%", ["100%", "100%:x"], ["1000"]),
        ("a{b}*", ["a{b}", "a{b}c"], ["ab"]),
    ],
)
def test_a_pattern_means_what_it_seems_to_mean(pattern: str, meant: list[str], not_meant: list[str]) -> None:
    """`*` is any characters; without one the name itself and what is below it."""
    assert [name for name in meant + not_meant if means(pattern, name)] == meant


@pytest.mark.parametrize("pattern", ["*", "analysis:*", "*:*", "text", "a*"])
def test_no_pattern_means_the_entries_of_the_service(pattern: str) -> None:
    """What was paid for is not touched, whatever is said."""
    paid = Labelled("x")
    paid.key = Key("analysis", "0" * 64, "0" * 32)
    assert not names.selector(pattern, tag=None).matches(paid)
    assert not names.selector().matches(paid)


def test_users_are_kept_apart_and_named_nowhere() -> None:
    """Each has a variant of his own, which a pattern covers and a selector for one user tells from the others."""
    ann, bob = names.key_of("page", "ann@example.com"), names.key_of("page", "bob")
    assert len({ann, bob, names.key_of("page")}) == 3
    assert "ann" not in ann.logical
    assert names.selector("page*").matches(Labelled("page", "bob"))
    assert names.selector(user="bob").matches(Labelled("page", "bob"))
    assert not names.selector(user="bob").matches(Labelled("page", "ann@example.com"))


def test_very_long_names_differ_in_their_end() -> None:
    """A digest of the whole takes the place of what does not fit."""
    keys = {names.key_of("a" * 2000 + end) for end in ("", "b", "c")}
    assert len(keys) == 3
    assert names.selector("a" * 100 + "*").matches(Labelled("a" * 2000))


@pytest.mark.parametrize("wrong", ["", None, 7])
def test_what_is_no_key_is_refused(wrong: object) -> None:
    """At the call, not in the store."""
    with pytest.raises((TypeError, PatternError)):
        names.key_of(wrong)  # type: ignore[arg-type]  # the mistake that this is about


def test_what_the_service_clears_is_told_only_if_it_can_be_ours() -> None:
    """`*` means ours too; `analysis:*` cannot."""
    assert names.pattern_of(Selector()) == "*"
    assert names.pattern_of(Selector(pattern="*")) == "*"
    assert names.pattern_of(Selector(pattern="analysis:*")) is None
    assert names.pattern_of(Selector(pattern="a*")) == "a*"
