"""
Answers that wait for nothing: the whole request has come, and near memory has what it asks for.

Rule 1: what is answered here is answered as the pages would. Whatever is not usual (a wish, a precondition, a query, a
        refusal, bytes that are not known) is left to them, and nothing has happened yet.
Rule 2: no task, no timer, no command to the store, nothing awaited: this is called where the bytes come in.
"""

from __future__ import annotations

import re
from time import monotonic

from starlette.responses import Response
from starlette.types import Scope

from hashcache.api.access import Access
from hashcache.api.asked import Asked, Fields
from hashcache.api.intake import Limits
from hashcache.api.problems import Problem
from hashcache.api.rendering import answer
from hashcache.api.whole import Whole
from hashcache.api.wishes import WISHES
from hashcache.ports import Observer
from hashcache.service.analyse import Analyses
from hashcache.service.callers import Caller

#: Headers that ask for something else than the answer, or tell something of the body that is to be checked.
_UNUSUAL = (*WISHES, "content-encoding", "expect", "if-none-match", "transfer-encoding")
_BY_DIGEST = re.compile(r"/api/analyses/([0-9a-f]{64})")
_UPLOAD = "/api/analyze"


class AtOnce:
    """Asks *analyses* for callers that *access* knows, within *limits*; *observer* hears of what is answered."""

    def __init__(self, analyses: Analyses, access: Access, limits: Limits, observer: Observer) -> None:
        self._analyses = analyses
        self._access = access
        self._limits = limits
        self._observer = observer

    def answer(self, scope: Scope, headers: Fields, body: bytearray) -> Response | None:
        """The answer to the request of *scope*, with these *headers* and this whole *body*; None: ask the pages."""
        method, path = scope["method"], scope["path"]
        if scope["query_string"] or any(name in headers for name in _UNUSUAL):
            return None
        by_digest = _BY_DIGEST.fullmatch(path) if method in ("GET", "HEAD") else None
        if by_digest is None and (method != "POST" or path != _UPLOAD):
            return None
        try:
            caller = self._access.caller(Asked(scope))
        except Problem:
            return None
        if by_digest is not None:
            return self._known(by_digest[1], caller)
        return self._uploaded(scope, headers.get("content-type", ""), body, caller)

    def _known(self, sha256: str, caller: Caller) -> Response | None:
        began = monotonic()
        outcome = self._analyses.glance(sha256, caller)
        if outcome is None:
            return None
        self._observer.answered(outcome, None, milliseconds=(monotonic() - began) * 1000)
        return answer(outcome, timings={"lookup": outcome.looked}, tag=True)

    def _uploaded(self, scope: Scope, content_type: str, body: bytearray, caller: Caller) -> Response | None:
        began = monotonic()
        whole = Whole.read(content_type, body, self._limits, caller.tenant)
        if whole is None:
            return None
        found = whole.digest and self._analyses.glance(whole.digest.hex, caller, whole.kind)
        if not whole.digest or not found:
            whole.go_along(scope)
            return None
        milliseconds = (monotonic() - began) * 1000
        self._observer.answered(found, whole.content(whole.digest), milliseconds=milliseconds)
        hashing = whole.hashing * 1000
        timings = {"receive": milliseconds - hashing - found.looked, "hash": hashing, "lookup": found.looked}
        return answer(found, timings=timings)
