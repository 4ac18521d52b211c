"""
Administration: the figures of the fleet, and what should be forgotten.

Rule 1: every route here needs an admin's key.
Rule 2: a pattern is parsed and matched by us; it never reaches a store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.arrival import read_json, whole
from hashcache.api.intake import Limits
from hashcache.api.problems import Problem
from hashcache.api.rendering import json_response
from hashcache.core.barrier import Selector
from hashcache.core.content import Kind
from hashcache.engine.invalidation import Cleared, Invalidations
from hashcache.ports import Observer, Store
from hashcache.service.callers import Caller
from hashcache.service.statistics import Figures, report

_MOST_BODY = 16 * 1024
_LONGEST_REASON = 200


class Reasoned(msgspec.Struct, forbid_unknown_fields=True):
    """The body of whatever an admin does, with the reason."""

    reason: str = ""


class Clear(Reasoned):
    """The body of `POST /api/admin/cache/clear`."""

    pattern: str = "*"
    dry_run: bool = False


class Invalidate(Reasoned):
    """The body of `POST /api/admin/cache/invalidate...`."""

    dry_run: bool = False


class AdminPages:
    """`/api/admin/cache/...`."""

    def __init__(
        self,
        store: Store,
        invalidations: Invalidations,
        figures: Callable[[], Awaitable[Figures]],
        access: Access,
        limits: Limits,
        observer: Observer,
    ) -> None:
        self._store = store
        self._invalidations = invalidations
        self._figures = figures
        self._access = access
        self._limits = limits
        self._observer = observer

    async def stats(self, request: Request) -> Response:
        """`GET /api/admin/cache/stats`."""
        await self._access.admin(request)
        health, figures = await self._store.health(), await self._figures()
        return json_response(report(figures.totals, health, now=self._store.now(), processes=figures.processes))

    async def clear(self, request: Request) -> Response:
        """`POST /api/admin/cache/clear`."""
        caller = await self._access.admin(request)
        asked = await read_reasoned(request, Clear, self._limits)
        selector = Selector(pattern=asked.pattern)
        return await self._forget(selector, {"pattern": asked.pattern}, asked.reason, caller, dry_run=asked.dry_run)

    async def invalidate_kind(self, request: Request) -> Response:
        """`POST /api/admin/cache/invalidate/{kind}`."""
        caller = await self._access.admin(request)
        kind = request.path_params["kind"]
        if kind not in set(Kind):
            raise Problem("not-found", "A kind is one of image, video, text.")
        asked = await read_reasoned(request, Invalidate, self._limits)
        named = {"pattern": None, "kind": kind}
        return await self._forget(Selector(kind=kind), named, asked.reason, caller, dry_run=asked.dry_run)

    async def invalidate(self, request: Request) -> Response:
        """`POST /api/admin/cache/invalidate?provider=`, `?tag=` or `?tenant=`."""
        caller = await self._access.admin(request)
        query = request.query_params
        if len(query.multi_items()) != 1 or not {"provider", "tag", "tenant"} & query.keys():
            raise Problem("malformed", "Say which: one of ?provider=, ?tag= and ?tenant=, once, and nothing else.")
        asked = await read_reasoned(request, Invalidate, self._limits)
        one = dict(query)
        return await self._forget(
            Selector(**one), {"pattern": None, **one}, asked.reason, caller, dry_run=asked.dry_run
        )

    async def progress(self, request: Request) -> Response:
        """`GET /api/admin/cache/clears/{id}`."""
        await self._access.admin(request)
        text = request.path_params["id"]
        found = None
        if text.isascii() and text.isdigit() and len(text) <= 18:
            found = await self._invalidations.find(int(text))
        if found is None:
            raise Problem("not-found", "No such clear is known; those that are done are forgotten after an hour.")
        at = datetime.fromtimestamp(found.at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json_response(
            {
                "success": True,
                "id": str(found.sequence),
                "deleted": found.deleted,
                "done": found.swept,
                "reason": found.reason,
                "at": at,
            }
        )

    async def _forget(
        self, selector: Selector, named: dict[str, Any], reason: str, caller: Caller, *, dry_run: bool
    ) -> Response:
        complete = True
        if dry_run:
            counted = await self._invalidations.count(selector)
            cleared, complete = Cleared(None, counted.entries, done=True), counted.complete
        else:
            cleared = await self._invalidations.invalidate(selector, reason=reason)
            self._observer.invalidated(selector, deleted=cleared.deleted, reason=reason, who=caller.name)
        sequence = str(cleared.sequence) if cleared.sequence is not None else None
        body = {
            "success": True,
            "deleted": cleared.deleted,
            **named,
            "dry_run": dry_run,
            "complete": complete,
            "id": sequence,
            "done": cleared.done,
        }
        if cleared.done:
            return json_response(body)
        return json_response(body, status=202, headers={"Location": f"/api/admin/cache/clears/{sequence}"})


_Shape = TypeVar("_Shape", bound=Reasoned)


async def read_reasoned(request: Request, shape: type[_Shape], limits: Limits) -> _Shape:
    """
    The JSON body of *request*, or the defaults where there is none.

    Raises:
        Problem: it is not of that shape, or too long.
    """
    with closing(limits.room.share()) as share:
        raw = await whole(request, limits.pace, most=_MOST_BODY, share=share)
    if not raw:
        return shape()
    read_json(raw)  # strictly: a pattern that is named twice must not be cleared by whichever reader one has
    try:
        asked = msgspec.json.decode(raw, type=shape)
    except msgspec.DecodeError as error:
        raise Problem("malformed", f"The body is not what is expected here: {error}") from None
    if len(asked.reason) > _LONGEST_REASON:
        raise Problem("malformed", f"A reason may have {_LONGEST_REASON} characters.")
    return asked
