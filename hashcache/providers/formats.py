"""
How contents and questions are written on the wire: multipart, form and JSON.

Rule 1: a content is streamed: a body of any size costs one chunk of memory. A small one goes in one piece with what is
        around it: each piece is a step of its own through all layers below.
Rule 2: what is sent tells nothing about the customer: the file's name is ours, by its media type.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import urlencode

import msgspec

from hashcache.ports import Body

#: Up to so many bytes a content goes in one piece: no more than it comes in.
_SMALL = 256 * 1024


class Payload(msgspec.Struct, frozen=True):
    """What is sent: its headers, `Content-Length` among them, and its bytes, made anew by each call of *chunks*."""

    headers: Mapping[str, str]
    chunks: Callable[[], AsyncGenerator[bytes, None]]


async def _no_chunks() -> AsyncGenerator[bytes, None]:
    none: tuple[bytes, ...] = ()
    for chunk in none:
        yield chunk


#: Of a request without a body.
NOTHING = Payload({}, _no_chunks)

_EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/tiff": "tiff",
    "image/bmp": "bmp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
}


def neutral_name(media_type: str) -> str:
    """A file name that tells nothing but the media type, such as `upload.jpg`."""
    return f"upload.{_EXTENSIONS.get(media_type, 'bin')}"


def multipart(
    field: str,
    file_name: str,
    media_type: str,
    body: Body,
    extra: Sequence[tuple[str, str]] = (),
    *,
    boundary: str | None = None,
) -> Payload:
    """
    `multipart/form-data` (RFC 7578) with *extra* fields and then one file, whose bytes are passed on as *body* gives
    them. *file_name* must be neutral: some vendors echo it. *boundary* is 128 random bits unless it is handed in.
    """
    boundary = boundary or secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
        for name, value in extra
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(field)}"; filename="{_quoted(file_name)}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
    before, after = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()

    async def chunks() -> AsyncGenerator[bytes, None]:
        async with aclosing(plain(media_type, body).chunks()) as passed_on:
            if body.size <= _SMALL:
                yield b"".join([before, *[chunk async for chunk in passed_on], after])
                return
            yield before
            async for chunk in passed_on:
                yield chunk
        yield after

    size = len(before) + body.size + len(after)
    return Payload({"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(size)}, chunks)


def _quoted(name: str) -> str:
    """*name* within quotes, as browsers write it (WHATWG HTML, multipart/form-data encoding)."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def plain(media_type: str, body: Body) -> Payload:
    """The bytes of *body* as they are."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        source = body.chunks()
        try:
            async for chunk in source:
                yield chunk
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    return Payload({"Content-Type": media_type, "Content-Length": str(body.size)}, chunks)


def json(document: Any) -> Payload:
    """*document* as JSON."""
    return _whole("application/json", msgspec.json.encode(document))


def form(fields: Mapping[str, str]) -> Payload:
    """*fields* as `application/x-www-form-urlencoded` (WHATWG URL), each to the letter: no line end is rewritten."""
    return _whole("application/x-www-form-urlencoded", urlencode(fields).encode())


def _whole(media_type: str, encoded: bytes) -> Payload:
    async def chunks() -> AsyncGenerator[bytes, None]:
        yield encoded

    return Payload({"Content-Type": media_type, "Content-Length": str(len(encoded))}, chunks)
