"""
The text in the body `{"text": "..."}`.

Rule 1: a large body is read a piece at a time, others are served in between: a million characters that are all written
        as escapes take 30 ms, and a body of empty lists more than a second. So it is the object that is asked for,
        with whatever blanks and escapes, or it is refused.
Rule 2: a small body is read as any JSON, and told more closely what is wrong with it.
Rule 3: the text is the same either way (RFC 8259 section 7); half of a surrogate pair is no text (RFC 3629 section 3).
"""

from __future__ import annotations

import asyncio
import json
import re

from hashcache.api.arrival import read_json
from hashcache.api.problems import Problem

#: Up to this size a body is read at once, within a few milliseconds.
SMALL = 64 * 1024
_PIECE = 128 * 1024
_ASKED = 'Send a JSON object: {"text": "..."}.'
_BLANK = b" \t\r\n"
#: Up to the text; the name may be written with escapes, as \u0074.
_OPENING = re.compile(
    rb'[ \t\r\n]*\{[ \t\r\n]*"(?:t|\\u0074)(?:e|\\u0065)(?:x|\\u0078)(?:t|\\u0074)"[ \t\r\n]*:[ \t\r\n]*"'
)
_FIRST_HALF = re.compile(rb"\\u[dD][89abAB]")


async def text_in(raw: bytes) -> bytes:
    """
    The text in the JSON document *raw*, in UTF-8.

    Raises:
        Problem: `malformed`, `unknown-field`, `no-file`; `bad-text`: half of a surrogate pair.
    """
    if len(raw) <= SMALL:
        return small_text(raw)
    at, end = _between(raw)
    pieces = []
    while at < end:
        cut = _cut(raw, at, end)
        pieces.append(_utf8(_read(raw[at:cut])))
        at = cut
        await asyncio.sleep(0)  # between two pieces others have their turn
    return b"".join(pieces)


def small_text(raw: bytes) -> bytes:
    """As `text_in`, of a document of at most SMALL bytes, and at once."""
    return _utf8(_member(read_json(raw)))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Problem("bad-text", "The text holds half of a surrogate pair, which no UTF-8 can carry.") from None


def _member(sent: object) -> str:
    if not isinstance(sent, dict):
        raise Problem("malformed", _ASKED)
    for field in sent:
        if field != "text":
            raise Problem("unknown-field", f'The field {field[:40]!r} is unknown: send {{"text": "..."}}.')
    text = sent.get("text")
    if not isinstance(text, str):
        raise Problem("malformed" if "text" in sent else "no-file", 'Send the text as a string: {"text": "..."}.')
    return text


def _between(raw: bytes) -> tuple[int, int]:
    """Where the text begins and ends in *raw*, if that is the object; what lies between is still to be read."""
    opening = _OPENING.match(raw)
    inside = raw.rstrip(_BLANK)
    closed = inside.endswith(b"}")
    inside = inside[:-1].rstrip(_BLANK)
    if opening is None or not closed or not inside.endswith(b'"') or len(inside) <= opening.end():
        raise Problem("malformed", _ASKED)
    return opening.end(), len(inside) - 1


def _cut(raw: bytes, start: int, end: int) -> int:
    """Where a piece from *start* ends that divides no character, no escape and no pair of escapes."""
    at = start + _PIECE
    if at >= end:
        return end
    while raw[at] & 0xC0 == 0x80:
        at -= 1
    last = raw.rfind(b"\\", at - 5, at)
    if last >= 0 and _opens(raw, start, last):
        at = last if last + (6 if raw[last + 1 : last + 2] == b"u" else 2) > at else at
    before = at - 6
    if _FIRST_HALF.match(raw, before) and _opens(raw, start, before):
        at = before
    return at


def _opens(raw: bytes, start: int, at: int) -> bool:
    """Whether the backslash *at* opens an escape, and is not the second one of another; none is open at *start*."""
    run = at - start - len(raw[start:at].rstrip(b"\\"))
    return run % 2 == 0


def _read(piece: bytes) -> str:
    try:
        text = json.loads(b'"%s"' % piece)
    except (ValueError, RecursionError):
        raise Problem("malformed", _ASKED) from None
    return str(text)
