"""
Who calls: what a presented key says about it.

Rule 1: a key that is presented and not known is nobody, also where no key is needed: a typo must not pass silently.
Rule 2: every known digest is compared, each in constant time, whatever was found before: how long it takes tells
        neither whether nor which one matched.
Rule 3: only SHA-256 digests of keys are kept; a key has 256 random bits, so nothing slower is needed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hashcache.core.errors import SettingsError
from hashcache.settings.credentials import ApiKey
from hashcache.settings.shapes import Malformed

#: Whose answers they are where nobody is told apart.
DEFAULT_TENANT = "default"
_KEY_BYTES = 32


class Role(StrEnum):
    """What a caller may do: `admin` may do what `user` may, and administer."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is known: *name* for the log, *tenant* whose answers and money it deals with, *role*."""

    name: str
    tenant: str
    role: Role


ANONYMOUS = Caller("anonymous", DEFAULT_TENANT, Role.USER)
_ADMIN = Caller("admin-token", DEFAULT_TENANT, Role.ADMIN)


class Callers:
    """Those who are known: the holders of *api_keys*, and of *admin_token* if there is one."""

    def __init__(self, api_keys: Sequence[ApiKey] = (), admin_token: str | None = None) -> None:
        self._known = [(bytes.fromhex(key.digest), Caller(key.name, key.tenant, Role(key.role))) for key in api_keys]
        if admin_token is not None:
            self._known.append((_digest(admin_token), _ADMIN))
        self._keyless = None if api_keys else ANONYMOUS

    def identify(self, presented: str | None) -> Caller | None:
        """
        Who presents the key *presented* (None: no key at all). None: nobody that we know.

        Without API keys whoever presents nothing is `anonymous`, of tenant `default` and role user.
        """
        if presented is None:
            return self._keyless
        found = self._holder(presented)
        return found[1] if found else None

    def prove(self, presented: str, words: bytes) -> tuple[Caller, bytes] | None:
        """Who presents the key *presented*, and a proof that whoever wrote *words* down had that key; None: nobody."""
        found = self._holder(presented)
        return (found[1], _proof(found[0], words)) if found else None

    def proven(self, words: bytes, proof: bytes) -> Caller | None:
        """Whose key made *proof* of *words*; None: no key that is known now, whatever was known then."""
        found = None
        for known, caller in self._known:
            if hmac.compare_digest(_proof(known, words), proof):
                found = caller
        return found

    def _holder(self, presented: str) -> tuple[bytes, Caller] | None:
        digest = _digest(presented)
        found = None
        for known, caller in self._known:
            if hmac.compare_digest(known, digest):
                found = (known, caller)
        return found


def new_key(name: str, tenant: str, role: Role, random: bytes) -> tuple[str, str]:
    """
    A key from 32 *random* bytes, and its entry for `HASHCACHE_API_KEYS`. The key is not kept anywhere.

    Raises:
        SettingsError: *name* or *tenant* is not of the shape of one.
    """
    if len(random) != _KEY_BYTES:
        raise ValueError(f"a key is made of {_KEY_BYTES} random bytes")
    key = "hc_" + base64.urlsafe_b64encode(random).rstrip(b"=").decode()
    try:
        return key, ApiKey(name, tenant, role.value, _digest(key).hex()).entry
    except Malformed as malformed:
        raise SettingsError(f"a key {malformed}") from None


def _proof(known: bytes, words: bytes) -> bytes:
    return hmac.digest(known, b"hashcache 2026-11-21 session, version 1\0" + words, "sha256")


def _digest(presented: str) -> bytes:
    # What came in a header may hold lone surrogates, which UTF-8 refuses; they match nothing all the same.
    return hashlib.sha256(presented.encode(errors="surrogatepass")).digest()
