"""
How an outcome is written: body and headers.

Rule 1: the payload is spliced in as it was stored; nobody parses and encodes it again.
Rule 2: a body says what this caller spent and saved, so it is private to him.
"""

from __future__ import annotations

import msgspec
from blake3 import blake3
from starlette.responses import Response

from hashcache.core.money import decimal
from hashcache.core.outcome import Outcome, Status

JSON = "application/json"
#: Of whatever says what a caller spent, saved or asked about.
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key"}
_PRIVATE_FIELDS = tuple((name.lower().encode(), value.encode()) for name, value in PRIVATE.items())
_JSON_TYPE = (b"content-type", JSON.encode())


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
    body = document(outcome)
    headers = _fields_of(outcome)
    timing = ", ".join([f"{name};dur={duration:.2f}" for name, duration in timings.items()])
    headers.append((b"server-timing", timing.encode()))
    if tag:
        etag = f'"{blake3(body).hexdigest(16)}"'
        headers.append((b"etag", etag.encode()))
        if conditional is not None and names(conditional, etag):
            return _Answer(b"", 304, headers)
    headers += ((b"content-length", b"%d" % len(body)), _JSON_TYPE)
    return _Answer(body, 200, headers)


class _Answer(Response):
    """A response whose fields are written already: Starlette would spell and encode each of them again."""

    def __init__(self, body: bytes, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        self.body = body
        self.status_code = status
        self.raw_headers = fields
        self.background = None


def pending(sha256: str, *, applied: bool = False, webhook: str | None = None) -> Response:
    """
    The 202 of an analysis that is under way; *applied*: because the client prefers not to wait (RFC 7240). *webhook*:
    the id of the one that will tell what came of it.
    """
    headers = {**PRIVATE, "Retry-After": "1"}
    if applied:
        headers |= {"Location": f"/api/analyses/{sha256}", "Preference-Applied": "respond-async"}
    if webhook is not None:
        headers["X-Webhook-Id"] = webhook
    return Response(msgspec.json.encode({"success": True, "status": "pending", "sha256": sha256}), 202, headers, JSON)


def names(conditional: str, tag: str) -> bool:
    """Whether If-None-Match (RFC 9110 section 13.1.2, weak comparison) names *tag*."""
    return conditional.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in conditional.split(",")}


def document(outcome: Outcome) -> bytes:
    """The body of that answer."""
    entry = outcome.entry
    start = msgspec.json.encode(
        {"success": True, "cached": outcome.cached, "kind": entry.label.kind, "sha256": entry.key.name}
    )
    cost = msgspec.json.encode({"spent_usd": decimal(outcome.spent), "saved_usd": decimal(outcome.saved)})
    return b"".join((start[:-1], b',"result":', entry.payload, b',"cost":', cost, b"}"))


def _fields_of(outcome: Outcome) -> list[tuple[bytes, bytes]]:
    """What the answer's headers say of *outcome*, and of whose it is."""
    entry, status = outcome.entry, outcome.status
    fields = [
        *_PRIVATE_FIELDS,
        (b"x-cache", b"HIT" if outcome.cached else b"MISS"),
        (b"x-cache-status", status.encode()),
        (b"x-cache-key", entry.key.logical.encode("latin-1")),
        (b"cache-status", outcome.cache_status.encode()),
    ]
    if status is Status.HIT or status is Status.STALE:
        fields.append((b"age", b"%d" % entry.age(outcome.at)))
    return fields
