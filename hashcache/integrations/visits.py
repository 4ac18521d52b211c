"""
What a request to a cached route asks, whichever framework carries it.

    route:/api/agents:GET:3f0c...         the path, the method, a digest of the whole request
    agents:7:GET                          with a key of one's own, the method alone is added
    route:/api/agents:GET:3f0c...:9a1b... the answer for those who sent another Accept-Language than the first

Rule 1: everything of the request that may change its answer makes the key: method, scheme, host, path, query, body with
        its type; and, where the answer says Vary, those headers. The order of differently named parameters counts not.
Rule 2: a request that shows who sent it (credentials) is answered by the cache only where the key holds who that is.
Rule 3: what wants a part of the answer, or bargains about its version, is the route's own to answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote_plus

from blake3 import blake3

from hashcache.integrations.responses import Headers, Stored, said

#: The methods that are reads by themselves (RFC 9110 section 9.2.3 knows them as cacheable).
READS = frozenset({"GET", "HEAD"})
#: A larger body is not read for its digest: 1 MB.
LARGEST_BODY = 1_000_000
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_OF_PARTS_AND_VERSIONS = frozenset({"if-match", "if-range", "if-unmodified-since", "range"})
_OF_BODIES = ("content-type", "content-encoding")
_REQUEST = "hashcache 2026-11-21 request to a route, version 1"


@dataclass(frozen=True, slots=True)
class Visit:
    """
    One request. *path* is decoded, *raw_path* as it was sent; *query* as it was sent, without the question mark.
    """

    method: str
    scheme: str
    host: str
    path: str
    raw_path: str
    query: str
    headers: Headers
    body: bytes = b""

    @property
    def name(self) -> str:
        """Under which its answer is kept, and forgotten: `route:/path` means all answers of that path."""
        parts = [self.method, self.scheme, self.host.lower(), self.path, self.raw_path, *in_order(self.query)]
        if self.body:
            parts += [said(self.headers, name) for name in _OF_BODIES]
        return f"route:{quote(self.path, errors='replace')}:{self.method}:{_digest(parts, self.body)}"

    def named(self, own: str) -> str:
        """The same with a key of one's *own*. A HEAD has no body, and must never answer a GET."""
        return f"{own}:{self.method}"

    def varied(self, name: str, answer: Stored) -> str:
        """Where under *name* its answer lies, if *answer* is another visitor's because it varies."""
        parts = [text for one, _ in answer.varied for text in (one, said(self.headers, one))]
        return f"{name}:{_digest(parts)}"

    def with_body(self, body: bytes) -> Visit:
        """The same with its body."""
        return replace(self, body=body)

    @property
    def has_credentials(self) -> bool:
        """Whether it shows who sent it."""
        return any(name in _CREDENTIALS for name, _ in self.headers)

    @property
    def forces_refresh(self) -> bool:
        """Whether nothing that is kept will do (X-Force-Refresh)."""
        return said(self.headers, "x-force-refresh").lower() in {"true", "1", "yes"}

    def refusal(self, reads: Iterable[str]) -> str | None:
        """Why the cache is not asked, in one word; None: it may be. *reads*: the methods that only read."""
        if self.method not in reads:
            return "method"
        if any(name in _OF_PARTS_AND_VERSIONS for name, _ in self.headers):
            return "partial"
        if "no-store" in said(self.headers, "cache-control").lower():
            return "no-store"
        return None

    def has_unknown_body(self) -> bool:
        """Whether its body is too large to be read for a digest, or may be."""
        length = said(self.headers, "content-length")
        if said(self.headers, "transfer-encoding"):
            return True
        if not length:
            return self.method not in READS
        return not (length.isascii() and length.isdigit() and int(length) <= LARGEST_BODY)


def in_order(query: str) -> list[str]:
    """
    The parameters of *query*, sorted by their names. Those of one name keep their order, which may mean something.
    """
    return sorted(query.split("&"), key=lambda one: unquote_plus(one.partition("=")[0])) if query else []


def _digest(parts: Iterable[str], body: bytes = b"") -> str:
    """128 bits over *parts*, each with its length before it, and *body*."""
    digest = blake3(derive_key_context=_REQUEST)
    for part in (*(one.encode(errors="surrogatepass") for one in parts), body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest(16)
