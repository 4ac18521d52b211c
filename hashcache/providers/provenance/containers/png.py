"""
PNG: chunks (PNG specification, third edition, 2025).

Looked at: the texts `tEXt`, `zTXt`, `iTXt` (an XMP packet is one of them), `eXIf`, and `caBX`, which holds a C2PA
manifest store. No pixel is decoded, and chunks behind the pixels are seen too.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from hashcache.providers.provenance.findings import Malformed, NotChecked
from hashcache.providers.provenance.pieces import Note, Part, Piece
from hashcache.providers.provenance.source import Source, exactly

MOST_CHUNKS = 100_000
#: Longest text, compressed or not, and longest text once it is decompressed.
LONGEST_TEXT = 4_000_000
LONGEST_EXIF = 1_000_000
LONGEST_MANIFEST = 16_000_000
_XMP = "XML:com.adobe.xmp"


def pieces(source: Source) -> Iterator[Piece | Note]:
    """
    What the chunks of a PNG hold.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    at = 8
    for _ in range(MOST_CHUNKS):
        if at >= source.size:
            return
        head = exactly(source, at, 8)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if at + 12 + length > source.size:
            raise Malformed(f"the chunk {name!r} ends beyond the end of the file")
        yield from _chunk(source, name, at + 8, length)
        if name == b"IEND":
            return
        at += 12 + length
    raise NotChecked(f"more than {MOST_CHUNKS} chunks")


def _chunk(source: Source, name: bytes, at: int, length: int) -> Iterator[Piece | Note]:
    match name:
        case b"tEXt" | b"zTXt" | b"iTXt":
            where = f"PNG chunk {name.decode()}"
            yield _text(name, where, exactly(source, at, _allowed(where, length, LONGEST_TEXT)))
        case b"eXIf":
            yield Piece(Part.EXIF, "PNG chunk eXIf", exactly(source, at, _allowed("eXIf", length, LONGEST_EXIF)))
        case b"caBX":
            body = exactly(source, at, _allowed("the C2PA manifest", length, LONGEST_MANIFEST))
            yield Piece(Part.C2PA, "PNG chunk caBX", body)


def _allowed(what: str, length: int, most: int) -> int:
    if length > most:
        raise NotChecked(f"{what} has more than {most} bytes")
    return length


def _text(chunk: bytes, where: str, body: bytes) -> Piece | Note:
    keyword, zero, rest = body.partition(b"\0")
    if not zero:
        raise Malformed("a text without a keyword")
    name = keyword.decode("latin-1")
    if chunk == b"iTXt":  # compressed?, method, language, 0, translated keyword, 0, text in UTF-8
        _, _, tail = rest[2:].partition(b"\0")
        _, _, value = tail.partition(b"\0")
        packed = rest[:1] == b"\x01"
    else:
        value, packed = (rest[1:], True) if chunk == b"zTXt" else (rest, False)
    if packed:
        value = _inflated(value)
    where = f"{where} {name}"
    if name == _XMP:
        return Piece(Part.XMP, where, value)
    try:
        return Note(name, where, value.decode("utf-8"))
    except UnicodeDecodeError:  # tEXt is Latin-1 by the book, UTF-8 in many hands
        return Note(name, where, value.decode("latin-1"))


def _inflated(packed: bytes) -> bytes:
    """*packed* decompressed, but never more than LONGEST_TEXT bytes of it in memory."""
    inflater = zlib.decompressobj()
    try:
        value = inflater.decompress(packed, LONGEST_TEXT)
    except zlib.error:
        raise Malformed("a compressed text that cannot be decompressed") from None
    if inflater.unconsumed_tail:
        raise NotChecked(f"a compressed text becomes longer than {LONGEST_TEXT} bytes")
    return value
