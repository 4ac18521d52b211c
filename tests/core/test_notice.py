"""What processes tell each other is read as it was sent, and junk is refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.barrier import Selector
from hashcache.core.errors import EntryRefused
from hashcache.core.notice import LONGEST, Notice, decode, encode

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12)
SELECTORS = st.builds(Selector, *[st.none() | WORDS] * 5)
NOTICES = st.builds(
    Notice,
    kind=st.sampled_from(["invalidate", "forget", "done", "acknowledge"]),
    origin=WORDS,
    timestamp=st.integers(0, 2**63),
    id=st.just("") | WORDS,
    sequence=st.integers(0, 2**63),
    selector=st.none() | SELECTORS,
    pattern=st.none() | WORDS,
    keys=st.lists(WORDS, max_size=4).map(tuple),
    reason=st.text(st.characters(codec="utf-8"), max_size=20),
)


@given(NOTICES)
def test_a_notice_arrives_as_it_was_sent(notice: Notice) -> None:
    """Encoded and decoded it is the same."""
    assert decode(encode(notice)) == notice


def test_a_notice_is_json_that_others_can_read() -> None:
    """The fields that the documentation names, and none that says nothing."""
    notice = Notice(
        kind="invalidate",
        origin="p1",
        timestamp=1_790_000_000_000,
        sequence=8,
        selector=Selector(pattern="analysis:*"),
        pattern="analysis:*",
        reason="new model",
    )
    assert json.loads(encode(notice)) == {
        "kind": "invalidate",
        "origin": "p1",
        "timestamp": 1_790_000_000_000,
        "sequence": 8,
        "selector": {"pattern": "analysis:*"},
        "pattern": "analysis:*",
        "reason": "new model",
    }


@given(NOTICES, st.dictionaries(WORDS.map("x-{}".format), st.integers() | WORDS, max_size=3))
def test_fields_of_a_later_release_are_passed_over(notice: Notice, more: dict[str, object]) -> None:
    """A process that was not upgraded yet understands the rest."""
    assert decode(json.dumps(json.loads(encode(notice)) | more).encode()) == notice


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff",
        b'"ping"',
        b'{"kind":"done","origin":"p"}',
        b'{"kind":"done","timestamp":1}',
        b'{"kind":"explode","origin":"p","timestamp":1}',
        b'{"kind":"done","origin":"p","timestamp":"1"}',
        b'{"kind":"done","origin":"p","timestamp":1.5}',
        b'{"kind":"done","origin":"p","timestamp":1,"keys":["a",1]}',
        b'{"kind":"done","origin":"\xff","timestamp":1}',
        b'{"kind":"invalidate","origin":"p","timestamp":1,"selector":{"pattern":""}}',
        b'{"kind":"invalidate","origin":"p","timestamp":1,"selector":{"tag":""}}',
        b'{"kind":"done","origin":"p","timestamp":1,"more":' + b"[" * 50_000,
    ],
    ids=lambda raw: raw[:70].decode(errors="replace"),
)
def test_what_is_no_notice_is_refused(raw: bytes) -> None:
    """By one error, whatever is wrong with it."""
    with pytest.raises(EntryRefused, match="notice"):
        decode(raw)


def test_a_message_too_long_is_not_even_read() -> None:
    """The longest that is allowed is read, one byte more is refused."""
    start, end = b'{"kind":"done","origin":"p","timestamp":1,"reason":"', b'"}'
    filled = start + b"r" * (LONGEST - len(start) - len(end)) + end
    assert decode(filled).kind == "done"
    with pytest.raises(EntryRefused, match="notice"):
        decode(filled + b" ")


@given(
    st.binary(max_size=80)
    | st.recursive(st.none() | st.integers() | WORDS, st.lists, max_leaves=6).map(repr).map(str.encode)
)
def test_any_bytes_are_a_notice_or_refused(raw: bytes) -> None:
    """A stranger on the channel can make us drop a message, not fail."""
    with contextlib.suppress(EntryRefused):
        decode(raw)


@given(NOTICES, st.data())
def test_a_broken_notice_is_a_notice_or_refused(notice: Notice, data: st.DataObject) -> None:
    """Wherever a byte was changed, nothing but the one error is raised."""
    raw = bytearray(encode(notice))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(EntryRefused):
        decode(bytes(raw))
