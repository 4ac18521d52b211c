"""
From a request to a content and its bytes: which part of the request is the content, in each form that is accepted.

    multipart/form-data     one `file`, or one field `text`
    application/json        {"text": "..."}; the digest is of the decoded string in UTF-8
    text/plain              the body, exactly as it comes
    image/*, video/*, application/octet-stream, none    the body; the bytes tell the kind

Rule: what can be refused by its headers is refused before a byte is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request

from hashcache.api.arrival import pieces, whole
from hashcache.api.intake import Intake, Limits
from hashcache.api.jsontext import text_in
from hashcache.api.multipart import OVERHEAD, read_form
from hashcache.api.problems import Problem
from hashcache.core.content import Content, Kind
from hashcache.core.errors import ContentTooLarge
from hashcache.ports import Body

_WRAPPED = {"multipart/form-data", "application/json"}


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload: *body* belongs to whoever holds this. *received*, *hashed*: milliseconds."""

    content: Content
    body: Body
    received: float
    hashed: float


@dataclass(frozen=True, slots=True)
class Announced:
    """
    What a request's headers say of its body: its *media_type*, the *length* in bytes, if it is told, and, of bytes that
    are the content themselves, which kind it is *declared* to be.
    """

    media_type: str
    length: int | None
    declared: Kind | None

    @property
    def kinds(self) -> set[Kind] | None:
        """Of which kinds the raw body can be; None: it is a form or JSON."""
        if self.media_type in _WRAPPED:
            return None
        if self.declared is None:
            return set(Kind)
        return {Kind.TEXT} if self.declared is Kind.TEXT else {Kind.IMAGE, Kind.VIDEO}


def announced(request: Request, limits: Limits) -> Announced:
    """
    What the headers of *request* say.

    Raises:
        Problem, ContentError: it is refused by them.
    """
    media_type, charset = _media_type(request)
    length = _length(request)
    _check_headers(request, limits, media_type, length)
    declared = None if media_type in _WRAPPED else _declared(media_type, charset)
    return Announced(media_type, length, declared)


async def receive(request: Request, head: Announced, limits: Limits, *, tenant: str) -> Upload:
    """
    The content of *request*, whose headers say *head*.

    Raises:
        Problem, ContentError, SpoolFull: why it is refused; nothing is kept then.
        ClientGone: nobody waits for an answer.
    """
    began = monotonic()
    body = pieces(request, limits.pace)
    name: str | None = None
    if head.media_type == "multipart/form-data":
        intake, name = await _form(request, body, head.length, limits, tenant)
    elif head.media_type == "application/json":
        intake = await _text_of_json(request, limits, tenant)
    else:
        intake = Intake(limits, tenant=tenant, declared=head.declared, expected=head.length)
        await _pour(body, intake)
    try:
        content, kept = await intake.finish(name)
    finally:
        await intake.close()
    return Upload(content, kept, (monotonic() - began) * 1000, intake.hashing * 1000)


def _media_type(request: Request) -> tuple[str, str]:
    """Type and charset parameter of the body, in lower case, without quotes."""
    whole = request.headers.get("content-type", "")
    media_type, _, parameters = whole.partition(";")
    charset = ""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return media_type.strip().lower(), charset


def _check_headers(request: Request, limits: Limits, media_type: str, length: int | None) -> None:
    encodings = request.headers.get("content-encoding")
    if encodings and any(one.strip().lower() not in {"", "identity"} for one in encodings.split(",")):
        raise Problem("compressed-body", "Send the bytes as they are.", headers={"Accept-Encoding": "identity"})
    if length is None:
        return
    most = limits.upload
    if media_type == "multipart/form-data":
        most += OVERHEAD
    elif media_type == "application/json":
        most = limits.json
    elif media_type == "text/plain":
        most = limits.text
    if length > most:
        limit = limits.text if media_type in {"application/json", "text/plain"} else limits.upload
        raise ContentTooLarge(f"the body has {length} bytes; an upload of this form may have {limit}", limit=limit)


def _length(request: Request) -> int | None:
    length = request.headers.get("content-length")
    return int(length) if length is not None else None


def _inside(length: int | None, kind: Kind | None) -> int | None:
    """How large the file in a multipart body of *length* is at least; a field is left to be counted."""
    return None if length is None or kind is Kind.TEXT else max(0, length - OVERHEAD)


def _declared(media_type: str, charset: str) -> Kind | None:
    if media_type == "text/plain":
        if charset not in {"", "utf-8", "utf8", "us-ascii"}:
            raise Problem("not-utf8", f"The charset {charset[:40]!r} is not accepted: send the text as UTF-8.")
        return Kind.TEXT
    if media_type.startswith("image/"):
        return Kind.IMAGE
    if media_type.startswith("video/"):
        return Kind.VIDEO
    if media_type in {"", "application/octet-stream"}:
        return None
    raise Problem(
        "unsupported-media-type",
        f"{media_type[:80]!r} is not accepted. Send multipart/form-data with a `file`, the bytes as image/*, video/* "
        'or application/octet-stream, a text as text/plain, or JSON {"text": "..."}.',
    )


async def _pour(body: AsyncIterator[bytes], intake: Intake) -> None:
    try:
        async for piece in body:
            await intake.feed(piece)
    except BaseException:
        await intake.close()
        raise


async def _form(
    request: Request, body: AsyncIterator[bytes], expected: int | None, limits: Limits, tenant: str
) -> tuple[Intake, str | None]:
    """The content in a form, and its file's name. Room is taken for the whole form, before its part is known."""
    share = limits.room.share()

    def open_intake(kind: Kind | None) -> Intake:
        return Intake(limits, tenant=tenant, declared=kind, expected=_inside(expected, kind), share=share)

    try:
        share.announce(expected, most=limits.upload)
        return await read_form(request.headers["content-type"], body, open_intake)
    except BaseException:
        share.close()
        raise


async def _text_of_json(request: Request, limits: Limits, tenant: str) -> Intake:
    with closing(limits.room.share()) as share:
        raw = await whole(request, limits.pace, most=limits.json, share=share)
        text = await text_in(raw)
    intake = Intake(limits, tenant=tenant, declared=Kind.TEXT, expected=len(text))
    try:
        await intake.feed(text)
    except BaseException:
        await intake.close()
        raise
    return intake
