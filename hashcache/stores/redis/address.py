"""
A `redis://` or `rediss://` URL, read once: where to connect, as whom, and how the server must prove who it is.

Rule 1: `rediss` means verified: the certificate and the host name. Nothing in a URL weakens that.
Rule 2: the text of an address, which people see, holds neither user nor password; no message repeats a URL.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from hashcache.core.errors import SettingsError

_SHAPE = "must be redis://user:password@host:port/database, or rediss://... for TLS"
_PORT = 6379


@dataclass(frozen=True, slots=True)
class Address:
    """One server. *tls* is None for a plain connection."""

    host: str
    port: int
    database: int
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None

    @classmethod
    def parse(cls, url: str, ca_file: str | None = None) -> Address:
        """
        The address that *url* names; *ca_file* replaces the system's certificates (PEM).

        Raises:
            SettingsError: not such a URL, a form that is not supported, or a *ca_file* that cannot be read.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORT
        except ValueError:
            raise SettingsError(f"the Redis URL {_SHAPE}; percent-encode the password") from None
        path = parts.path.removeprefix("/")
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not (path or "0").isdecimal():
            raise SettingsError(f"the Redis URL {_SHAPE}")
        if parts.query or parts.fragment:
            raise SettingsError("the Redis URL must hold no options after ? or #; percent-encode a password")
        username, password = credentials(parts.netloc.rpartition("@")[0])
        return cls(
            host=parts.hostname,
            port=port,
            database=int(path or "0"),
            username=username,
            password=password,
            tls=verifying(ca_file) if parts.scheme == "rediss" else None,
        )

    @property
    def place(self) -> str:
        """Host and port, as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{'rediss' if self.tls else 'redis'}://{self.place}/{self.database}"


def credentials(who: str) -> tuple[str | None, str | None]:
    """User and password of a URL, *who* being what stands before the @; None: there is none."""
    username, _, password = who.partition(":")
    # "default" is the server's name for no user (Redis ACL): AUTH with a password alone works everywhere.
    return None if username in ("", "default") else unquote(username), unquote(password) or None


def verifying(ca_file: str | None) -> ssl.SSLContext:
    """
    A client's context that verifies certificate and host name.

    Raises:
        SettingsError: *ca_file* cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"HASHCACHE_REDIS_CA={ca_file} cannot be used ({error.strerror or 'no certificates in it'}); "
            "it must be a PEM file, such as /etc/ssl/redis-ca.pem"
        ) from None
