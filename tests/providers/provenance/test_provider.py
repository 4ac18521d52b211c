"""The provider as the service uses it: the answer, the question, the body, the price."""

from __future__ import annotations

import os

import msgspec
import pytest

from hashcache.core.content import Kind
from hashcache.core.errors import ProviderInvalid
from hashcache.ports import Answer, Provider
from hashcache.providers.provenance.provider import ANALYSER_VERSION, ProvenanceProvider
from hashcache.providers.provenance.verdict import NOTHING_FOUND, SOMETHING_FOUND
from tests.harness import media
from tests.harness.analysis import analysed
from tests.harness.bodies import Held, Spooled, described
from tests.harness.clock import HandClock
from tests.harness.signatory import Signatory

PNG = media.png_text("Software", "NovelAI")


async def test_the_answer_has_the_shape_of_the_contract(provider: ProvenanceProvider, signatory: Signatory) -> None:
    """A signed AI picture: verdict, evidence, the instant of the clock, no score, what was checked, no cost."""
    content = signatory.sign(media.picture("JPEG"), "image/jpeg")
    answer = await provider.start(described(content, len(content)), Held(content))
    assert isinstance(answer, Answer)
    assert (answer.price, answer.units) == (0, None)
    result = msgspec.json.decode(msgspec.json.encode(answer.result))
    evidence, note = result.pop("evidence"), result["answer"]["note"]
    assert result == {
        "verdict": "ai_generated",
        "score_ai": None,
        "confidence": "medium",
        "provider": "provenance",
        "model": "provenance",
        "model_version": str(ANALYSER_VERSION),
        "analysed_at": "2026-11-20T10:00:00Z",
        "answer": result["answer"],
    }
    assert {one["signal"] for one in evidence} == {"c2pa_manifest", "c2pa_ai_generated"}
    assert all(one["verified"] for one in evidence)
    assert set(result["answer"]) == {"checked", "not_checked", "note"}
    assert note == SOMETHING_FOUND


@pytest.mark.parametrize("content", [media.picture("JPEG"), media.picture("BMP"), b"Just a text.", media.mp4()])
async def test_nothing_found_is_said_honestly(content: bytes, provider: ProvenanceProvider) -> None:
    """Without markers: inconclusive, no confidence, no score, and the fixed sentence as evidence and note."""
    result = await analysed(provider, content)
    assert (result.verdict, result.confidence, result.score_ai) == ("inconclusive", "none", None)
    (evidence,) = result.evidence
    assert (evidence.signal, evidence.strength, evidence.explanation) == ("no_marker", "none", NOTHING_FOUND)
    assert result.answer["note"] == NOTHING_FOUND
    assert result.answer["not_checked"]


async def test_it_is_a_provider() -> None:
    """All kinds, free of charge, no receipts; what changes the answer is in the question."""
    provider: Provider = ProvenanceProvider(clock=HandClock())
    trusting = ProvenanceProvider(clock=HandClock(), anchors="-----BEGIN CERTIFICATE-----")
    question = provider.question(Kind.IMAGE, "acme")
    assert (provider.name, provider.kinds) == ("provenance", frozenset(Kind))
    assert (question.kind, question.tenant, question.provider, question.model) == (
        Kind.IMAGE,
        "acme",
        "provenance",
        "provenance",
    )
    assert (question.adapter, question.parameters) == (ANALYSER_VERSION, {})
    assert (await provider.estimate(described(b"a", 1), Held(b"a"))).price == 0
    assert trusting.question(Kind.IMAGE, "acme").variant != question.variant
    with pytest.raises(ProviderInvalid):
        await provider.resume("receipt")
    await provider.close()


async def test_trusted_certificates_reach_the_child(signatory: Signatory) -> None:
    """With the signer's root as an anchor, the real child gives `high`."""
    provider = ProvenanceProvider(clock=HandClock(), anchors=signatory.root)
    result = await analysed(provider, signatory.sign(media.picture(), "image/png"))
    assert (result.verdict, result.confidence) == ("ai_generated", "high")
    await provider.close()


async def test_a_spool_is_read_without_moving_its_offset(provider: ProvenanceProvider) -> None:
    """The child shares the spool's offset with the service, and neither uses nor moves it; the body stays open."""
    body = Spooled(PNG)
    os.lseek(body.descriptor(), 7, os.SEEK_SET)
    answer = await provider.start(described(PNG, len(PNG)), body)
    assert isinstance(answer, Answer)
    assert answer.result.verdict == "ai_generated"
    assert os.lseek(body.descriptor(), 0, os.SEEK_CUR) == 7
    await body.close()
