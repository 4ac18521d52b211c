"""A request as it arrived at a vendor, for comparing two of them."""

from __future__ import annotations

from loadtests.vendor.received import Request

#: What differs between two calls that ask the same: the length follows from the rest, the boundary is drawn by lot.
_INCIDENTAL = frozenset({"content-type", "content-length", "host", "authorization", "x-api-key"})


def asked(request: Request, *secrets: str) -> tuple[object, ...]:
    """All of *request* that can change an answer: everything but the boundary, the host and the *secrets*."""
    return (
        request.method,
        request.path,
        sorted((name, value) for name, value in request.fields.items() if name not in secrets),
        sorted((name, value) for name, value in request.headers.items() if name not in _INCIDENTAL),
        request.file_name,
        request.media_type,
        request.content,
    )
