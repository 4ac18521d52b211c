"""
Contents that no test has used before, so that tests may share a service without knowing of each other.

Rule: each looks like what it claims to be by its first bytes; no decoder would take it.
"""

from __future__ import annotations

import secrets


def photo(size: int = 600) -> bytes:
    """A JPEG of *size* bytes."""
    return _of(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", size)


def clip(size: int = 600) -> bytes:
    """An MP4 of *size* bytes."""
    return _of(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", size)


def text(size: int = 60) -> str:
    """A text of *size* characters, ASCII alone."""
    return ("A text of tests, " + secrets.token_hex(size // 2 + 1))[:size]


def _of(start: bytes, size: int) -> bytes:
    assert size >= len(start) + 16
    return start + secrets.token_bytes(16) + bytes(size - len(start) - 16)
