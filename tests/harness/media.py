"""
Media for tests, made on the spot: small valid pictures and videos, with the metadata that a test asks for.

Rule: nothing here knows how hashcache reads them. Containers are assembled after their standards, pictures come from
Pillow; `signatory` signs them.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def picture(form: str = "PNG", *, size: int = 64, **options: Any) -> bytes:
    """A plain picture of *size* pixels in a format of Pillow's, saved with its *options*."""
    written = io.BytesIO()
    Image.new("RGB", (size, size), (9, 90, 200)).save(written, form, **options)
    return written.getvalue()


# --- PNG -----------------------------------------------------------------------------------------------------------


def chunk(name: bytes, content: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def png(*chunks: bytes, behind: bool = False) -> bytes:
    """A PNG with *chunks* before its pixels, or *behind* them."""
    plain = picture("PNG")
    at = len(plain) - 12 if behind else 33
    return plain[:at] + b"".join(chunks) + plain[at:]


def png_text(keyword: str, text: str) -> bytes:
    """A PNG with a `tEXt`."""
    return png(chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode()))


# --- XMP and EXIF --------------------------------------------------------------------------------------------------


def xmp(properties: str = "", *, attributes: str = "") -> bytes:
    """An XMP packet with *properties* (elements) and *attributes* of its one description."""
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dcterms="http://purl.org/dc/terms/"
 xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" {attributes}>{properties}</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()


def exif(tags: Mapping[int, Any], *, details: Mapping[int, Any] | None = None) -> bytes:
    """An EXIF structure (without its prefix) with *tags* in the picture's and *details* in the EXIF directory."""
    made = Image.Exif()
    for tag, value in tags.items():
        made[tag] = value
    made.get_ifd(0x8769).update(details or {})
    return made.tobytes().removeprefix(b"Exif\0\0")


# --- JPEG ----------------------------------------------------------------------------------------------------------


def segment(marker: int, content: bytes) -> bytes:
    """A JPEG marker segment."""
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def jpeg(*segments: bytes) -> bytes:
    """A JPEG with *segments* at its start."""
    plain = picture("JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def jpeg_xmp(packet: bytes) -> bytes:
    """A JPEG with an XMP packet."""
    return jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))


def jpeg_extended_xmp(packet: bytes, *, part: int) -> bytes:
    """A JPEG with *packet* as extended XMP in parts of *part* bytes, the later ones first."""
    starts = reversed(range(0, len(packet), part))
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + len(packet).to_bytes(4, "big")
    return jpeg(*(segment(0xE1, head + at.to_bytes(4, "big") + packet[at : at + part]) for at in starts))


def jpeg_iptc(datasets: Mapping[int, str]) -> bytes:
    """A JPEG with IPTC-IIM data sets of record 2."""
    record = b"".join(
        b"\x1c\x02" + bytes((name,)) + len(text.encode()).to_bytes(2, "big") + text.encode()
        for name, text in datasets.items()
    )
    resource = b"8BIM\x04\x04\0\0" + len(record).to_bytes(4, "big") + record + b"\0" * (len(record) % 2)
    return jpeg(segment(0xED, b"Photoshop 3.0\0" + resource))


# --- RIFF ----------------------------------------------------------------------------------------------------------


def riff(form: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF file of *chunks*: name and content."""
    body = form + b"".join(
        name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2) for name, content in chunks
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def avi(*chunks: tuple[bytes, bytes], frames: int = 0, pause: int = 0) -> bytes:
    """An AVI without streams, of so many *frames*, each shown for *pause* microseconds."""
    numbers = (pause, 0, 0, 0, frames)
    header = b"".join(number.to_bytes(4, "little") for number in numbers) + bytes(36)
    return riff(b"AVI ", (b"LIST", b"hdrlavih" + (56).to_bytes(4, "little") + header), *chunks, (b"JUNK", bytes(64)))


# --- ISO base media ------------------------------------------------------------------------------------------------


def box(kind: bytes, *content: bytes) -> bytes:
    """A box."""
    body = b"".join(content)
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def full_box(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    """A box with version and flags."""
    return box(kind, bytes((version, 0, 0, 0)), *content)


def movie_header(duration: int, scale: int, *, version: int = 0) -> bytes:
    """`mvhd`: so many units, *scale* of them a second."""
    width = 8 if version else 4
    times = bytes(2 * width) + scale.to_bytes(4, "big") + duration.to_bytes(width, "big")
    return full_box(b"mvhd", times, bytes(80), version=version)


def mp4(
    *boxes: bytes,
    brand: bytes = b"isom",
    in_moov: Iterable[bytes] = (),
    media: int = 1000,
    header: bytes = movie_header(0, 0),
) -> bytes:
    """An MP4 with *boxes* at its top, its movie's *header*, some *in_moov*, and *media* bytes of nothing."""
    movie = box(b"moov", header, *in_moov)
    return box(b"ftyp", brand, b"\0\0\2\0", b"isommp42") + b"".join(boxes) + movie + box(b"mdat", bytes(media))


def udta_list(values: Mapping[bytes, str]) -> bytes:
    """`udta/meta/ilst` with texts, as iTunes and ffmpeg write them."""
    entries = [box(kind, box(b"data", b"\0\0\0\1\0\0\0\0", text.encode())) for kind, text in values.items()]
    handler = full_box(b"hdlr", bytes(4), b"mdir", bytes(13))
    return box(b"udta", full_box(b"meta", handler, box(b"ilst", *entries)))


def keyed_list(values: Mapping[str, str]) -> bytes:
    """`meta` with `keys` and `ilst`, as QuickTime and ffmpeg (use_metadata_tags) write them."""
    names = [box(b"mdta", name.encode()) for name in values]
    keys = full_box(b"keys", len(names).to_bytes(4, "big"), *names)
    entries = [
        box(number.to_bytes(4, "big"), box(b"data", b"\0\0\0\1\0\0\0\0", text.encode()))
        for number, text in enumerate(values.values(), start=1)
    ]
    return box(b"meta", full_box(b"hdlr", bytes(4), b"mdta", bytes(13)), keys, box(b"ilst", *entries))


def heic(*, exif: bytes = b"", xmp: bytes = b"") -> bytes:
    """A HEIC without pictures, whose metadata items are *exif* and *xmp*."""
    ftyp = box(b"ftyp", b"heic", b"\0\0\0\0", b"mif1heic")
    held = [(b"Exif", b"", b"\0\0\0\0" + exif), (b"mime", b"application/rdf+xml\0", xmp)]
    information = [
        full_box(b"infe", number.to_bytes(2, "big"), b"\0\0", kind, b"\0", more, version=2)
        for number, (kind, more, _) in enumerate(held, start=1)
    ]

    def meta(start: int) -> bytes:
        entries = b""
        for number, (_, _, body) in enumerate(held, start=1):
            entries += number.to_bytes(2, "big") + b"\0\0" + b"\0\1"
            entries += start.to_bytes(4, "big") + len(body).to_bytes(4, "big")
            start += len(body)
        return full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"iinf", len(held).to_bytes(2, "big"), *information),
            full_box(b"iloc", b"\x44\x00", len(held).to_bytes(2, "big"), entries),
        )

    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + box(b"mdat", *(body for _, _, body in held))


# --- Matroska ------------------------------------------------------------------------------------------------------


def element(name: int, content: bytes) -> bytes:
    """An EBML element; its length in one byte where it fits, else in eight."""
    width = (name.bit_length() + 7) // 8
    length = bytes((0x80 | len(content),)) if len(content) < 127 else (1 << 56 | len(content)).to_bytes(8, "big")
    return name.to_bytes(width, "big") + length + content


def webm(tags: Mapping[str, str], *, program: str = "Lavf62", information: bytes = b"") -> bytes:
    """A WebM without tracks, written by *program*, with more *information*, and *tags* behind an empty cluster."""
    header = element(0x1A45DFA3, element(0x4282, b"webm"))
    simple = [element(0x67C8, element(0x45A3, k.encode()) + element(0x4487, v.encode())) for k, v in tags.items()]
    body = element(0x1549A966, element(0x4D80, b"Lavf62") + element(0x5741, program.encode()) + information)
    body += element(0x1F43B675, bytes(100)) + element(0x1254C367, element(0x7373, b"".join(simple)))
    return header + element(0x18538067, body)
