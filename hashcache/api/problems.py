"""
Every error status that we answer, as RFC 9457 problems. The only place that knows both an error and a status.

Rule 1: a problem has a stable type, a title that a person understands and a detail that says what to do.
Rule 2: it never holds a stack trace, a secret or a byte of anybody's content.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hashcache.core import errors

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:hashcache:problem:"


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem: its *slug* ends the type's URN; docs/errors.md explains each."""

    slug: str
    status: int
    title: str


KINDS = {
    kind.slug: kind
    for kind in (
        Kind("malformed", 400, "The request cannot be read"),
        Kind("two-files", 400, "More than one content in one request"),
        Kind("no-file", 400, "No content in the request"),
        Kind("unknown-field", 400, "A field that this request does not know"),
        Kind("bad-digest", 400, "Not a SHA-256 digest"),
        Kind("bad-webhook", 400, "This webhook cannot be sent"),
        Kind("unauthorized", 401, "Who are you?"),
        Kind("forbidden", 403, "Not allowed"),
        Kind("not-found", 404, "Not found"),
        Kind("method-not-allowed", 405, "This resource does not know that method"),
        Kind("stalled", 408, "The body came too slowly"),
        Kind("too-large", 413, "Too large"),
        Kind("unsupported-kind", 415, "Neither an image nor a video nor a text that we know"),
        Kind("compressed-body", 415, "Compressed request bodies are not accepted"),
        Kind("not-utf8", 415, "The text is not UTF-8"),
        Kind("unsupported-media-type", 415, "This media type is not accepted here"),
        Kind("digest-mismatch", 422, "The bytes are not those of the declared digest"),
        Kind("empty", 422, "Nothing was uploaded"),
        Kind("bad-text", 422, "The text has no bytes in UTF-8"),
        Kind("vendor-limit", 422, "The provider does not take this content"),
        Kind("budget-spent", 429, "The budget is spent"),
        Kind("webhooks-waiting", 429, "Too many of your webhooks wait to be delivered"),
        Kind("too-many-tries", 429, "Too many tries"),
        Kind("headers-too-large", 431, "The request's headers are too large"),
        Kind("internal", 500, "A fault of ours"),
        Kind("provider-invalid", 502, "The provider gave no usable answer"),
        Kind("provider-failed", 502, "The provider failed"),
        Kind("provider-denied", 503, "The provider refuses our account"),
        Kind("provider-throttled", 503, "The provider asks to wait"),
        Kind("provider-down", 503, "The provider is not asked for a while"),
        Kind("outcome-unknown", 503, "An earlier call for this content may have been paid"),
        Kind("spool-full", 503, "No room for this upload"),
        Kind("store-unavailable", 503, "The store does not answer"),
        Kind("outbox-full", 503, "Too many webhooks wait to be delivered"),
        Kind("shutting-down", 503, "This server is shutting down"),
        Kind("not-cached", 504, "Nothing is cached for this content"),
        Kind("provider-timeout", 504, "The provider did not answer in time"),
    )
}


@dataclass
class Problem(Exception):
    """A request that is answered with a problem. *members* extend it; *headers* go with it."""

    slug: str
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """Its type."""
        return KINDS[self.slug]

    @property
    def type(self) -> str:
        """The URN of its type."""
        return _TYPE + self.kind.slug

    def response(self, request_id: str | None) -> Response:
        """As it goes out."""
        headers = {**self.headers, "Cache-Control": "no-store"}
        return Response(self.document(request_id), self.kind.status, headers, MEDIA_TYPE)

    def document(self, request_id: str | None) -> bytes:
        """As JSON, about the request of this id."""
        kind = self.kind
        body = {
            "type": self.type,
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "instance": request_id,
            **self.members,
        }
        return msgspec.json.encode(body)


_SLUGS: tuple[tuple[type[Exception], str], ...] = (
    (errors.EmptyContent, "empty"),
    (errors.ContentTooLarge, "too-large"),
    (errors.TextNotUtf8, "not-utf8"),
    (errors.UnsupportedContent, "unsupported-kind"),
    (errors.PatternError, "malformed"),
    (errors.SpoolFull, "spool-full"),
    (errors.Stopping, "shutting-down"),
    (errors.WebhookRefused, "bad-webhook"),
    (errors.OutboxFull, "outbox-full"),
    (errors.StoreUnavailable, "store-unavailable"),
    (errors.ProviderRejected, "vendor-limit"),
    (errors.ProviderInvalid, "provider-invalid"),
    (errors.ProviderThrottled, "provider-throttled"),
    (errors.ProviderDown, "provider-down"),
    (errors.BudgetSpent, "budget-spent"),
    (errors.OutcomeUnknown, "outcome-unknown"),
    (errors.ProviderDenied, "provider-denied"),
    (errors.ProviderTimeout, "provider-timeout"),
    (errors.ProviderFailed, "provider-failed"),
)
_RETRY_SOON = {
    "spool-full": 5,
    "shutting-down": 5,
    "store-unavailable": 5,
    "outbox-full": 60,
    "webhooks-waiting": 60,
    "provider-denied": 60,
    "provider-throttled": 5,
}


def of(error: Exception) -> Problem:
    """The problem that *error* is answered with; `internal` for what nobody foresaw."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, TimeoutError):
        return Problem(
            "provider-timeout", "The analysis takes longer than this request may wait. It goes on: ask again."
        )
    slug = next((slug for kind, slug in _SLUGS if isinstance(error, kind)), None)
    if slug is None:
        return Problem("internal", "The fault is logged under this request's id. Trying again is safe.")
    if isinstance(error, errors.OutboxFull) and error.tenant is not None:
        slug = "webhooks-waiting"
    members: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, errors.ContentTooLarge):
        members["limit"] = error.limit
    if isinstance(error, errors.BudgetSpent):
        members |= {"budget": error.budget, "resets": error.resets}
    after = getattr(error, "retry_after", None)
    if slug in _RETRY_SOON or after is not None:
        seconds = max(1, math.ceil(after)) if after is not None else _RETRY_SOON[slug]
        members["retry_after"] = seconds
        headers["Retry-After"] = str(seconds)
    return Problem(slug, _sentence(str(error)), members, headers)


def unknown() -> Problem:
    """Nothing is known of a content, or nothing that this caller may know."""
    return Problem("not-found", "No analysis of this content is known to you; upload it to /api/analyze.")


def _of_http(error: HTTPException) -> Problem:
    """What the router refuses by itself."""
    headers = dict(error.headers or {})
    if error.status_code == 405:
        return Problem(
            "method-not-allowed", f"Allowed here: {headers.get('Allow', 'see /openapi.json')}.", headers=headers
        )
    if error.status_code == 404:
        return Problem("not-found", "There is no such resource; /openapi.json lists those that exist.")
    return Problem("malformed", "The request cannot be read.")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
