"""
Reality Defender on loopback as a test tells it: what a route does with a call is the next script queued for it, else
what the vendor does on a good day (`loadtests.dialects`).
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from loadtests.dialects import reality_defender as dialect
from loadtests.dialects.reality_defender import PRESIGN, RESULT, UPLOAD, analysed
from loadtests.vendor.dialect import send
from loadtests.vendor.received import Request
from tests.harness.vendor import Exchange, Script, ScriptedVendor, status


def said(document: Any) -> Script:
    """A complete request gets this document."""
    return status(200, body=json.dumps(document).encode())


class RealityDefender:
    """
    The vendor. `async with RealityDefender() as vendor: ...`; *url* is what the settings name, *ledger* what arrived.

    All that is uploaded to it was made by AI. *uploaded*: the digest of the content under each request id.
    """

    def __init__(self) -> None:
        self._dialect = dialect.RealityDefender()
        self._server = ScriptedVendor(self._route)
        self._queues: dict[str, deque[Script]] = {PRESIGN: deque(), UPLOAD: deque(), RESULT: deque()}
        self.ledger = self._server.ledger
        self.uploaded = self._dialect.uploaded

    @property
    def url(self) -> str:
        """Where the API is."""
        return self._server.origin

    def then(self, route: str, *scripts: Script) -> None:
        """The next calls to *route* get these scripts, one each."""
        self._queues[route].extend(scripts)

    def calls(self, method: str) -> list[Request]:
        """What arrived with *method*."""
        return [request for request in self.ledger.requests if request.method == method]

    def signed(self, request_id: str) -> str:
        """The address for the upload of *request_id*."""
        return dialect.signed(self.url, request_id)

    async def idle(self) -> None:
        """Wait until no connection is open."""
        await self._server.idle()

    async def __aenter__(self) -> RealityDefender:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def _route(self, exchange: Exchange, head: Request) -> None:
        route = dialect.step(head)
        if route is not None and self._queues[route]:
            await self._queues[route].popleft()(exchange, head)
            return
        request = await exchange.read(head)
        refused = self._dialect.objection(request)
        if refused is None and route == RESULT:
            await said(analysed(head.path.rpartition("/")[2]))(exchange, head)
        else:
            await send(exchange, refused or self._dialect.analyse(request))
