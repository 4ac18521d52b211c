"""One call to a vendor: what is sent, and how much of it may have left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import h11
import httpx

from hashcache.core.errors import ProviderError, ProviderFailed
from hashcache.providers.explaining import Explain
from hashcache.providers.formats import Payload
from hashcache.providers.network import Origin


@dataclass(frozen=True, slots=True)
class Address:
    """Where a call goes: where to connect, what to ask for there, and what the `Host` field says."""

    origin: Origin
    target: bytes
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
    secure = read.scheme == "https"
    host = read.raw_host.decode("ascii")  # with what IDNA makes of it
    return Address(Origin(host, read.port or (443 if secure else 80), secure), read.raw_path, read.netloc)


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

    def request(self, to: Address) -> h11.Request:
        """How it is asked for. Raises UnicodeEncodeError, h11.LocalProtocolError: with a header that is none."""
        ours = [(name.encode("ascii"), value.encode("ascii")) for name, value in self._headers.items()]
        return h11.Request(method=self._method, target=to.target, headers=[(b"Host", to.host), *ours])
