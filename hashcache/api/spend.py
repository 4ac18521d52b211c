"""
Money over HTTP: where it went, and how a vendor's bill compares.

Rule: for admins; while the store is away there is no answer, since a part of the books would be a lie.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.arrival import whole
from hashcache.api.intake import Limits
from hashcache.api.problems import Problem
from hashcache.api.rendering import json_response
from hashcache.core.spend import KEPT_DAYS
from hashcache.ports import Accounts
from hashcache.service import bills

_MOST_EXPORT = 1_000_000
_DEFAULT_DAYS = 30


class SpendPages:
    """`/api/admin/spend...`: *report* makes the answer for so many days, *accounts* are the books."""

    def __init__(
        self,
        accounts: Accounts,
        report: Callable[[int], Awaitable[dict[str, Any]]],
        access: Access,
        limits: Limits,
        providers: Callable[[], list[str]],
    ) -> None:
        self._accounts = accounts
        self._report = report
        self._access = access
        self._limits = limits
        self._providers = providers

    async def spend(self, request: Request) -> Response:
        """`GET /api/admin/spend?days=30`: the last so many days, today included."""
        await self._access.admin(request)
        text = request.query_params.get("days", str(_DEFAULT_DAYS))
        if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= KEPT_DAYS:
            raise Problem("malformed", f"days is a whole number from 1 to {KEPT_DAYS}.")
        return json_response(await self._report(int(text)))

    async def import_bill(self, request: Request) -> Response:
        """`POST /api/admin/spend/import?provider=`: a CSV export (day, calls, cost); answers the drift."""
        await self._access.admin(request)
        names = self._providers()
        provider = request.query_params.get("provider")
        if provider is None:
            raise Problem("malformed", "Say whose bill it is: ?provider=.")
        if provider not in names:
            raise Problem("not-found", f"No such provider is configured; those that are: {', '.join(names)}.")
        with closing(self._limits.room.share()) as share:
            raw = await whole(request, self._limits.pace, most=_MOST_EXPORT, share=share)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise Problem("malformed", "The export is not UTF-8.") from None
        billed = bills.parse(text)
        if not billed:
            raise Problem("malformed", "The export has no line after its first one.")
        first = min(one.day for one in billed)
        return json_response(bills.drift(billed, await self._accounts.days(first), provider))
