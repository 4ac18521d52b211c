"""
AI or Not as a vendor on loopback: what it checks, what it answers, how it refuses. The shapes were recorded; the values
are our own. How it words a refusal is not published: only the statuses are the vendor's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from loadtests.vendor.dialect import Reply, score, spoken, told
from loadtests.vendor.received import Request
from loadtests.vendor.server import Script

NAME = "aiornot"
KINDS = ("image", "video", "text")
UNIT, PRICE = "check", 10_000
#: A key that the whole world may know; its word is what tests of secrets look for.
KEY = "canary-aiornot-5d1f0c"
#: Where it takes each kind: the field that it wants, and the reports that it would run.
ROUTES = {
    "/v2/image/sync": ("image", {"ai_generated", "deepfake", "nsfw", "quality", "reverse_search"}),
    "/v2/video/sync": ("video", {"ai_video", "ai_voice", "ai_music", "deepfake_video"}),
    "/v2/text/sync": ("text", {"ai_text"}),
}


def image(request: Request) -> Any:
    """A picture that AI made."""
    return {
        "id": "0f6c9a52-6f0e-4f0f-9a9d-3a1b7a3c8e11",
        "created_at": "2026-07-21T09:30:00.120000Z",
        "report": {
            "ai_generated": {
                "verdict": "ai",
                "ai": {"is_detected": True, "confidence": 0.97},
                "human": {"is_detected": False, "confidence": 0.03},
                "generator": {
                    "midjourney": {"is_detected": False, "confidence": 0.04},
                    "flux": {"is_detected": True, "confidence": 0.81},
                    "four_o": {"is_detected": True, "confidence": 0.92},
                },
            },
            "deepfake": None,
            "nsfw": None,
            "quality": None,
            "meta": {
                "width": 640,
                "height": 480,
                "format": "jpeg",
                "size_bytes": request.size,
                "md5": request.md5,
                "processing_status": {"ai_generated": "processed", "deepfake": None, "nsfw": None, "quality": None},
            },
        },
        "external_id": None,
    }


def video(request: Request) -> Any:
    """A video of 12.4 seconds that AI made."""
    return {
        "id": "1d0b2f83-5b0e-4a46-8a36-6d3e4f1c2b22",
        "created_at": "2026-07-21T09:31:00.120000Z",
        "report": {
            "ai_video": {"is_detected": True, "confidence": 0.88},
            "ai_voice": None,
            "ai_music": None,
            "deepfake_video": None,
            "meta": {
                "duration": 12.4,
                "total_bytes": request.size,
                "md5": request.md5,
                "audio": "processed",
                "video": "processed",
                "processing_status": {"ai_video": "processed"},
            },
        },
        "external_id": None,
    }


def text(_request: Request) -> Any:
    """A text that a person wrote."""
    return {
        "id": "2c4e6a84-7d1f-4b57-9b47-7e4f5a2d3c33",
        "created_at": "2026-07-21T09:32:00.120000Z",
        "report": {"ai_text": {"is_detected": False, "confidence": 0.12, "annotations": []}},
        "metadata": {"word_count": 300, "character_count": 1700, "token_count": 420, "md5": "0" * 32},
        "external_id": None,
    }


ANSWERS: dict[str, Callable[[Request], Any]] = {"image": image, "video": video, "text": text}


def settings(url: str) -> dict[str, str]:
    """The key and the address."""
    return {"AIORNOT_API_KEY": KEY, "HASHCACHE_AIORNOT_URL": url}


def speaks(answer: Callable[[Request], Any] | None = None) -> Script:
    """The vendor: refuses what it would refuse; all else gets what *answer* says, or the usual answer of its kind."""
    return spoken(objection, lambda request: (answer or ANSWERS[_route(request)[0]])(request))


def objection(request: Request) -> Reply | None:
    """What the vendor has against the request."""
    status, detail = _refusal(request)
    return told(status, {"detail": detail}) if detail else None


def analyse(request: Request) -> Reply:
    """The usual answer of its kind, with a score that follows from the content."""
    field = _route(request)[0]
    document = ANSWERS[field](request)
    likely = score(request.content)
    if field == "image":
        judged = document["report"]["ai_generated"]
        judged["verdict"] = "ai" if likely >= 0.5 else "human"
        judged["ai"] = {"is_detected": likely >= 0.5, "confidence": likely}
        judged["human"] = {"is_detected": likely < 0.5, "confidence": round(1 - likely, 4)}
    else:
        document["report"][f"ai_{field}"] |= {"is_detected": likely >= 0.5, "confidence": likely}
    return told(200, document, units=1)


def refusal(status: int) -> Reply:
    """The status is the vendor's, the word is not known."""
    return told(status, {"detail": f"A sentence about {status}"})


def _route(request: Request) -> tuple[str, set[str]]:
    return ROUTES.get(urlsplit(request.path).path, ("", set()))


def _refusal(request: Request) -> tuple[int, str]:
    """The status and the words of a refusal; no words: there is none."""
    field, reports = _route(request)
    if not field:
        return 404, "Not Found"
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return 401, "Invalid token"
    if request.method != "POST":
        return 405, "Method Not Allowed"
    query = parse_qs(urlsplit(request.path).query, strict_parsing=bool(urlsplit(request.path).query))
    if not set(query) <= {"only"} or not set(query.get("only", ())) <= reports:
        return 422, "unknown parameter"
    if field != "text" and len(query.get("only", ())) != 1:
        return 422, "this test wants one report, since each is billed"
    if list(request.fields) != [field] or (field != "text" and request.file_name is None):
        return 422, "field required"
    if field == "text" and not 250 <= len(request.fields["text"]) <= 500_000:
        return 422, "text too short or too long"
    return 200, ""
