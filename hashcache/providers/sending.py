"""One call to a vendor: what is sent, and how much of it may have left."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import httpcore
import httpx

from hashcache.core.errors import ProviderError, ProviderFailed
from hashcache.providers.explaining import Explain
from hashcache.providers.formats import NOTHING, Payload


@dataclass(frozen=True, slots=True)
class Address:
    """Where a call goes: as it is connected to, as it is asked for, and what the `Host` field says."""

    url: httpcore.URL
    origin: httpcore.Origin
    host: bytes


@lru_cache(64)
def address(url: str) -> Address:
    """
    *url*, read once: most vendors have one or two.

    Raises:
        httpx.InvalidURL: nothing can be sent there.
    """
    read = httpx.URL(url)
    if read.scheme not in {"http", "https"} or not read.host:
        raise httpx.InvalidURL("scheme")
    if (read.port or 0) > 65535:  # httpx lets it pass, and the socket raises something odd
        raise httpx.InvalidURL("port")
    to = httpcore.URL(scheme=read.raw_scheme, host=read.raw_host, port=read.port, target=read.raw_path)
    return Address(to, to.origin, read.netloc)


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
        self._method = method
        self.url = url
        ours = {"Accept": "application/json", "User-Agent": "hashcache"}
        self._headers = {**ours, **headers, **payload.headers, "Accept-Encoding": "identity"}

    def repeatable(self, error: ProviderError) -> bool:
        """Whether it may be sent again after *error*: it never arrived, or it is a GET and may arrive twice."""
        if self._method == "GET":
            return self.broken or isinstance(error, ProviderFailed)
        return not self.sent and isinstance(error, ProviderFailed)

    def request(self, to: Address, chunks: AsyncGenerator[bytes, None], connect_timeout: float) -> httpcore.Request:
        """A fresh request: bodies are read once. Raises UnicodeEncodeError for a header beyond ASCII."""
        fields = [(name.encode("ascii"), value.encode("ascii")) for name, value in self._headers.items()]
        return httpcore.Request(
            self._method,
            to.url,
            headers=[(b"Host", to.host), *fields],
            content=None if self.payload is NOTHING else chunks,
            extensions={"timeout": {"connect": connect_timeout}},
        )
