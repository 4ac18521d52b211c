"""
JPEG: marker segments (ITU-T T.81, annex B).

Looked at, up to the first scan: APP1 with EXIF or XMP (the extended form joined), APP11 with the JUMBF boxes of C2PA
(ISO/IEC 19566-5, joined by instance and sequence), APP13 with IPTC-IIM, and comments. However many megabytes of
segments lie before them; behind the first scan there is only picture.
"""

from __future__ import annotations

from collections.abc import Iterator

from hashcache.providers.provenance.containers.photoshop import iptc
from hashcache.providers.provenance.findings import Malformed, NotChecked
from hashcache.providers.provenance.pieces import Note, Part, Piece
from hashcache.providers.provenance.source import Source, exactly

MOST_SEGMENTS = 20_000
#: Extended XMP and JUMBF boxes are collected from many segments, up to this many bytes each.
LONGEST_JOINED = 16_000_000
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_EXIF = b"Exif\0\0"


def pieces(source: Source) -> Iterator[Piece | Note]:
    """
    What the segments of a JPEG hold.

    Raises:
        Malformed, NotChecked: after everything found so far was given, what was being joined included.
    """
    joined = _Joined()
    problem: Exception | None = None
    try:
        for marker, body in _segments(source):
            if marker == 0xE1 and body.startswith(_EXTENDED):
                joined.extended(body[len(_EXTENDED) :])
            elif marker == 0xEB and body.startswith(b"JP"):
                joined.box(body)
            else:
                yield from _segment(marker, body)
    except (Malformed, NotChecked) as found:
        problem = found
    yield from joined.pieces()
    if problem is not None:
        raise problem


def _segments(source: Source) -> Iterator[tuple[int, bytes]]:
    at = 2
    for _ in range(MOST_SEGMENTS):
        head = exactly(source, at, 4)
        if head[0] != 0xFF:
            raise Malformed("no marker where one must be")
        marker = head[1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in (0xDA, 0xD9):  # start of scan, end of image
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # these stand alone
            at += 2
            continue
        length = int.from_bytes(head[2:], "big")
        if length < 2:
            raise Malformed("a segment shorter than its own length")
        yield marker, exactly(source, at + 4, length - 2)
        at += 2 + length
    raise NotChecked(f"more than {MOST_SEGMENTS} segments")


def _segment(marker: int, body: bytes) -> Iterator[Piece | Note]:
    if marker == 0xE1 and body.startswith(_EXIF):
        yield Piece(Part.EXIF, "JPEG segment APP1 (EXIF)", body[len(_EXIF) :])
    elif marker == 0xE1 and body.startswith(_XMP):
        yield Piece(Part.XMP, "JPEG segment APP1 (XMP)", body[len(_XMP) :])
    elif marker == 0xED:
        yield from iptc(body, "JPEG segment APP13 (IPTC)")
    elif marker == 0xFE:
        yield Note("Comment", "JPEG comment", body.decode("utf-8", "replace"))


class _Joined:
    """What is spread over several segments, in the order in which it must be put together."""

    def __init__(self) -> None:
        self._xmp: dict[int, bytes] = {}
        self._boxes: dict[bytes, dict[int, bytes]] = {}
        self._length = 0

    def _count(self, length: int) -> None:
        self._length += length
        if self._length > LONGEST_JOINED:
            raise NotChecked(f"XMP and C2PA have more than {LONGEST_JOINED} bytes")

    def extended(self, body: bytes) -> None:
        """A part of extended XMP: MD5 in 32 digits, whole length, offset, bytes (XMP specification part 3, 1.1.3.1)."""
        if len(body) < 40:
            raise Malformed("a part of extended XMP that is too short")
        self._count(len(body))
        self._xmp[int.from_bytes(body[36:40], "big")] = body[40:]

    def box(self, body: bytes) -> None:
        """A part of a JUMBF box: "JP", instance, sequence, then the box's header (repeated in each) and bytes."""
        if len(body) < 16:
            raise Malformed("a part of a JUMBF box that is too short")
        self._count(len(body))
        self._boxes.setdefault(body[2:4], {})[int.from_bytes(body[4:8], "big")] = body[8:]

    def pieces(self) -> Iterator[Piece]:
        """The packets and boxes, put together."""
        if self._xmp:
            whole = b"".join(self._xmp[at] for at in sorted(self._xmp))
            yield Piece(Part.XMP, "JPEG segments APP1 (extended XMP)", whole)
        for parts in self._boxes.values():
            first, *rest = (parts[at] for at in sorted(parts))
            header = 16 if first[:4] == b"\0\0\0\x01" else 8  # a length of 1: the real one follows the type
            whole = first + b"".join(part[header:] for part in rest)
            yield Piece(Part.C2PA, "JPEG segments APP11", whole)
