"""The text of a JSON body is the same whether it is read at once or a piece at a time."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashcache.api import jsontext
from hashcache.api.arrival import read_json
from hashcache.api.jsontext import text_in
from hashcache.api.problems import Problem

#: What may be cut in two: escapes of all lengths, pairs, halves of pairs, characters of one to four bytes, backslashes.
_TOKENS = st.sampled_from(
    ["a", "é", "中", "😀", r"\n", r"\\", r"\"", r"\/", r"\u0041", r"\ud83d\ude00", r"\ud83d", r"\ude00", "u", "\\u00e9"]
)
_PADDING = 24


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each body is large, and each piece small."""
    monkeypatch.setattr(jsontext, "SMALL", 0)
    monkeypatch.setattr(jsontext, "_PIECE", _PADDING)


async def told(raw: bytes) -> bytes | str:
    """The text in *raw*, or the slug of why there is none."""
    try:
        return await text_in(raw)
    except Problem as problem:
        return problem.slug


@pytest.mark.usefixtures("small_pieces")
@given(st.lists(_TOKENS, max_size=60), st.sampled_from(['{"text":"%s"}', ' {\n"t\\u0065xt" :\t"%s" }\r\n']))
@example([r"\\"] * 30, '{"text":"%s"}')
@example(["a", *[r"\ud83d\ude00"] * 30], '{"text":"%s"}')
async def test_pieces_make_the_same_text(tokens: list[str], around: str) -> None:
    """However it is written and wherever it is cut: the text that a parser reads, or `bad-text` for half of a pair."""
    raw = (around % "".join(tokens)).encode()
    document = json.loads(raw)
    try:
        expected: bytes | str = document["text"].encode()
    except UnicodeEncodeError:
        expected = "bad-text"
    assert await told(raw) == expected


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'"text"',
        b'{"text":1}',
        b'{"text":"',
        b'{"text":"}',
        b'{"text":"a"',
        b'{"text":"a","text":"b"}',
        b'{"text":"a","b":"' + b"c" * 100 + b'"}',
        b'{"a":[' + b"[]," * 100 + b"1]}",
        b'{"text":"' + b"a" * 100 + b'\n"}',
        b'{"text":"' + b"a" * 100 + b'\xff"}',
        b'{"text":"' + b"a" * 100 + b'\\x"}',
        b'{"text":"' + b"a" * 100 + b'\\"}',
        b'{"text":"' + b"a" * 100 + b'\\u12"}',
    ],
)
async def test_what_is_not_that_object(raw: bytes) -> None:
    """Anything else that is large is refused in the same words."""
    assert await told(raw) == "malformed"


@pytest.mark.parametrize(
    ("raw", "slug"),
    [(b"[]", "malformed"), (b"{}", "no-file"), (b'{"txt":"a"}', "unknown-field"), (b'{"text":"\\ud800"}', "bad-text")],
)
async def test_a_small_body_is_told_what_is_wrong(raw: bytes, slug: str) -> None:
    """Its words say which of them it was."""
    assert await told(raw) == slug


async def test_a_large_text_is_that_of_a_parser() -> None:
    """At the sizes as they are: every cut of a megabyte."""
    raw = json.dumps({"text": "é\\😀a" * 60_000}).encode()
    assert len(raw) > 3 * jsontext.SMALL
    document = read_json(raw)
    assert isinstance(document, dict)
    assert await text_in(raw) == document["text"].encode()
