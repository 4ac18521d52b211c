"""
One content out of a multipart/form-data body (RFC 7578), by python-multipart's push parser.

Rule 1: exactly one part: a `file`, or a field `text`; anything else is a clear problem. Nothing is copied into a form.
Rule 2: a part's bytes go on as they come; what surrounds them (preamble, headers, epilogue) is bounded.
Rule 3: a body that ends before its last boundary is truncated, and refused.
Rule 4: the parser's many small calls are spared whoever sends one file in the usual way (`plainform`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Self

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from hashcache.api.intake import Intake
from hashcache.api.plainform import PlainFile, boundary_of
from hashcache.api.problems import Problem
from hashcache.core.content import Kind

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

#: What may surround the content in a multipart body, in bytes.
OVERHEAD = 64 * 1024
_MOST_HEADERS = 16
_LONGEST_BOUNDARY = 256


async def read_form(
    content_type: str, pieces: AsyncIterator[bytes], open_intake: Callable[[Kind | None], Intake]
) -> tuple[Intake, str | None]:
    """
    Feed the one content in *pieces* to an intake that *open_intake* makes; the intake and the client's file name.

    The caller finishes the intake. On an error it is closed here.

    Raises:
        Problem: `malformed`, `two-files`, `no-file` or `unknown-field`.
    """
    boundary = _boundary(content_type)
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise Problem("malformed", "The Content-Type of a multipart body needs a boundary of 1 to 256 bytes.")
    reader = _Reader(boundary)
    intake: Intake | None = None
    around = 0
    try:
        async for piece in pieces:
            given = reader.feed(piece)
            if intake is None and reader.part is not None:
                intake = open_intake(reader.part.kind)
            if intake is not None:
                await intake.feed(given)
            around += len(piece) - len(given)
            if around > OVERHEAD:
                raise Problem("malformed", f"More than {OVERHEAD} bytes of the body belong to no part.")
        part = reader.finish()
        if intake is None:
            intake = open_intake(part.kind)
    except BaseException:
        if intake is not None:
            await intake.close()
        raise
    return intake, part.file_name


def _boundary(content_type: str) -> bytes:
    plain = boundary_of(content_type)
    if plain is not None:
        return plain
    _, options = parse_options_header(content_type)
    return options.get(b"boundary", b"")


class _Part:
    """One part: its field's name, and the client's name of the file, if it is one."""

    def __init__(self, field: str, file_name: bytes | None) -> None:
        self.field = field
        self.file_name = file_name.decode("utf-8", "replace") if file_name is not None else None

    @classmethod
    def of(cls, headers: Mapping[bytes, bytes]) -> Self:
        """
        The part with these *headers*.

        Raises:
            Problem: it is not one that is taken.
        """
        disposition, options = parse_options_header(headers.get(b"content-disposition", b""))
        field = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename")
        if disposition != b"form-data" or not field:
            raise Problem("malformed", "A part needs Content-Disposition: form-data with a name.")
        if field not in {"file", "text"}:
            raise Problem("unknown-field", f"The field {field[:40]!r} is unknown: send one `file`, or one `text`.")
        if field == "file" and file_name is None and b"content-type" not in headers:
            # What `curl -F file=photo.jpg` sends, where `file=@photo.jpg` was meant: a path, which is no content.
            raise Problem("no-file", "The field `file` holds a value, not a file; with curl, write file=@photo.jpg.")
        encoding = headers.get(b"content-transfer-encoding", b"binary").strip().lower()
        if encoding not in {b"binary", b"7bit", b"8bit"}:
            raise Problem("malformed", "Content-Transfer-Encoding is not used with multipart/form-data (RFC 7578).")
        return cls(field, file_name)

    @property
    def kind(self) -> Kind | None:
        """The field `text` is text; a file tells its kind itself."""
        return Kind.TEXT if self.field == "text" else None


class _Reader:
    """Turns pieces of a body into pieces of its one part."""

    def __init__(self, boundary: bytes) -> None:
        self._boundary = boundary
        self._plain = PlainFile(boundary) if PlainFile.takes(boundary) else None
        self._parser = None if self._plain else _Parser(boundary)
        self.part: _Part | None = None

    def feed(self, piece: bytes) -> bytes:
        """The bytes of the part that are known by *piece* to be its own. Raises Problem."""
        if self._plain is not None:
            given = self._plain.feed(piece)
            if given is not None:
                if self.part is None:
                    self.part = _Part("file", self._plain.name)
                return given
            piece, self._plain = self._plain.unread, None
        if self._parser is None:
            self._parser = _Parser(self._boundary)
        given = self._parser.feed(piece)
        self.part = self._parser.part
        return given

    def finish(self) -> _Part:
        """The part, after the last piece. Raises Problem."""
        ended = self._plain or self._parser
        if ended is None or not ended.complete:
            raise Problem("malformed", "The multipart body is truncated: its closing boundary is missing.")
        if self.part is None:
            raise Problem("no-file", "The form holds no part: send one `file`, or one `text`.")
        return self.part


class _Parser:
    """The same by python-multipart's parser, however the form is written."""

    def __init__(self, boundary: bytes) -> None:
        self.part: _Part | None = None
        self.complete = False
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        self._given: list[bytes] = []
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except ValueError:
            raise Problem("malformed", "The boundary of the multipart body is not valid.") from None

    def feed(self, piece: bytes) -> bytes:
        """The bytes of the part that *piece* brings."""
        self._given = []
        try:
            written = self._parser.write(piece)
        except MultipartParseError:
            raise Problem(
                "malformed", "The multipart body cannot be read: its parts are not separated as announced."
            ) from None
        if written != len(piece) and not self.complete:
            raise Problem("malformed", "The multipart body cannot be read to its end.")
        return self._given[0] if len(self._given) == 1 else b"".join(self._given)

    def _begin(self) -> None:
        self._headers = {}

    def _header_field(self, piece: bytes, start: int, end: int) -> None:
        self._name += piece[start:end]

    def _header_value(self, piece: bytes, start: int, end: int) -> None:
        self._value += piece[start:end]

    def _header_end(self) -> None:
        if len(self._headers) >= _MOST_HEADERS:
            raise Problem("malformed", f"A part may have {_MOST_HEADERS} headers.")
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        part = _Part.of(self._headers)
        if self.part is not None:
            raise Problem("two-files", "Send one content a request: one `file`, or one `text`.")
        self.part = part

    def _data(self, piece: bytes, start: int, end: int) -> None:
        if self.part is not None:
            self._given.append(piece[start:end])

    def _end(self) -> None:
        self.complete = True
