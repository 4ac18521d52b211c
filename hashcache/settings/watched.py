"""
A `redis+sentinel://` or `rediss+sentinel://` URL, checked: servers that sentinels watch, under the master's name.

Rule: no message repeats a URL: it holds passwords.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from hashcache.settings.shapes import Malformed

SCHEMES = ("redis+sentinel:", "rediss+sentinel:")
_SHAPE = "must be redis+sentinel://user:password@host:port,host:port/master-name/database (percent-encode a password)"
_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})


@dataclass(frozen=True, slots=True)
class Watched:
    """Which master, by whom, and as whom. *sentinels* are (host, port) in the order of their names."""

    sentinels: tuple[tuple[str, int], ...]
    name: str
    tls: bool
    username: str
    password: str
    database: int
    sentinel_username: str
    sentinel_password: str


def parse(text: str) -> Watched:
    """
    What *text* names.

    Raises:
        Malformed: it names no sentinel or no master, or holds other options.
    """
    scheme, _, rest = text.partition("://")
    rest, _, options = rest.partition("?")
    servers, _, path = rest.partition("/")
    who, _, hosts = servers.rpartition("@")
    username, _, password = who.partition(":")
    name, _, database = path.partition("/")
    if not name:
        raise Malformed("must name the master after the sentinels, as in redis+sentinel://host:26379/mymaster/0")
    if (
        "#" in text
        or not re.fullmatch(r"[\x21-\x7e]+", text)
        or not re.fullmatch(r"[A-Za-z0-9_.-]+", name)
        or not re.fullmatch("[0-9]{0,5}", database)
    ):
        raise Malformed(_SHAPE)
    theirs = _theirs(options)
    return Watched(
        tuple(sorted(_place(one) for one in hosts.split(","))),
        name,
        scheme == "rediss+sentinel",
        unquote(username) or "default",
        unquote(password),
        int(database or "0"),
        theirs.get("sentinel_username") or "default",
        theirs.get("sentinel_password", ""),
    )


def _place(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or parts.netloc != text:
        raise Malformed(_SHAPE)
    return host, port or 26379


def _theirs(options: str) -> dict[str, str]:
    pairs = [one.partition("=")[::2] for one in options.split("&") if one]
    found = {name: unquote(value) for name, value in pairs}
    # A user alone proves nothing: AUTH wants a password.
    if not found.keys() <= _OPTIONS or len(found) < len(pairs) or (found and not found.get("sentinel_password")):
        raise Malformed("must hold no options but sentinel_password, with or without sentinel_username")
    return found
