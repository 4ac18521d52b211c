"""
A `redis+cluster://` or `rediss+cluster://` URL, checked: some nodes of a Redis Cluster, which know the others.

Rule: no message repeats a URL: it holds a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from hashcache.settings.shapes import Malformed

SCHEMES = ("redis+cluster:", "rediss+cluster:")
_SHAPE = "must be redis+cluster://user:password@host:port,host:port (percent-encode a password)"


@dataclass(frozen=True, slots=True)
class Clustered:
    """Which cluster, and as whom. *seeds* are (host, port) in the order of their names."""

    seeds: tuple[tuple[str, int], ...]
    tls: bool
    username: str
    password: str
    database: int = 0


def parse(text: str) -> Clustered:
    """
    What *text* names.

    Raises:
        Malformed: it names no node, another database than 0, or holds options.
    """
    scheme, _, rest = text.partition("://")
    servers, _, database = rest.partition("/")
    who, _, hosts = servers.rpartition("@")
    username, _, password = who.partition(":")
    if "?" in text or "#" in text or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise Malformed("must hold no options after ? or #; percent-encode what is special in a password")
    seeds = tuple(sorted(_place(one) for one in hosts.split(",")))
    if database not in ("", "0"):
        raise Malformed("must name no database after the nodes: a Redis Cluster has only database 0")
    return Clustered(seeds, scheme == "rediss+cluster", unquote(username) or "default", unquote(password))


def _place(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or parts.netloc != text:
        raise Malformed(_SHAPE)
    return host, port or 6379
