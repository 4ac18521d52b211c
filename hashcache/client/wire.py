"""
What goes over the wire, without a wire: a request to send, and what came of it.

Rule: a reply is what hashcache says only if it looks so: JSON on success, `application/problem+json` with a type of
      ours otherwise. Whatever else answers (a proxy, another server) is never taken for a "not known".
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec

from hashcache.client.contents import Content
from hashcache.client.problems import TYPE, NotHashcache, Problem, problem_of

#: No answer of ours is larger: a lookup holds 8 MB of results at most.
MOST_ANSWER = 32 * 1024 * 1024
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: *path* below the service's address, with the bytes of *content* or with *body* (JSON)."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Let so many *seconds* pass. The answer is whether there was time for that before the deadline."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered. *after*: seconds since the call began."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    after: float

    def read(self, shape: type[_Answer]) -> _Answer:
        """The body of a success; raises NotHashcache when it has not this *shape*, Problem when it is a refusal."""
        if self.status not in {200, 202}:
            raise self.failure()
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.DecodeError, RecursionError):
            raise NotHashcache(
                f"the answer ({self.status}) is not as hashcache gives it: is the address right?"
            ) from None

    def problem(self) -> Problem | None:
        """The problem that this is; None when it is none of ours."""
        if self.headers.get("content-type", "").partition(";")[0].strip() != "application/problem+json":
            return None
        try:
            members: Any = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        kind = members.get("type") if isinstance(members, dict) else None
        if not isinstance(kind, str) or not kind.startswith(TYPE):
            return None
        return problem_of(kind.removeprefix(TYPE), self.status, members)

    def failure(self) -> Problem | NotHashcache:
        """What to raise for it."""
        told = NotHashcache(f"the service's address answered {self.status}, and not as hashcache does: is it right?")
        return self.problem() or told

    @property
    def retry_after(self) -> float | None:
        """The seconds of `Retry-After`; None where there is none that can be read."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


@dataclass(frozen=True, slots=True)
class Lost:
    """
    No answer, because of *reason*. *stage*: `unreached` (no byte of the request left), `broken` (nobody knows what
    arrived), `late` (the deadline passed). *complete*: all bytes of the request were handed over.
    """

    stage: Literal["unreached", "broken", "late"]
    reason: str
    complete: bool = False


_Value = TypeVar("_Value")
#: What is to be done, one command after the other; to an Ask a Reply or Lost is sent back, to a Wait a bool.
Steps: TypeAlias = Generator["Ask | Wait", "Reply | Lost | bool", _Value]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service is, and with which key: *url* without a slash at its end, the *headers* of every request."""

    url: str
    headers: Mapping[str, str] = field(repr=False)

    @property
    def tls(self) -> bool:
        """Whether it is reached over TLS."""
        return self.url.startswith("https:")


def address(url: str, api_key: str | None, version: str) -> Address:
    """
    The service at *url*, asked with *api_key*.

    Raises:
        ValueError: the URL is not `http://host` or `https://host`, perhaps with a port and a path; or the key has
            characters that no key has. Neither message repeats the key.
    """
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or "@" in parts.netloc or parts.query or parts.fragment or not (url.isascii() and url.isprintable()):
        raise ValueError("the service's address is not as http://127.0.0.1:8000 or https://cache.example.com")
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"hashcache/{version}"}
    if api_key is not None:
        if not api_key or not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
            raise ValueError("the key is empty or has characters that no key has")
        headers["X-API-Key"] = api_key
    return Address(url.rstrip("/"), headers)
