"""
A letter: a webhook that somebody was promised, and how it is kept until it is delivered.

Rule 1: it says which answer is wanted, never the answer: that is looked up when it is sent. So what was forgotten or
        cleared meanwhile is nowhere kept. Only the problem of a failed analysis, which tells nothing of the content,
        is put down once it was told.
Rule 2: sealed with a key of the webhooks' secret (AES-256-GCM): who can read the store learns no URL and no digest
        from it, and who can write to it cannot have an answer sent anywhere. Bound to its id and tenant.
Rule 3: what does not open is nobody's letter; every older secret that is still set opens what it sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hashcache.core.content import Kind
from hashcache.core.entry import EPOCH, Instant
from hashcache.core.target import Target

_CONTEXT = "hashcache 2026-11-21 cipher of a webhook's letter, version 1"
_VERSION = b"\x01"
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook that the request of the id *request* asks for; *id* is its `webhook-id`."""

    id: str
    target: Target
    request: str


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """
    *id* is the `webhook-id`. The answer about the content *sha256* of *kind* goes to *url* for *tenant*; *request* is
    the id of the request that asked for it, *accepted* when that was. It was sent *tries* times in vain.

    *problem*: what became of the analysis, as JSON, *failed* at that instant; "": to be looked up.
    """

    id: str
    tenant: str
    url: str
    sha256: str
    kind: Kind
    request: str
    accepted: Instant
    tries: int = 0
    problem: str = ""
    failed: Instant = EPOCH


class Sealer:
    """Seals letters with the first of *secrets*. *nonce* gives 12 random bytes that were never given before."""

    def __init__(self, secrets: Sequence[bytes], nonce: Callable[[], bytes]) -> None:
        self._ciphers = [AESGCM(blake3(secret, derive_key_context=_CONTEXT).digest()) for secret in secrets]
        self._nonce = nonce

    def seal(self, letter: Letter) -> bytes:
        """*letter* as it is kept."""
        nonce = self._nonce()
        told = msgspec.json.encode(letter)
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, told, _bound(letter.id, letter.tenant))

    def open(self, letter: str, tenant: str, sealed: bytes) -> Letter | None:
        """The letter of this id and *tenant* that *sealed* holds, if it was sealed here."""
        if sealed[:1] != _VERSION or len(sealed) <= 1 + _NONCE:
            return None
        for cipher in self._ciphers:
            try:
                told = cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], _bound(letter, tenant))
                return msgspec.json.decode(told, type=Letter)
            except InvalidTag:
                continue
            except msgspec.DecodeError:
                return None
        return None


def _bound(letter: str, tenant: str) -> bytes:
    return f"{len(letter)}.{letter}{tenant}".encode()
