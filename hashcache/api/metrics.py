"""
`GET /metrics`.

Rule 1: any process of the fleet gives the same counters, those that the ledger holds. What this one has not reported
        yet is not added: then the next process that is asked would seem to have lost it, which Prometheus takes for a
        restart.
Rule 2: open without a key only to who asks a server on loopback directly. Through a proxy, or by another name than
        loopback's (a page in a browser whose name was made to lead here), it needs an admin's key, as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.approach import is_direct
from hashcache.api.exposition import expose
from hashcache.core.errors import StoreUnavailable
from hashcache.ports import Ledger, Process


class MetricsPage:
    """`/metrics`. *process* gives this process as it is now; *local*: the server listens on loopback only."""

    def __init__(self, ledger: Ledger, process: Callable[[], Process], access: Access, *, local: bool) -> None:
        self._ledger = ledger
        self._process = process
        self._access = access
        self._local = local

    async def metrics(self, request: Request) -> Response:
        """The metrics of the fleet; where the ledger is away only those of this process."""
        if not (self._local and is_direct(request)):
            await self._access.admin(request)
        own = self._process()
        try:
            totals = await self._ledger.totals()
            others = [one for one in await self._ledger.processes() if one.name != own.name]
        except StoreUnavailable:
            totals, others = None, []
        page, content_type = expose(totals, [own, *others], accept=request.headers.get("accept", ""))
        return Response(page, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
