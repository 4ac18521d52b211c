"""
GIF: the extension blocks (GIF89a, CompuServe, 1990).

Looked at: comments, and the application extensions that hold an XMP packet or a C2PA manifest store. Colour tables
and pixels are skipped sub-block by sub-block.
"""

from __future__ import annotations

from collections.abc import Iterator

from hashcache.providers.provenance.findings import Malformed, NotChecked
from hashcache.providers.provenance.pieces import Note, Part, Piece
from hashcache.providers.provenance.source import Source, exactly

MOST_BLOCKS = 200_000
LONGEST = 16_000_000
#: XMP lies raw after its name, followed by 257 bytes that lead any reader of sub-blocks to the end.
_XMP, _XMP_TRAILER = b"XMP DataXMP", 257
_C2PA = b"C2PA_GIF"


def pieces(source: Source) -> Iterator[Piece | Note]:
    """
    What the extensions of a GIF hold.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    blocks = _Blocks(source)
    at = 13 + _table(exactly(source, 10, 1)[0])
    while True:
        match exactly(source, at, 1):
            case b";":
                return
            case b",":
                at = blocks.end(at + 11 + _table(exactly(source, at + 9, 1)[0]))
            case b"!":
                label = exactly(source, at + 1, 1)
                if label == b"\xfe":
                    at, text = blocks.read(at + 2)
                    yield Note("Comment", "GIF comment", text.decode("utf-8", "replace"))
                elif label == b"\xff":
                    name = exactly(source, at + 3, 11)
                    start, at = at + 14, blocks.end(at + 14)
                    yield from _application(source, blocks, name, start, at)
                else:
                    at = blocks.end(at + 2)
            case _:
                raise Malformed("no block where one must be")


def _application(source: Source, blocks: _Blocks, name: bytes, start: int, end: int) -> Iterator[Piece]:
    if name == _XMP:
        length = max(0, end - start - _XMP_TRAILER - 1)
        if length > LONGEST:
            raise NotChecked(f"the XMP packet has more than {LONGEST} bytes")
        yield Piece(Part.XMP, "GIF application extension (XMP)", source.at(start, length))
    elif name.startswith(_C2PA):
        yield Piece(Part.C2PA, "GIF application extension (C2PA)", blocks.read(start)[1])


def _table(flags: int) -> int:
    """Bytes of the colour table that *flags* announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


class _Blocks:
    """Chains of sub-blocks, with one bound on how many are walked in a file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = MOST_BLOCKS

    def _next(self, at: int) -> int:
        self._left -= 1
        if self._left < 0:
            raise NotChecked(f"more than {MOST_BLOCKS} blocks")
        return exactly(self._source, at, 1)[0]

    def end(self, at: int) -> int:
        """Where the chain that begins at *at* ends."""
        while length := self._next(at):
            at += 1 + length
        return at + 1

    def read(self, at: int) -> tuple[int, bytes]:
        """Where the chain that begins at *at* ends, and its bytes."""
        body = bytearray()
        while length := self._next(at):
            body += exactly(self._source, at + 1, length)
            if len(body) > LONGEST:
                raise NotChecked(f"a block chain has more than {LONGEST} bytes")
            at += 1 + length
        return at + 1, bytes(body)
