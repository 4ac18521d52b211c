"""
Payloads under a key of their user's own: whoever runs the store, or the cache, cannot read them without it.

Rule 1: a payload opens for one cache key and one user: both are associated data of the cipher, and its key follows
        from the user as well. What was moved, in a store that others write to, is a miss.
Rule 2: whatever does not open is a miss, never an error: another key, another user, damage, a plain payload.
Rule 3: keys rotate: the first seals, all of them open.
Rule 4: the ciphers are those of `core.secret`; this is only their use for one payload. Nothing is compressed here.

    0   1  version (1)
    1   4  id of the secret that the user's key makes
    5  12  nonce
   17   n  ciphertext, and 16 bytes of tag
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag

from hashcache.core.envelope import NONCE
from hashcache.core.key import Key
from hashcache.core.secret import Secret

#: Bytes of the shortest key that is accepted. A key is made by chance: nothing is stretched here.
SHORTEST_KEY = 32
_VERSION = b"\x01"
_ID = 4
_HEAD = len(_VERSION) + _ID
# No tenant of the service's: the ciphers of its entries are others even where a user has the operator's secret.
_TENANT = "\x00the library's users"


def fresh_nonce() -> bytes:
    """By chance: 2**32 payloads of one user and key are safe (NIST SP 800-38D, section 8.3)."""
    return secrets.token_bytes(NONCE)


class UserSealer:
    """
    Seals payloads of *user* with the first of *keys* (`secrets.token_bytes(32)`), and opens those of any of them.

    *nonce* gives 12 bytes that were never given before.

    Raises (when made):
        ValueError: no user, no key, or a key that is too short. TypeError: a key is no bytes; a password is no key.
    """

    def __init__(self, user: str, keys: Sequence[bytes], *, nonce: Callable[[], bytes] = fresh_nonce) -> None:
        if not user:
            raise ValueError("a user has at least one character")
        if not keys:
            raise ValueError("a user who has no key has nothing sealed")
        for key in keys:
            if not isinstance(key, bytes):
                raise TypeError(f"a key is bytes, not {type(key).__name__}: secrets.token_bytes({SHORTEST_KEY})")
            if len(key) < SHORTEST_KEY:
                raise ValueError(f"a key has {SHORTEST_KEY} bytes or more, this one {len(key)}")
        self._user = user.encode(errors="surrogatepass")
        derived = [Secret.derive(key.hex()) for key in keys]
        self._ciphers = [(secret.id, secret.cipher(_TENANT, self._user.hex())) for secret in derived]
        self._nonce = nonce

    def seal(self, payload: bytes, key: Key) -> bytes:
        """*payload* as it may be kept under *key*."""
        name, cipher = self._ciphers[0]
        head, nonce = _VERSION + name, self._nonce()
        return head + nonce + cipher.encrypt(nonce, payload, self._bound(head, key))

    def open(self, sealed: bytes, key: Key) -> bytes | None:
        """The payload that was sealed for *key*; None: there is none that opens."""
        head, nonce, ciphertext = sealed[:_HEAD], sealed[_HEAD : _HEAD + NONCE], sealed[_HEAD + NONCE :]
        if head[:1] != _VERSION or len(nonce) < NONCE:
            return None
        for name, cipher in self._ciphers:
            if name == head[1:]:
                try:
                    return cipher.decrypt(nonce, ciphertext, self._bound(head, key))
                except InvalidTag:
                    continue
        return None

    def _bound(self, head: bytes, key: Key) -> bytes:
        """What a sealed payload belongs to; each part behind its length, so that none can be taken for another."""
        parts = (self._user, key.logical.encode(errors="surrogatepass"))
        return head + b"".join(len(part).to_bytes(8, "big") + part for part in parts)
