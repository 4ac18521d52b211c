"""
Where we send a content when the vendor, not the operator, names the address: a signed URL for an upload.

Rule 1: https alone, and to the open internet alone: a vendor that was taken over must not make us write into the
        operator's own network. Names are resolved, so that a public name of a private address is no way around.
Rule 2: a vendor on loopback is a test or a gateway of the operator's: it may name loopback, also over http.
Rule 3: such an address is a secret (who has it may write there): no part of it is in a message.
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass

import httpx

from hashcache.core.errors import ProviderInvalid

#: Longer than any signed URL that we know (with a session's token some 2,500 characters).
LONGEST = 8192
#: Seconds that a name may take to be resolved; one that is not resolved is left to the connection to fail.
_PATIENCE = 10.0

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class _Refused(Exception):
    why: str


async def check_destination(provider: str, url: str, *, own: str) -> None:
    """
    Whether a content may be sent to *url*, which was named by the vendor at *own*, the address in the settings.

    Raises:
        ProviderInvalid: it may not; nothing was sent.
    """
    try:
        target = httpx.URL(url) if len(url) <= LONGEST else None
        if target is None or not target.host or target.userinfo or target.scheme not in {"http", "https"}:
            raise _Refused("that is none")
        addresses = await _addresses(target.host)
        at_home = bool(addresses) and all(address.is_loopback for address in addresses)
        if _is_loopback(own) and at_home:
            return
        if target.scheme != "https":
            raise _Refused("that is not encrypted")
        if not all(address.is_global and not address.is_multicast for address in addresses):
            raise _Refused("that is inside a private network")
    except (httpx.InvalidURL, UnicodeError):
        raise ProviderInvalid(provider, f"{provider} named an address for the upload that is none") from None
    except _Refused as refused:
        message = f"{provider} named an address for the upload {refused.why}"
        raise ProviderInvalid(provider, message) from None


async def _addresses(host: str) -> list[_Address]:
    """What *host* stands for; nothing where that cannot be told."""
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError:  # a TimeoutError is one
        return []
    return [ipaddress.ip_address(address[0]) for *_, address in found]


def _is_loopback(url: str) -> bool:
    """Whether *url* names this machine, by the name of it or by an address."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
