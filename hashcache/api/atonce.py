"""
Answers to a request that has come whole: from near memory where its bytes came in, from the store after one read, or
bought.

Rule 1: what is answered here is answered as the pages would. Whatever is not usual (a wish, a precondition, a query, a
        credential or a body that they would refuse) is left to them, and nothing has happened yet.
Rule 2: what near memory has takes no task, no timer and no command: nothing is awaited. An upload that it does not have
        is looked up with one read, and no flight.
Rule 3: while it waits for something, the upload takes its room as every other does; so does one that is on its way.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from contextlib import ExitStack, closing
from time import monotonic

from starlette.responses import Response
from starlette.types import Scope

from hashcache.api.access import Access
from hashcache.api.admission import Share
from hashcache.api.asked import Asked
from hashcache.api.bodies import MemoryBody
from hashcache.api.connection import BEGAN
from hashcache.api.intake import Limits
from hashcache.api.problems import Problem
from hashcache.api.rendering import answer
from hashcache.api.whole import Whole
from hashcache.api.wishes import WISHES
from hashcache.core.errors import SpoolFull
from hashcache.core.outcome import Outcome
from hashcache.engine.found import UNKNOWN
from hashcache.ports import Observer
from hashcache.service.analyse import Analyses
from hashcache.service.callers import Caller

_OTHERS = ("content-digest", "content-encoding", "expect", "if-none-match", "repr-digest", "transfer-encoding")
#: Headers that ask for something else than the answer, or tell something of the body that is to be checked.
_UNUSUAL = frozenset(name.encode() for name in (*WISHES, *_OTHERS))
_CREDENTIALS = frozenset({b"authorization", b"x-api-key"})
_BY_DIGEST = re.compile(r"/api/analyses/([0-9a-f]{64})")
_UPLOAD = "/api/analyze"


class AtOnce:
    """Asks *analyses* for callers that *access* knows, within *limits*; *observer* hears of what is answered."""

    def __init__(self, analyses: Analyses, access: Access, limits: Limits, observer: Observer) -> None:
        self._analyses = analyses
        self._access = access
        self._keyless = access.callers.identify(None)
        self._limits = limits
        self._observer = observer

    def answer(
        self, scope: Scope, fields: Mapping[bytes, bytes], read: bytes, start: int
    ) -> Response | Awaitable[Response] | None:
        """
        The answer to the request of *scope*, with these header *fields* and the body from *start* on of *read*, now or
        after a moment; None: ask the pages.
        """
        method, path = scope["method"], scope["path"]
        if scope["query_string"] or not _UNUSUAL.isdisjoint(fields):
            return None
        by_digest = None
        if method != "POST":
            by_digest = _BY_DIGEST.fullmatch(path) if method in ("GET", "HEAD") else None
            if by_digest is None:
                return None
        elif path != _UPLOAD:
            return None
        caller = self._caller(scope, fields)
        if caller is None:
            return None
        if by_digest is not None:
            return self._known(by_digest[1], caller)
        began = scope.get(BEGAN) or monotonic()
        return self._uploaded(_content_type(fields), read, start, caller, began)

    def room(self, scope: Scope, fields: Mapping[bytes, bytes], size: int) -> Share | None:
        """
        Room for a request of *size* bytes of which the rest is on its way; None: there is none, or it is not one of
        those that are answered here.
        """
        usual = (scope["method"], scope["path"]) == ("POST", _UPLOAD) and not scope["query_string"]
        if not usual or not _UNUSUAL.isdisjoint(fields) or not Whole.is_read(_content_type(fields)):
            return None
        if self._caller(scope, fields) is None:
            return None  # who is not known takes no room
        share = self._limits.room.share()
        try:
            share.announce(size, most=size)
        except SpoolFull:
            return None
        return share

    def _caller(self, scope: Scope, fields: Mapping[bytes, bytes]) -> Caller | None:
        if _CREDENTIALS.isdisjoint(fields):
            return self._keyless
        try:
            return self._access.caller(Asked(scope))
        except Problem:
            return None

    def _known(self, sha256: str, caller: Caller) -> Response | None:
        began = monotonic()
        outcome = self._analyses.glance(sha256, caller)
        if outcome is None:
            return None
        self._observer.answered(outcome, None, milliseconds=(monotonic() - began) * 1000)
        return answer(outcome, timings={"lookup": outcome.looked}, tag=True)

    def _uploaded(
        self, content_type: str, read: bytes, start: int, caller: Caller, began: float
    ) -> Response | Awaitable[Response] | None:
        whole = Whole.read(content_type, read, start, self._limits, caller.tenant)
        if whole is None:
            return None
        content = whole.content
        found = self._analyses.glance(content.digest.hex, caller, content.kind)
        if found is not None:
            return self._answered(whole, found, began)
        return self._sought(whole, read, caller, began)

    async def _sought(self, whole: Whole, read: bytes, caller: Caller, began: float) -> Response:
        """The answer that the store has, or that is bought; raises as `Analyses.analyse`, and SpoolFull."""
        content, found = whole.content, UNKNOWN
        sha256 = content.digest.hex
        with ExitStack() as room:
            share = room.enter_context(closing(self._limits.room.share()))
            share.announce(whole.end - whole.start, most=self._limits.upload)
            if not self._analyses.is_under_way(sha256, caller, content.kind):
                found = await self._analyses.recall(sha256, caller, content.kind)
                if found.outcome is not None:
                    return self._answered(whole, found.outcome, began)
            body = MemoryBody([whole.text or read[whole.start : whole.end]], share)
            room.pop_all()  # from here on it is the body's, whoever holds that
        del read  # the room is for one copy of it
        return self._answered(whole, await self._analyses.analyse(content, body, caller, looked=found), began)

    def _answered(self, whole: Whole, outcome: Outcome, began: float) -> Response:
        milliseconds = (monotonic() - began) * 1000
        self._observer.answered(outcome, whole.content, milliseconds=milliseconds)
        hashing = whole.hashing * 1000
        received = max(0.0, milliseconds - hashing - outcome.looked - outcome.bought)
        timings = {"receive": received, "hash": hashing, "lookup": outcome.looked}
        if not outcome.cached:
            timings["provider"] = outcome.bought
        return answer(outcome, timings=timings)


def _content_type(fields: Mapping[bytes, bytes]) -> str:
    return fields.get(b"content-type", b"").decode("latin-1")
