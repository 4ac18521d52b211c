"""
What no vendor should do and some vendor does: faults that mean the same to every adapter, each with the number of its
row in the fault matrix.

Rule: none depends on a dialect; a body that is JSON at all is wrong before anybody looks for a score in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
)
from hashcache.providers.documents import DEEPEST
from tests.harness import vendor as scripts
from tests.harness.vendor import Script, raw, status


def deep(levels: int) -> bytes:
    """A document with a score, nested so deep."""
    return b'{"score": 0.5, "more": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


FAULTS: Mapping[str, tuple[Script, type[ProviderError]]] = {
    "row 29: 500": (status(500), ProviderFailed),
    "row 29: 502": (status(502), ProviderFailed),
    "row 29: 503": (status(503), ProviderFailed),
    "row 30: 429": (status(429, headers={"Retry-After": "90"}), ProviderThrottled),
    "row 32: reset before reading": (scripts.hang_up_unread, ProviderFailed),
    "row 32: reset after reading": (scripts.hang_up_read, ProviderFailed),
    "row 34: no JSON": (status(200, body=b"<html>"), ProviderInvalid),
    "row 34: empty": (status(200, body=b""), ProviderInvalid),
    "row 34: truncated JSON": (status(200, body=b'{"score": 0.5'), ProviderInvalid),
    "row 34: not UTF-8": (status(200, body=b'{"score": 0.5, "a": "\xed\xa0\x80"}'), ProviderInvalid),
    "row 34: lone surrogate": (status(200, body=b'{"score": 0.5, "a": "\\ud800"}'), ProviderInvalid),
    "row 34: two documents": (status(200, body=b'{"score": 0.5}{"score": 0.5}'), ProviderInvalid),
    "row 34: Content-Length too large": (
        raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"score": 0.5}'),
        ProviderInvalid,
    ),
    "row 34: Content-Length too small": (
        raw(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"score": 0.5}'),
        ProviderInvalid,
    ),
    "row 34: not HTTP": (raw(b'{"score": 0.5}\r\n\r\n'), ProviderFailed),
    "row 35: endless": (scripts.endless(), ProviderInvalid),
    "row 35: gzip bomb": (scripts.gzip_bomb(), ProviderInvalid),
    "row 35: deep": (status(200, body=deep(DEEPEST + 1)), ProviderInvalid),
    "row 35: very deep": (status(200, body=b"[" * 1_000_000), ProviderInvalid),
    "row 36: accepted, not answered": (status(202, body=b'{"score": 0.5}'), ProviderInvalid),
    "row 36: null": (status(200, body=b"null"), ProviderInvalid),
    "row 36: no object": (status(200, body=b"[0.5]"), ProviderInvalid),
    "row 36: another's answer": (status(200, body=b'{"verdict": "human"}'), ProviderInvalid),
    "row 37: 401": (status(401), ProviderDenied),
    "row 37: 402": (status(402), ProviderDenied),
    "row 37: 403": (status(403), ProviderDenied),
    "row 38: redirect": (scripts.redirect("http://127.0.0.1:1/"), ProviderInvalid),
    "its own limit": (status(413), ProviderRejected),
    "wrong address": (status(404), ProviderInvalid),
}
