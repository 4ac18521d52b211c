"""
Load goes to this machine only: against a hosted store it would spend a month's free plan in minutes.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


class NotLoopback(Exception):
    """This address is not on this machine."""


def require_loopback(url: str) -> str:
    """
    *url*, when its host is 127.0.0.0/8, ::1 or `localhost` itself.

    A name that merely resolves to loopback today is refused: it may resolve elsewhere tomorrow. So is a list of
    hosts, of which only the first would be looked at.

    Raises:
        NotLoopback: anything else; the message names the host only, since a store's URL holds a password.
    """
    try:
        parts = urlsplit(url)
        host = "" if "," in parts.netloc else parts.hostname or ""
    except ValueError:
        host = ""
    if is_loopback(host):
        return url
    where = f"{host!r} is not on this machine" if host else "there is no single host in this address"
    raise NotLoopback(f"load tests run against loopback only, such as http://127.0.0.1:8000: {where}")


def is_loopback(host: str) -> bool:
    """Whether *host* is 127.0.0.0/8, ::1 or `localhost` itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
