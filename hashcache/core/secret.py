"""
What is derived from an operator's secret: a key that signs, and a cipher for each tenant and each of its users.

Rule 1: the secret itself is used for nothing else. Each purpose has a key of its own, derived by BLAKE3 under a context
        of its own (BLAKE3 specification, section 2.3): who learns one of them learns nothing of the others.
Rule 2: tenant and user are length-prefixed before they are digested, so ("ab", "c") and ("a", "bc") differ.
Rule 3: no key shows in a repr, and none is kept longer than what was derived from it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hashcache.core.entry import Instant

_SIGN_CONTEXT = "hashcache 2026-11-20 seal of an entry, version 1"
_ROOT_CONTEXT = "hashcache 2026-11-21 root of all ciphers, version 1"
_CIPHER_CONTEXT = "hashcache 2026-11-21 cipher of a tenant and user, version 1"


@dataclass(frozen=True, slots=True)
class Secret:
    """*id* names it in the envelope (4 bytes), *key* signs, from *root* the ciphers are derived (32 bytes each)."""

    id: bytes
    key: bytes = field(repr=False)
    root: bytes = field(repr=False)

    @classmethod
    def derive(cls, text: str) -> Secret:
        """What follows from an operator's secret; the same in every process."""
        key = blake3(text.encode(), derive_key_context=_SIGN_CONTEXT).digest()
        root = blake3(text.encode(), derive_key_context=_ROOT_CONTEXT).digest()
        return cls(blake3(key).digest()[:4], key, root)

    def cipher(self, tenant: str, user: str = "") -> AESGCM:
        """
        AES-256-GCM (NIST SP 800-38D) under the key of *tenant*, or of a *user* of it.

        With random nonces of 96 bits one such key is good for 2**32 entries (section 8.3 there).
        """
        digest = blake3(self.root, derive_key_context=_CIPHER_CONTEXT)
        for part in (tenant.encode(), user.encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return AESGCM(digest.digest())


@dataclass(frozen=True, slots=True)
class Unsigned:
    """
    The licence of entries from before there was a secret: those with a checksum alone are believed *until* then, and
    live no longer. *now* is the clock that says when that is.
    """

    until: Instant
    now: Callable[[], Instant]
