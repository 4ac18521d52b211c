"""One call to a vendor: what is sent, and how much of it may have left."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from functools import lru_cache

import httpx

from hashcache.core.errors import ProviderError, ProviderFailed
from hashcache.providers.explaining import Explain
from hashcache.providers.formats import NOTHING, Payload


class Call:
    """
    One call to be sent, whether a byte of its present try may have left (`sent`), and whether the reply to it broke
    off (`broken`). *replies*: statuses that are none of 2xx, and yet no refusal.
    """

    def __init__(
        self, method: str, url: str, payload: Payload, headers: Mapping[str, str], explain: Explain | None = None
    ) -> None:
        self.payload = payload
        self.explain = explain
        self.sent = self.broken = False
        self.replies = {404} if method == "GET" else set()
        self.secure = url.lower().startswith("https:")
        self._method = method
        self._url = url
        ours = {"Accept": "application/json", "User-Agent": "hashcache"}
        self._headers = {**ours, **headers, **payload.headers, "Accept-Encoding": "identity"}

    def repeatable(self, error: ProviderError) -> bool:
        """Whether it may be sent again after *error*: it never arrived, or it is a GET and may arrive twice."""
        if self._method == "GET":
            return self.broken or isinstance(error, ProviderFailed)
        return not self.sent and isinstance(error, ProviderFailed)

    def request(self, chunks: AsyncGenerator[bytes, None], connect_timeout: float) -> httpx.Request:
        """A fresh request: httpx's bodies are read once. Raises httpx.InvalidURL."""
        timeout = {"connect": connect_timeout, "read": None, "write": None, "pool": connect_timeout}
        extensions = {"timeout": timeout, "trace": self._trace}
        content = None if self.payload is NOTHING else chunks
        return httpx.Request(
            self._method, _address(self._url), headers=self._headers, content=content, extensions=extensions
        )

    async def _trace(self, event: str, _details: object) -> None:
        """httpcore tells each step (its "trace" extension)."""
        if event == "http11.send_request_headers.started":
            self.sent = True


@lru_cache(64)
def _address(url: str) -> httpx.URL:
    """*url*, read once: most vendors have one or two. Raises httpx.InvalidURL."""
    address = httpx.URL(url)
    if (address.port or 0) > 65535:  # httpx lets it pass, and the socket raises something odd
        raise httpx.InvalidURL("port")
    return address
