"""
An upload whose form has come whole: told apart and named where it came in, without an intake.

Rule 1: only what an intake would take is read here, and as it would read it; anything else is left to it.
Rule 2: what was found out, of it and of the cache, is not found out again: it goes along with the request to the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import msgspec
from msgspec.structs import replace
from starlette.types import Scope

from hashcache.api.intake import Limits
from hashcache.api.known import Known
from hashcache.api.plainform import boundary_of, file_in
from hashcache.core.content import HEAD, Content, Kind, Utf8, sniff
from hashcache.core.digest import Digest, blake3_of, sha256_of
from hashcache.core.freshness import Cause
from hashcache.core.key import Key

_PLACE = "hashcache.whole"


class Whole(msgspec.Struct, frozen=True):
    """
    The one file in a form, from byte *start* to byte *end* of it. *hashing*: seconds spent telling it apart and naming
    it. *causes*: why the cache has nothing of it, where that was just looked up.
    """

    content: Content
    start: int
    end: int
    hashing: float
    causes: Mapping[Key, Cause] | None = None

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
        return cls(named, start - at, end - at, perf_counter() - began)

    @classmethod
    def of(cls, scope: Scope) -> Whole | None:
        """What was read of the request of *scope* when it came in."""
        found: Whole | None = scope.get(_PLACE)
        return found

    def go_along(self, scope: Scope) -> None:
        """Leave this to the pages."""
        scope[_PLACE] = self

    def without(self, causes: Mapping[Key, Cause]) -> Whole:
        """This, of which a look-up has just found nothing, for these *causes*."""
        return replace(self, causes=causes)

    @property
    def digest(self) -> Digest:
        """Its SHA-256."""
        return self.content.digest

    @property
    def kind(self) -> Kind:
        """What it is."""
        return self.content.kind


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
