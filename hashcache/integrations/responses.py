"""
Which answers of a route may be kept, what is kept of one, and what callers are told about it.

Rule 1: kept are complete successes (2xx, but not 206) that carry nothing of one visitor: no
        Set-Cookie; no Cache-Control with private, no-store, no-cache or an age of 0; no `Vary: *` (RFC 9111 section 3).
Rule 2: what is kept is the status, the body byte for byte, and the headers, but those of the connection (RFC 9110
        section 7.6.1) and those that are written anew for each caller.
Rule 3: an answer that varies is given to those alone whose request says the same in the headers that it names
        (RFC 9111 section 4.1).
Rule 4: the ETag that is made here is weak: what compresses answers on their way out may change their bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec
from blake3 import blake3

from hashcache.core.key import Key
from hashcache.core.outcome import Outcome
from hashcache.integrations import names
from hashcache.integrations.values import Values

#: Names in lower case, in the order in which they were sent.
Headers = Sequence[tuple[str, str]]

_OF_ONE_CALLER = frozenset({"no-cache", "no-store", "private"})
_OF_THE_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding"}
) | {"upgrade"}
_WRITTEN_ANEW = frozenset({"age", "cache-status", "date", "x-cache", "x-cache-key", "x-cache-status"})
#: What a 304 repeats of the 200 (RFC 9110 section 15.4.5), beside what is written anew.
_OF_NOT_MODIFIED = frozenset({"cache-control", "content-location", "etag", "expires", "last-modified", "vary"})
_PRINTED = "".join(map(chr, range(33, 127)))
_BODY = "hashcache 2026-11-21 entity tag of a body, version 1"


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """
    One answer as it is kept. *varied*: the headers that it varies by and what the request said in them. *kept* False:
    there was one, but it is its first caller's alone; then it holds nothing.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    varied: tuple[tuple[str, str], ...] = ()
    kept: bool = True

    def fits(self, request: Headers) -> bool:
        """Whether it answers a request with these headers."""
        return all(said(request, name) == value for name, value in self.varied)


#: Stands for an answer that nobody else is given.
UNSHARED = Stored(kept=False)


class _Codec:
    def __init__(self) -> None:
        self._decoder = msgspec.msgpack.Decoder(Stored)

    def encode(self, value: Stored) -> bytes:
        return msgspec.msgpack.encode(value)

    def decode(self, raw: bytes) -> Stored:
        return self._decoder.decode(raw)


#: How they are written.
VALUES = Values(codec=_Codec())


def said(headers: Headers, name: str) -> str:
    """All that *headers* say under *name*; empty: nothing."""
    return ", ".join(value.strip() for one, value in headers if one == name)


def refusal(status: int, headers: Headers) -> str | None:
    """Why an answer is not kept, in one word for Cache-Status; None: it may be."""
    if not 200 <= status < 300 or status == 206:
        return "status"
    if any(name == "set-cookie" for name, _ in headers):
        return "set-cookie"
    if "*" in varies_by(headers):
        return "vary"
    return _forbidden(said(headers, "cache-control"))


def varies_by(headers: Headers) -> list[str]:
    """The headers of requests that an answer varies by, in lower case and in order."""
    found = (one.strip().lower() for one in said(headers, "vary").split(","))
    return sorted({one for one in found if one})


def stored(status: int, headers: Headers, body: bytes, *, method: str, request: Headers) -> Stored:
    """What is kept of an answer to a request with *method* and the headers *request*."""
    kept = [(name, value) for name, value in headers if name not in _OF_THE_CONNECTION | _WRITTEN_ANEW]
    if method in {"GET", "HEAD"} and status == 200 and body and not said(kept, "etag"):
        kept.append(("etag", f'W/"{blake3(body, derive_key_context=_BODY).hexdigest(16)}"'))
    return Stored(status, tuple(kept), body, tuple((name, said(request, name)) for name in varies_by(headers)))


def not_modified(answer: Stored, *, method: str, request: Headers) -> Stored | None:
    """The 304 that a caller is given who has *answer* already (If-None-Match, RFC 9110 section 13.1.2); or None."""
    wanted, tag = said(request, "if-none-match"), said(answer.headers, "etag")
    if method not in {"GET", "HEAD"} or answer.status != 200 or not wanted or not tag:
        return None
    named = {one.strip().removeprefix("W/") for one in wanted.split(",")}
    if "*" not in named and tag.removeprefix("W/") not in named:
        return None
    return Stored(304, tuple((name, value) for name, value in answer.headers if name in _OF_NOT_MODIFIED))


def told(outcome: Outcome) -> dict[str, str]:
    """What callers are told of an answer that is kept, or was shared; Age (RFC 9111 section 5.1) for a hit alone."""
    headers = {
        "x-cache": "HIT" if outcome.cached else "MISS",
        "x-cache-status": outcome.status.value,
        "x-cache-key": shown(outcome.entry.key),
        "cache-status": outcome.cache_status,
    }
    if outcome.cached:
        headers["age"] = str(outcome.entry.age(outcome.at))
    return headers


def told_of_bypass(why: str, key: Key | None = None) -> dict[str, str]:
    """
    What callers are told where the route ran and nothing was kept: *why*, in one word. Without a *key* the cache was
    not even asked (`fwd=bypass`, RFC 9211 section 2.2).
    """
    headers = {"x-cache": "MISS", "x-cache-status": "BYPASS"}
    if key is not None:
        headers["x-cache-key"] = shown(key)
    headers["cache-status"] = f"hashcache; fwd={'bypass' if key is None else 'uri-miss'}; detail={why}"
    return headers


def with_told(answer: Stored, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of *answer* and those that are told."""
    return [*answer.headers, *headers.items()]


def shown(key: Key) -> str:
    """*key* as `cache.invalidate` takes it, in letters that a header may hold. It tells no user."""
    return quote(names.name_of(key), safe=_PRINTED, errors="replace")


def _forbidden(control: str) -> str | None:
    for directive in control.split(","):  # what stands in quotes is looked at too: rather once too often
        name, _, value = directive.strip().lower().partition("=")
        if name in _OF_ONE_CALLER:
            return name
        if name in {"max-age", "s-maxage"} and value.strip('"').strip("0") == "":
            return name
    return None
