"""
One connection to a vendor, for one call at a time: httpx's own, which is httpcore's, without the pool around it.

Rule 1: a line serves one origin, as RFC 9110 (section 4.3.1) names it: with TLS or without, never first one, then the
        other.
Rule 2: a line that was not used for IDLE seconds, or on which the vendor wrote meanwhile, is not used again.
"""

from __future__ import annotations

import ssl

import httpcore

from hashcache.providers.network import Network

#: Seconds an unused connection is kept: less than any server that we know keeps it (gunicorn: 2), since a paid call
#: that meets a closing connection cannot be repeated.
IDLE = 1.5


class Line:
    """A line to *origin*, opened when it is first used; with *tls* if that is https."""

    def __init__(self, origin: httpcore.Origin, tls: ssl.SSLContext | None) -> None:
        self.origin = origin
        self._network = Network()
        self._connection = httpcore.AsyncHTTPConnection(
            origin, tls, keepalive_expiry=IDLE, network_backend=self._network
        )

    @property
    def usable(self) -> bool:
        """Whether another call may be sent."""
        return self._connection.is_available() and not self._connection.has_expired()

    @property
    def wrote(self) -> bool:
        """Whether a byte of the last call may have left."""
        return self._network.wrote

    async def send(self, request: httpcore.Request) -> httpcore.Response:
        """The head of the reply to *request*; its body is still to be read, and it to be closed. Raises httpcore's."""
        self._network.wrote = False
        return await self._connection.handle_async_request(request)

    async def close(self) -> None:
        """Close it. Never waits."""
        await self._connection.aclose()
