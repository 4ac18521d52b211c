"""
The analysis of a content as a resource: upload it, ask for it by its digest, forget it.

Rule 1: an answer by digest is the caller's own tenant's; unknown and somebody else's are the same 404.
Rule 2: what a client wishes (refresh, no-store, only-if-cached) is read here and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.intake import Limits
from hashcache.api.problems import Problem
from hashcache.api.rendering import answer, json_response, pending
from hashcache.api.uploads import Upload, receive
from hashcache.core.content import Kind
from hashcache.core.digest import parse_sha256
from hashcache.core.outcome import Outcome
from hashcache.ports import Observer
from hashcache.service.analyse import Analyses
from hashcache.service.callers import Caller

_MOST_TAGS = 8
_TAG = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    What the client asks of the cache (RFC 9111 section 5.2.1, and X-Force-Refresh). *tags*: what is bought for this
    client alone can be invalidated by them.
    """

    refresh: bool
    keep: bool
    only_cached: bool
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: Request) -> Wishes:
        """
        As *request* says.

        Raises:
            Problem: `malformed`: X-Force-Refresh is neither true nor false, or X-Cache-Tags no list of tags.
        """
        directives = {
            one.strip().lower() for value in request.headers.getlist("cache-control") for one in value.split(",")
        }
        forced = request.headers.get("x-force-refresh", "false").strip().lower()
        if forced not in {"true", "false", "1", "0"}:
            raise Problem("malformed", "X-Force-Refresh is either true or false.")
        return cls(
            refresh=forced in {"true", "1"} or "no-cache" in directives,
            keep="no-store" not in directives,
            only_cached="only-if-cached" in directives,
            tags=_tags(request.headers.getlist("x-cache-tags")),
        )


class AnalysisPages:
    """`/api/analyze` and `/api/analyses/{sha256}`."""

    def __init__(self, analyses: Analyses, access: Access, limits: Limits, observer: Observer) -> None:
        self._analyses = analyses
        self._access = access
        self._limits = limits
        self._observer = observer

    async def analyze(self, request: Request) -> Response:
        """`POST /api/analyze`."""
        began = monotonic()
        caller = self._access.caller(request)
        wishes = Wishes.of(request)
        upload = await receive(request, self._limits, tenant=caller.tenant)
        outcome = await self._outcome(upload, caller, wishes)
        self._observer.answered(outcome, upload.content, milliseconds=(monotonic() - began) * 1000)
        timings = {"receive": upload.received, "hash": upload.hashed, "lookup": outcome.looked}
        if not outcome.cached:
            timings["provider"] = outcome.bought
        return answer(outcome, timings=timings)

    async def _outcome(self, upload: Upload, caller: Caller, wishes: Wishes) -> Outcome:
        content = upload.content
        if not wishes.only_cached:
            return await self._analyses.analyse(
                content, upload.body, caller, refresh=wishes.refresh, keep=wishes.keep, tags=wishes.tags
            )
        await upload.body.close()
        found = await self._analyses.known(content.digest.hex, caller, content.kind)
        if found.outcome is None or wishes.refresh:
            raise Problem("not-cached", "Ask again without only-if-cached to have it analysed.")
        return found.outcome

    async def resource(self, request: Request) -> Response:
        """`/api/analyses/{sha256}`: one resource, so that a wrong method is told all that it knows."""
        return await (self.forget(request) if request.method == "DELETE" else self.known(request))

    async def known(self, request: Request) -> Response:
        """`GET` and `HEAD /api/analyses/{sha256}`: ask without uploading."""
        began = monotonic()
        caller = self._access.caller(request)
        sha256 = _sha256(request)
        found = await self._analyses.known(sha256, caller, _kind(request))
        if found.outcome is None:
            if found.pending:
                return pending(sha256)
            raise Problem("not-found", "No analysis of this content is known to you; upload it to /api/analyze.")
        self._observer.answered(found.outcome, None, milliseconds=(monotonic() - began) * 1000)
        return answer(
            found.outcome,
            timings={"lookup": found.outcome.looked},
            conditional=request.headers.get("if-none-match"),
            tag=True,
        )

    async def forget(self, request: Request) -> Response:
        """`DELETE /api/analyses/{sha256}`: the caller's own tenant forgets it."""
        caller = self._access.caller(request)
        sha256 = _sha256(request)
        deleted = await self._analyses.forget(sha256, caller)
        self._observer.forgotten(sha256, deleted=deleted, who=caller.name)
        return json_response({"success": True, "sha256": sha256, "deleted": deleted})


def _tags(values: list[str]) -> tuple[str, ...]:
    """The tags that the values of `X-Cache-Tags` list, each once; raises Problem `malformed`."""
    listed = [part.strip(" ") for value in values if value.strip(" ") for part in value.split(",")]
    tags = tuple(dict.fromkeys(listed))
    if len(listed) > _MOST_TAGS or not all(_TAG.fullmatch(tag) for tag in tags):
        shape = "parted by commas, each of 1 to 64 of A-Z, a-z, 0-9 and _.:/-"
        raise Problem("malformed", f"X-Cache-Tags lists at most {_MOST_TAGS} tags, {shape}.")
    return tags


def _sha256(request: Request) -> str:
    sha256 = parse_sha256(request.path_params["sha256"])
    if sha256 is None:
        raise Problem("bad-digest", "A content is named by its SHA-256: 64 hexadecimal digits, as sha256sum prints it.")
    return sha256


def _kind(request: Request) -> Kind | None:
    asked = request.query_params.getlist("kind")
    if not asked:
        return None
    if len(asked) > 1 or asked[0] not in set(Kind):
        raise Problem("malformed", "kind is one of image, video, text.")
    return Kind(asked[0])
