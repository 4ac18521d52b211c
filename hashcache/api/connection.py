"""
The connection's own rules, before and after everything else: pure ASGI, around the whole application.

Rule 1: a request whose end or address is ambiguous is refused: both Content-Length and Transfer-Encoding, another
        coding than chunked, no Host or two, an unknown version, more than MOST_HEADERS of headers (RFC 9112 sections
        3.2, 6.1 and 6.3, RFC 6585).
Rule 2: whoever is answered before his body was read is told `Connection: close`: some servers would take the next
        request for the rest of the body. A little is drained, so that a client who still writes can read the answer.
        A small body that has come along, or does in a moment, is read first, and the connection stays.
Rule 3: every answer carries the request's id; whatever nobody caught becomes a problem, logged once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Protocol

import structlog
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashcache.api import problems
from hashcache.api.admission import Share
from hashcache.api.asked import Fields
from hashcache.api.problems import Problem
from hashcache.ports import REQUEST, Observer

MOST_HEADERS = 16 * 1024
DRAIN_BYTES = 1_000_000
DRAIN_SECONDS = 1.0
#: A body of at most so many bytes, that has arrived within so many seconds, costs less than another connection.
SMALL_BYTES = 64 * 1024
SMALL_SECONDS = 0.05
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_GIVEN_UP = "It took longer than this server could wait. What was bought may be kept: ask again."
# ASGI says "1.0"; granian says "1".
_VERSIONS = frozenset({"1", "1.0", "1.1", "2"})

_BROKEN_OFF = Problem("malformed", "The body ends before it is complete.", headers={"Connection": "close"})

#: In a scope: when the first byte of the request came (monotonic), where its last one came in another read.
BEGAN = "hashcache.began"
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")

log: structlog.stdlib.BoundLogger = structlog.get_logger("hashcache")


class Swift(Protocol):
    """Answers requests that have come whole."""

    def answer(
        self, scope: Scope, fields: Mapping[bytes, bytes], read: bytes, start: int
    ) -> Response | Awaitable[Response] | None:
        """
        The answer to the request of *scope*, with header *fields* each of which came once, whose body begins at *start*
        of what was *read*; now or soon, or None.
        """
        ...

    def room(self, scope: Scope, fields: Mapping[bytes, bytes], size: int) -> Share | None:
        """Room for the rest of a request of *size* bytes; None: there is none, or `answer` would have none."""
        ...


class ClientGone(Exception):
    """The client left before its body was complete, or the server could not read the rest of it."""


class Connection:
    """
    Wraps *app*; *new_id* makes a request's id when the client sends none; *observer* hears of every refusal; *swift*
    answers what waits for nothing.
    """

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], str], observer: Observer, swift: Swift) -> None:
        self._app = app
        self._new_id = new_id
        self._observer = observer
        self._swift = swift

    def at_once(self, scope: Scope, read: bytes, start: int) -> Response | Awaitable[Response] | None:
        """
        The answer to a request that has come whole, in *read*, where its body begins at *start*; or the wait for it,
        which raises nothing; None: call this application.

        For servers that may ask before they make a task of the request. They have seen that it is one of HTTP/1.1, and
        where it ends: its length is told, not found out from chunks. *scope* may tell when it BEGAN.
        """
        fields = _usual(scope)
        if fields is None or start > MOST_HEADERS:
            return None
        asked = fields.get(b"x-request-id")
        request_id = self._new_id() if asked is None else self._chosen(asked.decode("latin-1"))
        told = REQUEST.set(request_id)
        try:
            answer = self._swift.answer(scope, fields, read, start)
        except Exception:
            log.exception("request.fault", path=scope["path"])
            return None
        finally:
            REQUEST.reset(told)
        if isinstance(answer, Response):
            return _signed(answer, request_id)
        return self._soon(answer, scope, request_id) if answer is not None else None

    def room(self, scope: Scope, size: int) -> Share | None:
        """
        Room for a request of *size* bytes of which the rest is on its way; None: call this application. It is to be
        closed before this is asked for the answer.

        For servers that wait for the rest of a small request, so as to ask for its answer `at_once`.
        """
        fields = _usual(scope)
        try:
            return None if fields is None else self._swift.room(scope, fields, size)
        except Exception:
            log.exception("request.fault", path=scope["path"])
            return None

    async def _soon(self, answer: Awaitable[Response], scope: Scope, request_id: str) -> Response:
        REQUEST.set(request_id)
        try:
            return _signed(await answer, request_id)
        except asyncio.CancelledError:
            refused: Exception = _given_up()
        except Exception as error:  # noqa: BLE001 - the last resort: a client is answered, the fault is logged
            refused = error
        return _signed(self._problem(scope, refused).response(request_id), request_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Fields.of(scope)
        request_id = self._id_of(headers)
        scope["app"] = self  # tells the router to raise what it refuses: all problems are written in one place
        scope["request_id"] = request_id
        REQUEST.set(request_id)
        exchange = _Exchange(scope, headers, receive, send, request_id)
        refused = _refusal(scope, headers)
        if refused is not None:
            await self._fail(exchange, scope, refused)
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientGone:
            self._observer.aborted(path=scope["path"])
            # Who only broke the framing of his body is still there (granian tells both alike); others hear nothing.
            await exchange.fail(_BROKEN_OFF)
        except asyncio.CancelledError:
            # Only the server cancels a request: when the grace is over. Its client is answered, not cut off.
            await self._fail(exchange, scope, _given_up())
        except Exception as error:  # noqa: BLE001 - the last resort: a client is answered, the fault is logged
            await self._fail(exchange, scope, error)

    def _id_of(self, headers: Fields) -> str:
        asked = headers.get("x-request-id")
        return self._new_id() if asked is None else self._chosen(asked)

    def _chosen(self, asked: str) -> str:
        return asked if _REQUEST_ID.fullmatch(asked) else self._new_id()

    async def _fail(self, exchange: _Exchange, scope: Scope, error: Exception) -> None:
        await exchange.fail(self._problem(scope, error))

    def _problem(self, scope: Scope, error: Exception) -> Problem:
        """What *error* is answered with; the log and the observer know of it."""
        problem = problems.of(error)
        if problem.slug == "internal":
            log.error("request.fault", path=scope["path"], exc_info=error)
        self._observer.refused(problem.slug, status=problem.kind.status, method=scope["method"], path=scope["path"])
        return problem


def _usual(scope: Scope) -> Mapping[bytes, bytes] | None:
    """The header fields, each of which came once; None where one did not, or no host is named."""
    fields = dict(scope["headers"])
    return fields if len(fields) == len(scope["headers"]) and fields.get(b"host") else None


def _given_up() -> Problem:
    return Problem("shutting-down", _GIVEN_UP, headers={"Retry-After": "5"})


def _signed(response: Response, request_id: str) -> Response:
    response.raw_headers += _own_fields(request_id)
    return response


def _own_fields(request_id: str) -> tuple[tuple[bytes, bytes], ...]:
    """What every answer says, whoever gives it."""
    return (b"x-request-id", request_id.encode()), _NO_SNIFFING


def _refusal(scope: Scope, headers: Fields) -> Problem | None:
    if scope.get("http_version") not in _VERSIONS:
        return Problem("malformed", "Use HTTP/1.1.")
    if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > MOST_HEADERS:
        return Problem("headers-too-large", f"All headers together may have {MOST_HEADERS} bytes.")
    if "content-length" in headers and "transfer-encoding" in headers:
        return Problem("malformed", "Send either Content-Length or Transfer-Encoding, not both.")
    if headers.getlist("transfer-encoding") and headers.getlist("transfer-encoding") != ["chunked"]:
        return Problem("malformed", "Of all transfer codings only chunked is known here, once.")
    if len(headers.getlist("content-length")) > 1:
        return Problem("malformed", "Send Content-Length once.")
    length = headers.get("content-length")
    if length is not None and not (length.isascii() and length.isdigit()):
        return Problem("malformed", "Content-Length is not a number of bytes.")
    hosts = headers.getlist("host")
    if len(hosts) > 1 or (scope["http_version"] == "1.1" and not any(hosts)):
        return Problem("malformed", "Send a Host header, once.")
    return None


class _Exchange:
    """One request and its answer on one connection."""

    def __init__(self, scope: Scope, headers: Fields, receive: Receive, send: Send, request_id: str) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._started = False
        length = headers.get("content-length")
        self._unread = (length or "0") != "0" or "transfer-encoding" in headers
        self._small = length is None or (length.isdigit() and int(length) <= SMALL_BYTES)
        self._asking = headers.get("expect", "").lower() == "100-continue"
        self._close = False

    async def receive(self) -> Message:
        self._asking = False
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            await self._read_a_small_one()
            headers = message["headers"] = list(message["headers"])
            headers += _own_fields(self._request_id)
            if self._unread:
                self._close = True
            if self._close:
                MutableHeaders(scope=message)["Connection"] = "close"
        elif self._close and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def fail(self, problem: Problem) -> None:
        """Answer with *problem*, unless an answer is already under way."""
        if not self._started:
            await problem.response(self._request_id)(self._scope, self.receive, self.send)

    async def _drain(self) -> None:
        """
        Read on for a moment: closing with unread bytes would reset the connection and lose the answer.

        Who asked before he uploads (RFC 9110 section 10.1.1) has sent nothing, and must not be told to go on.
        """
        if not self._asking:
            await self._read_on(DRAIN_BYTES, DRAIN_SECONDS)

    async def _read_a_small_one(self) -> None:
        if self._unread and self._small and not self._asking:
            await self._read_on(SMALL_BYTES, SMALL_SECONDS)

    async def _read_on(self, most: int, seconds: float) -> None:
        """Read what is left of the body, of at most about *most* bytes, for so many *seconds*."""
        until = monotonic() + seconds
        try:
            async with asyncio.timeout(seconds):
                while most > 0 and self._unread and monotonic() < until:
                    message = await self.receive()
                    most -= len(message.get("body", b""))
                    # Nobody is there, or (granian) the framing is broken: in neither case does a request follow.
                    self._close = self._close or message["type"] == "http.disconnect"
        except TimeoutError:
            return
