"""
Sightengine as it speaks: what it demands of a request, what it answers, and its failures.

Rule: the shapes are the vendor's (its documentation, and answers recorded in July 2026), the values our own.
"""

from __future__ import annotations

from typing import Any

from loadtests.vendor.dialect import Reply, score, spoken, told
from loadtests.vendor.received import Request
from loadtests.vendor.server import Script

NAME = "sightengine"
KINDS = ("image", "video")
UNIT, PRICE = "operation", 2_900
#: What it bills for one picture, and of how many a video has, since nothing here decodes one.
OPERATIONS, FRAMES = 5, 2
#: An account that the whole world may know; its word is what tests of secrets look for.
USER, SECRET = "1029384756", "canary-sightengine-5c1f"
_IMAGES, _VIDEOS = "/1.0/check.json", "/1.0/video/check-sync.json"
_REFUSALS = {
    401: ("argument_error", 1),
    402: ("usage_limit", 32),
    403: ("plan_error", 7),
    429: ("usage_limit", 37),
    500: ("api_error", 7),
}


def base(origin: str) -> str:
    """Where the API is, below *origin*, as the setting wants it."""
    return f"{origin}/1.0"


def settings(url: str) -> dict[str, str]:
    """The account and the address."""
    return {
        "SIGHTENGINE_API_USER": USER,
        "SIGHTENGINE_API_SECRET": SECRET,
        "HASHCACHE_SIGHTENGINE_URL": base(url),
    }


def picture(score: Any = 0.97, *, operations: Any = 5, **judged: Any) -> dict[str, Any]:
    """The answer about an image; *judged* are more members of `type`."""
    return {
        "status": "success",
        "request": {"id": "req_hT4mQ", "timestamp": 1795168800.25, "operations": operations},
        "type": {"ai_generated": score, **judged},
        "media": {"id": "med_hT4mR", "uri": "upload.jpg"},
    }


def film(*scores: Any, operations: Any = None) -> dict[str, Any]:
    """The answer about a video with a frame for each of *scores*."""
    frames = [
        {"info": {"id": f"med_hT4mS_{number}", "position": number * 1000}, "type": {"ai_generated": score}}
        for number, score in enumerate(scores)
    ]
    return {
        "status": "success",
        "request": {
            "id": "req_hT4mS",
            "timestamp": 1795168800.5,
            "operations": 5 * len(scores) if operations is None else operations,
        },
        "media": {"id": "med_hT4mS", "uri": "upload.mp4"},
        "data": {"frames": frames},
    }


def failure(kind: str, code: int = 7, *, operations: int = 0) -> dict[str, Any]:
    """A failure of the documented type *kind*."""
    return {
        "status": "failure",
        "request": {"id": "req_hT4mT", "timestamp": 1795168800.75, "operations": operations},
        "error": {"type": kind, "code": code, "message": f"What {kind} says to people"},
    }


def answer(document: Any, *, code: int = 200) -> Script:
    """Answers *document* to a request that the vendor would take, and its own failure to any other."""
    return spoken(objection, lambda _: document, code=code)


def objection(request: Request) -> Reply | None:
    """What the vendor has against the request."""
    failed = _failure(request)
    return None if failed is None else told(400, failed)


def analyse(request: Request) -> Reply:
    """A picture, or FRAMES of a video, the second one below the first."""
    if request.path == _IMAGES:
        return told(200, picture(score(request.content)), units=OPERATIONS)
    scores = [round(score(request.content) / number, 4) for number in range(1, FRAMES + 1)]
    return told(200, film(*scores), units=OPERATIONS * FRAMES)


def refusal(status: int) -> Reply:
    """A documented failure; a wrong account is a 400."""
    kind, code = _REFUSALS[status]
    return told(400 if status == 401 else status, failure(kind, code))


def _failure(request: Request) -> dict[str, Any] | None:
    if request.method != "POST" or request.path not in {_IMAGES, _VIDEOS}:
        return failure("request_error", 11)
    if (request.fields.get("api_user"), request.fields.get("api_secret")) != (USER, SECRET):
        return failure("argument_error", 1)
    if request.fields.get("models") != "genai" or set(request.fields) != {"models", "api_user", "api_secret", "media"}:
        return failure("argument_error", 3)
    is_video = (request.media_type or "").startswith("video/")
    if request.file_name is None or not request.size or is_video != (request.path == _VIDEOS):
        return failure("media_error", 5)
    return None
