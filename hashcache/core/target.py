"""
Where a webhook goes: a URL that a caller names, and the origins that an operator allows (RFC 6454).

Rule 1: what is not understood to the last character is refused, and what was understood is what is sent: no other
        parser ever reads the URL again.
Rule 2: https; http only to this machine itself, by a loopback address or the name `localhost`.
Rule 3: neither user nor password nor fragment; the host is ASCII, as DNS has it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from hashcache.core.errors import WebhookRefused

#: The longest URL, in characters.
LONGEST = 2048
_PORTS = {"https": 443, "http": 80}
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
# RFC 3986: scheme and authority without userinfo, and path with query, of the characters that it allows there.
_URL = re.compile(
    rf"(https?)://(\[[0-9A-Fa-f:.]{{2,45}}\]|{_NAME})(?::([0-9]{{1,5}}))?"
    r"((?:[/?](?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """*scheme* and *host* in lower case (an IPv6 address in brackets), and the *port*, also where it is the usual."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """As a URL begins, and as an operator would write it."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """For the field Host (RFC 9110 section 7.2)."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether it names this machine; of names only `localhost` does (RFC 6761)."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class Target:
    """*path* begins with a slash, and has the query, if there is one."""

    origin: Origin
    path: str

    def __str__(self) -> str:
        """As a URL."""
        return f"{self.origin}{self.path}"

    @classmethod
    def parse(cls, text: str) -> Target:
        """
        What the URL *text* names.

        Raises:
            WebhookRefused: it is none, or none that a webhook may have.
        """
        found = _URL.fullmatch(text) if len(text) <= LONGEST else None
        if found is None:
            raise WebhookRefused(
                f"the webhook's URL must be an https:// URL of at most {LONGEST} characters of ASCII, without user, "
                "password and fragment"
            )
        scheme, host = found[1].lower(), found[2].lower()
        if host.startswith("["):
            try:
                host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
            except ValueError:
                raise WebhookRefused("the webhook's URL names no address between its brackets") from None
        port = int(found[3]) if found[3] else _PORTS[scheme]
        if not 0 < port < 65536:
            raise WebhookRefused("the webhook's URL names no port: it is from 1 to 65535")
        origin = Origin(scheme, host, port)
        if scheme == "http" and not origin.local:
            raise WebhookRefused("the webhook's URL must begin with https://")
        path = found[4]
        return cls(origin, path if path.startswith("/") else f"/{path}")
