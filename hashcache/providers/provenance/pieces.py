"""
What containers find and markers read: the pieces of a file that may speak about its origin.

Rule: a container knows where a piece lies, not what it means; a marker knows what it means, not where it lay.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """What a piece holds."""

    EXIF = "exif"  # a TIFF structure (CIPA DC-008)
    XMP = "xmp"  # an XML packet (ISO 16684-1)
    C2PA = "c2pa"  # a manifest store in JUMBF boxes (C2PA 2.x, ISO/IEC 19566-5)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one *part*, found at *where* (words for people)."""

    part: Part
    where: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A named text, such as the PNG keyword `Software` with its value, found at *where*."""

    name: str
    where: str
    text: str
