"""
Carries webhooks over HTTP to where a caller named, and nowhere else.

Rule 1: the name is resolved here, once a try, and the connection goes to the very address that was looked at: a name
        that answers otherwise a moment later (DNS rebinding) leads nowhere. One address of a name that is not of the
        open internet refuses them all.
Rule 2: an origin that names this machine itself leads to loopback addresses only. Nothing else does: the operator
        alone names origins.
Rule 3: TLS proves the host that was named, whatever the address.
Rule 4: one deadline holds for everything. Each try has a connection of its own, so none waits for another; nothing is
        read from the environment (no proxy), no cookie is kept, no redirect is followed. Of the answer the status and
        `Retry-After` are read; its body never is.
Rule 5: what is told is a word, never a part of a URL or of an answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

import httpx

from hashcache.core.internet import Address, is_public
from hashcache.core.target import Target
from hashcache.ports import Posted

#: How long one try may take: what Standard Webhooks recommends for receivers ("Request timeouts").
DEADLINE = timedelta(seconds=15)
#: Seconds until the next address of a name is tried, and how many are.
_CONNECT, _MOST_ADDRESSES = 5.0, 3
_SECONDS = re.compile(r"[0-9]{1,9}")

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class _Refused(Exception):
    """It is not sent there; *why*, in a word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def resolve(host: str, port: int) -> Sequence[Address]:
    """
    The addresses of *host*, a name or an address, as this machine knows them.

    Raises:
        OSError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=6)  # 6: TCP, each address once
    # A scope (fe80::1%eth0) is no part of an address that anybody may be sent to, but must not hide one either.
    return [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]


class HttpPostman:
    """
    The Postman. *tls* makes what says whom to trust, when it is first needed; *resolved* gives the addresses of a name
    or raises OSError; *deadline* is that of one try.
    """

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        *,
        resolved: Resolve = resolve,
        deadline: timedelta = DEADLINE,
    ) -> None:
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._resolve = resolved
        self._deadline = deadline

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Posted:
        """Send *body* to *target*, once."""
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                return await self._send(target, headers, body)
        except TimeoutError:
            return Posted(None, "timeout")
        except _Refused as refused:
            return Posted(None, refused.why)

    async def _send(self, target: Target, headers: Mapping[str, str], body: bytes) -> Posted:
        failed = "unreachable"
        for address in (await self._addresses(target))[:_MOST_ADDRESSES]:
            try:
                return await self._exchange(target, address, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:  # nothing was sent: another address may do
                failed = "tls" if isinstance(_root(error), ssl.SSLError) else "unreachable"
            except httpx.TransportError:
                return Posted(None, "broken")
        return Posted(None, failed)

    async def _addresses(self, target: Target) -> Sequence[Address]:
        """
        The addresses of *target*, all of which it may be sent to.

        Raises:
            _Refused: it has none, or one of them is none of the kind.
        """
        origin = target.origin
        try:
            addresses = await self._resolve(origin.host.strip("[]"), origin.port)
        except (OSError, UnicodeError):
            raise _Refused("unresolved") from None
        if not addresses:
            raise _Refused("unresolved")
        if origin.local:
            allowed = all(address.is_loopback for address in addresses)
        else:
            allowed = all(is_public(address) for address in addresses)
        if not allowed:
            raise _Refused("private-address")
        return list(dict.fromkeys(addresses))

    async def _exchange(self, target: Target, address: Address, headers: Mapping[str, str], body: bytes) -> Posted:
        """One request to *address* and the head of its answer."""
        origin = target.origin
        shown = f"[{address}]" if address.version == 6 else str(address)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
        request = httpx.Request(
            "POST",
            # What httpx makes of an address, a port and a path of RFC 3986's characters is what was put in.
            httpx.URL(scheme=origin.scheme, host=shown, port=origin.port, raw_path=target.path.encode("ascii")),
            headers={"Host": origin.authority, "Accept-Encoding": "identity", "Connection": "close", **headers},
            content=body,
            extensions={
                "timeout": {"connect": _CONNECT, "read": None, "write": None, "pool": None},
                "sni_hostname": origin.host.strip("[]"),
            },
        )
        async with httpx.AsyncHTTPTransport(verify=await self._trusted(target), trust_env=False, limits=limits) as line:
            response = await line.handle_async_request(request)
            try:
                after = response.headers.get("retry-after", "")
                seconds = float(after) if _SECONDS.fullmatch(after) else None
                return Posted(response.status_code, retry_after=seconds)
            finally:
                await response.aclose()

    async def _trusted(self, target: Target) -> ssl.SSLContext:
        """Whom to trust; a line without TLS trusts nobody, should it be misused."""
        if target.origin.scheme == "http":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._tls is None:
            self._tls = await asyncio.to_thread(self._make_tls)  # takes some 60 ms
        return self._tls


def _root(error: BaseException) -> BaseException:
    """The first cause of *error*."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return error
