"""
Which store is meant: one URL out of `HASHCACHE_STORE`, `REDIS_URL` or the `REDIS_*` parts.

Rule 1: two sources that say different things are an error; two that say the same are not.
Rule 2: of the parts only those that are set are compared: a REDIS_HOST beside a REDIS_URL need not repeat its password.
Rule 3: Kubernetes sets REDIS_PORT=tcp://10.0.0.1:6379 for a Service called redis. That is no source by itself; beside
        REDIS_HOST its port counts.
Rule 4: no message repeats a URL: it holds a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from hashcache.settings import clustered, watched
from hashcache.settings.clustered import Clustered
from hashcache.settings.shapes import CONTROL, Malformed
from hashcache.settings.watched import Watched

DEFAULT = "sqlite:///./hashcache.sqlite3"
_FORMS = (
    "must be sqlite:///path, memory://, off, redis://..., rediss://..., redis+cluster://... or redis+sentinel://..."
)
_UPSTASH = ".upstash.io"
_INJECTED = re.compile(r"tcp://.*:([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Redis:
    """A Redis server's address. *username* `default` is the server's own name for "none" (Redis ACL)."""

    host: str
    port: int = 6379
    tls: bool = False
    username: str = "default"
    password: str = ""
    database: int = 0

    @property
    def url(self) -> str:
        """As a URL, whose user and password are percent-encoded."""
        who = ""
        if self.password or self.username != "default":
            named = "" if self.username == "default" else quote(self.username, safe="")
            who = f"{named}:{quote(self.password, safe='')}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{who}{host}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class Parts:
    """The `REDIS_*` settings; None: not set. *port* may be what Kubernetes injects."""

    host: str | None = None
    port: str | None = None
    username: str | None = None
    password: str | None = None
    database: int | None = None
    tls: bool | None = None

    @property
    def wanted(self) -> dict[str, object]:
        """Those that an operator has set, by the attribute of Redis."""
        injected = self.port is not None and _INJECTED.fullmatch(self.port)
        found = {
            "host": self.host.lower() if self.host else None,
            "port": None if self.port is None or (injected and self.host is None) else self._number(self.port),
            "username": self.username,
            "password": self.password,
            "database": self.database,
            "tls": self.tls,
        }
        return {name: value for name, value in found.items() if value is not None}

    @staticmethod
    def _number(port: str) -> int:
        injected = _INJECTED.fullmatch(port)
        return int(injected[1] if injected else port)

    def compose(self) -> Redis:
        """The server that they name; *host* must be set."""
        if self.host is None:
            raise Malformed("must be set, because other REDIS_ settings are: it names the server")
        port = 6379 if self.port is None else self._number(self.port)
        server = Redis(
            self.host.lower(),
            port,
            bool(self.tls),
            self.username or "default",
            self.password or "",
            self.database or 0,
        )
        if server.host.endswith(_UPSTASH) and not server.tls:
            raise Malformed("must be used with REDIS_TLS=1: Upstash answers over TLS only")
        return server


def port_text(text: str) -> str:
    """A port number, or what Kubernetes sets."""
    found = _INJECTED.fullmatch(text)
    if not re.fullmatch(r"[0-9]{1,5}", found[1] if found else text) or not 0 < int(found[1] if found else text) < 65536:
        raise Malformed("must be a port from 1 to 65535")
    return text


def any_store(text: str) -> str:
    """The URL of a store of any kind."""
    if text in ("off", "memory://"):
        return text
    if text.startswith("sqlite:///"):
        if text in ("sqlite:///", "sqlite:///:memory:") or CONTROL.search(text):
            raise Malformed("must name a file after sqlite:///; for a store in memory use memory://")
        return text
    if text.startswith(("redis:", "rediss:", *watched.SCHEMES, *clustered.SCHEMES, "redis-cli", "http:", "https:")):
        return redis_store(text)
    raise Malformed(_FORMS)


def redis_store(text: str) -> str:
    """The URL of one Redis server, of a cluster, or of sentinels that name a server, as it was written."""
    parse_redis(text)
    return text


def parse_redis(text: str) -> Redis | Watched | Clustered:
    """
    The server that a `redis://` or `rediss://` URL names, the cluster, or what sentinels watch.

    Raises:
        Malformed: it names none, holds options, or would speak to Upstash without TLS.
    """
    if text.startswith("redis-cli"):
        raise Malformed("must be only the URL that the redis-cli command holds, with rediss:// instead of --tls")
    if text.startswith(watched.SCHEMES):
        return watched.parse(text)
    if text.startswith(clustered.SCHEMES):
        return clustered.parse(text)
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise Malformed("must be redis://user:password@host:port/database (percent-encode the password)") from None
    if parts.scheme in ("http", "https"):
        raise Malformed("must be the rediss:// URL of the server, not the address of its REST API")
    database = parts.path.removeprefix("/")
    if parts.scheme not in ("redis", "rediss") or not host or port == 0 or not re.fullmatch("[0-9]{0,5}", database):
        raise Malformed("must be redis://user:password@host:port/database, or rediss://... for TLS")
    if parts.query or parts.fragment or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise Malformed("must hold no options after ? or #; percent-encode what is special in a password")
    if host.endswith(_UPSTASH) and parts.scheme == "redis":
        raise Malformed("must begin with rediss:// (two s): Upstash answers over TLS only")
    return Redis(
        host,
        port or 6379,
        parts.scheme == "rediss",
        unquote(parts.username or "") or "default",
        unquote(parts.password or ""),
        int(database or 0),
    )


def same_store(one: str, other: str) -> bool:
    """Whether two URLs mean one store."""
    if one.startswith("redis") and other.startswith("redis"):
        return parse_redis(one) == parse_redis(other)
    return one == other


def contradicted(url: str, parts: Parts) -> bool:
    """Whether one of *parts* says something else than *url*."""
    wanted = parts.wanted
    if not url.startswith("redis"):
        return bool(wanted)
    server = parse_redis(url)
    # A cluster, and what sentinels watch, has no host of its own: a REDIS_HOST beside it is another server.
    return any(getattr(server, name, None) != value for name, value in wanted.items())
