"""
Hive's V3 as it speaks: what it demands of a request, what it answers, and its errors.

Rule: the shapes are the vendor's (answers recorded in July 2026), the values our own.
"""

from __future__ import annotations

import json
from typing import Any

from tests.harness.received import Request
from tests.harness.vendor import Exchange, Script, ScriptedVendor

KEY = "canary-hive-91d0/+=="
MODEL = "hive/ai-generated-and-deepfake-content-detection"


def base(vendor: ScriptedVendor) -> str:
    """Where the API is on *vendor*, as the setting wants it."""
    return vendor.url.removesuffix("/analyse") + "/api/v3"


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

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        objection = _objection(head)
        if objection is not None:
            await exchange.reply(objection, json.dumps(error(objection, "No")).encode())
            return
        await exchange.reply(code, json.dumps(document).encode())

    return script


def _objection(head: Request) -> int | None:
    """The status with which the vendor refuses the request."""
    if head.headers.get("authorization") != f"Bearer {KEY}":
        return 401
    if head.method != "POST" or head.path != f"/api/v3/{MODEL}":
        return 404
    if set(head.fields) != {"media"} or head.file_name is None or not head.size:
        return 400
    return None
