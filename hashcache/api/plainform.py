"""
One file in a form, written as browsers, curl and client libraries write it, found without a parser.

Rule 1: what is plain is exactly what python-multipart would read in the same way. At the first byte that is not, this
        gives up, and its reader begins anew with what is `unread`: nothing is decided here that the parser would not.
Rule 2: a form is scanned once for its delimiter, a piece at a time; a piece without one is passed on as it is.
"""

from __future__ import annotations

import re

_BOUNDARY = re.compile(rb"[A-Za-z0-9_.-]{1,70}")
#: Nothing in it that a parser of parameters would have to undo.
_TYPE = re.compile(r"multipart/form-data; ?boundary=([A-Za-z0-9_.-]{1,70})")
#: Nothing in it that a parser of headers would have to undo: no escape, no semicolon, no other parameter or header.
_HEAD = re.compile(
    rb"(?i:Content-Disposition): form-data; name=\"file\"; filename=\"([^\"\\;\x00-\x1f\x7f]{0,300})\"\r\n"
    rb"(?i:Content-Type): [!-~]{1,100}\r\n\r\n"
)
_OPENED, _CLOSED = b"\r\n", b"--\r\n"


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a form whose type is written plainly; None: it is not."""
    plain = _TYPE.fullmatch(content_type)
    return plain[1].encode() if plain is not None else None


def file_in(read: bytes, boundary: bytes, at: int) -> tuple[bytes, int, int] | None:
    """
    The client's name of the one file in a form that has come whole and is *read*, from *at* on, and where in *read* the
    file begins and ends; None: this is not plain, or not whole.
    """
    opening = b"--" + boundary + _OPENED
    head = _HEAD.match(read, at + len(opening)) if read.startswith(opening, at) else None
    if head is None:
        return None
    closing = b"\r\n--" + boundary
    end = read.find(closing, head.end())
    if end < 0 or read[end + len(closing) :] != _CLOSED:
        return None
    return head[1], head.end(), end


class PlainFile:
    """
    Finds the file between the delimiters of *boundary*. *name*: the client's name of it, as soon as it is read.
    *complete*: the form has ended. *unread*, after `feed` gave up: all from the form's start but what was given.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._head = b""
        self._held = b""  # the end of a piece, with which the delimiter may begin
        self.name: bytes | None = None
        self.complete = False
        self.unread = b""

    @staticmethod
    def takes(boundary: bytes) -> bool:
        """Whether *boundary* is a plain one."""
        return _BOUNDARY.fullmatch(boundary) is not None

    def feed(self, piece: bytes) -> bytes | None:
        """The bytes of the file that *piece* brings; None: this is not plain, or not any more."""
        at = 0
        if self.name is None:
            start = self._delimiter[2:] + _OPENED
            head = _HEAD.match(piece, len(start)) if piece.startswith(start) else None
            if head is None:
                self.unread = piece
                return None
            self.name, at = head[1], head.end()
            self._head = piece[:at]
        elif self._held:
            piece, self._held = self._held + piece, b""
        found = piece.find(self._delimiter, at) if not self.complete else 0
        if found < 0:
            return self._all_but_a_beginning(piece, at)
        if self.complete or piece[found + len(self._delimiter) :] != _CLOSED:
            self.unread = self._head + piece[at:]
            return None
        self.complete, self._held = True, piece[found:]
        return piece[at:found]

    def _all_but_a_beginning(self, piece: bytes, at: int) -> bytes:
        """*piece* from *at* on, without the beginning of a delimiter, which is held until it can be told apart."""
        end = piece.rfind(b"\r", max(at, len(piece) - len(self._delimiter) + 1))
        if end < 0 or not self._delimiter.startswith(piece[end:]):
            return piece[at:] if at else piece
        self._held = piece[end:]
        return piece[at:end]
