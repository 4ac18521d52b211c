"""
Secrets, tokens and API keys, as settings hold them.

Rule 1: nothing here is ever shown: not by repr, not by a message.
Rule 2: of an API key only its SHA-256 is in the settings; a key has 256 random bits, so that suffices.
Rule 3: what an example or a guide would say is refused, so that nobody runs with a secret that the world knows.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hashcache.core.digest import parse_sha256
from hashcache.core.entry import Instant
from hashcache.settings.shapes import CONTROL, Malformed

ROLES = ("user", "admin")
#: Callers that exist without a key of their own; no key may be called so.
RESERVED = frozenset({"anonymous", "admin-token"})
#: The shape of a key's name and of a tenant.
NAME = re.compile(r"[a-z0-9_-]{1,64}")
SHORTEST = 16

_SAMPLES = re.compile(
    r"changeme|change(this|it)|example|your(own)?(admin|secret|token|key|password)|replaceme|placeholder|password"
)
_UNSIGNED = "unsigned"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGEST_OF_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Who presents the key whose SHA-256 is *digest* (lower-case hexadecimal): a *role* of ROLES in *tenant*."""

    name: str
    tenant: str
    role: str
    digest: str = field(repr=False)

    def __post_init__(self) -> None:
        if not (NAME.fullmatch(self.name) and NAME.fullmatch(self.tenant)):
            raise Malformed("must have names and tenants of 1 to 64 of a-z, 0-9, _ and -")
        if self.name in RESERVED:
            raise Malformed(f"must not use the name {self.name}: it means somebody without a key")
        if self.role not in ROLES:
            raise Malformed(f"must have a role of {' or '.join(ROLES)}")
        if parse_sha256(self.digest) != self.digest or self.digest == _DIGEST_OF_NOTHING:
            raise Malformed(
                "must have the SHA-256 of a key in lower-case hexadecimal, as `hashcache keys new` prints it"
            )

    @property
    def entry(self) -> str:
        """This key's part of `HASHCACHE_API_KEYS`."""
        return f"{self.name}:{self.tenant}:{self.role}:{self.digest}"


def api_keys(text: str) -> tuple[ApiKey, ...]:
    """Keys as `name:tenant:role:sha256-of-key`, parted by commas."""
    keys = tuple(_api_key(part.strip()) for part in text.split(","))
    if len({key.name for key in keys}) < len(keys) or len({key.digest for key in keys}) < len(keys):
        raise Malformed("must hold each name and each key once")
    return keys


def _api_key(text: str) -> ApiKey:
    parts = text.split(":")
    if len(parts) != 4:
        raise Malformed("must be a list, parted by commas, of name:tenant:role:sha256-of-key")
    return ApiKey(*parts)


def token(text: str) -> str:
    """A secret that somebody presents: printable ASCII without blanks, so that it fits a header."""
    if not re.fullmatch(r"[\x21-\x7e]*", text):
        raise Malformed("must be printable ASCII without blanks")
    _check_strength(text)
    return text


@dataclass(frozen=True, slots=True)
class Signing:
    """*secrets*: the newest first; it signs. Entries without a signature are accepted before *unsigned_until*."""

    secrets: tuple[str, ...] = field(default=(), repr=False)
    unsigned_until: Instant | None = None


def signing(text: str) -> Signing:
    """Secrets parted by commas, the newest first; among the older ones perhaps `unsigned@2026-12-01`."""
    found = [part.strip() for part in text.split(",")]
    licences = [part for part in found if part.lower().startswith(_UNSIGNED)]
    secrets = tuple(part for part in found if part not in licences)
    if len(licences) > 1 or found[0] in licences:
        raise Malformed("must begin with a secret that signs; unsigned@2026-12-01 may follow it, once")
    for secret in secrets:
        _check_strength(secret)
    if len(set(secrets)) < len(secrets):
        raise Malformed("must hold each secret once")
    return Signing(secrets, _day(licences[0]) if licences else None)


def _day(licence: str) -> Instant:
    """The first instant, in UTC, of the day on which `unsigned@2026-12-01` ends."""
    parts = re.fullmatch(rf"{_UNSIGNED}@([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})", licence)
    try:
        day = datetime.fromisoformat(parts[1] if parts else "")
    except ValueError:
        raise Malformed(
            "must say until which day entries without a signature are accepted (anybody who can write to the store "
            "can write such): unsigned@2026-12-01, the day in UTC on which that ends"
        ) from None
    return Instant((day.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1))


def _check_strength(secret: str) -> None:
    if CONTROL.search(secret):
        raise Malformed("must hold no control characters")
    if len(secret) < SHORTEST:
        raise Malformed(f"must have at least {SHORTEST} characters")
    if (
        len(set(secret)) < 6
        or secret.startswith(("$(", "${", "<"))
        or _SAMPLES.match(re.sub("[-_ .]", "", secret.lower()))
    ):
        raise Malformed("must be random, not a sample that everybody knows")
