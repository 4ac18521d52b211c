"""
The analysis of a content as a resource: upload it, ask for it by its digest, forget it.

Rule: an answer by digest is the caller's own tenant's; unknown and somebody else's are the same 404.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.declared import check, declared_sha256
from hashcache.api.intake import Limits
from hashcache.api.lookup import read_digests, told
from hashcache.api.problems import Problem, unknown
from hashcache.api.rendering import answer, json_response, pending
from hashcache.api.uploads import Upload, announced, receive
from hashcache.api.wishes import Wishes
from hashcache.core.content import Content, Kind
from hashcache.core.digest import parse_sha256
from hashcache.core.outcome import Outcome
from hashcache.ports import Observer
from hashcache.service.analyse import AT_ONCE, Analyses
from hashcache.service.callers import Caller
from hashcache.service.jobs import Jobs
from hashcache.service.webhooks import Webhooks


class AnalysisPages:
    """`/api/analyze` and `/api/analyses/{sha256}`."""

    def __init__(
        self,
        analyses: Analyses,
        jobs: Jobs,
        access: Access,
        limits: Limits,
        observer: Observer,
        webhooks: Webhooks | None = None,
    ) -> None:
        self._analyses = analyses
        self._jobs = jobs
        self._access = access
        self._limits = limits
        self._observer = observer
        self._webhooks = webhooks

    async def analyze(self, request: Request) -> Response:
        """`POST /api/analyze`."""
        return await self._uploaded(request, None)

    async def put(self, request: Request) -> Response:
        """`PUT /api/analyses/{sha256}`: the content of this name."""
        return await self._uploaded(request, _sha256(request))

    async def _uploaded(self, request: Request, named: str | None) -> Response:
        """The answer to an upload; *named*: the digest that its raw body must have."""
        began = monotonic()
        caller = self._access.caller(request)
        wishes = Wishes.of(request, self._webhooks)
        head = announced(request, self._limits)
        kinds = head.kinds
        if kinds is None and named is not None:
            raise Problem("unsupported-media-type", "Send the bytes themselves: a form and JSON are POSTed.")
        declared = declared_sha256(request, named)
        if kinds is None:  # a digest of the form around the content says nothing of the content
            declared = None
        elif declared is not None:
            early = await self._early(declared, caller, kinds, wishes)
            if early is not None:
                return self._answered(early, None, began, {"lookup": early.looked})
        upload = await receive(request, head, self._limits, tenant=caller.tenant)
        try:
            check(upload.content.digest.hex, declared)
        except Problem:
            await upload.body.close()
            raise
        outcome = await self._outcome(upload, caller, wishes)
        if outcome is None:
            return pending(upload.content.digest.hex, applied=True, webhook=wishes.hook.id if wishes.hook else None)
        timings = {"receive": upload.received, "hash": upload.hashed, "lookup": outcome.looked}
        if not outcome.cached:
            timings["provider"] = outcome.bought
        return self._answered(outcome, upload.content, began, timings)

    async def _early(self, sha256: str, caller: Caller, kinds: set[Kind], wishes: Wishes) -> Outcome | None:
        """
        What the caller's tenant knows already of a body that is declared and not read yet. A failure is no answer:
        the body is read, as if nothing were known.
        """
        if not wishes.refresh:
            found = await self._analyses.look(sha256, caller, kinds)
            if found.outcome is not None:
                return found.outcome
        if wishes.only_cached:
            raise Problem("not-cached", "Ask again without only-if-cached to have it analysed.")
        return None

    async def _outcome(self, upload: Upload, caller: Caller, wishes: Wishes) -> Outcome | None:
        """What *upload* is answered with; None: its analysis goes on, and its client does not wait."""
        content, body = upload.content, upload.body
        if wishes.only_cached:
            await body.close()
            found = await self._analyses.known(content.digest.hex, caller, content.kind)
            if found.outcome is None or wishes.refresh:
                raise Problem("not-cached", "Ask again without only-if-cached to have it analysed.")
            return found.outcome
        if wishes.leave and wishes.keep:  # what is not kept, nobody could come back for
            return await self._jobs.start(
                content, body, caller, refresh=wishes.refresh, tags=wishes.tags, hook=wishes.hook
            )
        return await self._analyses.analyse(
            content, body, caller, refresh=wishes.refresh, keep=wishes.keep, tags=wishes.tags
        )

    def _answered(self, outcome: Outcome, content: Content | None, began: float, timings: dict[str, float]) -> Response:
        self._observer.answered(outcome, content, milliseconds=(monotonic() - began) * 1000)
        return answer(outcome, timings=timings)

    async def resource(self, request: Request) -> Response:
        """`/api/analyses/{sha256}`: one resource, so that a wrong method is told all that it knows."""
        if request.method == "PUT":
            return await self.put(request)
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
            raise unknown()
        self._observer.answered(found.outcome, None, milliseconds=(monotonic() - began) * 1000)
        return answer(
            found.outcome,
            timings={"lookup": found.outcome.looked},
            conditional=request.headers.get("if-none-match"),
            tag=True,
        )

    async def lookup(self, request: Request) -> Response:
        """`POST /api/lookup`: many at once."""
        began = monotonic()
        caller = self._access.caller(request)
        digests = await read_digests(request, self._limits)
        response, given = told(digests, await self._analyses.known_of_all(digests, caller))
        for at, outcome in enumerate(given):
            if at % AT_ONCE == 0:
                await asyncio.sleep(0)  # a line of the log each: others have their turn meanwhile
            self._observer.answered(outcome, None, milliseconds=(monotonic() - began) * 1000)
        return response

    async def forget(self, request: Request) -> Response:
        """`DELETE /api/analyses/{sha256}`: the caller's own tenant forgets it."""
        caller = self._access.caller(request)
        sha256 = _sha256(request)
        deleted = await self._analyses.forget(sha256, caller)
        self._observer.forgotten(sha256, deleted=deleted, who=caller.name)
        return json_response({"success": True, "sha256": sha256, "deleted": deleted})


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
