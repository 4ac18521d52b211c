"""
Hive's V3 as it speaks: what it demands of a request, what it answers, and its errors.

Rule: the shapes are the vendor's (answers recorded in July 2026), the values our own.
"""

from __future__ import annotations

from typing import Any

from loadtests.vendor.dialect import Reply, score, spoken, told
from loadtests.vendor.received import Request
from loadtests.vendor.server import Script

NAME = "hive"
KINDS = ("image", "video")
UNIT, PRICE = "image or frame", 6_000
#: Of how many frames a video has, since nothing here decodes one.
FRAMES = 2
#: A key that the whole world may know; its word is what tests of secrets look for.
KEY = "canary-hive-91d0/+=="
MODEL = "hive/ai-generated-and-deepfake-content-detection"
_WORDS = {401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 429: "Too Many Requests", 500: "Failed"}


def base(origin: str) -> str:
    """Where the API is, below *origin*, as the setting wants it."""
    return f"{origin}/api/v3"


def settings(url: str) -> dict[str, str]:
    """The key and the address."""
    return {"HIVE_API_KEY": KEY, "HASHCACHE_HIVE_URL": base(url)}


def item(score: Any = 0.97, *, deepfake: Any = 0.002, voice: Any = 0, **generators: Any) -> dict[str, Any]:
    """One item of `output`: both heads, sound, and the sources; the rest of their sum is `none`."""
    human = 1 - score if isinstance(score, float) else 0.5
    values = {"none": 1 - sum(generators.values())} if all(isinstance(v, float) for v in generators.values()) else {}
    values |= {"not_ai_generated": human, "ai_generated": score, "inconclusive": 0.001}
    values |= {"midjourney": 0.0004, "other_image_generators": 0.0002, "deepfake": deepfake, **generators}
    values |= {"ai_generated_audio": voice, "not_ai_generated_audio": 1 - voice if isinstance(voice, float) else 0}
    return {"classes": [{"class": name, "value": value} for name, value in values.items()], "extra": []}


def sound(score: float = 0.01) -> dict[str, Any]:
    """An item of `output` that is about a stretch of sound."""
    values = {"ai_generated_audio": score, "not_ai_generated_audio": 1 - score}
    return {"classes": [{"class": name, "value": value} for name, value in values.items()]}


def output(*items: Any, **more: Any) -> dict[str, Any]:
    """The answer with these items: one an image, one a frame of a video."""
    return {"task_id": "6c1e7d52", "model": MODEL, "version": "1", "output": list(items), **more}


def error(code: int, message: str = "Too Many Requests") -> dict[str, Any]:
    """What stands under a refusal."""
    return {"status_code": code, "message": message}


def answer(document: Any, *, code: int = 200) -> Script:
    """Answers *document* to a request that the vendor would take, and its own error to any other."""
    return spoken(objection, lambda _: document, code=code)


def objection(request: Request) -> Reply | None:
    """What the vendor has against the request."""
    code = _code(request)
    return None if code is None else told(code, error(code, "No"))


def analyse(request: Request) -> Reply:
    """An item for a picture, FRAMES for a video, the second one below the first."""
    is_video = (request.media_type or "").startswith("video/")
    items = [item(round(score(request.content) / number, 4)) for number in range(1, (FRAMES if is_video else 1) + 1)]
    return told(200, output(*items), units=len(items))


def refusal(status: int) -> Reply:
    """The status twice: over the body and in it."""
    return told(status, error(status, _WORDS[status]))


def _code(request: Request) -> int | None:
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return 401
    if request.method != "POST" or request.path != f"/api/v3/{MODEL}":
        return 404
    if set(request.fields) != {"media"} or request.file_name is None or not request.size:
        return 400
    return None
