"""Arguments in canonical order: equal ones meet, different ones never, strange ones are named."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache import NoCanonicalForm
from hashcache.integrations.arguments import canonical, digest_of_all
from tests.harness.process import ROOT


class Colour(Enum):
    """Two."""

    RED = 1
    BLUE = 2


class Level(IntEnum):
    """A number by another name."""

    ONE = 1


class Point(NamedTuple):
    """A tuple by another name."""

    x: int
    y: int


class A(Enum):
    """Whose name and member's name run together as those of the next one."""

    BC = 1


class AB(Enum):
    """The other one."""

    C = 1


@dataclass(frozen=True)
class Filter:
    """What a search is narrowed by."""

    name: str
    limit: int = 10


class Page(msgspec.Struct):
    """Where a list begins."""

    number: int


DIFFERENT: list[Any] = [
    None, True, False, 0, 1, -1, 255, 256, -256, 1.0, 0.0, -0.0, float("nan"), float("inf"), 1j, "1", "", "True", b"1",
    b"", bytearray(b"1"), [], [1], [[1]], [1, 2], (1, 2), (), (1,), Point(1, 2), *A, *AB, {}, {1: 2}, {2: 1}, {"1": 2},
    set(), {1, 2}, frozenset({1, 2}), Decimal(1), Decimal("1.0"), UUID(int=1), Colour.RED, Colour.BLUE, Level.ONE,
    Filter("a"), Filter("a", 11), Page(1), Page(2), date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1), datetime(2026, 1, 1, fold=1),  # noqa: DTZ001 - naive ones are arguments too
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))), time(1), time(1, tzinfo=UTC),
    timedelta(1), timedelta(microseconds=1), PurePosixPath("1"), range(1), range(2), int, str, Colour, "\ud800", 2**200,
    ["a", "b"], ["ab"], ["a,b"], {"a": {"b": 1}}, {"a": 1, "b": 1},
]  # fmt: skip

PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=4)
    ),
    max_leaves=12,
)


def exactly(value: Any) -> Any:
    """*value* such that equality takes types into account, and neither the order of a dict nor the sign of nothing."""
    if isinstance(value, dict):
        return (dict, frozenset((exactly(key), exactly(one)) for key, one in value.items()))
    if isinstance(value, list):
        return (list, tuple(map(exactly, value)))
    return (type(value), value.hex() if isinstance(value, float) else value)


def test_different_values_have_different_forms() -> None:
    """1, 1.0, True and "1"; a list and a tuple; an enum and its value; and so on, each from each."""
    forms = [canonical(value) for value in DIFFERENT]
    assert len(set(forms)) == len(forms)


@given(PLAIN, PLAIN)
def test_forms_are_equal_only_of_equal_values(one: Any, other: Any) -> None:
    """Nested however: none pretends to be another."""
    assert (canonical(one) == canonical(other)) == (exactly(one) == exactly(other))


@given(st.dictionaries(st.text(), PLAIN, max_size=6), st.randoms())
def test_the_order_of_dicts_does_not_matter(value: dict[str, Any], random: Any) -> None:
    """Nor does that of keyword arguments which arrive as one."""
    shuffled = list(value.items())
    random.shuffle(shuffled)
    assert canonical(dict(shuffled)) == canonical(value)


@given(st.lists(st.one_of(st.text(), st.integers()), max_size=6), st.randoms())
def test_the_order_of_sets_does_not_matter(values: list[Any], random: Any) -> None:
    """It differs from process to process."""
    shuffled = values[:]
    random.shuffle(shuffled)
    assert canonical(set(values)) == canonical(set(shuffled))


def test_subclasses_count_by_their_class() -> None:
    """An OrderedDict is no dict; two instants of one moment in two zones are two arguments."""
    assert canonical(OrderedDict(a=1)) != canonical({"a": 1})


def test_another_process_makes_the_same_digest() -> None:
    """Nothing depends on hashes or addresses of one process."""
    code = (
        "from hashcache.integrations.arguments import digest_of_all\n"
        "print(digest_of_all({'a': {'x', 'y', 'z'}, 'b': {'k': (1, 2.5, None)}}))"
    )
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == digest_of_all({"a": {"z", "y", "x"}, "b": {"k": (1, 2.5, None)}})


def test_names_count_and_do_not_run_into_values() -> None:
    """f(a=1) and f(b=1) differ, and so do ("ab", "c") and ("a", "bc")."""
    assert digest_of_all({"a": 1}) != digest_of_all({"b": 1})
    assert digest_of_all({"x": "ab", "y": "c"}) != digest_of_all({"x": "a", "y": "bc"})


@pytest.mark.parametrize("strange", [object(), lambda: 1, [object()], {"k": object()}, iter([])])
def test_what_has_no_canonical_form_is_named(strange: object) -> None:
    """The error names the argument and says how to give a key."""
    with pytest.raises(NoCanonicalForm, match=r"the argument 'session' is a .*key="):
        digest_of_all({"id": 1, "session": strange})


def test_what_holds_itself_is_refused() -> None:
    """Instead of running out of stack."""
    knot: list[Any] = []
    knot.append(knot)
    with pytest.raises(NoCanonicalForm, match="holds itself"):
        digest_of_all({"knot": knot})
