"""
How an outcome is written: body and headers.

Rule 1: the payload is spliced in as it was stored; nobody parses and encodes it again.
Rule 2: a body says what this caller spent and saved, so it is private to him.
"""

from __future__ import annotations

import hashlib

import msgspec
from starlette.responses import Response

from hashcache.core.money import decimal
from hashcache.core.outcome import Outcome, Status

JSON = "application/json"
#: Of whatever says what a caller spent, saved or asked about.
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key"}


def json_response(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """*value* as JSON that nobody else keeps."""
    return Response(msgspec.json.encode(value), status, {"Cache-Control": "no-store", **(headers or {})}, JSON)


def answer(
    outcome: Outcome, *, timings: dict[str, float], conditional: str | None = None, tag: bool = False
) -> Response:
    """
    The 200 for *outcome*; 304 when *tag* is wanted and *conditional* (If-None-Match) names it.

    *timings* in milliseconds become Server-Timing.
    """
    body = _body(outcome)
    headers = {**PRIVATE, **_cache_headers(outcome)}
    headers["Server-Timing"] = ", ".join(f"{name};dur={duration:.2f}" for name, duration in timings.items())
    if tag:
        headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if conditional is not None and names(conditional, headers["ETag"]):
            return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, JSON)


def pending(sha256: str, *, applied: bool = False) -> Response:
    """The 202 of an analysis that is under way; *applied*: because the client prefers not to wait (RFC 7240)."""
    headers = {**PRIVATE, "Retry-After": "1"}
    if applied:
        headers |= {"Location": f"/api/analyses/{sha256}", "Preference-Applied": "respond-async"}
    return Response(msgspec.json.encode({"success": True, "status": "pending", "sha256": sha256}), 202, headers, JSON)


def names(conditional: str, tag: str) -> bool:
    """Whether If-None-Match (RFC 9110 section 13.1.2, weak comparison) names *tag*."""
    return conditional.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in conditional.split(",")}


def _body(outcome: Outcome) -> bytes:
    entry = outcome.entry
    start = msgspec.json.encode(
        {"success": True, "cached": outcome.cached, "kind": entry.label.kind, "sha256": entry.key.name}
    )
    cost = msgspec.json.encode({"spent_usd": decimal(outcome.spent), "saved_usd": decimal(outcome.saved)})
    return b"".join((start[:-1], b',"result":', entry.payload, b',"cost":', cost, b"}"))


def _cache_headers(outcome: Outcome) -> dict[str, str]:
    headers = {
        "X-Cache": "HIT" if outcome.cached else "MISS",
        "X-Cache-Status": outcome.status.value,
        "X-Cache-Key": outcome.entry.key.logical,
        "Cache-Status": outcome.cache_status,
    }
    if outcome.status in (Status.HIT, Status.STALE):
        headers["Age"] = str(outcome.entry.age(outcome.at))
    return headers
