"""
Which SHA-256 belongs to a BLAKE3 digest, of contents that were uploaded to this process: bounded in bytes.

Rule 1: a pure fact about bytes (`core.digest`, rule 3): forgotten when there is no room, the least recently used first,
        and never invalidated.
Rule 2: what one tenant taught us is not found by another: how long a request takes would tell what others have.
"""

from __future__ import annotations

from collections import OrderedDict

#: Of one process, in bytes: some 43,000 digests.
MOST = 16_000_000
#: What one takes, in bytes, beside the tenant's name: two byte strings and their place in a table that may be growing.
COST = 360


class Known:
    """At most *most* bytes of digests."""

    def __init__(self, most: int = MOST) -> None:
        self._left = most
        self._digests: OrderedDict[bytes, bytes] = OrderedDict()  # the least recently used one first

    def find(self, tenant: str, blake3: bytes) -> bytes | None:
        """The SHA-256 of what *tenant* uploaded with this BLAKE3 digest; None: not known, or not any more."""
        name = blake3 + tenant.encode()
        sha256 = self._digests.get(name)
        if sha256 is not None:
            self._digests.move_to_end(name)
        return sha256

    def learn(self, tenant: str, blake3: bytes, sha256: bytes) -> None:
        """What *tenant* uploaded has these digests."""
        name = blake3 + tenant.encode()
        if name not in self._digests:
            self._left -= COST + len(name) - len(blake3)
        self._digests[name] = sha256
        while self._left < 0:
            oldest, _ = self._digests.popitem(last=False)
            self._left += COST + len(oldest) - len(blake3)

    def __len__(self) -> int:
        return len(self._digests)
