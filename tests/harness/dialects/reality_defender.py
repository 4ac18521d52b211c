"""
Reality Defender's API as its libraries and pages describe it, with the storage for uploads, on one loopback server.

Rule 1: shapes are the vendor's, values our own.
Rule 2: what a route does with a call is the next script queued for it, else what the vendor does on a good day.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from tests.harness.received import Request
from tests.harness.vendor import Exchange, Script, ScriptedVendor, status

KEY = "rd-canary-key-51c0"
SIGNATURE = "canary-signature-9e77"

PRESIGN, UPLOAD, RESULT = "presign", "upload", "result"


def refused(code: int, word: str) -> Script:
    """An error as the API writes it."""
    document = {"code": word, "response": f"A sentence about {word}", "errno": -1}
    return status(code, body=json.dumps(document).encode())


FREE_TIER = refused(400, "free-tier-not-allowed")
UPLOAD_LIMIT = refused(400, "upload-limit-reached")
BAD_REQUEST = refused(400, "bad-request")
WRONG_KEY = refused(401, "unauthorized")
UNKNOWN_ID = refused(404, "not-found")


def presigned(request_id: str, url: str) -> dict[str, Any]:
    """Where to upload."""
    return {
        "code": "ok",
        "errno": 0,
        "response": {"signedUrl": url},
        "mediaId": f"media-of-{request_id}",
        "requestId": request_id,
    }


def analysed(request_id: str, word: str = "FAKE", score: Any = 97, **more: Any) -> dict[str, Any]:
    """A result; *more* replaces members."""
    reasons = [{"code": "relevance", "message": "No face was found"}] if word == "NOT_APPLICABLE" else []
    return {
        "name": "upload.jpg",
        "requestId": request_id,
        "mediaType": "IMAGE",
        "overallStatus": word,
        "releaseVersion": "2.3.1",
        "userInfo": {"email": "owner@customer.example"},
        "storageLocation": f"https://storage.example/{request_id}?X-Amz-Signature={SIGNATURE}",
        "resultsSummary": {"status": word, "metadata": {"finalScore": score, "reasons": reasons}},
        "models": [
            {"name": "rd-full-img", "status": "FAKE", "predictionNumber": 0.91, "finalScore": 91, "data": None},
            {"name": "rd-oak-img", "status": "AUTHENTIC", "predictionNumber": 0.04, "finalScore": 4, "data": None},
            {"name": "rd-pine-img", "status": "NOT_APPLICABLE", "predictionNumber": None, "code": "relevance"},
        ],
        "heatmaps": {"rd-full-img": f"https://storage.example/heat.png?X-Amz-Signature={SIGNATURE}"},
        **more,
    }


def said(document: Any) -> Script:
    """A complete request gets this document."""
    return status(200, body=json.dumps(document).encode())


class RealityDefender:
    """
    The vendor. `async with RealityDefender() as vendor: ...`; *url* is what the settings name, *ledger* what arrived.

    It gives the request ids `request-00000001`, -2 and so on; *uploaded*: the digest of the content under each.
    """

    def __init__(self) -> None:
        self.uploaded: dict[str, str] = {}
        self._server = ScriptedVendor(self._route)
        self._queues: dict[str, deque[Script]] = {PRESIGN: deque(), UPLOAD: deque(), RESULT: deque()}
        self._given = 0
        self.ledger = self._server.ledger
        self.url = ""

    def then(self, route: str, *scripts: Script) -> None:
        """The next calls to *route* get these scripts, one each."""
        self._queues[route].extend(scripts)

    def calls(self, method: str) -> list[Request]:
        """What arrived with *method*."""
        return [request for request in self.ledger.requests if request.method == method]

    async def idle(self) -> None:
        """Wait until no connection is open."""
        await self._server.idle()

    async def __aenter__(self) -> RealityDefender:
        await self._server.start()
        self.url = self._server.url.removesuffix("/analyse")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def _route(self, exchange: Exchange, head: Request) -> None:
        if (head.method, head.path) == ("POST", "/api/files/aws-presigned"):
            route, usual = PRESIGN, self._presign
        elif head.method == "PUT" and head.path.startswith("/storage/"):
            route, usual = UPLOAD, self._take
        elif head.method == "GET" and head.path.startswith("/api/media/users/"):
            route, usual = RESULT, self._tell
        else:
            await UNKNOWN_ID(exchange, head)
            return
        queue = self._queues[route]
        await (queue.popleft() if queue else usual)(exchange, head)

    async def _presign(self, exchange: Exchange, head: Request) -> None:
        if head.headers.get("x-api-key") != KEY:
            await WRONG_KEY(exchange, head)
            return
        self._given += 1
        request_id = f"request-{self._given:08d}"
        await said(presigned(request_id, self.signed(request_id)))(exchange, head)

    def signed(self, request_id: str) -> str:
        """The address for the upload of *request_id*."""
        return f"{self.url}/storage/{request_id}?X-Amz-Expires=900&X-Amz-Signature={SIGNATURE}"

    async def _take(self, exchange: Exchange, head: Request) -> None:
        request = await exchange.read(head)
        self.uploaded[head.path.removeprefix("/storage/").partition("?")[0]] = request.content
        await exchange.reply(200, b"")

    async def _tell(self, exchange: Exchange, head: Request) -> None:
        request_id = head.path.removeprefix("/api/media/users/")
        if head.headers.get("x-api-key") != KEY:
            await WRONG_KEY(exchange, head)
        elif request_id not in self.uploaded:
            await UNKNOWN_ID(exchange, head)
        else:
            await said(analysed(request_id))(exchange, head)
