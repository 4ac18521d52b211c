"""The bytes tell the kind."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hashcache.core.content import HEAD, Kind, Utf8, sniff


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    """An ISO base media file's first box, and the start of the next."""
    brands = major + bytes(4) + b"".join(compatible)
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + b"\0\0\0\x08free"


def ebml(doctype: bytes) -> bytes:
    """An EBML header (RFC 8794) with this DocType after two other elements."""
    body = b"\x42\x86\x81\x01" + b"\x42\xf7\x81\x01" + b"\x42\x82" + bytes([0x80 | len(doctype)]) + doctype
    return b"\x1aE\xdf\xa3" + bytes([0x80 | len(body)]) + body


def bitmap(header: int, *, size: int = 70) -> bytes:
    """The first bytes of a BMP whose second header has *header* bytes."""
    return b"BM" + size.to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + header.to_bytes(4, "little")


def riff(form: bytes, chunk: bytes) -> bytes:
    """The first bytes of a RIFF file."""
    return b"RIFF" + (1000).to_bytes(4, "little") + form + chunk + (10).to_bytes(4, "little")


KNOWN = {
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", Kind.IMAGE, "image/jpeg"),
    "jpeg, exif": (b"\xff\xd8\xff\xe1", Kind.IMAGE, "image/jpeg"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Kind.IMAGE, "image/png"),
    "gif 87": (b"GIF87a\x01\0\x01\0\x80\0\0", Kind.IMAGE, "image/gif"),
    "gif 89": (b"GIF89a\x01\0\x01\0\x80\0\0", Kind.IMAGE, "image/gif"),
    "webp": (riff(b"WEBP", b"VP8X"), Kind.IMAGE, "image/webp"),
    "avif": (ftyp(b"avif", b"mif1", b"miaf"), Kind.IMAGE, "image/avif"),
    "avif, sequence": (ftyp(b"avis", b"msf1"), Kind.IMAGE, "image/avif"),
    "avif, by its brands": (ftyp(b"mif1", b"avif"), Kind.IMAGE, "image/avif"),
    "heic": (ftyp(b"heic", b"mif1", b"heic"), Kind.IMAGE, "image/heic"),
    "heic, by its brands": (ftyp(b"MiHB", b"mif1", b"heic"), Kind.IMAGE, "image/heic"),
    "heif": (ftyp(b"mif1", b"heic"), Kind.IMAGE, "image/heic"),
    "tiff, little": (b"II*\0\x08\0\0\0", Kind.IMAGE, "image/tiff"),
    "tiff, big": (b"MM\0*\0\0\0\x08", Kind.IMAGE, "image/tiff"),
    "bigtiff, little": (b"II+\0\x08\0\0\0", Kind.IMAGE, "image/tiff"),
    "bigtiff, big": (b"MM\0+\0\x08\0\0", Kind.IMAGE, "image/tiff"),
    "bmp, core": (bitmap(12), Kind.IMAGE, "image/bmp"),
    "bmp, info": (bitmap(40), Kind.IMAGE, "image/bmp"),
    "bmp, v5": (bitmap(124), Kind.IMAGE, "image/bmp"),
    "mp4": (ftyp(b"isom", b"iso2", b"avc1", b"mp41"), Kind.VIDEO, "video/mp4"),
    "mp4, 2": (ftyp(b"mp42", b"mif1"), Kind.VIDEO, "video/mp4"),
    "mp4, fragmented": (ftyp(b"iso5", b"dash"), Kind.VIDEO, "video/mp4"),
    "mov": (ftyp(b"qt  ", b"qt  "), Kind.VIDEO, "video/quicktime"),
    "mov without ftyp": (b"\0\0\0\x08wide\0\0\x10\0mdat", Kind.VIDEO, "video/quicktime"),
    "mov, 64-bit mdat": (b"\0\0\0\x01mdat\0\0\0\x01", Kind.VIDEO, "video/quicktime"),
    "webm": (ebml(b"webm"), Kind.VIDEO, "video/webm"),
    "mkv": (ebml(b"matroska"), Kind.VIDEO, "video/x-matroska"),
    "webm, long length": (
        b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x82\x10\x00\x00\x04webm",
        Kind.VIDEO,
        "video/webm",
    ),
    "avi": (riff(b"AVI ", b"LIST"), Kind.VIDEO, "video/x-msvideo"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_every_format_is_told_by_its_first_bytes(name: str) -> None:
    """Kind and media type, from the head alone and whatever follows it."""
    head, kind, media_type = KNOWN[name]
    assert sniff(head) == (kind, media_type)
    assert sniff((head + bytes(range(256)) * 16)[:HEAD]) == (kind, media_type)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP"])
@pytest.mark.parametrize("noise", ["flat", "noisy"])
def test_pictures_that_a_real_encoder_wrote(name: str, noise: str) -> None:
    """Pillow's files are told as what they are, the smallest and one without any repetition."""
    if noise == "flat":
        picture = Image.new("RGB", (1, 1), "white")
    else:
        picture = Image.frombytes("RGB", (96, 96), b"".join(i.to_bytes(4, "big") for i in range(2**31, 2**31 + 6912)))
    written = io.BytesIO()
    picture.save(written, name)
    assert sniff(written.getvalue()[:HEAD]) == (Kind.IMAGE, f"image/{name.lower()}")


@pytest.mark.parametrize(
    "text",
    [
        "BMW builds cars in Munich, and has done so since 1916.",
        "BM",
        "II* is how a little-endian TIFF begins",
        "MM* is not",
        "GIF89a is a version of the Graphics Interchange Format.",
        "RIFF, then a size, then WEBP or AVI ",
        "RIFFxxxxWEBP and so on",
        "RIFFxxxxAVI files are old",
        "The ftypisom of an MP4 file, spelled out",
        "See mdat for details, said the manual of QuickTime",
        "Why wide lenses distort",
        "It'smoov",
        "%PDF-1.7",
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "\u0000",
        "",
        "x",
    ],
)
def test_texts_that_begin_like_them(text: str) -> None:
    """Prose about file formats is prose."""
    assert sniff(text.encode()) is None


@given(
    st.sampled_from([head[:12] for head, _, _ in KNOWN.values()]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
)
def test_no_text_is_taken_for_a_picture(head: bytes, text: str) -> None:
    """What begins as a known format, made valid UTF-8 without NUL, is never told as image or video."""
    raw = head.decode(errors="ignore").replace("\0", "").encode() + text.encode()
    assert sniff(raw[:HEAD]) is None


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(ftyp(b"M4A ", b"isom", b"mp42"), id="audio"),
        pytest.param(ftyp(b"crx ", b"isom"), id="camera raw"),
        pytest.param(ebml(b"other"), id="another EBML document"),
        pytest.param(b"\x1aE\xdf\xa3", id="EBML, cut"),
        pytest.param(b"\x1aE\xdf\xa3\x80\x42\x82", id="EBML, cut in its DocType"),
        pytest.param(riff(b"WAVE", b"fmt "), id="sound"),
        pytest.param(b"RIFF\0\0\0\0WE", id="RIFF, cut"),
        pytest.param(bitmap(41), id="BM with a header of no known size"),
        pytest.param(bitmap(40)[:9] + b"\1" + bitmap(40)[10:], id="BM with reserved bytes set"),
        pytest.param(b"\0\0\0\x08ftyp", id="ftyp without brands"),
        pytest.param(b"\0\0\0\x18ftypis", id="ftyp, cut"),
        pytest.param(b"\0\0\0\x07moov", id="an atom smaller than its own head"),
        pytest.param(b"PK\x03\x04\x14\0", id="zip"),
        pytest.param(b"\x1f\x8b\x08\0", id="gzip"),
    ],
)
def test_what_is_none_of_ours(head: bytes) -> None:
    """Other formats, and ours cut too short to be told, are not guessed at."""
    assert sniff(head) is None


@given(st.binary(max_size=64), st.sampled_from([head for head, _, _ in KNOWN.values()]), st.integers(0, 40))
def test_any_bytes_are_told_or_not(tail: bytes, head: bytes, cut: int) -> None:
    """Whatever arrives, sniffing gives a kind and a media type of that kind, or None."""
    found = sniff(head[:cut] + tail)
    assert found is None or found[1].split("/")[0] == found[0].value


def valid(raw: bytes) -> bool:
    """What Python's own decoder says, and no NUL."""
    try:
        return "\0" not in raw.decode()
    except UnicodeDecodeError:
        return False


@given(
    st.one_of(st.binary(max_size=12), st.text(max_size=12).map(str.encode)),
    st.lists(st.integers(0, 48), max_size=6),
)
def test_utf8_in_any_split(raw: bytes, cuts: list[int]) -> None:
    """However the bytes are cut, also within a character, the whole decides."""
    places = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    text = Utf8()
    for start, end in pairwise(places):
        text.update(raw[start:end])
    assert text.finish() == valid(raw)
    assert text.finish() == valid(raw)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xff", id="no start of a character"),
        pytest.param(b"\xc0\x80", id="overlong NUL"),
        pytest.param(b"\xed\xa0\x80", id="surrogate"),
        pytest.param(b"\xf4\x90\x80\x80", id="beyond Unicode"),
        pytest.param(b"a\0b", id="NUL"),
        pytest.param("text".encode("utf-16"), id="UTF-16"),
    ],
)
def test_what_is_no_text_is_known_at_once(raw: bytes) -> None:
    """As soon as the offending byte has passed, and good bytes afterwards do not mend it."""
    text = Utf8()
    assert text.possible
    text.update(raw)
    assert not text.possible
    text.update(b"fine")
    assert not text.finish()


def test_a_character_cut_at_the_end_is_no_text() -> None:
    """It is possible until the end, and refused there."""
    text = Utf8()
    text.update("é".encode()[:1])
    assert text.possible
    assert not text.finish()


def test_kinds_are_looked_up_in_their_order() -> None:
    """A bare digest is looked up as image, then video, then text."""
    assert [kind.value for kind in Kind] == ["image", "video", "text"]
