r"""
The same bytes as somebody would read them: with JSON's escapes as they are written, and as they are meant.

    "a\u002db"   ->   "a-b"       JSON within a string of JSON: once more

Rule 1: a span of a view can be told as the span of the bytes that stand for it. It never begins or ends within an
        escape, so what replaces it leaves JSON that is valid (RFC 8259, section 7).
Rule 2: as many levels as people nest, DEPTH; no more, whatever is sent.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property

import msgspec

#: How often JSON may be a string of JSON.
DEPTH = 3
_ESCAPE = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_MEANT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class View:
    """*text* as it is read; *under*: the view whose escapes were resolved to get it."""

    def __init__(self, text: bytes, under: View | None = None) -> None:
        self.text = text
        self._under = under

    @classmethod
    def all(cls, payload: bytes) -> Iterator[View]:
        """
        *payload* as it is, unless it is JSON (then its escapes are no text), and with escapes resolved once and more
        often, as long as there are any.
        """
        view = cls(payload)
        if b"\\" not in payload or not is_json(payload):
            yield view
        for _ in range(DEPTH):
            if b"\\" not in view.text:
                return
            view = cls(_ESCAPE.sub(_meant, view.text), view)
            yield view

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the payload the bytes from *start* to *end* (exclusive, after *start*) of the text stand."""
        if self._under is None:
            return start, end
        return self._under.span(self._below(start)[0], self._below(end - 1)[1])

    def _below(self, at: int) -> tuple[int, int]:
        """What stands for the byte *at* one level below: itself, or the whole escape."""
        ours, theirs, lengths = self._escapes
        index = bisect_right(ours, at) - 1
        if index < 0:
            return at, at + 1
        length, wide = divmod(lengths[index], 8)
        if at < ours[index] + wide:
            return theirs[index], theirs[index] + length
        begin = theirs[index] + length + at - ours[index] - wide
        return begin, begin + 1

    @cached_property
    def _escapes(self) -> tuple[array[int], array[int], array[int]]:
        """Of each escape: where its meaning stands here, where it stands below, and both lengths (below * 8 + here)."""
        ours, theirs, lengths = array("Q"), array("Q"), array("B")
        gone = 0
        for found in _ESCAPE.finditer(self._under.text if self._under else b""):
            long, wide = found.end() - found.start(), len(_meant(found))
            ours.append(found.start() - gone)
            theirs.append(found.start())
            lengths.append(long * 8 + wide)
            gone += long - wide
        return ours, theirs, lengths


def is_json(payload: bytes) -> bool:
    """Whether *payload* is one value of JSON."""
    try:
        msgspec.json.decode(payload, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _meant(found: re.Match[bytes]) -> bytes:
    number, letter = found.groups()
    if number is not None:
        return chr(int(number, 16)).encode(errors="surrogatepass")
    return _MEANT.get(letter, letter)
