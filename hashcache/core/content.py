"""
What was uploaded: its kind, its media type, its digest.

Rule 1: the bytes tell the kind; a client's word is used only to choose text over a look-alike, and to refuse
        a picture that is none.
Rule 2: text is valid UTF-8 without NUL. Nothing is normalised, decoded or repaired.
Rule 3: only the first HEAD bytes of a file are looked at; no decoder runs here.
"""

from __future__ import annotations

import codecs
from enum import StrEnum

import msgspec

from hashcache.core.digest import Digest

#: As many bytes as `sniff` wants to see.
HEAD = 4096


class Kind(StrEnum):
    """What can be analysed. The order is the order in which a bare digest is looked up."""

    IMAGE = "image"
    VIDEO = "video"
    TEXT = "text"


class Content(msgspec.Struct, frozen=True):
    """One upload, described: *digest* names its bytes, *media_type* is told by them, *name* is the client's."""

    kind: Kind
    media_type: str
    digest: Digest
    name: str | None = None


_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})
# Major brands of what is neither image nor video of ours: audio, Canon raw, JPEG XL (registered at mp4ra.org).
_OTHER = frozenset({b"M4A ", b"M4B ", b"M4P ", b"crx ", b"jxl "})
# Boxes with which a QuickTime file without `ftyp` may begin (QuickTime File Format, Apple, 2001).
_QUICKTIME_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"pnot"})


def sniff(head: bytes) -> tuple[Kind, str] | None:
    """
    Kind and media type of a file that begins with *head* (at least HEAD bytes of it, or all of it).

    None: no image or video that we know; it may still be text, which `Utf8` decides.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return Kind.IMAGE, "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.IMAGE, "image/png"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return _matroska(head)
    if b"\x00" not in head:
        # From here on a text could begin so ("GIF89a is...", "See mdat..."), but none holds a NUL, and each of the
        # formats below has one among its first lengths, flags or terminators.
        return None
    if head.startswith((b"GIF87a", b"GIF89a")):
        return Kind.IMAGE, "image/gif"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return Kind.IMAGE, "image/tiff"
    if head.startswith(b"RIFF") and len(head) >= 12:
        return {b"WEBP": (Kind.IMAGE, "image/webp"), b"AVI ": (Kind.VIDEO, "video/x-msvideo")}.get(head[8:12])
    if head.startswith(b"BM") and _is_bitmap(head):
        return Kind.IMAGE, "image/bmp"
    return _base_media(head)


def _matroska(head: bytes) -> tuple[Kind, str] | None:
    """EBML: the DocType element (id 4282) tells WebM from Matroska; its length has 1 to 8 bytes (RFC 8794)."""
    at = head.find(b"\x42\x82", 4, 256) + 2
    if at < 2 or at >= len(head) or not head[at]:
        return None
    width = 9 - head[at].bit_length()
    length = int.from_bytes(head[at : at + width], "big") & ((1 << 7 * width) - 1)
    doctype = head[at + width : at + width + min(length, 16)].rstrip(b"\x00")
    return {b"webm": (Kind.VIDEO, "video/webm"), b"matroska": (Kind.VIDEO, "video/x-matroska")}.get(doctype)


def _is_bitmap(head: bytes) -> bool:
    """ "BM" begins many a text: a bitmap also has zero reserved words and a known header size."""
    return len(head) >= 18 and head[6:10] == b"\0\0\0\0" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS


_BITMAP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def _base_media(head: bytes) -> tuple[Kind, str] | None:
    """ISO base media (ISO/IEC 14496-12): the brands in `ftyp` tell AVIF and HEIC from MP4 and MOV."""
    box = head[4:8]
    if box != b"ftyp":
        size = int.from_bytes(head[:4], "big")
        if box in _QUICKTIME_ATOMS and len(head) >= 8 and (size >= 8 or size == 1):
            return Kind.VIDEO, "video/quicktime"
        return None
    size = int.from_bytes(head[:4], "big")
    if size < 16 or len(head) < 12:
        return None
    end = min(size, len(head))
    major = head[8:12]
    if major in _OTHER:
        return None
    brands = [major, *(head[at : at + 4] for at in range(16, end - 3, 4))]
    if not _AVIF.isdisjoint(brands):
        return Kind.IMAGE, "image/avif"
    if major in _HEIC or (major not in {b"isom", b"mp42", b"qt  "} and not _HEIC.isdisjoint(brands[:4])):
        return Kind.IMAGE, "image/heic"
    if major == b"qt  ":
        return Kind.VIDEO, "video/quicktime"
    return Kind.VIDEO, "video/mp4"


class Utf8:
    """Whether bytes fed in order are UTF-8 without NUL (RFC 3629); stops looking at the first that is not."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._valid = True

    def update(self, chunk: bytes) -> None:
        """Feed the next bytes."""
        if not self._valid:
            return
        if b"\x00" in chunk:
            self._valid = False
            return
        try:
            self._decoder.decode(chunk)
        except UnicodeDecodeError:
            self._valid = False

    def finish(self) -> bool:
        """True when all that was fed is text."""
        if self._valid:
            try:
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                self._valid = False
        return self._valid

    @property
    def possible(self) -> bool:
        """False as soon as it is known not to be text."""
        return self._valid
