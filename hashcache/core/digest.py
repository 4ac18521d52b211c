"""
The name of some bytes, taken while they pass.

Rule 1: SHA-256 names a content, everywhere and for ever (`sha256sum` agrees).
Rule 2: BLAKE3 (blake3-team, 2020) only finds that name sooner: it is three to five times as fast from some
        4 KB up, so for a body held in memory SHA-256 is computed only when the BLAKE3 digest is not known yet.
Rule 3: that BLAKE3 -> SHA-256 is a pure fact about bytes: it may be forgotten, but never be wrong.
Rule 4: the bytes are hashed exactly as received; nothing is normalised.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec
from blake3 import blake3

#: Up to this size SHA-256 alone is faster than BLAKE3 and a look-up.
SMALL = 4 * 1024
SHA256_HEX = re.compile(r"[0-9a-f]{64}")


class Digest(msgspec.Struct, frozen=True):
    """*value* is the raw digest of *size* bytes under *algorithm* (a name of RFC 9530)."""

    value: bytes
    size: int
    algorithm: str = "sha-256"

    @property
    def hex(self) -> str:
        """The digest as `sha256sum` prints it."""
        return self.value.hex()


def parse_sha256(text: str) -> str | None:
    """*text* as a SHA-256 in lower-case hexadecimal, or None when it is not one. Upper case is accepted."""
    lowered = text.lower()
    return lowered if SHA256_HEX.fullmatch(lowered) else None


def sha256_of(content: bytes | memoryview) -> Digest:
    """The digest of a whole *content*."""
    return Digest(hashlib.sha256(content).digest(), len(content))


def blake3_of(content: bytes | memoryview) -> bytes | None:
    """The BLAKE3 digest of a whole *content*; None up to SMALL bytes, where it would not pay."""
    return blake3(content).digest() if len(content) > SMALL else None


class Hasher:
    """
    Digests of bytes fed in order, by the cheapest way to their SHA-256.

    A body that stays in memory is fed with `update` and named with `finish(chunks)`.
    A body that leaves memory calls `eager` once, with what was fed so far, and from then on
    both digests run while the bytes pass. Not safe for concurrent calls.
    """

    def __init__(self) -> None:
        self._size = 0
        self._held: list[bytes] | None = []  # the first SMALL bytes: BLAKE3 starts only after them
        self._blake3: blake3 | None = None
        self._sha256: hashlib._Hash | None = None

    @property
    def size(self) -> int:
        """Bytes fed so far."""
        return self._size

    def update(self, chunk: bytes) -> None:
        """Feed the next bytes."""
        self._size += len(chunk)
        if self._sha256 is not None:
            self._sha256.update(chunk)
        if self._held is not None:
            self._held.append(chunk)
            if self._size <= SMALL:
                return
            self._blake3 = blake3()
            for held in self._held:
                self._blake3.update(held)
            self._held = None
        elif self._blake3 is not None:
            self._blake3.update(chunk)

    def eager(self, chunks: Iterable[bytes]) -> None:
        """Run SHA-256 along from now on; *chunks* are all the bytes fed so far, about to leave memory."""
        if self._sha256 is None:
            self._sha256 = hashlib.sha256()
            for chunk in chunks:
                self._sha256.update(chunk)

    @property
    def blake3(self) -> bytes | None:
        """The BLAKE3 digest of what was fed so far; None up to SMALL bytes, where it would not pay."""
        return self._blake3.digest() if self._blake3 is not None else None

    def finish(self, chunks: Iterable[bytes], *, known: bytes | None = None) -> Digest:
        """
        The SHA-256 of everything fed.

        *chunks* are the bytes again, for a body in memory (unread after `eager`);
        *known* is its SHA-256 when a BLAKE3 look-up has found it: then nothing is hashed.
        """
        if self._sha256 is not None:
            return Digest(self._sha256.digest(), self._size)
        if known is not None:
            return Digest(known, self._size)
        sha256 = hashlib.sha256()
        for chunk in chunks:
            sha256.update(chunk)
        return Digest(sha256.digest(), self._size)
