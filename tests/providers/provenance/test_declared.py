"""Declared markers: each is found in every place where it is written, and carries what it can carry, no more."""

from __future__ import annotations

import io
import zlib

import pytest
from PIL import Image

from hashcache.core.result import Verdict
from tests.harness import media
from tests.harness.analysis import judge
from tests.harness.signatory import SOURCE_TYPES

TRAINED = f"{SOURCE_TYPES}trainedAlgorithmicMedia"
DECLARED = f"<Iptc4xmpExt:DigitalSourceType>{TRAINED}</Iptc4xmpExt:DigitalSourceType>"
PACKET = media.xmp(DECLARED)
LABEL = '{"Label":"1","ContentProducer":"Example Model","ProduceID":"0001"}'
A1111 = "a duck on a lake\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 64x64"
COMFYUI = '{"3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 20}}}'
FRAMES = {
    "tEXt": media.png_text("parameters", A1111),
    "zTXt": media.png(media.chunk(b"zTXt", b"parameters\0\0" + zlib.compress(A1111.encode()))),
    "iTXt": media.png(media.chunk(b"iTXt", b"parameters\0\0\0\0\0" + A1111.encode())),
    "compressed iTXt": media.png(media.chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(A1111.encode()))),
    "tEXt behind the pixels": media.png(media.chunk(b"tEXt", b"parameters\0" + A1111.encode()), behind=True),
    "eXIf of a PNG": media.png(
        media.chunk(b"eXIf", media.exif({}, details={0x9286: b"UNICODE\0" + A1111.encode("utf-16-be")}))
    ),
    "EXIF of a JPEG, UTF-16 of the wrong order": media.jpeg(
        media.segment(0xE1, b"Exif\0\0" + media.exif({}, details={0x9286: b"UNICODE\0" + A1111.encode("utf-16-le")}))
    ),
    "comment of a JPEG": media.jpeg(media.segment(0xFE, A1111.encode())),
    "EXIF of a WebP": media.picture(
        "WEBP", exif=b"Exif\0\0" + media.exif({}, details={0x9286: b"ASCII\0\0\0" + A1111.encode()})
    ),
    "comment of a GIF": media.picture("GIF", comment=A1111.encode()),
    "EXIF of a HEIC": media.heic(exif=media.exif({0x010E: A1111})),
    "description of a TIFF": media.picture("TIFF", tiffinfo={0x010E: A1111}),
    "comment of an MP4": media.mp4(in_moov=[media.udta_list({b"\xa9cmt": A1111})]),
    "comment of an AVI": media.avi((b"LIST", b"INFOICMT" + len(A1111).to_bytes(4, "little") + A1111.encode())),
    "tag of a WebM": media.webm({"COMMENT": A1111}),
}
PACKETS = {
    "JPEG": media.jpeg_xmp(PACKET),
    "JPEG, extended": media.jpeg_extended_xmp(PACKET, part=100),
    "PNG": media.png(media.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)),
    "WebP": media.picture("WEBP", xmp=PACKET),
    "TIFF": media.picture("TIFF", tiffinfo={700: PACKET}),
    "GIF": media.picture("GIF")[:-1]
    + (b"!\xff\x0bXMP DataXMP" + PACKET + b"\x01" + bytes(range(255, -1, -1)) + b"\0")
    + b";",
    "HEIC": media.heic(xmp=PACKET),
    "MP4": media.mp4(media.box(b"uuid", media.XMP_UUID, PACKET)),
    "MOV": media.mp4(brand=b"qt  ", in_moov=[media.box(b"udta", media.box(b"XMP_", PACKET))]),
    "AVI": media.avi((b"_PMX", PACKET)),
}


@pytest.mark.parametrize("place", FRAMES)
def test_generation_parameters_are_found_in_every_container(place: str) -> None:
    """The settings that a generator leaves make `ai_generated` (medium), wherever a format lets them be written."""
    judged = judge(FRAMES[place])
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    evidence = judged.only("generation_parameters")
    assert evidence.value.startswith("AUTOMATIC1111")
    assert "duck" not in evidence.value, "a prompt is not repeated"
    assert not evidence.verified


@pytest.mark.parametrize("place", PACKETS)
def test_xmp_is_found_in_every_container(place: str) -> None:
    """An XMP packet that declares a trained model makes `ai_generated` (medium) in every format."""
    judged = judge(PACKETS[place])
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    assert judged.only("digital_source_type").value == "trainedAlgorithmicMedia"


@pytest.mark.parametrize(
    ("generator", "keyword", "text"),
    [
        ("ComfyUI", "prompt", COMFYUI),
        ("InvokeAI", "invokeai_metadata", '{"app_version": "5.0", "positive_prompt": "a duck"}'),
        ("InvokeAI", "sd-metadata", '{"app_version": "2.2", "image": {"prompt": "a duck"}}'),
        ("InvokeAI", "Dream", '"a duck" -s 50 -S 42 -W 64 -C 7.5'),
        ("NovelAI", "Software", "NovelAI"),
        ("NovelAI", "Title", "AI generated image"),
        ("NovelAI", "Source", "Stable Diffusion F1022A28"),
        ("NovelAI", "Comment", '{"steps": 28, "sampler": "k_euler", "uc": "fog"}'),
        ("Fooocus", "parameters", '{"adm_guidance": "(1.5, 0.8, 0.3)", "prompt": "a duck"}'),
        ("Fooocus", "fooocus_scheme", "fooocus"),
        ("Midjourney", "Description", "a duck --v 6 Job ID: 0f8fad5b-d9cb-469f-a165-70867728950e"),
    ],
)
def test_each_generator_is_known_by_what_it_writes(generator: str, keyword: str, text: str) -> None:
    """Texts of the known generators make `ai_generated` (medium), and name the generator."""
    judged = judge(media.png_text(keyword, text))
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    assert judged.only("generation_parameters").value.startswith(generator)


@pytest.mark.parametrize(
    ("kind", "verdict", "confidence"),
    [
        ("trainedAlgorithmicMedia", "ai_generated", "medium"),
        ("compositeWithTrainedAlgorithmicMedia", "ai_edited", "medium"),
        ("compositeSynthetic", "ai_edited", "low"),
        ("algorithmicMedia", "inconclusive", "none"),
        ("digitalCapture", "inconclusive", "none"),
        ("digitalCreation", "inconclusive", "none"),
        ("somethingNew", "inconclusive", "none"),
    ],
)
def test_a_digital_source_type_means_what_the_vocabulary_says(kind: str, verdict: str, confidence: str) -> None:
    """Only types that speak of a trained model count: `algorithmicMedia` is not AI, a declared capture no proof."""
    for text in (f"http://cv.iptc.org/newscodes/digitalsourcetype/{kind}", f"https://example.org/x/{kind}", kind):
        judged = judge(media.jpeg_xmp(media.xmp(attributes=f'Iptc4xmpExt:DigitalSourceType="{text}"')))
        assert (judged.verdict, judged.confidence) == (verdict, confidence)


def test_ai_fields_of_iptc_are_read_without_repeating_the_prompt() -> None:
    """IPTC 2025.1 names the system and the prompt: `ai_generated` (low); of the prompt only the length is told."""
    fields = (
        "<Iptc4xmpExt:AISystemUsed>Example Painter</Iptc4xmpExt:AISystemUsed><Iptc4xmpExt:AIPromptInformation>"
        "<rdf:Alt><rdf:li>a secret duck</rdf:li></rdf:Alt></Iptc4xmpExt:AIPromptInformation>"
    )
    judged = judge(media.jpeg_xmp(media.xmp(fields)))
    assert (judged.verdict, judged.confidence) == ("ai_generated", "low")
    assert [one.evidence.value for one in judged.report.findings] == ["Example Painter", "present (13 characters)"]


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (media.jpeg_xmp(media.xmp(attributes='photoshop:Credit="Made with Google AI"')), Verdict.AI_GENERATED),
        (media.jpeg_xmp(media.xmp(attributes='photoshop:Credit="Edited with Google AI"')), Verdict.AI_EDITED),
        (media.jpeg_xmp(media.xmp(attributes='xmp:CreatorTool="Adobe Firefly"')), Verdict.AI_GENERATED),
        (media.jpeg_iptc({110: "Made with Google AI"}), Verdict.AI_GENERATED),
        (media.jpeg(media.segment(0xE1, b"Exif\0\0" + media.exif({0x0131: "DALL-E 3"}))), Verdict.AI_GENERATED),
        (media.mp4(in_moov=[media.keyed_list({"com.apple.quicktime.software": "Kling AI"})]), Verdict.AI_GENERATED),
        (media.webm({}, program="Runway Gen-4"), Verdict.AI_GENERATED),
    ],
)
def test_a_generator_that_signs_as_a_program_counts_little(content: bytes, verdict: Verdict) -> None:
    """A generator's name where programs sign makes a verdict of low confidence."""
    judged = judge(content)
    assert (judged.verdict, judged.confidence) == (verdict, "low")
    assert judged.only("generator_software").strength == "weak"


@pytest.mark.parametrize(
    "content",
    [
        media.png_text("Description", "A screenshot of Midjourney beside a firefly on a runway; Job ID missing"),
        media.png_text("Comment", "Steps: first go left, then go right"),
        media.png_text("Software", "Adobe Photoshop 26.0"),
        media.jpeg_iptc({120: "OpenAI opens an office"}),
        media.jpeg_xmp(media.xmp(attributes='xmp:CreatorTool="Flux Capacitor Viewer 2"')),
        media.webm({"COMMENT": "my holidays"}),
        media.mp4(in_moov=[media.udta_list({b"\xa9too": "Lavf62.3.100"})]),
    ],
)
def test_ordinary_captions_and_programs_are_no_markers(content: bytes) -> None:
    """People write about generators, and programs have names: neither makes a verdict."""
    judged = judge(content)
    assert (judged.verdict, judged.confidence) == ("inconclusive", "none")
    assert not judged.signals


@pytest.mark.parametrize(
    "content",
    [
        media.png_text("AIGC", LABEL),
        media.jpeg_xmp(media.xmp(f"<TC260:AIGC>{LABEL.replace(chr(34), '&quot;')}</TC260:AIGC>")),
        media.jpeg_xmp(media.xmp(f"<TC260:AIGC>{LABEL.replace(chr(34), '&amp;quot;')}</TC260:AIGC>")),
        media.jpeg(
            media.segment(
                0xE1, b"Exif\0\0" + media.exif({}, details={0x9286: b"ASCII\0\0\0" + f'{{"AIGC":{LABEL}}}'.encode()})
            )
        ),
        media.mp4(in_moov=[media.box(b"udta", media.box(b"AIGC", LABEL.encode()))]),
        media.mp4(in_moov=[media.keyed_list({"AIGC": LABEL})]),
        media.mp4(in_moov=[media.udta_list({b"\xa9cmt": f'{{"AIGC":{LABEL}}}'})]),
    ],
)
def test_the_label_of_tc260_is_found_in_all_its_places(content: bytes) -> None:
    """China's label with `Label` 1 makes `ai_generated` (medium) and names the producer."""
    judged = judge(content)
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    assert judged.only("aigc_label").value == "Label 1, ContentProducer Example Model"


@pytest.mark.parametrize("digit", ["2", "3"])
def test_a_doubtful_label_counts_less(digit: str) -> None:
    """`Label` 2 (may be) and 3 (suspected) make `ai_generated` of low confidence."""
    judged = judge(media.png_text("AIGC", LABEL.replace('"1"', f'"{digit}"')))
    assert (judged.verdict, judged.confidence) == ("ai_generated", "low")


def test_a_camera_in_the_exif_is_weak_evidence_and_no_verdict() -> None:
    """Make, model and exposure are reported as weak, and never make a picture human or captured."""
    details = {0x829A: 0.01, 0x829D: 2.8, 0x8827: 100}
    exif = media.exif({0x010F: "Example", 0x0110: "Camera 1"}, details=details)
    judged = judge(media.jpeg(media.segment(0xE1, b"Exif\0\0" + exif)))
    assert (judged.verdict, judged.confidence) == ("inconclusive", "none")
    evidence = judged.only("camera_exif")
    assert (evidence.value, evidence.strength, evidence.verified) == ("Example Camera 1", "weak", False)


def test_the_surest_finding_decides() -> None:
    """A declared source type (medium) outranks a program's name (low), whatever else is found."""
    packet = media.xmp(DECLARED, attributes='photoshop:Credit="Edited with Google AI"')
    judged = judge(media.jpeg_xmp(packet))
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    assert judged.signals == {"digital_source_type", "generator_software"}


def test_a_picture_without_markers_is_inconclusive() -> None:
    """Nothing found is `inconclusive` with confidence `none`, for every format: never human, never a score."""
    for form in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "AVIF", "BMP"):
        judged = judge(media.picture(form))
        assert (judged.verdict, judged.confidence, judged.signals) == ("inconclusive", "none", set())
        assert judged.report.not_checked
    for content in (media.mp4(), media.mp4(brand=b"qt  "), media.webm({}), media.avi(), media.heic()):
        assert judge(content).verdict == "inconclusive"


def test_values_are_short_and_on_one_line() -> None:
    """However long or odd a value is, at most 120 printable characters of it are shown."""
    text = "Made with Google AI\n\x07" + "x" * 5000
    judged = judge(media.jpeg_iptc({110: text}))
    value = judged.only("generator_software").value
    assert value.startswith("Made with Google AI xxx")
    assert len(value) == 120
    assert value.isprintable()


def test_made_pictures_are_valid() -> None:
    """The harness makes what it says: Pillow opens its pictures and reads the metadata in them."""
    with Image.open(io.BytesIO(FRAMES["tEXt"])) as png:
        assert png.info["parameters"] == A1111
    with Image.open(io.BytesIO(PACKETS["JPEG"])) as jpeg:
        assert jpeg.info["xmp"] == PACKET
