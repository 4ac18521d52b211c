"""
Containers: where in a file of each format the pieces lie that may speak about its origin.

Rule 1: each walker gives what it finds as it finds it, so what lies before some damage is still seen.
Rule 2: each walk is bounded: in steps, in depth, and in the bytes of a piece.
Rule 3: no pixel, sound or text is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hashcache.providers.provenance.containers import bmff, exif, gif, jpeg, matroska, png, riff
from hashcache.providers.provenance.pieces import Note, Piece
from hashcache.providers.provenance.source import Source

#: The walker of each media type; a type that is not here (BMP) has no place for markers.
WALKERS: Mapping[str, Callable[[Source], Iterator[Piece | Note]]] = {
    "image/jpeg": jpeg.pieces,
    "image/png": png.pieces,
    "image/gif": gif.pieces,
    "image/webp": riff.pieces,
    "image/tiff": exif.file_pieces,
    "image/avif": bmff.pieces,
    "image/heic": bmff.pieces,
    "video/mp4": bmff.pieces,
    "video/quicktime": bmff.pieces,
    "video/x-msvideo": riff.pieces,
    "video/webm": matroska.pieces,
    "video/x-matroska": matroska.pieces,
}
