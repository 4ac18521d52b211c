"""
Matroska and WebM: EBML elements (RFC 8794, RFC 9559).

Looked at: the names of the muxing and writing programs, the title, and the tags (where generators keep their
workflow). Clusters, which hold the media, are skipped by their length.
"""

from __future__ import annotations

from collections.abc import Iterator

from hashcache.providers.provenance.findings import Malformed, NotChecked
from hashcache.providers.provenance.pieces import Note
from hashcache.providers.provenance.source import Source, exactly

MOST_ELEMENTS = 100_000
LONGEST_TEXT = 4_000_000
_SEGMENT, _INFO, _TAGS, _TAG, _SIMPLE_TAG = 0x18538067, 0x1549A966, 0x1254C367, 0x7373, 0x67C8
_PARENTS = frozenset({_SEGMENT, _INFO, _TAGS, _TAG, _SIMPLE_TAG})
_TAG_NAME, _TAG_TEXT = 0x45A3, 0x4487
_TEXTS = {0x4D80: "Encoder", 0x5741: "Software", 0x7BA9: "Title"}
DEEPEST = 8


def pieces(source: Source) -> Iterator[Note]:
    """
    What the elements of a Matroska file hold.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    return _Walk(source).within(0, source.size, depth=0)


class _Walk:
    """One walk, with one bound on the number of elements."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = MOST_ELEMENTS

    def within(self, at: int, end: int, *, depth: int) -> Iterator[Note]:
        """The texts between *at* and *end*."""
        if depth > DEEPEST:
            raise NotChecked(f"elements are nested more than {DEEPEST} deep")
        name = ""
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise NotChecked(f"more than {MOST_ELEMENTS} elements")
            element, start, length = self._head(at, end)
            if element in _PARENTS:
                yield from self.within(start, start + length, depth=depth + 1)
            elif element == _TAG_NAME:
                name = self._text(start, length)
            elif element == _TAG_TEXT and name:
                yield Note(name, f"Matroska tag {name}", self._text(start, length))
            elif element in _TEXTS:
                yield Note(_TEXTS[element], f"Matroska {_TEXTS[element]}", self._text(start, length))
            at = start + length

    def _head(self, at: int, end: int) -> tuple[int, int, int]:
        """Identifier, start and length of the element at *at*."""
        element, width = self._number(at, most=4)
        length, more = self._number(at + width, most=8)
        start = at + width + more
        if length & ((1 << 7 * more) - 1) == (1 << 7 * more) - 1:  # unknown: a live stream
            if element not in _PARENTS:
                raise NotChecked("an element of unknown length; what follows was not looked at")
            return element, start, end - start
        length &= (1 << 7 * more) - 1
        if start + length > end:
            raise Malformed("an element does not fit into what holds it")
        return element, start, length

    def _number(self, at: int, *, most: int) -> tuple[int, int]:
        """A number with its length marker still in it, and its width in bytes."""
        width = 9 - exactly(self._source, at, 1)[0].bit_length()
        if width > most:
            raise Malformed("no element where one must be")
        return int.from_bytes(exactly(self._source, at, width), "big"), width

    def _text(self, start: int, length: int) -> str:
        if length > LONGEST_TEXT:
            raise NotChecked(f"a text has more than {LONGEST_TEXT} bytes")
        return exactly(self._source, start, length).decode("utf-8", "replace").strip("\0")
