"""A form that is read without the parser is read as the parser reads it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given, settings

from hashcache.api.multipart import _Parser, _Reader
from hashcache.api.plainform import PlainFile, file_in
from hashcache.api.problems import Problem

BOUNDARY = b"--x.Y"
HEAD = b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
FORM = b"--" + BOUNDARY + b"\r\n" + HEAD + b"\xff\xd8 the bytes\r\n--" + BOUNDARY + b"--\r\n"

# Pieces of what forms are made of, so that chance puts delimiters, halves of them and headers where they matter.
_DELIMITER = b"\r\n--" + BOUNDARY
_ENDS = (b"--", b"\r\n", b"\r", b"\n", b"-", b"-x.Y", b"\r\n--", b"\r\n\r\n", b"; ", b"\xff\xd8", b"bytes", b"\x00")
_HEADS = (
    b"Content-Disposition: form-data; ",
    b'name="file"',
    b'NAME="FILE"',
    b'filename="a.jpg"',
    b'filename="a;b\\".jpg"',
)
_MORE = (b'filename="C:\\a.jpg"', b"filename*=UTF-8''a", b"Content-Type: image/jpeg", b"content-type:text/plain ; a=b")
_WORDS = (_DELIMITER[2:], _DELIMITER, _DELIMITER + b"--\r\n", HEAD, *_ENDS, *_HEADS, *_MORE)
_FILE_NAME = st.lists(
    st.sampled_from((b"a", b" ", b"'", b";", b"\\", b'"', b"\xc3\xa4", b"\xff", b"=", b"%22", b"\x7f", b"\t"))
)


@st.composite
def _forms(draw: st.DrawFn) -> bytes:
    """Mostly a file in the usual way, with something done to it."""
    inside = b"".join(draw(st.lists(st.sampled_from(_WORDS), max_size=5)))
    name = b"".join(draw(_FILE_NAME))
    head = draw(st.sampled_from((HEAD, HEAD.lower(), HEAD.replace(b"a.jpg", name), HEAD.replace(b"image/jpeg", name))))
    end = draw(st.sampled_from((b"--\r\n", b"--", b"\r\n", b"", b"--\r\nepilogue", b"-", b"--\n", b"x--\r\n")))
    usual = b"--" + BOUNDARY + b"\r\n" + head + inside + b"\r\n--" + BOUNDARY + end
    form = draw(st.sampled_from((usual, usual, usual, inside + usual, inside)))
    at = draw(st.integers(0, len(form)))
    return draw(st.sampled_from((form, form, form[:at], form[:at] + b"-" + form[at:], form + usual)))


def _read(reader: Any, pieces: list[bytes]) -> tuple[Any, ...]:
    given_bytes = b""
    try:
        for piece in pieces:
            given_bytes += reader.feed(piece)
    except Problem as problem:
        return problem.slug, str(problem)
    part, ended = (
        reader.part,
        (reader._plain or reader._parser or _Parser(BOUNDARY)) if isinstance(reader, _Reader) else reader,
    )
    # What is held back at the end of a body that is cut off belongs to no answer: truncated is truncated.
    return (part.field, part.file_name, part.kind) if part else None, ended.complete, given_bytes * ended.complete


@settings(max_examples=600, deadline=None)
@given(form=_forms(), cuts=st.lists(st.integers(0, 400), max_size=4))
@example(form=FORM, cuts=[])
@example(form=FORM, cuts=list(range(len(FORM))))
@example(form=FORM[:-2], cuts=[len(FORM) - 4])
def test_any_form_in_any_pieces_is_read_as_the_parser_reads_it(form: bytes, cuts: list[int]) -> None:
    """The file's bytes and name, whether the form has ended, and every refusal are those of the parser alone."""
    places = sorted({0, len(form), *(cut for cut in cuts if cut < len(form))})
    pieces = [form[start:end] for start, end in pairwise(places)]
    assert _read(_Reader(BOUNDARY), pieces) == _read(_Parser(BOUNDARY), pieces)


def test_a_usual_form_needs_no_parser() -> None:
    """The file that curl and browsers send is found plainly to its end, whatever piece its delimiter is cut in."""
    for cut in range(len(BOUNDARY) + 2 + 2 + len(HEAD), len(FORM) - 4):
        plain = PlainFile(BOUNDARY)
        assert (plain.feed(FORM[:cut]) or b"") + (plain.feed(FORM[cut:]) or b"") == b"\xff\xd8 the bytes"
        assert plain.complete
        assert plain.name == b"a.jpg"


@settings(max_examples=600, deadline=None)
@given(form=_forms())
@example(form=FORM)
@example(form=FORM[:-1])
def test_a_whole_form_is_read_as_the_parser_reads_it(form: bytes) -> None:
    """The file in it is the parser's, and the form has ended; or it is left to the parser."""
    before = b"POST / HTTP/1.1\r\n\r\n"
    found = file_in(before + form, BOUNDARY, len(before))
    if found is not None:
        name, start, end = found[0], found[1] - len(before), found[2] - len(before)
        assert _read(_Parser(BOUNDARY), [form]) == (
            ("file", name.decode("utf-8", "replace"), None),
            True,
            form[start:end],
        )
    if form == FORM:
        assert found is not None
