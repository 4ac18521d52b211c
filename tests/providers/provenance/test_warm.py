"""Once its doors are closed the child can load nothing: whatever an analysis needs must be there before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hashcache.providers.provenance.provider import ProvenanceProvider
from tests.harness import media, samples
from tests.harness.analysis import analysed, judge

XMP = media.xmp(
    attributes='Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"'
)
CONTENTS = {
    **{name: (samples.FOLDER / name).read_bytes() for name in ("photo.jpg", "ai-signed.jpg", "letter.txt")},
    "every odd character": "".join(map(chr, [*range(0x2000, 0x2070), 0x61, 0x430, 0x3B1, 0xAD, 0x3164])).encode(),
    "a long text": ("As an AI language model, I write. " * 20_000).encode(),
    "parameters": media.png_text("parameters", "a duck\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Model: x"),
    "workflow": media.png_text("prompt", '{"3": {"class_type": "KSampler", "inputs": {}}}'),
    "xmp": media.jpeg_xmp(XMP),
    "webp": media.riff(b"WEBP", (b"XMP ", XMP)),
    "iptc": media.jpeg_iptc({120: "made by an AI", 5: "x"}),
    "heic": media.heic(xmp=XMP),
    "mp4": media.mp4(in_moov=[media.box(b"udta", media.udta_list({b"\xa9too": "Sora"}))]),
    "webm": media.webm({"COMMENT": "made with Sora"}),
    "avi": media.avi((b"ISFT", b"Lavf62\0")),
    "broken": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "broken jpeg": b"\xff\xd8\xff\xe1\x00\x08Exif\0\0",
}


@pytest.fixture
async def provider() -> AsyncIterator[ProvenanceProvider]:
    """One with real children."""
    one = ProvenanceProvider(clock=lambda: 1_790_000_000_000)
    yield one
    await one.close()


async def test_a_child_finds_what_is_found_without_its_limits(provider: ProvenanceProvider) -> None:
    """Each kind of content gives the same signals in the jailed child as in a process that may load what it likes."""
    for name, content in CONTENTS.items():
        result = await analysed(provider, content)
        found = {one.signal for one in result.evidence} - {"no_marker"}  # which the verdict adds, not the child
        assert found == judge(content).signals, name
