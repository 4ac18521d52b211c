"""
An upload whose form has come whole: told apart and named where it came in, without an intake.

Rule 1: only what an intake would take is read here, and as it would read it; anything else is left to it.
Rule 2: what was found out is not found out again: it goes along with the request to the pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from starlette.types import Scope

from hashcache.api.intake import Limits
from hashcache.api.plainform import boundary_of, file_in
from hashcache.core.content import HEAD, Content, Kind, Utf8, sniff
from hashcache.core.digest import Digest, blake3_of, sha256_of

_PLACE = "hashcache.whole"


@dataclass(frozen=True, slots=True)
class Whole:
    """
    The one file in a form, from byte *start* to byte *end* of it. *digest*: its SHA-256 if it is known already, or
    *blake3* finds it. *hashing*: seconds spent with it.
    """

    kind: Kind
    media_type: str
    name: str
    start: int
    end: int
    blake3: bytes | None
    digest: Digest | None
    hashing: float

    @classmethod
    def read(cls, content_type: str, form: bytearray, limits: Limits, tenant: str) -> Whole | None:
        """The file in *form*, which has come whole; None: it is for an intake to read, or to refuse."""
        boundary = boundary_of(content_type)
        found = file_in(form, boundary) if boundary is not None else None
        if found is None:
            return None
        name, start, end = found
        if not 0 < end - start <= limits.upload:
            return None
        began = perf_counter()
        with memoryview(form) as whole, whole[start:end] as content:
            told = _told(content, limits.text)
            if told is None:
                return None
            blake3 = blake3_of(content)
            digest = sha256_of(content) if blake3 is None else None
        known = limits.known.get((tenant, blake3)) if blake3 is not None else None
        if known is not None:
            digest = Digest(known, end - start)
        return cls(*told, name.decode("utf-8", "replace"), start, end, blake3, digest, perf_counter() - began)

    @classmethod
    def of(cls, scope: Scope) -> Whole | None:
        """What was read of the request of *scope* when it came in."""
        found: Whole | None = scope.get(_PLACE)
        return found

    def go_along(self, scope: Scope) -> None:
        """Leave this to the pages."""
        scope[_PLACE] = self

    def content(self, digest: Digest) -> Content:
        """It, with its *digest*."""
        return Content(self.kind, self.media_type, digest, self.name)


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
