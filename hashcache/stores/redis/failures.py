"""
What redis-py and sockets raise -> StoreUnavailable with a reason word.

Rule 1: a message is made of our own words and the address; a server's text may echo a password, so only what it says
        about a missing right is passed on.
Rule 2: a reason tells whether the server is *out of reach* (the breaker counts it) or refused just this.
"""

from __future__ import annotations

import ssl

import redis.exceptions
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
)

from hashcache.core.errors import StoreUnavailable

#: With these it is of no use to ask again at once.
OUT_OF_REACH = frozenset({"unreachable", "timeout", "auth", "tls", "loading", "limit"})

_WORDS = {
    "auth": "it refuses our user and password",
    "denied": "our user lacks a right",
    "error": "it refused a command",
    "limit": "its plan's limit of requests or connections is reached",
    "loading": "it is still loading its data, or waits for its master",
    "oom": "its memory is full",
    "readonly": "it is a replica, which keeps nothing",
    "timeout": "it did not answer in time",
    "tls": "no verified TLS connection could be made",
    "unreachable": "it cannot be reached",
}
_CLASSES: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, "auth"),
    (AuthenticationWrongNumberOfArgsError, "auth"),
    (BusyLoadingError, "loading"),
    (ClusterDownError, "loading"),  # MASTERDOWN is one
    (NoPermissionError, "denied"),
    (OutOfMemoryError, "oom"),
    (ReadOnlyError, "readonly"),
)
# What has no class of its own in redis-py: Upstash's texts (its documentation, "Troubleshooting"), and errors that an
# older Redis wraps in the words of a script.
_TEXTS = (
    ("max requests limit exceeded", "limit"),
    ("max concurrent connections exceeded", "limit"),
    ("max number of clients reached", "limit"),
    ("DB capacity quota exceeded", "oom"),
    ("OOM command not allowed", "oom"),
    ("READONLY", "readonly"),
    ("NOPERM", "denied"),
    ("MASTERDOWN", "loading"),
)


class NoMaster(redis.exceptions.ConnectionError):
    """The sentinels lead to no master. Its text is in our words, and *reason* one of ours."""

    def __init__(self, words: str, reason: str = "unreachable") -> None:
        super().__init__(words)
        self.reason = reason


def translate(error: Exception, where: str) -> StoreUnavailable:
    """*error*, which the server at *where* or the way to it caused, in our words."""
    reason, words = told(error, where)
    return StoreUnavailable(f"Redis at {where}: {words}", reason=reason)


def told(error: Exception, where: str) -> tuple[str, str]:
    """The reason for *error*, and what it is in our words."""
    if isinstance(error, NoMaster):
        return error.reason, str(error)
    reason = _reason(error)
    words = _WORDS[reason]
    if reason == "denied":
        words = f"{words} ({str(error)[:200]})"
    elif reason == "unreachable" and where.startswith("redis:") and _has_cause(error, ConnectionResetError):
        words = f"{words}; if it expects TLS, its URL begins with rediss:// (two s)"
    elif reason == "tls":
        words = f"{words} ({_verification(error)})"
    elif isinstance(error, AskError | ClusterCrossSlotError):  # MOVED is one, too
        words = f"{words}; it is a node of a cluster: its URL begins with redis+cluster:// or rediss+cluster://"
    return reason, words


def _reason(error: Exception) -> str:
    if _has_cause(error, ssl.SSLError):
        return "tls"
    for kind, reason in _CLASSES:
        if isinstance(error, kind):
            return reason
    text = str(error)
    for needle, reason in _TEXTS:
        if needle in text:
            return reason
    # asyncio's deadline is the built-in TimeoutError, which redis-py's is not.
    if isinstance(error, redis.exceptions.TimeoutError | TimeoutError):
        return "timeout"
    return "unreachable" if isinstance(error, redis.exceptions.ConnectionError | OSError) else "error"


def _has_cause(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether *error* or what it was raised from or during is a *kind*."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _verification(error: BaseException | None) -> str:
    """What was wrong with the certificate; OpenSSL's words hold no secret."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return "does it speak TLS?"
