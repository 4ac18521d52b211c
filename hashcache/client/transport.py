"""
What both clients share of httpx: its bounds, whom it trusts, and what its failures mean for a call.

Rule: nobody waits inside httpx's pool (0.28.1 loses a connection for good when such a wait is cancelled): a place is
      taken first, and there are as many places as connections.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TypeAlias

import httpx

from hashcache.client.contents import Source
from hashcache.client.wire import Ask, Lost
from hashcache.core.digest import parse_sha256

CONNECTIONS = 16
#: Less than servers and proxies keep idle connections, so that it is rarely they who close one first.
_KEPT_SECONDS = 4.0
#: Called with the bytes sent so far, and their total.
Progress: TypeAlias = Callable[[int, int], None]


class Late(Exception):
    """The call's deadline has passed."""


class TooLarge(Exception):
    """An answer larger than any of ours."""


class Call:
    """One call, begun now, of at most *timeout* seconds."""

    def __init__(self, timeout: float) -> None:
        self._began = monotonic()
        self._timeout = timeout

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until its deadline; negative when it has passed."""
        return self._timeout - self.elapsed

    def check(self) -> None:
        """Raise Late when the deadline has passed."""
        if self.left <= 0:
            raise Late


class Sending:
    """The bytes of a request while they go out; *complete*: all of them were handed to the network."""

    def __init__(self, ask: Ask, call: Call, on_progress: Progress | None) -> None:
        self._content, self._call, self._on_progress = ask.content, call, on_progress
        self.complete = ask.content is None or not ask.content.size

    def pieces(self) -> Iterator[bytes]:
        """The content's bytes; raises Late, and as `Content.pieces`."""
        if self._content is None:
            return
        sent = 0
        for piece in self._content.pieces():
            self._call.check()
            # From here on the last byte may have arrived, whether or not anybody hears of it.
            self.complete = sent + len(piece) == self._content.size
            yield piece
            sent += len(piece)
            if self._on_progress is not None:
                self._on_progress(sent, self._content.size)


def limits() -> httpx.Limits:
    """As many connections as places."""
    return httpx.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=_KEPT_SECONDS
    )


def trust(given: ssl.SSLContext | None, *, secure: bool) -> ssl.SSLContext:
    """Whom to trust: as *given*, else the usual list, which is loaded only where it is needed (*secure*)."""
    if given is not None:
        return given
    return httpx.create_ssl_context(trust_env=False) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def lost(error: Exception, *, complete: bool) -> Lost:
    """What *error* means for a request of which all bytes (*complete*) or not all were handed over."""
    if isinstance(error, (httpx.TimeoutException, Late, TimeoutError)):
        return Lost("late", "the deadline has passed", complete)
    if isinstance(error, (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL)):
        return Lost("unreached", str(error) or type(error).__name__)
    if isinstance(error, TooLarge):
        return Lost("broken", "the answer is larger than any of hashcache", complete)
    return Lost("broken", str(error) or type(error).__name__, complete)


def digest_of(one: Source) -> str | None:
    """*one* as a SHA-256 in lower case, when it is one rather than a content."""
    return parse_sha256(one) if isinstance(one, str) else None


def checked(sha256: str) -> str:
    """*sha256* in lower case; raises ValueError when it is none."""
    digest = parse_sha256(sha256)
    if digest is None:
        raise ValueError("a content is named by its SHA-256: 64 hexadecimal digits, as sha256sum prints it")
    return digest
