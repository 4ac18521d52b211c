"""
How a vendor's answer becomes ours: its score judged, its echoes of the content removed.

Rule 1: a score is a number within 0 and 1, or there is no answer. A flag is no number.
Rule 2: a score at or above the threshold means AI-generated. Confidence is how far it lies from the threshold, as a
        part of the way to the end of its side: 0.8 and more is high, 0.4 and more medium, else low.
Rule 3: a vendor with a word of its own is not contradicted in silence: AI in its word but not by the threshold is
        inconclusive; AI by the threshold alone has low confidence.
Rule 4: echoes of the content are removed from the answer: each string longer than LONGEST_STRING, and for a text each
        string that equals it or, from SHORTEST_ECHO characters on, holds it. Removed means null. A vendor that
        repeats a text in pieces is not found out here: its adapter drops those members by name. The parts of our
        account are removed alike.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hashcache.core.entry import Instant
from hashcache.core.errors import ProviderInvalid
from hashcache.core.result import Confidence, Evidence, Verdict
from hashcache.ports import Body
from hashcache.providers.access import Access

LONGEST_STRING = 4000
SHORTEST_ECHO = 16
#: The longest name of a model's version that is believed.
_LONGEST_VERSION = 128
#: How strong a finding is of which one is so sure.
STRENGTHS = {Confidence.HIGH: "strong", Confidence.MEDIUM: "medium", Confidence.LOW: "weak", Confidence.NONE: "none"}


def score_of(provider: str, found: Any, where: str) -> float:
    """
    *found*, which lay *where* in the answer, as a score.

    Raises:
        ProviderInvalid: it is no number within 0 and 1; possibly paid.
    """
    if type(found) not in {int, float} or not 0 <= found <= 1:
        message = f"{provider} sent an answer whose {where} is not a number within 0 and 1"
        raise ProviderInvalid(provider, message, possibly_paid=True)
    return float(found)


def version_of(found: Any) -> str | None:
    """What the vendor calls its model's version, if it tells one in at most 128 characters."""
    written = str(found) if type(found) in {str, int, float} else ""
    return written if 0 < len(written) <= _LONGEST_VERSION else None


def judge(score: float, ai_above: float) -> tuple[Verdict, Confidence]:
    """Verdict and confidence of *score* under the threshold *ai_above* (rule 2)."""
    if score >= ai_above:
        verdict, way, distance = Verdict.AI_GENERATED, 1 - ai_above, score - ai_above
    else:
        verdict, way, distance = Verdict.NO_AI_FOUND, ai_above, ai_above - score
    part = distance / way if way else 1.0
    if part >= 0.8:
        return verdict, Confidence.HIGH
    return verdict, Confidence.MEDIUM if part >= 0.4 else Confidence.LOW


def weigh(score: float, ai_above: float, *, says_ai: bool) -> tuple[Verdict, Confidence]:
    """As `judge`, of a vendor whose own word on it is *says_ai* (rule 3)."""
    verdict, confidence = judge(score, ai_above)
    if says_ai is (verdict is Verdict.AI_GENERATED):
        return verdict, confidence
    if says_ai:
        return Verdict.INCONCLUSIVE, Confidence.NONE
    return verdict, Confidence.LOW


def evidence_of(score: float, ai_above: float, where: str, *, signal: str = "score") -> Evidence:
    """The *score* that lay *where* in the answer, as a finding."""
    verdict, confidence = judge(score, ai_above)
    side = "at or above" if verdict is Verdict.AI_GENERATED else "below"
    return Evidence(
        signal=signal,
        where=where,
        value=str(score),
        strength=STRENGTHS[confidence],
        verified=False,
        explanation=f"The provider's score is {score}, {side} the threshold of {ai_above}.",
    )


def written(now: Instant) -> str:
    """*now* as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(now // 1000, UTC).isoformat().replace("+00:00", "Z")


async def text_of(body: Body) -> str:
    """The whole text; its size was bounded when it was received, and it was seen to be UTF-8."""
    return b"".join([chunk async for chunk in body.chunks()]).decode()


def member(document: Any, *path: str) -> Any:
    """What lies in *document* under these names, one within the other; None when there is nothing."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def without_echoes(document: Any, text: str | None, *, dropped: frozenset[str] = frozenset()) -> Any:
    """*document* with echoes of the content and members named in *dropped* as None (rule 4); names are kept."""
    if isinstance(document, dict):
        return {
            name: None if name in dropped else without_echoes(inner, text, dropped=dropped)
            for name, inner in document.items()
        }
    if isinstance(document, list):
        return [without_echoes(inner, text, dropped=dropped) for inner in document]
    if isinstance(document, str) and _echoes(document, text):
        return None
    return document


def without_secrets(document: Any, access: Access) -> Any:
    """*document* with strings that are a part of our account, or hold a long one, as None: some gateways echo forms."""
    return without_echoes(without_echoes(document, access.key), access.user)


def _echoes(found: str, text: str | None) -> bool:
    if len(found) > LONGEST_STRING:
        return True
    sought = (text or "").strip()  # a vendor may trim what it repeats
    return bool(sought) and (found.strip() == sought or (len(sought) >= SHORTEST_ECHO and sought in found))
