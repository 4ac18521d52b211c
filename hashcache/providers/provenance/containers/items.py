"""
The items of a picture in ISO base media (HEIF, ISO/IEC 23008-12): where its EXIF and XMP lie.

`iinf` names the items, `iloc` says where their bytes are: at offsets in the file, or within the `idat` box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hashcache.providers.provenance.findings import Malformed, NotChecked
from hashcache.providers.provenance.pieces import Part, Piece
from hashcache.providers.provenance.source import Source, exactly

MOST_ITEMS = 10_000
LONGEST = 16_000_000
_XMP = b"application/rdf+xml"


def pieces(source: Source, information: bytes, locations: bytes, idat: int | None) -> Iterator[Piece]:
    """
    The EXIF and XMP items.

    *information*, *locations*: the contents of `iinf` and `iloc`; *idat*: where the content of `idat` begins.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    wanted = dict(_wanted(information))
    for item, extents in _locations(locations, idat):
        if item not in wanted:
            continue
        if sum(length for _, length in extents) > LONGEST:
            raise NotChecked(f"an item has more than {LONGEST} bytes")
        body = b"".join(exactly(source, at, length) for at, length in extents)
        if wanted[item] is Part.EXIF:  # four bytes say how far the TIFF structure is (ISO/IEC 23008-12, A.2.1)
            body = body[4 + int.from_bytes(body[:4], "big") :]
        yield Piece(wanted[item], f"item {wanted[item].name}", body)


def _wanted(information: bytes) -> Iterator[tuple[int, Part]]:
    wide = information[:1] not in (b"\0", b"")
    at = 8 if wide else 6
    for _ in range(MOST_ITEMS):
        length = int.from_bytes(information[at : at + 4], "big")
        if length < 12 or information[at + 4 : at + 8] != b"infe":
            return
        entry = information[at + 8 : at + length]
        width = {2: 2, 3: 4}.get(entry[0])
        if width is not None:
            item, kind = int.from_bytes(entry[4 : 4 + width], "big"), entry[6 + width : 10 + width]
            if kind == b"Exif":
                yield item, Part.EXIF
            elif kind == b"mime" and _XMP in entry[10 + width :]:
                yield item, Part.XMP
        at += length


def _locations(body: bytes, idat: int | None) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    cursor = _Cursor(body)
    version = cursor.take(1)
    cursor.take(3)
    sizes = cursor.take(2)
    offset_size, length_size, start_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    number = 4 if version == 2 else 2
    for _ in range(min(cursor.take(number), MOST_ITEMS)):
        item = cursor.take(number)
        method = cursor.take(2) & 15 if version else 0
        cursor.take(2)  # data reference: this file
        start = cursor.take(start_size)
        extents = []
        for _ in range(min(cursor.take(2), MOST_ITEMS)):
            cursor.take(index_size if version else 0)
            offset, length = cursor.take(offset_size), cursor.take(length_size)
            extents.append((start + offset, length))
        if method == 0:
            yield item, extents
        elif method == 1 and idat is not None:
            yield item, [(idat + at, length) for at, length in extents]


@dataclass(slots=True)
class _Cursor:
    """Takes big-endian numbers from *body*, one after the other."""

    body: bytes
    at: int = 0

    def take(self, length: int) -> int:
        """The next *length* bytes as a number."""
        if self.at + length > len(self.body):
            raise Malformed("the list of items ends too early")
        self.at += length
        return int.from_bytes(self.body[self.at - length : self.at], "big")
