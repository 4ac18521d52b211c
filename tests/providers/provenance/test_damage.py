"""Damaged and hostile files: whatever the bytes, there is a report, soon, with little memory, and honest about gaps."""

from __future__ import annotations

import io
import time
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashcache.core.content import Kind
from hashcache.providers.provenance.containers import WALKERS, png, xmp
from hashcache.providers.provenance.findings import Malformed, NotChecked, Report
from hashcache.providers.provenance.markers.manifest import Manifests
from hashcache.providers.provenance.source import Memory, Source, Stream
from hashcache.providers.provenance.survey import MOST_FINDINGS, Survey
from tests.harness import media
from tests.harness.analysis import judge
from tests.harness.signatory import Signatory
from tests.providers.provenance.test_declared import FRAMES, PACKETS

EXAMPLES = [*FRAMES.values(), *PACKETS.values()]
SIGNED = Signatory.make().sign(media.picture("JPEG"), "image/jpeg")
HEADS = {
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/gif": b"GIF89a",
    "image/tiff": b"II*\0",
    "image/webp": b"RIFF\0\0\0\0WEBP",
    "video/mp4": b"\0\0\0\x10ftypisom\0\0\0\0",
    "video/webm": b"\x1aE\xdf\xa3",
}


def _reports(content: bytes, kind: Kind, media_type: str) -> list[Report]:
    return list(Survey(Manifests(None)).of(Memory(content), kind, media_type))


@given(st.sampled_from(sorted(WALKERS)), st.binary(max_size=600))
def test_any_bytes_give_a_complete_report(media_type: str, content: bytes) -> None:
    """Random bytes behind each format's signature: a complete report, whatever they are."""
    report = _reports(HEADS.get(media_type, b"") + content, Kind.IMAGE, media_type)[-1]
    assert report.complete
    assert len(report.findings) <= MOST_FINDINGS


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([*EXAMPLES, SIGNED]), st.data())
def test_mutated_files_give_a_complete_report(content: bytes, data: st.DataObject) -> None:
    """Real files with bytes changed, cut out or cut off, read by the C2PA library too: still a complete report."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        changed = changed[: data.draw(st.integers(1, len(changed) or 1))] if data.draw(st.booleans()) else changed
        changed = changed or bytearray(1)
    assert judge(bytes(changed)).report.complete


@given(st.text())
def test_any_text_gives_a_complete_report(text: str) -> None:
    """Any characters at all make a report, without an analyser's error."""
    judged = judge(text.encode("utf-8", "surrogatepass"))
    assert judged.report.complete
    assert "analyser_error" not in judged.signals


def test_what_lies_before_the_damage_is_found() -> None:
    """A file cut off behind its marker: the marker counts, and the damage is said."""
    content = FRAMES["tEXt"]
    judged = judge(content[: content.find(b"IDAT") + 10])
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    assert "ends beyond the end" in judged.only("analyser_error").value


def test_a_compressed_text_of_100_mb_is_not_inflated() -> None:
    """A zTXt of 100 KB that would become 100 MB: said to be unread, and it never takes 20 MB of memory."""
    bomb = zlib.compress(bytes(100_000_000), 9)
    content = media.png(media.chunk(b"zTXt", b"parameters\0\0" + bomb), media.chunk(b"tEXt", b"Software\0NovelAI"))
    del bomb
    tracemalloc.start()
    try:
        judged = judge(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (
        judged.only("not_checked").value
        == f"not checked: a compressed text becomes longer than {png.LONGEST_TEXT} bytes"
    )
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "http://example.org/x.dtd"><x/>',
        b"<x>" * 5000,
        b"<x " + b"a='1' " * 3,
        b"<?xml version='1.0' encoding='nonsense'?><x/>",
        b"",
    ],
)
def test_hostile_xmp_is_refused(packet: bytes) -> None:
    """Entities, document types, deep nesting and broken XML end the reading, which is said."""
    assert judge(media.jpeg_xmp(packet)).signals & {"analyser_error", "not_checked"}


def test_xmp_is_bounded() -> None:
    """Too deep, too many properties, too long: each is a limit of ours, not an error of the file."""
    deep = b"<a>" * (xmp.DEEPEST + 1) + b"</a>" * (xmp.DEEPEST + 1)
    many = media.xmp("<xmp:CreatorTool>x</xmp:CreatorTool>" * (xmp.MOST_NOTES + 1))
    long = media.xmp(" " * xmp.LONGEST_PACKET)
    for packet in (deep, many, long):
        with pytest.raises(NotChecked):
            list(xmp.notes(packet, "here"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            b"\0\0\0\x10ftypisom\0\0\0\0" + (b"\0\0\x10\0moov" * 40).ljust(0x10000, b"\0"), id="ill-fitting boxes"
        ),
        pytest.param(media.png() + b"", id="nothing"),
    ],
)
def test_odd_structures_end(content: bytes) -> None:
    """Boxes that overlap or lead nowhere end the walk."""
    assert judge(content).report.complete


def test_deep_boxes_are_not_followed() -> None:
    """Boxes nested a thousand deep are said to be unread."""
    nested = b""
    for _ in range(1000):
        nested = media.box(b"udta", nested)
    judged = judge(media.mp4(in_moov=[nested]))
    assert "nested more than" in judged.only("not_checked").value


def test_very_many_parts_are_not_followed() -> None:
    """Hundreds of thousands of tiny chunks, boxes, segments or elements end at a bound, which is said."""
    tiny = {
        "png": media.png(media.chunk(b"junk", b"") * 100_001),
        "mp4": media.mp4(media.box(b"free") * 50_001),
        "jpeg": media.jpeg(media.segment(0xE5, b"") * 20_001),
        "webp": media.riff(b"WEBP", *([(b"JUNK", b"")] * 20_001)),
        "webm": media.webm({})[:-1] + media.element(0xEC, b"") * 100_001,
        "gif": b"GIF89a\x01\0\x01\0\0\0\0" + b"!\xfe\x01a\0" * 200_001 + b";",
    }
    for name, content in tiny.items():
        assert judge(content).signals & {"not_checked", "analyser_error"}, name


def test_a_marker_behind_megabytes_of_metadata_is_found() -> None:
    """Segments before it are walked, not searched from the head alone (some writers put XMP megabytes into a file)."""
    filler = media.segment(0xE5, b"x" * 65_000) * 100
    content = media.jpeg(filler, media.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + media.xmp(DECLARED)))
    assert judge(content).verdict == "ai_generated"


DECLARED = "<Iptc4xmpExt:DigitalSourceType>trainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>"


def test_too_much_metadata_is_not_held_but_manifests_are_still_read() -> None:
    """Beyond 20 MB of texts the rest is said to be unread; a C2PA manifest among them still counts."""
    comments = media.segment(0xFE, b"x" * 65_000) * 320
    content = SIGNED[:2] + comments + SIGNED[2:]
    judged = judge(content)
    assert "bytes of metadata" in judged.only("not_checked").value
    assert "c2pa_manifest" in judged.signals


@pytest.mark.parametrize(
    "filler", ["\n", " ", ",", '"', "a", "Steps: 1, ", '"image" ', "\u200d", "As an AI ", "('\u201c"]
)
def test_no_pattern_takes_the_square_of_a_text(filler: str) -> None:
    """A text ten times as long takes some ten times as long, for fillers that make patterns try again and again."""
    durations = []
    for size in (20_000, 200_000):
        text = (filler * size)[:size]
        started = time.process_time()
        judge(media.png(*(media.chunk(b"tEXt", name + b"\0" + text.encode()) for name in (b"parameters", b"Software"))))
        judge(text.encode())
        durations.append(time.process_time() - started)
    assert durations[1] < 40 * durations[0] + 0.5


def test_a_surprise_in_one_analyser_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours in one reader is reported as evidence of strength none; the other readers are heard."""

    def broken(_packet: bytes, _where: str) -> Iterator[object]:
        raise ZeroDivisionError

    monkeypatch.setattr(xmp, "notes", broken)
    label = media.segment(0xFE, b'{"AIGC":{"Label":"1"}}')
    packet = media.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + media.xmp(DECLARED))
    judged = judge(media.jpeg(packet, label))
    assert judged.verdict == "ai_generated"
    assert (judged.only("analyser_error").value, judged.only("analyser_error").strength) == (
        "ZeroDivisionError",
        "none",
    )


@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=8))
def test_a_stream_reads_like_a_file(content: bytes, moves: list[tuple[int, int]]) -> None:
    """The stream that native code reads agrees with a real binary file on every seek and read."""
    ours, file = Stream(Memory(content)), io.BytesIO(content)
    for position, length in moves:
        assert ours.seek(position) == file.seek(position)
        assert ours.read(length) == file.read(length)
        assert ours.tell() == file.tell()


def test_reading_beyond_the_end_is_malformed() -> None:
    """`exactly` never gives fewer bytes than were asked for."""
    source: Source = Memory(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(Malformed):
        list(png.pieces(source))
