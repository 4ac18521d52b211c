"""
ISO base media (ISO/IEC 14496-12) and QuickTime: a walk through the boxes of MP4, MOV, AVIF and HEIC.

Looked at: the C2PA and XMP `uuid` boxes, `udta` texts and `XMP_`, the iTunes list `meta/ilst` and the QuickTime list of
keys, and the EXIF and XMP items of a picture's `meta`. Media is skipped by its length, so the size does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hashcache.providers.provenance.containers import items
from hashcache.providers.provenance.findings import Malformed, NotChecked
from hashcache.providers.provenance.pieces import Note, Part, Piece
from hashcache.providers.provenance.source import Source, exactly

MOST_BOXES = 50_000
DEEPEST = 12
LONGEST_PIECE = 16_000_000
LONGEST_TEXT = 4_000_000
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
#: Boxes that hold boxes on the way to metadata; tracks hold `udta` and `meta` too.
_PARENTS = frozenset({b"moov", b"trak", b"udta", b"moof", b"traf"})
_ILST = {
    b"\xa9too": "Encoder",
    b"\xa9swr": "Software",
    b"\xa9cmt": "Comment",
    b"\xa9nam": "Title",
    b"\xa9des": "Description",
    b"desc": "Description",
    b"ldes": "Description",
    b"\xa9mak": "Make",
    b"\xa9mod": "Model",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its *kind*, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def pieces(source: Source) -> Iterator[Piece | Note]:
    """
    What the boxes of an ISO base media file hold.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    return _Walk(source).within(0, source.size, depth=0)


class _Walk:
    """One walk, with one bound on the number of boxes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = MOST_BOXES
        self._keys: list[str] = []

    def boxes(self, at: int, end: int) -> Iterator[Box]:
        """The boxes between *at* and *end*."""
        while at + 8 <= end:
            self._left -= 1
            if self._left < 0:
                raise NotChecked(f"more than {MOST_BOXES} boxes")
            head = exactly(self._source, at, 8)
            length, kind, start = int.from_bytes(head[:4], "big"), head[4:], at + 8
            if length == 1:
                length, start = int.from_bytes(exactly(self._source, at + 8, 8), "big"), at + 16
            elif length == 0:  # to the end; QuickTime ends a `udta` with one
                length = end - at
            if length < start - at or at + length > end:
                raise Malformed(f"the box {kind!r} does not fit into what holds it")
            yield Box(kind, start, at + length)
            at += length

    def within(self, at: int, end: int, *, depth: int) -> Iterator[Piece | Note]:
        """What lies between *at* and *end*, all the way down."""
        if depth > DEEPEST:
            raise NotChecked(f"boxes are nested more than {DEEPEST} deep")
        for box in self.boxes(at, end):
            if box.kind in _PARENTS:
                yield from self.within(box.start, box.end, depth=depth + 1)
            elif box.kind == b"meta":
                yield from self._meta(box, depth=depth + 1)
            elif box.kind == b"uuid":
                yield from self._uuid(box)
            elif box.kind == b"XMP_":
                yield Piece(Part.XMP, "box udta/XMP_", self._content(box, LONGEST_PIECE))
            elif depth and (box.kind in _ILST or box.kind == b"AIGC"):
                yield self._quicktime_text(box)

    def _content(self, box: Box, most: int) -> bytes:
        if box.end - box.start > most:
            raise NotChecked(f"the box {box.kind.decode('latin-1')} has more than {most} bytes")
        return exactly(self._source, box.start, box.end - box.start)

    def _uuid(self, box: Box) -> Iterator[Piece]:
        name = self._source.at(box.start, 16)
        if name == _XMP:
            yield Piece(Part.XMP, "box uuid (XMP)", self._content(box, LONGEST_PIECE)[16:])
        elif name == _C2PA:
            # Version and flags, the purpose ending in zero, then for a manifest 8 bytes before the store (C2PA A.5).
            purpose, _, rest = self._content(box, LONGEST_PIECE)[20:].partition(b"\0")
            if purpose == b"manifest":
                yield Piece(Part.C2PA, "box uuid (C2PA)", rest[8:])

    def _quicktime_text(self, box: Box) -> Note:
        """A text right in `udta`: length and language before it (QuickTime), or bare."""
        raw = self._content(box, LONGEST_TEXT)
        if box.kind[:1] == b"\xa9" and len(raw) >= 4 and int.from_bytes(raw[:2], "big") == len(raw) - 4:
            raw = raw[4:]
        name = _ILST.get(box.kind, "AIGC")
        return Note(name, f"box udta/{box.kind.decode('latin-1')}", raw.decode("utf-8", "replace").strip("\0"))

    def _meta(self, box: Box, *, depth: int) -> Iterator[Piece | Note]:
        # A full box in ISO base media, a plain one in QuickTime: there the type of a child comes 4 bytes earlier.
        start = box.start if self._source.at(box.start + 4, 4) == b"hdlr" else box.start + 4
        children = {child.kind: child for child in self.boxes(start, box.end)}
        if keys := children.get(b"keys"):
            self._keys = _keys(self._content(keys, LONGEST_TEXT))
        if ilst := children.get(b"ilst"):
            yield from self._list(ilst)
        if b"iinf" in children and b"iloc" in children:
            information, locations = (self._content(children[kind], LONGEST_TEXT) for kind in (b"iinf", b"iloc"))
            idat = children.get(b"idat")
            yield from items.pieces(self._source, information, locations, idat.start if idat else None)
        for child in children.values():
            if child.kind == b"uuid":
                yield from self._uuid(child)
            elif child.kind in _PARENTS:
                yield from self.within(child.start, child.end, depth=depth)

    def _list(self, ilst: Box) -> Iterator[Note]:
        """The entries of an `ilst`: named by their type, by their own `name` box, or by a number into `keys`."""
        for entry in self.boxes(ilst.start, ilst.end):
            name, text = _ILST.get(entry.kind), None
            number = int.from_bytes(entry.kind, "big")
            if name is None and 0 < number <= len(self._keys):
                name = self._keys[number - 1]
            for part in self.boxes(entry.start, entry.end):
                if part.kind == b"name":
                    name = self._content(part, 1_000)[4:].decode("utf-8", "replace")
                elif part.kind == b"data":  # type and locale before the value
                    text = self._content(part, LONGEST_TEXT)[8:].decode("utf-8", "replace")
            if name is not None and text is not None:
                yield Note(name, f"box meta/ilst {name}", text)


def _keys(body: bytes) -> list[str]:
    """The names of a QuickTime `keys` box, without the vendor's prefix."""
    names: list[str] = []
    at = 8
    while at + 8 <= len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        if length < 8:
            break
        name = body[at + 8 : at + length].decode("utf-8", "replace")
        names.append(name.removeprefix("com.apple.quicktime."))
        at += length
    return names
