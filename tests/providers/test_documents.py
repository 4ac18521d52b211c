"""Vendors' replies as JSON documents: refused, or read to the letter, whole or in pieces."""

from __future__ import annotations

import json
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.errors import ProviderInvalid
from hashcache.core.money import FREE
from hashcache.core.result import Confidence, Result, Verdict, encode
from hashcache.ports import Answer
from hashcache.providers.documents import DEEPEST, aside, read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
RESULT = Result(
    verdict=Verdict.NO_AI_FOUND,
    score_ai=0.1,
    confidence=Confidence.HIGH,
    evidence=(),
    provider="acme",
    model="model",
    model_version=None,
    analysed_at="2026-11-21T00:00:00Z",
    answer={"é": [1, 2.5, None, {"x": "\u2028"}]},
)
PIECES = st.integers(1, 40)


@given(JSON)
def test_what_is_read_can_be_written_again(document: object) -> None:
    """Whatever JSON a vendor sends: it is refused, or it survives being stored."""
    try:
        found = read_json("acme", json.dumps(document).encode())
    except ProviderInvalid:
        return
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


@given(JSON, PIECES, st.sampled_from([None, 1, "\t"]))
def test_pieces_say_what_the_whole_says(document: object, piece: int, indent: int | str | None) -> None:
    """However small the pieces are, and however it is written."""
    raw = json.dumps(document, indent=indent).encode()
    assert told(raw, piece) == told(raw, len(raw))


@given(JSON, PIECES, st.data())
def test_what_is_damaged_is_refused_in_pieces_too(document: object, piece: int, data: st.DataObject) -> None:
    """A byte is lost, doubled or another one: both refuse it, or both read the same."""
    raw = json.dumps(document).encode()
    at = data.draw(st.integers(0, len(raw) - 1))
    instead = data.draw(st.sampled_from([b"", raw[at : at + 1] * 2, b"{", b"]", b",", b"\xff", b"\\"]))
    raw = raw[:at] + instead + raw[at + 1 :]
    assert told(raw, piece) == told(raw, max(1, len(raw)))


@pytest.mark.parametrize("piece", [1, 10, 10_000])
def test_depth_is_bounded_exactly(piece: int) -> None:
    """DEEPEST levels are read, one more is not; in pieces too, where a hundred thousand are refused as well."""
    assert read_json("acme", b"[" * DEEPEST + b"1" + b"]" * DEEPEST, piece=piece)
    for levels in (DEEPEST + 1, 100_000):
        for inner in (b"1", b""):
            with pytest.raises(ProviderInvalid, match="deep"):
                read_json("acme", b"[" * levels + inner + b"]" * levels, piece=piece)
        with pytest.raises(ProviderInvalid, match="deep"):
            read_json("acme", b'{"a":' * levels + b"1" + b"}" * levels, piece=piece)


@pytest.mark.parametrize("before", [b"", b" \r\n\t"])
def test_no_level_is_taken_apart_that_may_not_be_there(before: bytes) -> None:
    """Each level is another look at all of it: what lies too deep is not looked at, so its damage is not found."""
    raw = before + b"[" * (DEEPEST + 9) + b'"\xff"' + b"]" * (DEEPEST + 9)
    with pytest.raises(ProviderInvalid, match="not JSON"):
        read_json("acme", raw)
    with pytest.raises(ProviderInvalid, match="deep"):
        read_json("acme", raw, piece=10)


async def test_only_what_is_large_goes_to_a_thread() -> None:
    """Of a small reply nothing waits for a thread; of a large one the document is written there, as it would be."""
    here, ran = threading.get_ident(), []

    def read() -> Answer:
        ran.append(threading.get_ident())
        return Answer(RESULT, FREE)

    small = await aside(read, size=64 * 1024)
    large = await aside(read, size=64 * 1024 + 1)
    assert ran[0] == here != ran[1]
    assert small.result.answer == RESULT.answer
    assert type(large.result.answer) is msgspec.Raw
    assert encode(small.result) == encode(large.result)
    assert await aside(nothing, size=64 * 1024 + 1) is None


def nothing() -> Answer | None:
    """There is no answer yet."""
    return None


def told(raw: bytes, piece: int) -> object:
    """What *raw* says, or how it is refused."""
    try:
        return read_json("acme", raw, piece=piece)
    except ProviderInvalid as error:
        return str(error)
