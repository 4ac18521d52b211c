"""
GPTZero as a vendor on loopback: what it checks, what it answers, how it refuses. The shapes were recorded; the values
are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtests.vendor.dialect import Reply, score, spoken, told
from loadtests.vendor.received import Request
from loadtests.vendor.server import Script

NAME = "gptzero"
KINDS = ("text",)
UNIT, PRICE = "word", 50
#: A key that the whole world may know; its word is what tests of secrets look for.
KEY = "canary-gptzero-8b20e7"
PATH = "/v2/predict/text"
VERSIONS = ("2025-11-28-base", "2026-08-14-base")
LONGEST = 50_000


def answer(request: Request) -> Any:
    """A text that AI wrote; longer ones than LONGEST are cut without a word."""
    text = request.fields["document"][:LONGEST]
    return {
        "version": request.fields.get("modelVersion") or VERSIONS[-1],
        "neatVersion": "3.14b",
        "scanId": "6a0c9e1b-0d6a-4c55-8f6e-1c2d3e4f5a66",
        "meta": {"pagesCount": 1},
        "documents": [
            {
                "predicted_class": "ai",
                "class_probabilities": {"human": 0.01, "ai": 0.96, "mixed": 0.03},
                "confidence_category": "high",
                "confidence_score": 0.96,
                "document_classification": "AI_ONLY",
                "result_message": "Our detector is highly confident that the text is written by AI.",
                "subclass": {"ai": {"predicted_class": "pure_ai", "confidence_category": "high"}},
                "completely_generated_prob": 0.94,
                "average_generated_prob": 0.9,
                "overall_burstiness": 0,
                "paragraphs": [{"start_sentence_index": 0, "num_sentences": 1, "completely_generated_prob": 0.9}],
                "sentences": [
                    {
                        "sentence": text[:60],
                        "generated_prob": 0.97,
                        "perplexity": 12,
                        "highlight_sentence_for_ai": True,
                        "class_probabilities": {"human": 0.02, "ai": 0.97, "paraphrased": 0.01},
                    }
                ],
                "excluded_spans": [{"start": 0, "end": 20, "text": text[:20], "reason": "header"}],
                "language": "en",
                "inputText": text,
            }
        ],
        "editorDocumentId": None,
    }


#: What it says when the words of a month are used up (its own spelling), and when an hour's requests are.
OUT_OF_WORDS = told(
    429, {"error": "Monthy limit of 1 million words has been reached. Consider upgrading your plan to Pro"}
)
TOO_MANY = told(429, {"error": "Too many requests, please try again later."})
UNKNOWN_KEY = told(404, {"error": "API key not found"})
_REFUSALS = {401: UNKNOWN_KEY, 402: OUT_OF_WORDS, 429: TOO_MANY}


def settings(url: str) -> dict[str, str]:
    """The key and the address."""
    return {"GPTZERO_API_KEY": KEY, "HASHCACHE_GPTZERO_URL": url}


def speaks(document: Callable[[Request], Any] = answer) -> Script:
    """The vendor: refuses what it would refuse; all else gets what *document* says."""
    return spoken(objection, document)


def analyse(request: Request) -> Reply:
    """The usual answer with a score that follows from the content; each word is billed."""
    document = answer(request)
    likely = score(request.content)
    [found] = document["documents"]
    found["predicted_class"] = "ai" if likely >= 0.5 else "human"
    found["document_classification"] = "AI_ONLY" if likely >= 0.5 else "HUMAN_ONLY"
    found["class_probabilities"] = {"human": round(1 - likely, 4), "ai": likely, "mixed": 0.0}
    return told(200, document, units=len(request.fields["document"].split()))


def refusal(status: int) -> Reply:
    """Its own statuses where it has some: 404 for a key that is unknown, 429 for words that are used up."""
    return _REFUSALS.get(status) or told(status, {"error": f"A sentence about {status}"})


def objection(request: Request) -> Reply | None:
    """What the vendor has against the request."""
    if request.path != PATH:
        return Reply(404, b"<html>Cannot POST</html>", media_type="text/html")
    if request.headers.get("x-api-key") != KEY:
        return UNKNOWN_KEY
    wrong = _wrong(request)
    return None if wrong is None else told(400, {"error": wrong})


def _wrong(request: Request) -> str | None:
    if request.headers.get("content-type") != "application/json":
        return "the body is not JSON"
    if not set(request.fields) <= {"document", "multilingual", "modelVersion", "apiVersion"}:
        return "unknown property"
    if not request.fields.get("document") or request.fields.get("multilingual") not in {"true", "false"}:
        return "document is required, multilingual is a boolean"
    if request.fields.get("modelVersion", VERSIONS[0]) not in VERSIONS:
        return "modelVersion is not one of ours"
    return None
