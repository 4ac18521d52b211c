"""The headers of a request are what Starlette's own reader says they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from hashcache.api.asked import Fields

_NAMES = st.sampled_from(["host", "cookie", "x-api-key", "content-length"])
_HEADERS = st.lists(st.tuples(_NAMES.map(str.encode), st.binary(max_size=8)), max_size=8)


@given(_HEADERS, _NAMES)
def test_every_question_has_starlettes_answer(raw: list[tuple[bytes, bytes]], name: str) -> None:
    """First value, all values, presence and default: repeated and missing names, and bytes beyond ASCII, included."""
    scope = {"type": "http", "headers": raw}
    ours, theirs = Fields.of(scope), Headers(scope=scope)
    assert ours.get(name) == theirs.get(name)
    assert ours.get(name, "-") == theirs.get(name, "-")
    assert ours.getlist(name) == theirs.getlist(name)
    assert (name in ours) == (name in theirs)
    assert not raw or ours[raw[0][0].decode().title()] == theirs[raw[0][0].decode()]
    assert Fields.of(scope) is ours
