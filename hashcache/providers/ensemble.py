"""
What an ensemble of deepfake detectors says (Reality Defender's `GET /api/media/users/{id}`), in our words.

Rule 1: the score decides the verdict, by the operator's threshold. The vendor's own word is evidence: where it
        contradicts, confidence is low, and SUSPICIOUS is inconclusive.
Rule 2: what the vendor cannot judge (no face, or a small one) is no answer, and never "no AI found".
Rule 3: strict about the status and the score; whatever else is missing or odd is left out.
"""

from __future__ import annotations

import re
from typing import Any

from hashcache.core.errors import ProviderFailed, ProviderInvalid, ProviderRejected
from hashcache.core.result import Confidence, Evidence, Result, Verdict
from hashcache.providers.reading import evidence_of, judge, version_of, without_echoes

MODEL = "ensemble"
#: As many findings of single models as are passed on as evidence.
MOST_MODELS = 32

_UNFINISHED = {"ANALYZING", "DOWNLOADING"}
#: FAKE is said by the API, the others by the vendor's own libraries.
_FAKE = {"FAKE", "MANIPULATED", "ARTIFICIAL"}
_ANSWERS = {"AUTHENTIC", "SUSPICIOUS", *_FAKE}
#: What is kept of the vendor's answer: no account, no storage, no links to pictures.
_KEPT = ("requestId", "mediaType", "releaseVersion", "overallStatus", "resultsSummary", "models")
_REASON = re.compile(r"[a-z][a-z_-]{0,39}")


def is_unfinished(provider: str, document: Any) -> bool:
    """
    Whether the analysis still goes on.

    Raises:
        ProviderInvalid: *document* has no status.
    """
    return _status(provider, document) in _UNFINISHED


def read_result(provider: str, document: Any, *, ai_above: float, analysed_at: str) -> Result:
    """
    The result in *document*; a score of *ai_above* or more means AI.

    Raises:
        ProviderRejected: the vendor cannot judge this content.
        ProviderFailed: it could not do so this time.
        ProviderInvalid: there is no result in it.
    """
    status = _status(provider, document)
    if status == "NOT_APPLICABLE":
        message = f"{provider} cannot judge this content{_reasons(document)}: it needs clear faces"
        raise ProviderRejected(provider, message, possibly_paid=True)
    if status == "UNABLE_TO_EVALUATE":
        raise ProviderFailed(provider, f"{provider} was unable to evaluate this content", possibly_paid=True)
    if status not in _ANSWERS:
        raise _invalid(provider, "with a status that is unknown")
    score = _score(provider, document)
    verdict, confidence = judge(score, ai_above)
    if status == "SUSPICIOUS":
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.NONE
    elif (status in _FAKE) != (verdict is Verdict.AI_GENERATED):
        confidence = Confidence.LOW
    kept = {name: document[name] for name in _KEPT if name in document}
    return Result(
        verdict=verdict,
        score_ai=score,
        confidence=confidence,
        evidence=(evidence_of(score, ai_above, "finalScore"), *_findings(document)),
        provider=provider,
        model=MODEL,
        model_version=version_of(at(document, "releaseVersion")),
        analysed_at=analysed_at,
        answer=_without_links(without_echoes(kept, None)),
    )


def at(document: Any, *names: str) -> Any:
    """What lies under *names*, one within the other; None where there is nothing."""
    for name in names:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def _status(provider: str, document: Any) -> str:
    """What the vendor says as a whole; `overallStatus` is the older name."""
    found = at(document, "resultsSummary", "status") or at(document, "overallStatus")
    if not isinstance(found, str):
        raise _invalid(provider, "without a status")
    return found.upper()


def _score(provider: str, document: Any) -> float:
    found = at(document, "resultsSummary", "metadata", "finalScore")
    if type(found) not in {int, float} or not 0 <= found <= 100:
        raise _invalid(provider, "whose finalScore is not a number within 0 and 100")
    return float(found) / 100


def _reasons(document: Any) -> str:
    """The codes of the vendor's reasons, in brackets; its sentences are not repeated."""
    reasons = at(document, "resultsSummary", "metadata", "reasons")
    found = [at(reason, "code") for reason in reasons] if isinstance(reasons, list) else []
    codes = [code for code in found if isinstance(code, str) and _REASON.fullmatch(code)]
    return f" ({', '.join(codes[:3])})" if codes else ""


def _findings(document: Any) -> list[Evidence]:
    """What single models of the ensemble say, those left out that do not apply."""
    models = at(document, "models")
    return [
        Evidence(
            signal="model",
            where=name,
            value=status if number is None else f"{status} {number}",
            strength={"AUTHENTIC": "none", "SUSPICIOUS": "weak"}.get(status, "medium"),
            verified=False,
            explanation=f"One model of the ensemble says {status}.",
        )
        for name, status, number in map(_finding, models if isinstance(models, list) else [])
        if name is not None and status in _ANSWERS
    ][:MOST_MODELS]


def _finding(model: Any) -> tuple[str | None, str, int | float | None]:
    """Name, status and number of one model, as far as they are what they should be."""
    name, status, number = (at(model, part) for part in ("name", "status", "predictionNumber"))
    told = status.upper() if isinstance(status, str) else ""
    plain_name = version_of(name) if isinstance(name, str) and not _is_link(name) else None
    return plain_name, told, number if type(number) in {int, float} and 0 <= number <= 100 else None


def _without_links(document: Any) -> Any:
    """*document* with None for each address, because the vendor signs them: who has one has the content."""
    if isinstance(document, dict):
        return {name: _without_links(inner) for name, inner in document.items() if not _is_link(name)}
    if isinstance(document, list):
        return [_without_links(inner) for inner in document]
    return None if isinstance(document, str) and _is_link(document) else document


def _is_link(text: str) -> bool:
    return "://" in text or "x-amz-" in text.lower()


def _invalid(provider: str, what: str) -> ProviderInvalid:
    return ProviderInvalid(provider, f"{provider} sent an answer {what}", possibly_paid=True)
