"""What is in a key, how it is spelled, and which pattern means it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.content import Kind
from hashcache.core.errors import PatternError
from hashcache.core.key import LONGEST_PATTERN, Key, Names, Pattern, Question

SHA = "9f" * 32
QUESTION = Question(Kind.IMAGE, "acme", "generic", "v1", adapter=1, epoch=0, parameters={"score": "/s"})
WORDS = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
KEYS = st.builds(Key, WORDS, st.from_regex(r"[^\x00-\x20{}*\x7f]{1,40}", fullmatch=True), WORDS)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
QUESTIONS = st.builds(
    Question,
    st.sampled_from(Kind),
    TEXTS,
    TEXTS,
    TEXTS,
    st.integers(0, 3),
    st.integers(0, 3),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": Kind.VIDEO},
        {"tenant": "other"},
        {"provider": "other"},
        {"model": "v2"},
        {"adapter": 2},
        {"epoch": 1},
        {"parameters": {}},
        {"parameters": {"score": "/t"}},
        {"parameters": {"scores": "/s"}},
        {"parameters": {"score": "/s", "more": ""}},
    ],
    ids=str,
)
def test_everything_that_changes_the_answer_changes_the_variant(change: dict[str, object]) -> None:
    """Another kind, tenant, provider, model, adapter, epoch or parameter is another question."""
    assert replace(QUESTION, **change).variant != QUESTION.variant


@given(QUESTIONS, QUESTIONS)
def test_two_questions_share_a_variant_only_if_they_are_one(one: Question, other: Question) -> None:
    """Whatever the parts hold, nothing slides from one into the next."""
    assert (one.variant == other.variant) == (one == other)


def test_parts_are_delimited_by_their_length() -> None:
    """("ab", "c") and ("a", "bc") differ, and so do parts that hold what another scheme would use as a border."""
    variants = {
        Question(Kind.TEXT, tenant, provider, model).variant
        for tenant, provider, model in [
            ("ab", "c", ""),
            ("a", "bc", ""),
            ("", "abc", ""),
            ("ab:c", "", ""),
            ("ab", "", "c"),
            ("a\0b", "c", ""),
        ]
    }
    assert len(variants) == 6


def test_the_order_of_parameters_does_not_count() -> None:
    """The same parameters, written down in another order, ask the same."""
    one = replace(QUESTION, parameters={"a": "1", "b": "2"})
    assert one.variant == replace(QUESTION, parameters={"b": "2", "a": "1"}).variant


def test_the_variant_is_the_same_in_every_release() -> None:
    """A variant that changed by itself would buy everything again: these are the values of version 1."""
    assert QUESTION.variant == "f62f5b05d0add40e68dcb93ef1e87569"
    assert Question(Kind.TEXT, "default", "provenance", "1").variant == "58c48e2e87305d9007bf4b4ce5697a1b"


@pytest.mark.parametrize(("kind", "space"), [(Kind.IMAGE, "analysis"), (Kind.VIDEO, "analysis"), (Kind.TEXT, "text")])
def test_names_of_the_contract(kind: Kind, space: str) -> None:
    """Logical and physical names are spelled as the contract has them."""
    question = replace(QUESTION, kind=kind)
    key, names = Key.of(SHA, question), Names("prod")
    assert key.logical == f"{space}:{SHA}:{question.variant}"
    assert names.entry(key) == f"hashcache:prod:{space}:{{{SHA}}}:{question.variant}"
    assert len(question.variant) == 32


@given(KEYS)
def test_a_physical_name_is_parsed_back(key: Key) -> None:
    """The name of an entry gives its key."""
    names = Names("dev")
    assert names.parse(names.entry(key)) == key


@given(KEYS)
def test_what_lies_beside_an_entry_is_no_entry(key: Key) -> None:
    """Claims and tombstones, the books and another environment's entries are never taken for entries."""
    names, others = Names("dev"), Names("dev2")
    for name in (names.claim(key), names.tombstone(key), names.barrier, names.counters, others.entry(key)):
        assert names.parse(name) is None


@given(KEYS)
def test_one_entrys_records_share_a_slot(key: Key) -> None:
    """Between the first brace and the next closing one all have the same text (Redis Cluster, hash tags)."""
    names = Names("dev")
    slots = {re.search(r"\{([^}]+)\}", name)[1] for name in (names.entry(key), names.claim(key), names.tombstone(key))}
    assert slots == {key.name}


@pytest.mark.parametrize(
    "physical",
    [
        "",
        "hashcache:dev:",
        "hashcache:dev:analysis:x:v",
        "hashcache:dev:analysis:{}:v",
        "hashcache:dev:analysis:{x}:",
        "hashcache:dev:analysis:{x}:v:w",
        "hashcache:dev:ana lysis:{x}:v",
        "hashcache:dev:analysis:{x y}:v",
        "hashcache:dev:analysis:{x}:v\n",
        "hashcache:dev:analysis:{x*}:v",
        f"hashcache:dev:analysis:{{x}}:{'v' * 65}",
        "other:hashcache:dev:analysis:{x}:v",
        "HASHCACHE:dev:analysis:{x}:v",
    ],
)
def test_foreign_names_are_no_entries(physical: str) -> None:
    """Somebody else's keys in a shared Redis parse to nothing, and never raise."""
    assert Names("dev").parse(physical) is None


@given(st.text(max_size=60))
def test_any_name_parses_to_a_key_that_has_it_or_to_none(rest: str) -> None:
    """Parsing is exact: what it accepts is spelled just so."""
    names = Names("dev")
    key = names.parse(names.prefix + rest)
    assert key is None or names.entry(key) == names.prefix + rest


@pytest.mark.parametrize(
    ("space", "name", "variant"),
    [
        ("", "x", "v"),
        ("a:b", "x", "v"),
        ("a", "", "v"),
        ("a", "x{", "v"),
        ("a", "x y", "v"),
        ("a", "x*", "v"),
        ("a", "x", "v:w"),
    ],
)
def test_what_makes_no_key(space: str, name: str, variant: str) -> None:
    """A part that would be read as another, as a wildcard or as a slot is refused."""
    with pytest.raises(PatternError):
        Key(space, name, variant)


def oracle(pattern: str, logical: str) -> bool:
    """What the contract says of patterns, as a regular expression."""
    if "*" not in pattern:
        return logical == pattern or logical.startswith(pattern + ":")
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), logical, re.DOTALL) is not None


@given(st.text("ab:*", min_size=1, max_size=8), st.text("ab:", max_size=10))
def test_patterns_against_a_regular_expression(pattern: str, logical: str) -> None:
    """`*` is any characters, also none; a name without it means itself and everything below."""
    assert Pattern(pattern).matches(logical) == oracle(pattern, logical)


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("*", True),
        ("analysis:*", True),
        ("analysis", True),
        (f"analysis:{SHA}", True),
        (f"analysis:{SHA}:v", True),
        (f"analysis:{SHA[:8]}", False),
        (f"analysis:{SHA[:8]}*", True),
        ("*:v", True),
        ("text:*", False),
        ("analysis:?*", False),
        ("analysis:[0-9a-f]*", False),
        ("ANALYSIS:*", False),
        ("a*a", False),
    ],
)
def test_patterns_on_a_name(pattern: str, meant: bool) -> None:  # noqa: FBT001 -- a column of the table
    """`*` is the only wildcard: nothing else of Redis' globs means anything."""
    assert Pattern(pattern).matches(f"analysis:{SHA}:v") is meant


@pytest.mark.parametrize(("pattern", "logical"), [("a*a", "a"), ("ab*ba", "aba"), ("a*b*ab", "aab"), ("a*b*b", "ab")])
def test_pieces_of_a_pattern_do_not_overlap(pattern: str, logical: str) -> None:
    """No letter of the name serves two pieces."""
    assert not Pattern(pattern).matches(logical)


@pytest.mark.parametrize("text", ["", "a\nb", "a\0", "\x7f", "x" * (LONGEST_PATTERN + 1)])
def test_what_is_no_pattern(text: str) -> None:
    """Nothing, control characters, and more than anybody needs."""
    with pytest.raises(PatternError):
        Pattern(text)


def test_a_hostile_pattern_costs_little() -> None:
    """Hundreds of wildcards against a name that nearly matches end at once: there is no backtracking."""
    assert not Pattern("a*" * 500 + "b").matches("a" * 100_000)
