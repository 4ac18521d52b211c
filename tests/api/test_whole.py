"""What came whole is read as an intake would read it, or left to it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from hashcache.api.admission import Room
from hashcache.api.arrival import Pace
from hashcache.api.intake import Limits
from hashcache.api.known import Known
from hashcache.api.problems import Problem
from hashcache.api.uploads import announced, receive
from hashcache.api.whole import Whole
from hashcache.core.content import Content
from hashcache.core.errors import ContentError

MOST, MOST_TEXT = 400, 60
TYPES = [
    "",
    "application/octet-stream",
    "image/png",
    "video/mp4",
    "text/plain",
    "text/plain;charset=UTF-8",
    "text/plain; charset=latin-1",
    "application/json",
    "application/json; charset=utf-8",
    "application/JSON",
    "application/pdf",
    "image/png; a=b",
    "multipart/form-data; boundary=b",
    "multipart/form-data",
]
MAGIC = st.sampled_from(
    [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"\x00\x00\x00\x18ftypmp42", b"%PDF-1.4"]
)
WRITTEN = st.text(max_size=80)
DOCUMENTS = st.one_of(
    WRITTEN.map(lambda text: {"text": text}),
    st.dictionaries(st.sampled_from(["text", "file", ""]), st.none() | WRITTEN | st.integers(), max_size=2),
    st.lists(WRITTEN, max_size=2),
)
BODIES = st.one_of(
    st.builds(bytes.__add__, MAGIC, st.binary(max_size=450)),
    st.binary(max_size=450),
    WRITTEN.map(str.encode),
    st.builds(lambda one, plain: json.dumps(one, ensure_ascii=plain).encode(), DOCUMENTS, st.booleans()),
    st.builds(
        lambda head, rest: (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: a/b\r\n\r\n'
            + head
            + rest
            + b"\r\n--b--\r\n"
        ),
        MAGIC | st.just(b""),
        st.binary(max_size=450),
    ),
)


def limits() -> Limits:
    """With nothing learnt yet."""
    room = Room(1_000_000, chance=lambda: 0.0)
    return Limits(MOST, MOST_TEXT, Pace(idle=5.0, rate=0), room, spool=None, known=Known(100_000))


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(TYPES), BODIES, st.binary(max_size=20))
def test_it_is_what_an_intake_makes_of_it(kind: str, body: bytes, before: bytes) -> None:
    """The same content, by the same name; and nothing that an intake refuses."""
    whole = Whole.read(kind, before + body, len(before), limits(), "tenant")
    if whole is not None:
        assert Whole.is_read(kind)
        assert whole.content == asyncio.run(taken_in(kind, body))
        bought = (before + body)[whole.start : whole.end] if whole.text is None else whole.text
        assert len(bought) == whole.content.digest.size


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n"),
        ("", b"a text"),
        ("text/plain", b"a text"),
        ("application/json", b'{"text": "a text"}'),
    ],
)
def test_what_is_usual_is_read(kind: str, body: bytes) -> None:
    """So the test above has something to look at."""
    assert Whole.read(kind, b"before" + body, 6, limits(), "tenant") is not None


async def taken_in(kind: str, body: bytes) -> Content | None:
    """What the pages make of the same upload; None: they refuse it."""

    async def receiving() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers: list[Any] = [(b"content-length", str(len(body)).encode())]
    headers += [(b"content-type", kind.encode())] if kind else []
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receiving)
    try:
        upload = await receive(request, announced(request, limits()), limits(), tenant="tenant")
    except (Problem, ContentError):
        return None
    await upload.body.close()
    return upload.content
