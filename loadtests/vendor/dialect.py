"""
What a vendor's dialect is: what it demands of a request, what it answers, what it bills, and how it refuses.

Rule 1: a dialect is asked about requests that have arrived complete, and decides only: it waits for nothing and writes
        nothing.
Rule 2: shapes are the vendor's, values our own. On a good day an answer follows from the content alone, so that the
        same content is judged alike in every run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from loadtests.vendor.received import Request
from loadtests.vendor.server import Exchange, Script


@dataclass(frozen=True)
class Reply:
    """
    A vendor's reply. *units*: what it bills for it. *opens*: a purchase begins with this call, so that this is the
    place to refuse it; false for a call that goes on with one.
    """

    status: int
    body: bytes
    units: int = 0
    opens: bool = True
    media_type: str = "application/json"


def told(status: int, document: Any, *, units: int = 0, opens: bool = True) -> Reply:
    """The reply with this *document*, in which NaN may stand."""
    return Reply(status, json.dumps(document).encode(), units, opens)


class Dialect(Protocol):
    """A vendor at some address: its module, or what the module makes where the vendor must remember something."""

    @property
    def NAME(self) -> str:  # noqa: N802  # a module's constant
        """As hashcache calls its provider."""

    @property
    def UNIT(self) -> str:  # noqa: N802  # a module's constant
        """What is billed, one of it."""

    @property
    def PRICE(self) -> int:  # noqa: N802  # a module's constant
        """Of one unit, in micro-dollars, unless the operator of the vendor says otherwise."""

    @property
    def KINDS(self) -> tuple[str, ...]:  # noqa: N802  # a module's constant
        """What it judges: `image`, `video`, `text`."""

    def settings(self, url: str) -> Mapping[str, str]:
        """The variables that point hashcache at this vendor, whose paths begin at *url*."""

    def objection(self, request: Request) -> Reply | None:
        """What the vendor has against *request*."""

    def analyse(self, request: Request) -> Reply:
        """The reply to a *request* without objection, on a good day."""

    def refusal(self, status: int) -> Reply:
        """How it words a refusal with *status*: 401, 402, 403, 429 or 500."""


def score(digest: str) -> float:
    """A score within 0 and 1 that follows from the content with this *digest*."""
    return round(int(digest[:4], 16) / 0xFFFF, 4)


def sent(reply: Reply) -> Script:
    """A complete request gets this *reply*."""

    async def script(exchange: Exchange, head: Request) -> None:
        await exchange.read(head)
        await send(exchange, reply)

    return script


def spoken(
    objection: Callable[[Request], Reply | None], document: Callable[[Request], Any], *, code: int = 200
) -> Script:
    """The vendor as a script: refuses a request that meets an *objection*; all else gets the *document*."""

    async def script(exchange: Exchange, head: Request) -> None:
        request = await exchange.read(head)
        await send(exchange, objection(request) or told(code, document(request)))

    return script


async def send(exchange: Exchange, reply: Reply, headers: Mapping[str, str] | None = None) -> None:
    """Answer a request that was read."""
    await exchange.reply(reply.status, reply.body, {"Content-Type": reply.media_type, **(headers or {})})
