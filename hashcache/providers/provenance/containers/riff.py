"""
RIFF: the chunks of WebP (RFC 9649) and AVI.

Looked at: EXIF, XMP, the C2PA manifest store (chunk `C2PA`) and, in AVI, the texts of `LIST INFO`.
"""

from __future__ import annotations

from collections.abc import Iterator

from hashcache.providers.provenance.findings import NotChecked
from hashcache.providers.provenance.pieces import Note, Part, Piece
from hashcache.providers.provenance.source import Source, exactly

MOST_CHUNKS = 20_000
LONGEST = 16_000_000
_PARTS = {b"EXIF": Part.EXIF, b"XMP ": Part.XMP, b"_PMX": Part.XMP, b"C2PA": Part.C2PA}
_EXIF_PREFIX = b"Exif\0\0"
#: RIFF information chunks that name a program or hold what its user typed.
_INFO = {b"ISFT": "Software", b"ICMT": "Comment", b"INAM": "Title", b"ISBJ": "Description", b"IART": "Artist"}


def pieces(source: Source) -> Iterator[Piece | Note]:
    """
    What the chunks of a RIFF file hold.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    at = 12
    for _ in range(MOST_CHUNKS):
        if at + 8 > source.size:
            return
        head = exactly(source, at, 8)
        name, length = head[:4], int.from_bytes(head[4:], "little")
        where = f"RIFF chunk {name.decode('latin-1').strip()}"
        if name in _PARTS:
            if length > LONGEST:
                raise NotChecked(f"{where} has more than {LONGEST} bytes")
            body = exactly(source, at + 8, length)
            yield Piece(_PARTS[name], where, body.removeprefix(_EXIF_PREFIX) if name == b"EXIF" else body)
        elif name == b"LIST" and length <= LONGEST and source.at(at + 8, 4) == b"INFO":
            yield from _texts(exactly(source, at + 12, length - 4))
        at += 8 + length + length % 2
    raise NotChecked(f"more than {MOST_CHUNKS} chunks")


def _texts(body: bytes) -> Iterator[Note]:
    at = 0
    while at + 8 <= len(body):
        name, length = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        if name in _INFO:
            text = body[at + 8 : at + 8 + length].rstrip(b"\0").decode("utf-8", "replace")
            yield Note(_INFO[name], f"RIFF INFO {name.decode()}", text)
        at += 8 + length + length % 2
