"""
A `redis+sentinel://` or `rediss+sentinel://` URL, read once: which sentinels to ask for which master, and as whom.

Rule 1: the user and password before the hosts are the servers'; sentinels are never told them. Theirs, where they have
        any, stand behind the question mark: `sentinel_username`, `sentinel_password`.
Rule 2: `rediss` means verified, to the sentinels and to the servers. So the certificates hold the names, or the
        addresses, by which the sentinels call the servers.
Rule 3: the text of a service, which people see, holds neither users nor passwords; no message repeats a URL.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from hashcache.core.errors import SettingsError
from hashcache.stores.redis.address import Address, credentials, verifying

SCHEMES = ("redis+sentinel://", "rediss+sentinel://")
_SHAPE = "must be redis+sentinel://user:password@host:port,host:port/master-name/database (percent-encode a password)"
_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
_PORT = 26379


@dataclass(frozen=True, slots=True)
class Watched:
    """A master and its replicas, called *name* by the *sentinels*. *tls* is None for plain connections."""

    name: str
    sentinels: tuple[Address, ...]
    database: int
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None

    @classmethod
    def parse(cls, url: str, ca_file: str | None = None) -> Watched:
        """
        What *url* names; *ca_file* replaces the system's certificates (PEM).

        Raises:
            SettingsError: not such a URL, no name of a master, or a *ca_file* that cannot be read.
        """
        scheme, _, rest = url.partition("://")
        rest, _, options = rest.partition("?")
        servers, _, path = rest.partition("/")
        who, _, hosts = servers.rpartition("@")
        name, _, database = path.partition("/")
        if not name:
            raise SettingsError("the Redis URL must name the master after the sentinels, as in /mymaster/0")
        if "#" in url or not re.fullmatch(r"[\w.-]+", name, re.ASCII) or not re.fullmatch("[0-9]{0,5}", database):
            raise SettingsError(f"the Redis URL {_SHAPE}")
        tls = verifying(ca_file) if scheme == "rediss+sentinel" else None
        theirs = _theirs(options)
        username, password = credentials(who)
        return cls(
            name=name,
            sentinels=tuple(Address(*_place(one), 0, *theirs, tls) for one in hosts.split(",")),
            database=int(database or "0"),
            username=username,
            password=password,
            tls=tls,
        )

    def server(self, host: str, port: int) -> Address:
        """One of its servers."""
        return Address(host, port, self.database, self.username, self.password, self.tls)

    def __str__(self) -> str:
        places = ",".join(one.place for one in self.sentinels)
        return f"{'rediss' if self.tls else 'redis'}+sentinel://{places}/{self.name}/{self.database}"


def _place(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or parts.netloc != text:
        raise SettingsError(f"the Redis URL {_SHAPE}")
    return host, port or _PORT


def _theirs(options: str) -> tuple[str | None, str | None]:
    """The sentinels' user and password."""
    pairs = [one.partition("=")[::2] for one in options.split("&") if one]
    found = {name: unquote(value) for name, value in pairs}
    # A user alone proves nothing: AUTH wants a password.
    if not found.keys() <= _OPTIONS or len(found) < len(pairs) or (found and not found.get("sentinel_password")):
        raise SettingsError(
            "the Redis URL must hold no options but sentinel_password, with or without sentinel_username"
        )
    username = found.get("sentinel_username")
    return None if username in (None, "", "default") else username, found.get("sentinel_password")
