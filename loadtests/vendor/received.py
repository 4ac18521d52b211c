"""
What a vendor on loopback has received: HTTP/1.1 requests, their contents digested while they stream in.

Rule: a content is never kept, so that an upload of any size may be tested.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from python_multipart.multipart import MultipartParser, parse_options_header

MOST_HEADER_BYTES = 64 * 1024


@dataclass
class Request:
    """
    One request: *headers* by lower-case name; *content* is the SHA-256 of the file part, or of the texts of JSON or a
    form, *md5* the other digest of the same. *fields* that are no text are written as JSON.
    """

    method: str
    path: str
    headers: dict[str, str]
    content: str = ""
    md5: str = ""
    size: int = 0
    file_name: str | None = None
    media_type: str | None = None
    fields: dict[str, str] = field(default_factory=dict)


class ContentDigest:
    """Digests the file of a multipart body, the texts of JSON or a form, or a whole other body, while it streams in."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._digest = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._parser: MultipartParser | None = None
        self._held: bytearray | None = None
        self._name, self._value = b"", b""
        self._part: dict[bytes, bytes] = {}
        self._field = ""
        self._is_file = False
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind == b"multipart/form-data":
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                },
            )
        elif kind in {b"application/json", b"application/x-www-form-urlencoded"}:
            self._read = json.loads if kind == b"application/json" else _read_form
            self._held = bytearray()

    def update(self, chunk: bytes) -> None:
        """The next bytes of the body."""
        if self._parser is not None:
            self._parser.write(chunk)
        elif self._held is not None:
            self._held += chunk
        else:
            self._take(chunk)

    def finish(self) -> None:
        """That was all: the request now knows its content."""
        if self._parser is not None:
            self._parser.finalize()
        if self._held is not None:
            for name, found in self._read(self._held).items():
                self._request.fields[name] = found if isinstance(found, str) else json.dumps(found)
                if isinstance(found, str):
                    self._take(found.encode())
        self._request.content = self._digest.hexdigest()
        self._request.md5 = self._md5.hexdigest()

    def _take(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._md5.update(chunk)
        self._request.size += len(chunk)

    def _begin(self) -> None:
        self._part, self._name, self._value = {}, b"", b""

    def _header_name(self, raw: bytes, start: int, end: int) -> None:
        self._name += raw[start:end]

    def _header_value(self, raw: bytes, start: int, end: int) -> None:
        self._value += raw[start:end]

    def _header_end(self) -> None:
        self._part[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._part[b"content-disposition"])
        self._field = options[b"name"].decode()
        self._is_file = b"filename" in options
        self._request.fields[self._field] = ""
        if self._is_file:
            self._request.file_name = options[b"filename"].decode()
            self._request.media_type = self._part[b"content-type"].decode()

    def _data(self, raw: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._take(raw[start:end])
        else:
            self._request.fields[self._field] += raw[start:end].decode()


def _read_form(raw: bytearray) -> dict[str, str]:
    return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True))


async def read_head(reader: asyncio.StreamReader) -> Request:
    """The request line and the header fields."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    fields = (line.partition(":") for line in lines[1:-2])
    return Request(method, path, {name.lower(): value.strip() for name, _, value in fields})
