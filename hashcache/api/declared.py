"""
What a client says of its upload's digest before the bytes: the resource's name, Repr-Digest, Content-Digest.

Rule 1: only `sha-256` is read of the two fields (RFC 9530); other algorithms are ignored, a malformed field is not.
Rule 2: all that is declared must be the same. No content coding is accepted, so the digest of the content and that
        of the representation are one.
"""

from __future__ import annotations

import base64
import binascii
import re

from starlette.requests import Request

from hashcache.api.problems import Problem

_FIELDS = ("repr-digest", "content-digest")
# A member of a dictionary whose value is a byte sequence (RFC 8941 sections 3.2 and 3.3.5); parameters mean nothing.
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:;[ ]*[a-z*][a-z0-9_.*-]*(?:=[^\s,;\"]+)?)*")


def declared_sha256(request: Request, named: str | None = None) -> str | None:
    """
    The SHA-256 that *request* declares of its raw body, in lower-case hexadecimal; *named* is the one in its path.

    Raises:
        Problem: `bad-digest`: a field cannot be read. `digest-mismatch`: two of them contradict each other.
    """
    found = {named} if named is not None else set()
    for field in _FIELDS:
        values = request.headers.getlist(field)
        if values:
            sha256 = _sha256_in(field, ", ".join(values))
            found |= {sha256} if sha256 is not None else set()
    if len(found) > 1:
        raise Problem("digest-mismatch", "The digests that this request declares contradict each other.")
    return found.pop() if found else None


def check(found: str, declared: str | None) -> None:
    """
    Compare the digest that was *found* with the one that was *declared*, if any was.

    Raises:
        Problem: `digest-mismatch`.
    """
    if declared is not None and found != declared:
        raise Problem("digest-mismatch", f"The bytes have the SHA-256 {found}; they were declared as {declared}.")


def _sha256_in(field: str, value: str) -> str | None:
    """The SHA-256 in the dictionary *value*, the last one if there are several (RFC 8941 section 4.2.2)."""
    found = None
    for member in value.split(","):
        matched = _MEMBER.fullmatch(member.strip(" \t"))
        if matched is None:
            raise _unreadable(field)
        if matched[1] == "sha-256":
            found = _decoded(field, matched[2])
    return found


def _decoded(field: str, text: str) -> str:
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _unreadable(field) from None
    if len(digest) != 32:
        raise _unreadable(field)
    return digest.hex()


def _unreadable(field: str) -> Problem:
    return Problem("bad-digest", f"{field.title()} is written sha-256=:<the 32 bytes in base64>: (RFC 9530).")
