"""Which entries are meant, by one selector and by what is made of several."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.key import Key
from hashcache.core.selector import Selector, common

PATTERNS = ["*", "a*", "app", "app:*", "app:x", "app:x:*", "app:x*y", "apple:*", "analysis:*", "analysis:9f*", "*:v"]
SELECTORS = st.builds(
    Selector,
    pattern=st.none() | st.sampled_from(PATTERNS),
    kind=st.sampled_from([None, "image", "pages"]),
    tenant=st.sampled_from([None, "acme", "all"]),
    tag=st.sampled_from([None, "eu", "us"]),
)
ENTRIES = st.builds(
    lambda space, name, kind, tenant, tags: Entry(
        Key(space, name, "v"), Label(kind, tenant, "shop", tags), b"", 0, Instant(0), Instant(1)
    ),
    st.sampled_from(["app", "apple", "analysis"]),
    st.sampled_from(["x", "x:y", "xzy", "9fa", "b"]),
    st.sampled_from(["image", "pages"]),
    st.sampled_from(["acme", "all"]),
    st.sampled_from([(), ("eu",), ("eu", "us")]),
)


@pytest.mark.parametrize(
    ("pattern", "space"),
    [
        (None, None),
        ("*", None),
        ("app*", None),
        ("*:x", None),
        ("app", "app"),
        ("app:", "app"),
        ("app:*", "app"),
        ("app:x*:y", "app"),
    ],
)
def test_the_space_that_a_pattern_spells(pattern: str | None, space: str | None) -> None:
    """The word before its first colon, unless a wildcard stands before that."""
    assert Selector(pattern=pattern).space == space


@settings(max_examples=600)
@given(
    st.lists(
        SELECTORS | st.builds(Selector, pattern=st.text("ap:x*y", min_size=1, max_size=8)), min_size=1, max_size=4
    ),
    st.lists(ENTRIES, max_size=6),
)
def test_many_at_a_time_are_meant_as_each_is(several: list[Selector], some: list[Entry]) -> None:
    """Whatever is told without looking at each."""
    for selector in several:
        assert selector.among(some) == [one for one in some if selector.matches(one)]


@pytest.mark.parametrize(
    ("several", "meant"),
    [
        ([Selector(tag="a"), Selector(tag="b")], Selector()),
        ([Selector(pattern="app:*", tag="a"), Selector(pattern="app:*", tag="b")], Selector(pattern="app:*")),
        ([Selector(kind="x", tag="a"), Selector(kind="x", tag="b")], Selector(kind="x")),
        ([Selector(pattern="app:agents:1"), Selector(pattern="app:agents:2")], Selector(pattern="app:agents:*")),
        ([Selector(pattern="app"), Selector(pattern="app:x")], Selector(pattern="app:*")),
        ([Selector(pattern="app:x"), Selector(pattern="text:x")], Selector()),
        ([Selector(pattern="app:x"), Selector(kind="x")], Selector()),
        ([Selector(pattern="app:x", kind="a")], Selector(pattern="app:x", kind="a")),
    ],
)
def test_the_narrowest_that_means_all_of_several(several: list[Selector], meant: Selector) -> None:
    """Of each field what they agree about; of patterns how they begin, with the space to its colon."""
    assert common(several) == meant


@given(st.lists(SELECTORS, min_size=1, max_size=5), ENTRIES)
def test_what_is_made_of_several_means_no_less_and_nothing_of_other_spaces(
    several: list[Selector], entry: Entry
) -> None:
    """Whatever they are; it covers each of them."""
    made = common(several)
    assert made.matches(entry) or not any(one.matches(entry) for one in several)
    assert all(made.covers(one) for one in several)
    spaces = {one.space for one in several}
    if len(spaces) == 1 and None not in spaces:
        assert {made.space} == spaces
        assert not made.matches(entry) or entry.key.space in spaces


@given(SELECTORS, SELECTORS, ENTRIES)
def test_one_that_covers_another_means_all_that_it_means(one: Selector, other: Selector, entry: Entry) -> None:
    """And nothing that is confined to a space means what lies elsewhere."""
    assert not one.covers(other) or one.matches(entry) or not other.matches(entry)
    assert one.covers(one)
    assert one.space in (None, entry.key.space) or not one.matches(entry)
