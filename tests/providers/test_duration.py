"""How long videos last: exact on files made after their standards, and silent about everything odd."""

import os
import struct
from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashcache.providers.duration import MOST_READS, seconds_of
from tests.harness.bodies import Held, Spooled
from tests.harness.media import avi, box, element, movie_header, mp4, riff, webm

SCALE, DURATION = 0x2AD7B1, 0x4489


def matroska_seconds(scale: int, duration: float, *, form: str = ">d") -> bytes:
    return element(SCALE, scale.to_bytes(4, "big")) + element(DURATION, struct.pack(form, duration))


def without_moov(raw: bytes) -> tuple[bytes, bytes]:
    """The parts of an MP4 of ours: what lies around `moov`, and `moov`."""
    at = raw.index(b"moov") - 4
    end = at + int.from_bytes(raw[at : at + 4], "big")
    return raw[:at] + raw[end:], raw[at:end]


FILM = mp4(header=movie_header(90_500, 1000))
AROUND, MOOV = without_moov(FILM)
WIDE_MDAT = b"\0\0\0\1mdat" + (16 + 70_000).to_bytes(8, "big") + bytes(70_000)
TO_THE_END = bytes(4) + MOOV[4:]
SEGMENT = webm({}).index(b"\x18\x53\x80\x67")
EBML = webm({})[:SEGMENT]

TOLD = {
    "mvhd of version 0": ("video/mp4", FILM, 90.5),
    "mvhd of version 1": ("video/mp4", mp4(header=movie_header(1 << 33, 1 << 30, version=1)), 8.0),
    "the highest number but one": ("video/mp4", mp4(header=movie_header(0xFFFFFFFE, 1000)), 4_294_967.294),
    "moov at the end": ("video/quicktime", AROUND + MOOV, 90.5),
    "moov behind a box with 64 bits of size": ("video/mp4", AROUND + WIDE_MDAT + MOOV, 90.5),
    "moov with a size of zero": ("video/mp4", AROUND + TO_THE_END, 90.5),
    "mvhd behind others": ("video/mp4", mp4(header=box(b"free", bytes(9)) + movie_header(5, 2)), 2.5),
    "the usual TimestampScale": ("video/webm", webm({}, information=matroska_seconds(1_000_000, 2500.0)), 2.5),
    "TimestampScale behind": (
        "video/x-matroska",
        webm({}, information=element(DURATION, struct.pack(">d", 4.0)) + element(SCALE, b"\x3b\x9a\xca\x00")),
        4.0,
    ),
    "no TimestampScale": ("video/webm", webm({}, information=element(DURATION, struct.pack(">f", 1500.0))), 1.5),
    "a segment of unknown length": (
        "video/webm",
        EBML + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + element(0x1549A966, matroska_seconds(10**6, 7000.0)),
        7.0,
    ),
    "behind a void and a cluster": (
        "video/webm",
        EBML
        + element(
            0x18538067,
            element(0xEC, bytes(300))
            + element(0x1F43B675, bytes(99))
            + element(0x1549A966, matroska_seconds(10**6, 7000.0)),
        ),
        7.0,
    ),
    "a long AVI": ("video/x-msvideo", avi(frames=300, pause=40_000), 12.0),
    "AVI behind another chunk": (
        "video/x-msvideo",
        riff(b"AVI ", (b"JUNK", bytes(33)), (b"LIST", avi(frames=3, pause=500_000)[20:88])),
        1.5,
    ),
}

SILENT = {
    "nothing": ("video/mp4", b""),
    "one byte": ("video/mp4", b"\0"),
    "no moov": ("video/mp4", AROUND),
    "moov without mvhd": ("video/mp4", mp4(header=box(b"free"))),
    "a fragmented one": ("video/mp4", mp4(header=movie_header(0, 1000))),
    "an unknown duration": ("video/mp4", mp4(header=movie_header(0xFFFFFFFF, 1000))),
    "an unknown duration of version 1": ("video/mp4", mp4(header=movie_header((1 << 64) - 1, 1000, version=1))),
    "no timescale": ("video/mp4", mp4(header=movie_header(1000, 0))),
    "a version to come": ("video/mp4", mp4(header=movie_header(1000, 10, version=2))),
    "a cut header": ("video/mp4", mp4(header=box(b"mvhd", bytes(12)))),
    "an empty header": ("video/mp4", mp4(header=box(b"mvhd"))),
    "a box larger than the file": ("video/mp4", b"\x7f\xff\xff\xffwide" + FILM),
    "a box smaller than its head": ("video/mp4", b"\0\0\0\7wide" + FILM),
    "64 bits of nonsense": ("video/mp4", b"\0\0\0\1wide" + b"\xff" * 8 + FILM),
    "64 bits, cut": ("video/mp4", b"\0\0\0\1wide\0\0"),
    "more than a year": ("video/mp4", mp4(header=movie_header(0xFFFFFFFE, 1))),
    "too many boxes": ("video/mp4", box(b"free") * MOST_READS + FILM),
    "not a number": ("video/webm", webm({}, information=matroska_seconds(10**6, float("nan")))),
    "endless": ("video/webm", webm({}, information=matroska_seconds(10**6, float("inf")))),
    "negative": ("video/webm", webm({}, information=matroska_seconds(10**6, -1.0))),
    "an odd number of bytes": ("video/webm", webm({}, information=element(DURATION, bytes(5)))),
    "a live stream": ("video/webm", webm({})),
    "no segment": ("video/webm", EBML),
    "a name of five bytes": ("video/webm", EBML + b"\x08" + bytes(40)),
    "a length of nine bytes": ("video/webm", EBML + b"\xec\x00" + bytes(40)),
    "a cluster of unknown length": ("video/webm", EBML + element(0x18538067, b"\x1f\x43\xb6\x75\xff" + bytes(40))),
    "an AVI without frames": ("video/x-msvideo", avi(pause=40_000)),
    "an AVI without header": ("video/x-msvideo", riff(b"AVI ", (b"LIST", b"movi" + bytes(20)))),
    "a cut AVI header": ("video/x-msvideo", riff(b"AVI ", (b"LIST", b"hdrlavih" + bytes(4) + bytes(8)))),
    "a chunk larger than the file": ("video/x-msvideo", b"RIFF\0\0\0\0AVI JUNK\xff\xff\xff\x7f" + bytes(99)),
    "no video": ("image/png", FILM),
}


class Strict(Held):
    """A body in memory that is read in small pieces, and says whether its reading was ended."""

    ended = False

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            for at in range(0, self.size, 7):
                yield self._content[at : at + 7]
        finally:
            self.ended = True


@pytest.mark.parametrize("case", TOLD)
async def test_a_duration_is_told_exactly(case: str) -> None:
    """In a file and in memory alike, whatever the pieces are."""
    media_type, raw, seconds = TOLD[case]
    spooled, strict = Spooled(raw), Strict(raw)
    assert await seconds_of(spooled, media_type) == seconds
    assert await seconds_of(Held(raw), media_type) == seconds
    assert await seconds_of(strict, media_type) == seconds
    assert strict.ended
    await spooled.close()


@pytest.mark.parametrize("case", SILENT)
async def test_what_is_odd_tells_nothing(case: str) -> None:
    """None, never an error and never a guess."""
    media_type, raw = SILENT[case]
    spooled = Spooled(raw) if raw else Held(raw)
    assert await seconds_of(spooled, media_type) is None
    assert await seconds_of(Strict(raw), media_type) is None
    await spooled.close()


async def test_a_closed_file_tells_nothing() -> None:
    """An error of the system is no error of the analysis."""
    spooled = Spooled(FILM)
    await spooled.close()
    assert await seconds_of(spooled, "video/mp4") is None


async def test_a_file_is_not_read_through() -> None:
    """Of a terabyte of media (a hole) before `moov` only the box header is read, or this would last for hours."""
    start = AROUND[: AROUND.index(b"mdat") - 4] + b"\0\0\0\1mdat" + (1 << 40).to_bytes(8, "big")
    spooled = Spooled(start, size=len(AROUND[: AROUND.index(b"mdat") - 4]) + (1 << 40) + len(MOOV))
    descriptor = os.open(f"/proc/self/fd/{spooled.descriptor()}", os.O_WRONLY)
    os.pwrite(descriptor, MOOV, spooled.size - len(MOOV))
    os.close(descriptor)
    assert await seconds_of(spooled, "video/mp4") == 90.5
    await spooled.close()


SEEDS = st.sampled_from([(media_type, raw) for media_type, raw, _ in TOLD.values()])


@given(SEEDS, st.data())
async def test_damage_never_raises(seed: tuple[str, bytes], chosen: st.DataObject) -> None:
    """Whatever few bytes of a video are changed or cut: a plausible number, or nothing; by position and in passing."""
    media_type, raw = seed
    damaged = bytearray(raw)
    for _ in range(chosen.draw(st.integers(1, 4))):
        at = chosen.draw(st.integers(0, min(len(raw), 400) - 1))
        damaged[at] = chosen.draw(st.integers(0, 255))
    cut = bytes(damaged[: chosen.draw(st.integers(1, len(raw)))])
    spooled = Spooled(cut)
    by_position = await seconds_of(spooled, media_type)
    await spooled.close()
    assert by_position is None or 0 < by_position <= 366 * 86_400
    assert await seconds_of(Strict(cut), media_type) == by_position


@given(st.sampled_from(sorted({media_type for media_type, _, _ in TOLD.values()})), st.binary(max_size=200))
@example("video/webm", b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x15\x49\xa9\x66\xff")
async def test_noise_never_raises(media_type: str, raw: bytes) -> None:
    """Bytes without any meaning."""
    seconds = await seconds_of(Held(raw), media_type)
    assert seconds is None or seconds > 0
