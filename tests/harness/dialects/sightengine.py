"""
Sightengine as it speaks: what it demands of a request, what it answers, and its failures.

Rule: the shapes are the vendor's (its documentation, and answers recorded in July 2026), the values our own.
"""

from __future__ import annotations

import json
from typing import Any

from tests.harness.received import Request
from tests.harness.vendor import Exchange, Script, ScriptedVendor

USER, SECRET = "1029384756", "canary-sightengine-5c1f"
_PATHS = ("/1.0/check.json", "/1.0/video/check-sync.json")


def base(vendor: ScriptedVendor) -> str:
    """Where the API is on *vendor*, as the setting wants it."""
    return vendor.url.removesuffix("/analyse") + "/1.0"


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

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        objection = _objection(head)
        if objection is not None:
            await exchange.reply(400, json.dumps(objection).encode())
            return
        await exchange.reply(code, json.dumps(document).encode())

    return script


def _objection(head: Request) -> dict[str, Any] | None:
    """What the vendor has against the request."""
    if head.method != "POST" or head.path not in _PATHS:
        return failure("request_error", 11)
    if (head.fields.get("api_user"), head.fields.get("api_secret")) != (USER, SECRET):
        return failure("argument_error", 1)
    if head.fields.get("models") != "genai" or set(head.fields) != {"models", "api_user", "api_secret", "media"}:
        return failure("argument_error", 3)
    is_video = (head.media_type or "").startswith("video/")
    if head.file_name is None or not head.size or is_video != ("video" in head.path):
        return failure("media_error", 5)
    return None
