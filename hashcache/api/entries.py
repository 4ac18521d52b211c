"""
Single entries over HTTP: a page of them, one of them, and forgetting one.

Rule: for admins. No caller's pattern reaches a store, and a page costs a bounded number of commands.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.problems import Problem
from hashcache.api.rendering import json_response
from hashcache.core.barrier import Selector
from hashcache.core.content import Kind
from hashcache.core.errors import PatternError
from hashcache.ports import Observer
from hashcache.service.browsing import Browsing

_DEFAULT, _MOST = 50, 200
_FILTERS = ("pattern", "kind", "tenant", "provider", "tag")
_KNOWN = frozenset({*_FILTERS, "cursor", "limit"})


class EntryPages:
    """`/api/admin/cache/entries...`."""

    def __init__(self, browsing: Browsing, access: Access, observer: Observer) -> None:
        self._browsing = browsing
        self._access = access
        self._observer = observer

    async def entries(self, request: Request) -> Response:
        """`GET /api/admin/cache/entries?pattern=&kind=&tenant=&provider=&tag=&cursor=&limit=`."""
        await self._access.admin(request)
        query = request.query_params
        if not query.keys() <= _KNOWN or len(query.multi_items()) != len(query):
            raise Problem("malformed", f"Of these, each once: {', '.join(sorted(_KNOWN))}.")
        text = query.get("limit", str(_DEFAULT))
        if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= _MOST:
            raise Problem("malformed", f"limit is a whole number from 1 to {_MOST}.")
        if query.get("kind") not in {None, "", *Kind}:
            raise Problem("malformed", "A kind is one of image, video, text.")
        selector = Selector(**{name: query[name] for name in _FILTERS if query.get(name)})
        listed = await self._browsing.page(selector, query.get("cursor") or None, int(text))
        return json_response(
            {"success": True, "entries": listed.entries, "cursor": listed.cursor, "scanned": listed.scanned}
        )

    async def entry(self, request: Request) -> Response:
        """`GET`, `DELETE /api/admin/cache/entries/{key}`; a SHA-256 stands for all that is known about the content."""
        caller = await self._access.admin(request)
        name = request.path_params["key"]
        try:
            if request.method == "DELETE":
                deleted = await self._browsing.forget(name)
                self._observer.forgotten(name.split(":")[1] if ":" in name else name, deleted=deleted, who=caller.name)
                return json_response({"success": True, "deleted": deleted})
            found = await self._browsing.find(name)
        except PatternError:
            raise Problem("malformed", "An entry is named by its key, or by the SHA-256 of its content.") from None
        if not found:
            raise Problem("not-found", "Nothing is known under that name: it expired, was forgotten, or never was.")
        return json_response({"success": True, "entries": found})
