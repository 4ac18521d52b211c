"""
How a request came to us: over TLS, directly from this machine, from a page of ours.

Rule 1: what a proxy says of its client is believed only where the operator says that there is one
        (HASHCACHE_BEHIND_PROXY); that there is one is believed of everybody: it opens nothing.
Rule 2: a browser tells where a request of a page came from by Sec-Fetch-Site (W3C Fetch Metadata), older ones and
        plain http by Origin (RFC 6454). Who tells neither is no browser that sends our cookie by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from hashcache.settings import is_loopback

#: What a proxy adds to what it passes on (RFC 7239, RFC 9110 section 7.6.3, and the custom before those).
_PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Approach:
    """*proxied*: a proxy of the operator's stands in front of us, and strangers reach us only through it."""

    proxied: bool

    def is_secure(self, request: Request) -> bool:
        """Whether the client speaks TLS, to us or to the proxy."""
        if request.url.scheme == "https":
            return True
        told = request.headers.get("x-forwarded-proto", "")
        return self.proxied and told.rpartition(",")[2].strip().lower() == "https"

    def address(self, request: Request) -> str:
        """Where the client is, as far as can be told: the last that the proxy names, or who connected."""
        told = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        if self.proxied and told:
            return told[:64]
        return request.client.host if request.client is not None else ""

    def is_ours(self, request: Request) -> bool:
        """Whether a page of ours sent *request*."""
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        scheme = "https" if self.is_secure(request) else "http"
        return request.headers.get("origin") == f"{scheme}://{request.headers.get('host', '')}"


def is_direct(request: Request) -> bool:
    """Whether nobody passed *request* on, and it names this machine as where it goes."""
    if any(name in request.headers for name in _PASSED_ON):
        return False
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)
