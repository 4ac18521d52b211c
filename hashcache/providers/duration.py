"""
How long a video lasts, as its own headers tell; nothing is decoded.

    MP4, MOV     moov/mvhd: duration / timescale (ISO/IEC 14496-12 section 8.2.2); moov may lie behind the media
    WebM, MKV    Segment/Info: Duration x TimestampScale nanoseconds (RFC 9559 section 5.1.2)
    AVI          hdrl/avih: frames x microseconds per frame (AVIMAINHEADER, of the first RIFF)

Rule 1: at most MOST_READS small reads, each further back in the file than the one before: so a walk over a file needs
        no more than its headers, and a walk over a stream none of what has passed.
Rule 2: what is odd tells nothing: a duration is a hint for a limit, and an error here must not cost an analysis.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncGenerator, Callable, Generator

from hashcache.ports import Body

#: As many reads as a file is given to come to the point: a fragmented MP4 has thousands of boxes, but `moov` is early.
MOST_READS = 1000
#: How much of Matroska's Info is looked at; titles and names of writers are all that makes it long.
MOST_INFO = 4096
#: Longer than a year: a broken header rather than a video.
LONGEST = 366 * 86_400.0

_EBML_SEGMENT, _EBML_INFO, _EBML_SCALE, _EBML_DURATION = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489

#: A walk asks for (offset, length) within the file, is sent those bytes, and ends with what it found.
_Walk = Generator[tuple[int, int], bytes, float | None]
_Span = Generator[tuple[int, int], bytes, tuple[int, int] | None]


async def seconds_of(body: Body, media_type: str) -> float | None:
    """The duration of *body* in seconds, more than zero; None when the file does not tell it, or tells nonsense."""
    walk = _WALKS.get(media_type)
    if walk is None:
        return None
    descriptor = body.descriptor()
    try:
        if descriptor is not None:
            seconds = await asyncio.to_thread(_by_position, descriptor, walk(body.size))
        else:
            seconds = await _in_passing(body, walk(body.size))
    except OSError:
        return None
    return seconds if seconds is not None and 0 < seconds <= LONGEST else None


def _by_position(descriptor: int, walk: _Walk) -> float | None:
    """Lead *walk* through a file."""
    try:
        at, length = next(walk)
        for _ in range(MOST_READS):
            at, length = walk.send(os.pread(descriptor, length, at))
    except StopIteration as end:
        seconds: float | None = end.value
        return seconds
    return None


async def _in_passing(body: Body, walk: _Walk) -> float | None:
    """Lead *walk* through a body that is read once, from its start, and held no longer than needed."""
    held, begin = bytearray(), 0
    chunks = body.chunks()
    try:
        at, length = next(walk)
        reads = 0
        async for chunk in chunks:
            held += chunk
            while at + length <= begin + len(held):
                reads += 1
                if reads > MOST_READS:
                    return None
                at, length = walk.send(bytes(held[at - begin : at - begin + length]))
            passed = min(at - begin, len(held))
            del held[:passed]
            begin += passed
    except StopIteration as end:
        seconds: float | None = end.value
        return seconds
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    return None


def _iso_media(size: int) -> _Walk:
    """MP4 and MOV."""
    movie = yield from _box(b"moov", 0, size)
    header = (yield from _box(b"mvhd", *movie)) if movie else None
    if header is None:
        return None
    at, end = header
    found = yield at, min(32, end - at)
    # version and flags; then created, modified, timescale, duration: of 4, 4, 4, 4 bytes, or in version 1 of 8, 8, 4, 8
    form = {0: ">4xIIII", 1: ">4xQQIQ"}.get(found[0]) if found else None
    if form is None or len(found) < struct.calcsize(form):
        return None
    _, _, scale, duration = struct.unpack_from(form, found)
    unknown = (1 << 64) - 1 if found[0] else (1 << 32) - 1
    return float(duration / scale) if scale and duration != unknown else None


def _box(name: bytes, at: int, end: int) -> _Span:
    """Where the content of the first box *name* begins and ends, among those from *at* to *end*."""
    while at + 8 <= end:
        head = yield at, min(16, end - at)
        size, start = int.from_bytes(head[:4], "big"), at + 8
        if size == 1:  # the size is in 64 bits behind the name
            size, start = int.from_bytes(head[8:16], "big"), at + 16
        elif size == 0:  # to the end of what it lies in
            size = end - at
        if not start - at <= size <= end - at:
            return None
        if head[4:8] == name:
            return start, at + size
        at += size
    return None


def _matroska(size: int) -> _Walk:
    """WebM and MKV."""
    segment = yield from _element(_EBML_SEGMENT, 0, size)
    information = (yield from _element(_EBML_INFO, *segment)) if segment else None
    if information is None:
        return None
    start, end = information
    raw = yield start, min(MOST_INFO, end - start)
    scale, duration, at = 1_000_000, None, 0
    while (head := _element_head(raw[at : at + 12])) is not None:
        name, width, length = head
        value = raw[at + width : at + width + (length or 0)]
        if name == _EBML_SCALE and length and length <= 8:
            scale = int.from_bytes(value, "big")
        elif name == _EBML_DURATION and len(value) in {4, 8}:
            (duration,) = struct.unpack(">f" if len(value) == 4 else ">d", value)
        at += width + (length or 0)
    return None if duration is None else float(duration * scale / 1e9)


def _element(name: int, at: int, end: int) -> _Span:
    """Where the content of the first element *name* begins and ends, among those from *at* to *end*."""
    while at < end:
        head = _element_head((yield at, min(12, end - at)))
        if head is None:
            return None
        found, width, length = head
        start = at + width
        if found == name:  # an unknown length, or one that was cut off, goes to the end
            return start, end if length is None else min(start + length, end)
        if length is None:
            return None
        at = start + length
    return None


def _element_head(raw: bytes) -> tuple[int, int, int | None] | None:
    """Name, bytes of name and length, and length (None: unknown) of the EBML element in *raw* (RFC 8794 section 6)."""
    if not raw or not raw[0] >> 4:
        return None
    name_width = 9 - raw[0].bit_length()
    if len(raw) <= name_width or not raw[name_width]:
        return None
    length_width = 9 - raw[name_width].bit_length()
    if len(raw) < name_width + length_width:
        return None
    most = (1 << 7 * length_width) - 1
    length = int.from_bytes(raw[name_width : name_width + length_width], "big") & most
    return int.from_bytes(raw[:name_width], "big"), name_width + length_width, None if length == most else length


def _avi(size: int) -> _Walk:
    """AVI."""
    header = yield from _chunk(b"hdrl", 12, size)
    main = (yield from _chunk(b"avih", *header)) if header else None
    if main is None:
        return None
    at, end = main
    found = yield at, min(20, end - at)
    if len(found) < 20:
        return None
    pause, _, _, _, frames = struct.unpack("<5I", found)
    return float(pause * frames / 1e6)


def _chunk(name: bytes, at: int, end: int) -> _Span:
    """Where the content of the first chunk, or of the first list, *name* begins and ends, from *at* to *end*."""
    while at + 12 <= end:
        head = yield at, 12
        size = int.from_bytes(head[4:8], "little")
        if at + 8 + size > end:
            return None
        if head[:4] == name:
            return at + 8, at + 8 + size
        if head[:4] == b"LIST" and head[8:] == name and size >= 4:
            return at + 12, at + 8 + size
        at += 8 + size + size % 2
    return None


_WALKS: dict[str, Callable[[int], _Walk]] = {
    "video/mp4": _iso_media,
    "video/quicktime": _iso_media,
    "video/webm": _matroska,
    "video/x-matroska": _matroska,
    "video/x-msvideo": _avi,
}
