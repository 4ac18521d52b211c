"""
EXIF (CIPA DC-008) and TIFF 6.0: directories of tagged values.

The directories of a picture and its EXIF directory are read, never those of a thumbnail; only tags that name a
program, a camera or a text. A TIFF file is such a structure itself, and may hold XMP, IPTC and C2PA beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hashcache.providers.provenance.containers.photoshop import records
from hashcache.providers.provenance.findings import Malformed, NotChecked
from hashcache.providers.provenance.pieces import Note, Part, Piece
from hashcache.providers.provenance.source import Source, exactly

_Order = Literal["little", "big"]
MOST_ENTRIES = 1_000
LONGEST_VALUE = 1_000_000
LONGEST_PIECE = 16_000_000
_TEXTS = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x9286: "UserComment",
    0x9C9C: "XPComment",
    0xA434: "LensModel",
}
#: Of these the presence is what counts: they are written by cameras at the moment of exposure.
_EXPOSURE = {0x829A: "ExposureTime", 0x829D: "FNumber", 0x8827: "ISOSpeed"}
_PIECES = {700: Part.XMP, 0xCD41: Part.C2PA}
_IPTC, _EXIF_DIRECTORY = 0x83BB, 0x8769
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_CODINGS = {b"ASCII\0\0\0": "ascii", b"JIS\0\0\0\0\0": "iso2022_jp", b"\0" * 8: "utf-8"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tag of a directory: where its value lies, and how many bytes it has."""

    tag: int
    at: int
    length: int


def notes(source: Source, where: str) -> Iterator[Note]:
    """
    The texts of an EXIF structure, and one note `Exposure` naming the exposure tags that are there.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    return (found for found in _read(source, where) if isinstance(found, Note))


def file_pieces(source: Source) -> Iterator[Piece | Note]:
    """
    What a TIFF file holds.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    return _read(source, "TIFF tag")


def _read(source: Source, where: str) -> Iterator[Piece | Note]:
    order = _order(source)
    exposure: list[str] = []
    directories = [int.from_bytes(exactly(source, 4, 4), order)]
    for at in directories:  # grows by the EXIF directory, once
        for entry in _entries(source, at, order):
            if entry.tag == _EXIF_DIRECTORY and len(directories) == 1:
                directories.append(int.from_bytes(exactly(source, entry.at, 4), order))
            elif entry.tag in _EXPOSURE:
                exposure.append(_EXPOSURE[entry.tag])
            else:
                yield from _value(source, entry, where, order)
    if exposure:
        yield Note("Exposure", f"{where} {exposure[0]}", ", ".join(exposure))


def _order(source: Source) -> _Order:
    match exactly(source, 0, 4):
        case b"II*\0":
            return "little"
        case b"MM\0*":
            return "big"
        case b"II+\0" | b"MM\0+":
            raise NotChecked("BigTIFF is not read")
    raise Malformed("no TIFF structure")


def _entries(source: Source, at: int, order: _Order) -> Iterator[_Entry]:
    count = int.from_bytes(exactly(source, at, 2), order)
    if count > MOST_ENTRIES:
        raise NotChecked(f"a directory has more than {MOST_ENTRIES} entries")
    table = exactly(source, at + 2, 12 * count)
    for start in range(0, 12 * count, 12):
        tag, form = (int.from_bytes(table[start + n : start + n + 2], order) for n in (0, 2))
        length = int.from_bytes(table[start + 4 : start + 8], order) * _WIDTHS.get(form, 1)
        inline = at + 2 + start + 8
        yield _Entry(tag, inline if length <= 4 else int.from_bytes(table[start + 8 : start + 12], order), length)


def _value(source: Source, entry: _Entry, where: str, order: _Order) -> Iterator[Piece | Note]:
    if entry.tag in _PIECES:
        if entry.length > LONGEST_PIECE:
            raise NotChecked(f"a tag has more than {LONGEST_PIECE} bytes")
        yield Piece(_PIECES[entry.tag], f"{where} {entry.tag}", exactly(source, entry.at, entry.length))
    elif entry.tag == _IPTC:
        yield from records(source.at(entry.at, min(entry.length, LONGEST_VALUE)), f"{where} IPTC")
    elif entry.tag in _TEXTS:
        name = _TEXTS[entry.tag]
        raw = exactly(source, entry.at, min(entry.length, LONGEST_VALUE))
        if text := _decoded(entry.tag, raw, order):
            yield Note(name, f"{where} {name}", text)


def _decoded(tag: int, raw: bytes, order: _Order) -> str:
    if tag == 0x9C9C:  # Microsoft: always UTF-16, little-endian
        text = raw.decode("utf-16-le", "replace")
    elif tag == 0x9286 and raw.startswith(b"UNICODE\0"):
        text = raw[8:].decode(_utf16(raw[8:], order), "replace")
    elif tag == 0x9286 and raw[:8] in _CODINGS:
        text = raw[8:].decode(_CODINGS[raw[:8]], "replace")
    else:
        text = raw.decode("utf-8", "replace")
    return text.strip("\0 \ufeff\r\n\t")


def _utf16(raw: bytes, order: _Order) -> str:
    """
    The byte order of UTF-16: EXIF prescribes that of the structure, and writers disagree; Latin text tells, having
    its zeros in one half.
    """
    zeros = raw[:200:2].count(0), raw[1:200:2].count(0)
    if zeros[0] != zeros[1]:
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return "utf-16-le" if order == "little" else "utf-16-be"
