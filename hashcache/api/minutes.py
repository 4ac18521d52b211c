"""`GET /api/admin/cache/minutes`: what happened in each minute of the last day."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.problems import Problem
from hashcache.api.rendering import json_response
from hashcache.core.entry import EPOCH, Instant
from hashcache.ports import Ledger
from hashcache.service.statistics import series

_Rfc3339 = Annotated[datetime, msgspec.Meta(tz=True)]


class MinutesPage:
    """The series that *ledger* keeps, for admins."""

    def __init__(self, ledger: Ledger, access: Access) -> None:
        self._ledger = ledger
        self._access = access

    async def minutes(self, request: Request) -> Response:
        """From `?since=` on, if it is given. Raises StoreUnavailable while the ledger is away."""
        await self._access.admin(request)
        text = request.query_params.get("since")
        since = EPOCH if text is None else _instant(text)
        return json_response(series(await self._ledger.minutes(since)))


def _instant(text: str) -> Instant:
    """The instant that *text* names as RFC 3339 does; raises Problem `malformed`."""
    try:
        return Instant(int(msgspec.convert(text, _Rfc3339).timestamp() * 1000))
    except (msgspec.ValidationError, OverflowError):
        raise Problem("malformed", "since is an instant such as 2026-11-20T10:00:00Z.") from None
