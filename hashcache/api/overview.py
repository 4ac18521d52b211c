"""
The dashboard's figures over HTTP, and what there is to say about them.

Rule: for admins; both are made anew at most every second or two, however many ask.
"""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.rendering import json_response
from hashcache.service.overview import Overview


class OverviewPages:
    """`/api/admin/overview` and `/api/admin/alerts`."""

    def __init__(self, overview: Overview, access: Access) -> None:
        self._overview = overview
        self._access = access

    async def overview(self, request: Request) -> Response:
        """`GET /api/admin/overview`."""
        await self._access.admin(request)
        return json_response(await self._overview.look())

    async def alerts(self, request: Request) -> Response:
        """`GET /api/admin/alerts`."""
        await self._access.admin(request)
        return json_response({"success": True, "alerts": [asdict(one) for one in await self._overview.alerts()]})
