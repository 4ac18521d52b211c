"""
Reality Defender's API as its libraries and pages describe it, with the storage for uploads.

Rule 1: shapes are the vendor's, values our own.
Rule 2: one purchase is three calls. It may be refused at the first, is billed when the bytes have arrived at the
        second, and the third may be made as often as anybody likes.
"""

from __future__ import annotations

from typing import Any

from loadtests.vendor.dialect import Reply, score, told
from loadtests.vendor.received import Request

#: A key that the whole world may know, and what signs an upload; their word is what tests of secrets look for.
KEY = "rd-canary-key-51c0"
SIGNATURE = "canary-signature-9e77"

PRESIGN, UPLOAD, RESULT = "presign", "upload", "result"
_PRESIGN, _STORAGE, _RESULTS = "/api/files/aws-presigned", "/storage/", "/api/media/users/"


def refused(code: int, word: str) -> Reply:
    """An error as the API writes it."""
    return told(code, {"code": word, "response": f"A sentence about {word}", "errno": -1})


FREE_TIER = refused(400, "free-tier-not-allowed")
UPLOAD_LIMIT = refused(400, "upload-limit-reached")
BAD_REQUEST = refused(400, "bad-request")
WRONG_KEY = refused(401, "unauthorized")
UNKNOWN_ID = refused(404, "not-found")
_REFUSALS = {401: WRONG_KEY, 402: UPLOAD_LIMIT, 403: FREE_TIER}


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


def step(request: Request) -> str | None:
    """PRESIGN, UPLOAD or RESULT; None: the API has nothing there."""
    if (request.method, request.path) == ("POST", _PRESIGN):
        return PRESIGN
    if request.method == "PUT" and request.path.startswith(_STORAGE):
        return UPLOAD
    if request.method == "GET" and request.path.startswith(_RESULTS):
        return RESULT
    return None


class RealityDefender:
    """
    The vendor's memory: it gives the request ids `request-00000001`, -2 and so on.

    *uploaded*: the digest of the content under each. A result is asked for in vain *unfinished* times.
    """

    NAME = "reality_defender"
    KINDS = ("image", "video")
    UNIT, PRICE = "scan", 50_000

    def __init__(self, unfinished: int = 0) -> None:
        self.uploaded: dict[str, str] = {}
        self._unfinished = unfinished
        self._asked: dict[str, int] = {}
        self._given = 0

    def settings(self, url: str) -> dict[str, str]:
        """The key and the address."""
        return {"REALITY_DEFENDER_API_KEY": KEY, "HASHCACHE_REALITY_DEFENDER_URL": url}

    def objection(self, request: Request) -> Reply | None:
        """What the vendor has against the request; storage looks at the signature, not at the key."""
        at = step(request)
        if at is None:
            return UNKNOWN_ID
        if at == UPLOAD:
            return None if f"X-Amz-Signature={SIGNATURE}" in request.path else refused(403, "SignatureDoesNotMatch")
        if request.headers.get("x-api-key") != KEY:
            return WRONG_KEY
        if at == PRESIGN:
            return None if request.fields.get("fileName") else BAD_REQUEST
        return None if request.path.removeprefix(_RESULTS) in self.uploaded else UNKNOWN_ID

    def analyse(self, request: Request) -> Reply:
        """One of the three steps."""
        match step(request):
            case "presign":
                return self._presign(request)
            case "upload":
                return self._take(request)
            case _:
                return self._tell(request)

    def refusal(self, status: int) -> Reply:
        """What is the account's is a 400 with a word of its own."""
        return _REFUSALS.get(status) or refused(status, f"status-{status}")

    def _presign(self, request: Request) -> Reply:
        self._given += 1
        request_id = f"request-{self._given:08d}"
        prefix = request.headers.get("x-forwarded-prefix", "")
        return told(200, presigned(request_id, signed(f"http://{request.headers['host']}{prefix}", request_id)))

    def _take(self, request: Request) -> Reply:
        self.uploaded[request.path.removeprefix(_STORAGE).partition("?")[0]] = request.content
        return Reply(200, b"", units=1, opens=False)

    def _tell(self, request: Request) -> Reply:
        request_id = request.path.removeprefix(_RESULTS)
        asked = self._asked.get(request_id, 0)
        if asked < self._unfinished:
            self._asked[request_id] = asked + 1
            return told(200, analysed(request_id, "ANALYZING", None), opens=False)
        percent = round(score(self.uploaded[request_id]) * 100)
        return told(200, analysed(request_id, "FAKE" if percent >= 50 else "AUTHENTIC", percent), opens=False)


def signed(url: str, request_id: str) -> str:
    """The address for the upload of *request_id* to the vendor at *url*."""
    return f"{url}{_STORAGE}{request_id}?X-Amz-Expires=900&X-Amz-Signature={SIGNATURE}"
