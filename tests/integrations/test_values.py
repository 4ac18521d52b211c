"""Values and what is kept of them: what comes back is what went in, or an error says which part would not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache import NotKept
from hashcache.integrations.values import NotRead, Values, difference


@dataclass
class Row:
    """One line of a report."""

    at: datetime
    tags: tuple[str, ...]
    raw: bytes = b""


class Report(msgspec.Struct):
    """Some lines."""

    id: UUID
    rows: list[Row]


REPORT = Report(UUID(int=7), [Row(datetime(2026, 11, 21, tzinfo=UTC), ("a", "b"), b"\x00")])

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=[]))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=4),
    ),
    max_leaves=10,
)


@given(JSON)
def test_what_is_kept_comes_back_as_it_was(value: Any) -> None:
    """Types included; whatever would not is refused."""
    values = Values()
    try:
        payload = values.encode(value)
    except NotKept:
        return
    assert difference(value, values.decode(payload)) is None


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "x"]}, [], "text", "", b"bytes", b"", 2**80, None, False])
def test_plain_values_bytes_and_texts_are_kept(value: Any) -> None:
    """Without an annotation and without a codec."""
    back = Values().decode(Values().encode(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ((1, 2), r"the value \(tuple\)"),
        ({"rows": [{"at": (1,)}]}, r"the value\['rows'\]\[0\]\['at'\] \(tuple\)"),
        ({1: "a"}, "a key of the value"),
        ({"a": float("nan")}, r"the value\['a'\]"),
        ([1, {2}], r"the value\[1\] \(set\)"),
        ([datetime(2026, 1, 1, tzinfo=UTC)], r"the value\[0\] \(datetime\)"),
        ({"a": [object()]}, r"the value\['a'\]\[0\] \(object\)"),
        ("\ud800", "lone surrogate"),
        (REPORT, r"the value \(Report\)"),
    ],
)
def test_what_would_change_is_named(value: Any, where: str) -> None:
    """The error says which part of the value it is, and what to do."""
    with pytest.raises(NotKept, match=where):
        Values().encode(value)


def test_an_annotated_result_comes_back_as_its_classes() -> None:
    """Structs, dataclasses, datetimes, tuples, bytes: whatever the annotation tells."""
    values = Values(Report)
    back = values.decode(values.encode(REPORT))
    assert back == REPORT
    assert isinstance(back.rows[0], Row)


@pytest.mark.parametrize(("shape", "value"), [(float, 1), (list[int], ["a"]), (Report, None), (tuple[int, ...], [1])])
def test_a_plain_value_is_kept_whatever_was_annotated(shape: Any, value: Any) -> None:
    """1 is a float to who annotates; it comes back as the 1 that it was."""
    values = Values(shape)
    back = values.decode(values.encode(value))
    assert (back, type(back)) == (value, type(value))


def test_an_answer_of_another_shape_is_none() -> None:
    """The function returns something else by now, or another codec wrote it."""
    payload = Values().encode({"id": 7})
    with pytest.raises(NotRead):
        Values(Report).decode(payload)
    with pytest.raises(NotRead):
        Values(codec=Shouting()).decode(payload)
    for damaged in (b"", b"?x", b"j{", b"s\xff"):
        with pytest.raises(NotRead):
            Values().decode(damaged)


class Shouting:
    """A codec of a user's own."""

    def encode(self, value: Any) -> bytes:
        """Loud."""
        return json.dumps(value).upper().encode()

    def decode(self, raw: bytes) -> Any:
        """And soft."""
        return json.loads(raw.decode().lower())


def test_a_codec_of_ones_own_has_the_last_word() -> None:
    """It is not asked whether anything comes back as it was."""
    values = Values(codec=Shouting())
    assert values.decode(values.encode({"a": (1, 2)})) == {"a": [1, 2]}
    with pytest.raises(NotKept, match="the codec refuses the value"):
        values.encode(object())


def test_an_annotation_that_nobody_can_read_means_plain_json() -> None:
    """A class without a schema: then only plain values are kept."""
    assert Values(object).decode(Values(object).encode([1])) == [1]
    assert Values("Nowhere").encode(1)
