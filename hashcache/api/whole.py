"""
An upload whose form has come whole: told apart and named where it came in, without an intake.

Rule: only what an intake would take is read here, and as it would read it; anything else is left to it.
"""

from __future__ import annotations

from time import perf_counter

import msgspec

from hashcache.api.intake import Limits
from hashcache.api.known import Known
from hashcache.api.plainform import boundary_of, file_in
from hashcache.core.content import HEAD, Content, Kind, Utf8, sniff
from hashcache.core.digest import Digest, blake3_of, sha256_of


class Whole(msgspec.Struct, frozen=True):
    """
    The one file in a form, from byte *start* to byte *end* of what was read. *hashing*: seconds spent telling it apart
    and naming it.
    """

    content: Content
    start: int
    end: int
    hashing: float

    @classmethod
    def read(cls, content_type: str, read: bytes, at: int, limits: Limits, tenant: str) -> Whole | None:
        """
        The file in the form that has come whole and is *read*, from *at* on; None: it is for an intake to read, or to
        refuse.
        """
        boundary = boundary_of(content_type)
        found = file_in(read, boundary, at) if boundary is not None else None
        if found is None:
            return None
        name, start, end = found
        if not 0 < end - start <= limits.upload:
            return None
        began = perf_counter()
        with memoryview(read) as whole, whole[start:end] as content:
            told = _told(content, limits.text)
            if told is None:
                return None
            digest = _digest(content, limits.known, tenant)
        named = Content(*told, digest, name.decode("utf-8", "replace"))
        return cls(named, start, end, perf_counter() - began)


def _digest(content: memoryview, known: Known, tenant: str) -> Digest:
    """Its SHA-256; a *known* BLAKE3 spares it."""
    blake3 = blake3_of(content)
    if blake3 is None:
        return sha256_of(content)
    value = known.find(tenant, blake3)
    if value is not None:
        return Digest(value, len(content))
    digest = sha256_of(content)
    known.learn(tenant, blake3, digest.value)
    return digest


def _told(content: memoryview, most: int) -> tuple[Kind, str] | None:
    """Kind and media type; None: neither a file that we know nor a text of at most *most* bytes."""
    told = sniff(bytes(content[:HEAD]))
    if told is not None:
        return told
    if len(content) > most:
        return None
    text = Utf8()
    text.update(bytes(content))
    return (Kind.TEXT, "text/plain") if text.finish() else None
