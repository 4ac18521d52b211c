"""
What an analysis found, in our words: the `result` object of an answer.

Rule 1: `score_ai` is None where nothing gives a probability; no score is ever made up.
Rule 2: the absence of a marker is never evidence of human origin.
Rule 3: `answer` is what the vendor said, without echoes of the content.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Verdict(StrEnum):
    """What was found."""

    AI_GENERATED = "ai_generated"
    AI_EDITED = "ai_edited"
    CAPTURED = "captured"
    NO_AI_FOUND = "no_ai_found"
    INCONCLUSIVE = "inconclusive"


class Confidence(StrEnum):
    """How sure that is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    One finding: which *signal*, *where* in the file, its *value* (short), how strong it is
    (`strong`, `medium`, `weak`, `none`), whether cryptography *verified* it, and a sentence for people.
    """

    signal: str
    where: str
    value: str
    strength: str
    verified: bool
    explanation: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """
    The `result` object. *analysed_at* is RFC 3339 in UTC; *score_ai* is within 0 and 1, or None; *answer* is a JSON
    document, or a `msgspec.Raw` with one that is written already.
    """

    verdict: Verdict
    score_ai: float | None
    confidence: Confidence
    evidence: tuple[Evidence, ...]
    provider: str
    model: str
    model_version: str | None
    analysed_at: str
    answer: Any


def encode(result: Result) -> bytes:
    """*result* as the JSON bytes that are stored and sent."""
    return msgspec.json.encode(result)
