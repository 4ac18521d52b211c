"""
GPTZero as a vendor on loopback: what it checks, what it answers, how it refuses. The shapes were recorded; the values
are our own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.harness.received import Request
from tests.harness.vendor import Exchange, Script, status

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


def refuses(code: int, words: str) -> Script:
    """A refusal in the vendor's form."""
    return status(code, body=json.dumps({"error": words}).encode())


#: What it says when the words of a month are used up (its own spelling), and when an hour's requests are.
OUT_OF_WORDS = refuses(
    429, "Monthy limit of 1 million words has been reached. Consider upgrading your plan to Pro"
)  # fmt: skip
TOO_MANY = refuses(429, "Too many requests, please try again later.")
UNKNOWN_KEY = refuses(404, "API key not found")


def speaks(document: Callable[[Request], Any] = answer) -> Script:
    """The vendor: refuses what it would refuse; all else gets what *document* says."""

    async def script(exchange: Exchange, head: Request) -> None:
        request = await exchange.read(head)
        refused = _refusal(request)
        if refused is not None:
            await refused(exchange, request)
            return
        await exchange.reply(200, json.dumps(document(request)).encode())

    return script


def _refusal(request: Request) -> Script | None:
    if not request.path.endswith(f"/analyse{PATH}"):
        return status(404, body=b"<html>Cannot POST</html>", headers={"Content-Type": "text/html"})
    if request.headers.get("x-api-key") != KEY:
        return UNKNOWN_KEY
    if request.headers.get("content-type") != "application/json":
        return refuses(400, "the body is not JSON")
    if not set(request.fields) <= {"document", "multilingual", "modelVersion", "apiVersion"}:
        return refuses(400, "unknown property")
    if not request.fields.get("document") or request.fields.get("multilingual") not in {"true", "false"}:
        return refuses(400, "document is required, multilingual is a boolean")
    if request.fields.get("modelVersion", VERSIONS[0]) not in VERSIONS:
        return refuses(400, "modelVersion is not one of ours")
    return None
