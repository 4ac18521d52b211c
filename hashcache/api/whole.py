"""
An upload whose body has come whole: told apart and named where it came in, without an intake.

    multipart/form-data     one `file`, in a form that is written plainly
    application/json        {"text": "..."}, if it is small
    text/plain              the body
    image/*, video/*, application/octet-stream, none    the body; the bytes tell the kind

Rule: only what an intake would take is read here, and as it would read it; anything else is left to it.
"""

from __future__ import annotations

import re
from time import perf_counter

import msgspec

from hashcache.api.intake import Limits
from hashcache.api.jsontext import SMALL, small_text
from hashcache.api.known import Known
from hashcache.api.plainform import boundary_of, file_in
from hashcache.api.problems import Problem
from hashcache.core.content import HEAD, Content, Kind, Utf8, sniff
from hashcache.core.digest import Digest, blake3_of, sha256_of

_UTF8 = r"(?:; ?charset=(?:utf-8|UTF-8))?"
_JSON = re.compile(rf"application/json{_UTF8}")
_TEXT = re.compile(rf"text/plain{_UTF8}")
_FILE = re.compile(r"(?:image|video)/[a-z0-9.+-]{1,60}")
#: Says nothing of the kind.
_BYTES = frozenset({"", "application/octet-stream"})
_ANY, _FILES, _TEXTS = frozenset(Kind), frozenset({Kind.IMAGE, Kind.VIDEO}), frozenset({Kind.TEXT})


class Whole(msgspec.Struct, frozen=True):
    """
    The *content* of an upload: from byte *start* to byte *end* of what was read, or a *text* that was written there in
    another way. *hashing*: seconds spent telling it apart and naming it.
    """

    content: Content
    start: int
    end: int
    hashing: float
    text: bytes | None = None

    @staticmethod
    def is_read(content_type: str) -> bool:
        """Whether a body of this *content_type* may be read here."""
        return boundary_of(content_type) is not None or _kinds(content_type) is not None or _is_json(content_type)

    @classmethod
    def read(cls, content_type: str, read: bytes, at: int, limits: Limits, tenant: str) -> Whole | None:
        """
        The content in the body that has come whole and is *read*, from *at* on; None: it is for an intake to read, or
        to refuse.
        """
        boundary = boundary_of(content_type)
        if boundary is not None:
            found = file_in(read, boundary, at)
            return None if found is None else cls._named(read, found, _ANY, limits, tenant)
        kinds = _kinds(content_type)
        if kinds is not None:
            return cls._named(read, (None, at, len(read)), kinds, limits, tenant)
        if not _is_json(content_type) or len(read) - at > min(SMALL, limits.json):
            return None
        try:
            text = small_text(read[at:])
        except Problem:
            return None
        return cls._named(text, (None, 0, len(text)), _TEXTS, limits, tenant, text=text)

    @classmethod
    def _named(
        cls,
        read: bytes,
        found: tuple[bytes | None, int, int],
        kinds: frozenset[Kind],
        limits: Limits,
        tenant: str,
        *,
        text: bytes | None = None,
    ) -> Whole | None:
        """What was *found* in what was *read* (a file's name, where it begins and ends), if it is one of *kinds*."""
        name, start, end = found
        if not 0 < end - start <= limits.upload:
            return None
        began = perf_counter()
        with memoryview(read) as whole, whole[start:end] as content:
            told = _told(content, kinds, limits.text)
            if told is None:
                return None
            digest = _digest(content, limits.known, tenant)
        named = Content(*told, digest, None if name is None else name.decode("utf-8", "replace"))
        return cls(named, start, end, perf_counter() - began, text)


def _is_json(content_type: str) -> bool:
    return _JSON.fullmatch(content_type) is not None


def _kinds(content_type: str) -> frozenset[Kind] | None:
    """What a body of this type may be, that is the content itself; None: it is none, or written unusually."""
    if content_type in _BYTES:
        return _ANY
    if _FILE.fullmatch(content_type):
        return _FILES
    return _TEXTS if _TEXT.fullmatch(content_type) else None


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


def _told(content: memoryview, kinds: frozenset[Kind], most: int) -> tuple[Kind, str] | None:
    """Kind and media type; None: neither a file that we know nor a text of at most *most* bytes, or not of *kinds*."""
    told = sniff(bytes(content[:HEAD])) if Kind.IMAGE in kinds else None
    if told is not None:
        return told
    if Kind.TEXT not in kinds or len(content) > most:
        return None
    text = Utf8()
    text.update(bytes(content))
    return (Kind.TEXT, "text/plain") if text.finish() else None
