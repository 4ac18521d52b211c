"""C2PA: what signed claims carry, with real signatures made and read by the C2PA project's library."""

from __future__ import annotations

import io
import json

import c2pa
import pytest

from hashcache.providers.provenance.markers import manifest as manifests
from hashcache.providers.provenance.markers import rubric
from tests.harness import media
from tests.harness.analysis import judge
from tests.harness.signatory import (
    AI_CREATED,
    CAPTURE,
    SOURCE_TYPES,
    TRAINED,
    Ingredient,
    Signatory,
    action,
    manifest,
)

PNG = media.picture("PNG")
OPENED = manifest(action("c2pa.opened"))
FORMATS = {
    "PNG": (PNG, "image/png"),
    "JPEG": (media.picture("JPEG"), "image/jpeg"),
    "JPEG of several segments": (media.jpeg(media.segment(0xFE, b"x" * 60_000)), "image/jpeg"),
    "WebP": (media.picture("WEBP"), "image/webp"),
    "GIF": (media.picture("GIF"), "image/gif"),
    "TIFF": (media.picture("TIFF"), "image/tiff"),
    "AVIF": (media.picture("AVIF"), "image/avif"),
    "HEIC": (media.heic(), "image/heic"),
    "MP4": (media.mp4(), "video/mp4"),
    "MOV": (media.mp4(brand=b"qt  "), "video/quicktime"),
    "AVI": (media.avi(), "video/x-msvideo"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_a_signed_ai_file_is_found_in_every_format(form: str, signatory: Signatory) -> None:
    """`c2pa.created` with a trained model and an intact signature makes `ai_generated`; unknown signers give medium."""
    judged = judge(signatory.sign(*FORMATS[form]))
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    assert judged.only("c2pa_ai_generated").verified
    assert judged.only("c2pa_ai_generated").value == "c2pa.created: trainedAlgorithmicMedia by Test Generator"
    presence = judged.only("c2pa_manifest")
    assert presence.value == "signed by Example Studio / Test signer; made with Test Studio"
    assert "no trust list" in presence.explanation


def test_a_large_manifest_is_joined_from_many_jpeg_segments(
    signatory: Signatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest store of more than 64 KB lies in several APP11 segments: joined by us, its signature verifies."""
    definition = manifest(
        *(action("c2pa.created" if n == 0 else "c2pa.edited", agent="x" * 900) for n in range(150)),
        action("c2pa.edited", source_type=TRAINED),
    )
    signed = signatory.sign(media.picture("JPEG"), "image/jpeg", definition)
    assert judge(signed).verdict == "ai_edited"
    assert judge(signed, library=False).only("c2pa_ai_generated").value == "trainedAlgorithmicMedia, not verified"
    monkeypatch.setattr(manifests, "COMPARED_UP_TO", 0)
    judged = judge(signed)
    assert judged.verdict == "ai_edited"
    assert "Its signature is intact; the file is too large" in judged.only("c2pa_manifest").explanation


def test_a_trusted_signature_makes_it_sure(signatory: Signatory) -> None:
    """With the signer's root among the anchors the same file is `ai_generated` (high), and the evidence strong."""
    judged = judge(signatory.sign(PNG, "image/png"), anchors=signatory.root)
    assert (judged.verdict, judged.confidence) == ("ai_generated", "high")
    assert judged.only("c2pa_ai_generated").strength == "strong"


@pytest.mark.parametrize(
    ("definition", "verdict", "confidence"),
    [
        (AI_CREATED, "ai_generated", "medium"),
        (
            manifest(action("c2pa.created", source_type=f"{SOURCE_TYPES}compositeWithTrainedAlgorithmicMedia")),
            "ai_edited",
            "medium",
        ),
        (
            manifest(action("c2pa.created", source_type=CAPTURE), action("c2pa.edited", source_type=TRAINED)),
            "ai_edited",
            "medium",
        ),
        (
            manifest(action("c2pa.created", source_type=CAPTURE), action("c2pa.transcoded", source_type=TRAINED)),
            "inconclusive",
            "none",
        ),
        (manifest(action("c2pa.created", source_type=f"{SOURCE_TYPES}algorithmicMedia")), "inconclusive", "none"),
        (manifest(action("c2pa.created", source_type=f"{SOURCE_TYPES}digitalCreation")), "inconclusive", "none"),
        (manifest(action("c2pa.created", source_type=CAPTURE)), "inconclusive", "none"),
    ],
)
def test_actions_mean_what_the_rubric_says(
    definition: dict[str, object], verdict: str, confidence: str, signatory: Signatory
) -> None:
    """Created, edited and non-editorial actions are told apart; an untrusted capture proves nothing."""
    judged = judge(signatory.sign(PNG, "image/png", definition))
    assert (judged.verdict, judged.confidence) == (verdict, confidence)


def test_a_trusted_capture_is_captured(signatory: Signatory) -> None:
    """A capture signed by somebody trusted is `captured`; with an AI edit beside it, it is `ai_edited`."""
    captured = manifest(action("c2pa.created", source_type=CAPTURE))
    edited = manifest(action("c2pa.created", source_type=CAPTURE), action("c2pa.edited", source_type=TRAINED))
    first = judge(signatory.sign(PNG, "image/png", captured), anchors=signatory.root)
    second = judge(signatory.sign(PNG, "image/png", edited), anchors=signatory.root)
    assert (first.verdict, first.confidence) == ("captured", "high")
    assert (second.verdict, second.confidence) == ("ai_edited", "high")


def test_a_capture_does_not_outweigh_a_marker_of_ai(signatory: Signatory) -> None:
    """`captured` is said only when nothing speaks of AI, however sure the capture is."""
    captured = manifest(action("c2pa.created", source_type=CAPTURE))
    declared = media.png_text("Software", "NovelAI")
    judged = judge(signatory.sign(declared, "image/png", captured), anchors=signatory.root)
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    assert "c2pa_captured" in judged.signals


def test_a_parent_ingredient_speaks_for_the_file(signatory: Signatory) -> None:
    """The active manifest only opened a file: what the manifest of that parent says holds, over two generations."""
    born = signatory.sign(PNG, "image/png")
    opened = signatory.sign(born, "image/png", OPENED, ingredients=[Ingredient(born, "image/png")])
    again = signatory.sign(opened, "image/png", OPENED, ingredients=[Ingredient(opened, "image/png")])
    for content in (opened, again):
        judged = judge(content)
        assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
        assert judged.only("c2pa_ai_generated").where == "C2PA manifest of a parent ingredient"


def test_a_component_ingredient_is_only_a_part(signatory: Signatory) -> None:
    """A picture that merely contains an AI-made part is `ai_edited` of low confidence, not `ai_generated`."""
    part = signatory.sign(PNG, "image/png")
    definition = manifest(action("c2pa.created", source_type=f"{SOURCE_TYPES}digitalCreation"))
    whole = signatory.sign(PNG, "image/png", definition, ingredients=[Ingredient(part, "image/png", "componentOf")])
    judged = judge(whole)
    assert (judged.verdict, judged.confidence) == ("ai_edited", "low")
    assert judged.only("c2pa_ai_component").where == "C2PA manifest of a component ingredient"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "MP4"])
def test_a_changed_file_is_reported_as_tampered(form: str, signatory: Signatory) -> None:
    """One changed byte: `tampered_or_edited`; the claim is about another version, so there is no verdict from it."""
    content = bytearray(signatory.sign(*FORMATS[form]))
    at = {"PNG": content.find(b"IDAT") + 4, "JPEG": -10, "MP4": -10}[form]
    content[at] ^= 1
    judged = judge(bytes(content))
    assert (judged.verdict, judged.confidence) == ("inconclusive", "none")
    assert judged.only("tampered_or_edited").value.endswith("Hash.mismatch")
    claim = judged.only("c2pa_ai_generated")
    assert (claim.strength, claim.verified) == ("weak", False)


def test_a_changed_claim_is_reported_as_tampered(signatory: Signatory) -> None:
    """Rewriting the source type inside a signed manifest breaks it: no verdict follows from what it now says."""
    captured = signatory.sign(PNG, "image/png", manifest(action("c2pa.created", source_type=f"{TRAINED[:-1]}b")))
    assert judge(captured).verdict == "inconclusive"
    forged = captured.replace(f"{TRAINED[:-1]}b".encode(), TRAINED.encode())
    judged = judge(forged)
    assert judged.verdict == "inconclusive"
    assert "mismatch" in judged.only("tampered_or_edited").value


def test_a_manifest_pasted_into_another_file_carries_no_verdict(signatory: Signatory) -> None:
    """A real manifest cut out of an AI picture and put into somebody's photo does not make the photo AI."""
    signed = signatory.sign(PNG, "image/png")
    at = signed.find(b"caBX") - 4
    stolen = signed[at : at + 12 + int.from_bytes(signed[at : at + 4], "big")]
    judged = judge(media.png(stolen, media.chunk(b"tEXt", b"Comment\0my holidays")))
    assert judged.verdict == "inconclusive"
    assert "tampered_or_edited" in judged.signals


def test_an_expired_certificate_is_not_tampering(signatory: Signatory) -> None:
    """
    With an expired certificate `validation_state` is "Invalid", but the bytes are those that were signed: medium, and
    said. (No library signs with an expired certificate, so the status code of one is put into a real reading.)
    """
    store = json.loads(manifests.Manifests(c2pa)._json("image/png", io.BytesIO(signatory.sign(PNG, "image/png"))))
    store["validation_state"] = "Invalid"
    failures = store["validation_results"]["activeManifest"]["failure"]
    failures[0]["code"] = store["validation_status"][0]["code"] = "signingCredential.expired"
    presence, claim = rubric.findings(store, compared=True)
    assert (claim.says, claim.confidence, claim.evidence.verified) == ("ai_generated", "medium", True)
    assert "expired" in presence.evidence.explanation


def test_a_remote_manifest_is_mentioned_and_not_fetched(signatory: Signatory) -> None:
    """A file that only names the address of a manifest is `inconclusive`; the host is told."""
    judged = judge(signatory.sign(PNG, "image/png", remote="https://manifests.example/1"))
    assert judged.verdict == "inconclusive"
    assert judged.only("c2pa_remote").value == "at manifests.example, not fetched"


def test_without_the_library_a_manifest_is_present_and_unverified(signatory: Signatory) -> None:
    """Where there is no wheel, the source types in the store are told with low confidence and as not verified."""
    for content, media_type in FORMATS.values():
        judged = judge(signatory.sign(content, media_type), library=False)
        assert (judged.verdict, judged.confidence) == ("ai_generated", "low")
        assert judged.only("c2pa_manifest").value == "present, not verified"
        assert not judged.only("c2pa_ai_generated").verified


def test_of_a_large_file_the_signature_is_verified_and_the_bytes_are_not(
    signatory: Signatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit only the manifest store goes to the library: the verdict stands, and what was skipped is said."""
    signed = signatory.sign(*FORMATS["MP4"])
    monkeypatch.setattr(manifests, "COMPARED_UP_TO", len(signed) - 1)
    judged = judge(signed)
    assert (judged.verdict, judged.confidence) == ("ai_generated", "medium")
    assert not judged.only("c2pa_ai_generated").verified
    assert "too large" in judged.only("not_checked").value
    assert "tampered_or_edited" not in judged.signals
    forged = signed.replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicmedia")
    assert "tampered_or_edited" in judge(forged).signals, "the manifest itself is still verified"


def test_a_store_that_the_library_refuses_is_said(signatory: Signatory) -> None:
    """A damaged manifest store is an `analyser_error`, not a failure, and its source types stay unverified."""
    signed = bytearray(signatory.sign(PNG, "image/png"))
    at = signed.find(b"jumdc2cl")
    signed[at : at + 4] = b"xxxx"
    judged = judge(bytes(signed))
    assert "analyser_error" in judged.signals
    assert (judged.verdict, judged.confidence) == ("ai_generated", "low")
