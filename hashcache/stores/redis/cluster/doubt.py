"""
An entry in doubt: it lies in the store, and its purchaser has not looked yet whether it was cleared meanwhile.

Rule: it differs from the sealed entry in its first two bytes alone, so whoever looks for marks and heads finds them.
"""

from __future__ import annotations

#: How a sealed entry begins (core/envelope.py), and how one in doubt does.
CERTAIN = b"HC"
_IN_DOUBT = b"hc"


def doubted(sealed: bytes) -> bytes:
    """*sealed*, in doubt."""
    return _IN_DOUBT + sealed.removeprefix(CERTAIN)


def examined(stored: bytes) -> tuple[bytes, bool]:
    """What was sealed, and whether it is in doubt."""
    if stored.startswith(_IN_DOUBT):
        return CERTAIN + stored.removeprefix(_IN_DOUBT), True
    return stored, False
