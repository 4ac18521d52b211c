"""
Sightengine: whether an image or a short video was generated, from its pixels alone.

Rule 1: POST only: the account's two parts go as form fields, so no address ever holds them.
Rule 2: what is billed are operations, and the answer tells how many: OPERATIONS an image, as many for each frame of a
        video (of an animated GIF, too, which is estimated as one image). Failures are not billed (sightengine.com/
        pricing), unless one says otherwise in `request.operations`.
Rule 3: `status` decides, not the HTTP status alone. A wrong secret is an `argument_error` with code 1
        (sightengine.com/docs/api-error-codes-and-responses).
Rule 4: longer videos need the vendor's asynchronous API and a public callback; they are refused before anything is
        sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
)
from hashcache.core.key import Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Result
from hashcache.ports import Answer, Body, Estimate, Terms
from hashcache.providers.access import Access
from hashcache.providers.calls import Lines, Reply
from hashcache.providers.documents import aside, read_json
from hashcache.providers.formats import multipart, neutral_name
from hashcache.providers.frames import Frame, evidence, highest, sampled
from hashcache.providers.limits import Limits, as_planned, check, sentences
from hashcache.providers.reading import judge, score_of, without_echoes, without_secrets, written

NAME = "sightengine"
MODEL = "genai"
#: The version of our reading of an answer; raised whenever the same answer would give another result.
ADAPTER = 1
#: Where the vendor is; another address is part of the question.
URL = "https://api.sightengine.com/1.0"
#: What one operation cost in the dearest plan that was published, and when that was read.
PRICE, READ = MicroDollars(2_900), "2018-11-08"
#: What `genai` is billed for one image or frame (recorded in July 2026; the price list says one per model).
OPERATIONS = 5
_MOST_OPERATIONS = 1_000_000  # more in one answer is a mistake of the vendor's
_SECONDS = 60
_PATHS = {Kind.IMAGE: "/check.json", Kind.VIDEO: "/video/check-sync.json"}
#: What it takes unless a plan says otherwise.
LIMITS: Mapping[Kind, Limits] = {
    Kind.IMAGE: Limits(frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"}), most_bytes=50_000_000),
    Kind.VIDEO: Limits(
        frozenset({"video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/x-msvideo"}),
        most_bytes=50_000_000,
        most_seconds=_SECONDS,
    ),
}
_FAILURES: dict[str, type[ProviderError]] = {
    "api_error": ProviderFailed,
    "argument_error": ProviderInvalid,
    "callback_error": ProviderInvalid,
    "credentials_error": ProviderDenied,
    "media_error": ProviderRejected,
    "plan_error": ProviderDenied,
    "request_error": ProviderInvalid,
    "unknown_error": ProviderFailed,
    "usage_limit": ProviderDenied,
}
_WRONG_SECRET = ("argument_error", 1)
_TOO_MANY_AT_ONCE = ("usage_limit", 37)  # users of the free plan report it: the one usage limit that soon passes


class SightengineProvider:
    """The account of *access*. Implements `ports.Provider`; *clock* and *random* as for `generic`."""

    def __init__(self, access: Access, *, clock: Callable[[], Instant], random: Callable[[], float]) -> None:
        self._access = access
        self._clock = clock
        self._lines = Lines(NAME, timeout=access.timeout, concurrency=access.concurrency, random=random, tls=access.tls)
        self._most_seconds = access.most_seconds or _SECONDS
        self._limits = as_planned(LIMITS, access)

    @property
    def name(self) -> str:
        """`sightengine`."""
        return NAME

    @property
    def kinds(self) -> frozenset[Kind]:
        """Images and videos."""
        return frozenset(LIMITS)

    def question(self, kind: Kind, tenant: str) -> Question:
        """The model and the threshold, and the address where it is not the vendor's own."""
        return Question(kind, tenant, NAME, MODEL, adapter=ADAPTER, parameters=self._access.parameters(URL))

    @property
    def terms(self) -> Terms:
        """So much an operation."""
        price, above = self._access.price, self._access.ai_above
        return Terms("operation", price, READ if price == PRICE else None, sentences(self._limits), ai_above=above)

    async def estimate(self, content: Content, body: Body) -> Estimate:
        """
        The operations of an image, or of as many frames as a video has seconds.

        Raises:
            ProviderRejected: the vendor does not take it.
        """
        seconds = await check(NAME, self._limits, content, body)
        frames = sampled(seconds, self._most_seconds) if content.kind is Kind.VIDEO else 1
        return Estimate(*self._bill(frames * OPERATIONS))

    async def start(self, content: Content, body: Body) -> Answer:
        """
        Send the content, read the answer. Never gives Pending.

        Raises:
            ProviderError: one of its kinds.
        """
        access = self._access
        fields = [("models", MODEL), ("api_user", access.user), ("api_secret", access.key)]
        payload = multipart("media", neutral_name(content.media_type), content.media_type, body, fields)
        url = access.url + _PATHS[content.kind]
        patience = access.patience(content.kind)
        reply = await self._lines.post(url, payload, {}, timeout=patience, explain=_explain)
        return await aside(lambda: self._answer(content.kind, reply), size=len(reply.body))

    async def resume(self, receipt: str) -> Answer:  # noqa: ARG002  # the port's
        """Never called: `start` gives no receipt."""
        raise ProviderInvalid(NAME, f"{NAME} gives no receipts")

    async def close(self) -> None:
        """Close the connections."""
        await self._lines.close()

    def _answer(self, kind: Kind, reply: Reply) -> Answer:
        """What *reply* says of a content of that *kind*; ProviderError: it is a failure, or no answer."""
        document = read_json(NAME, reply.body)
        failed = _failure(document)
        if failed is not None:
            raise failed
        if reply.status != 200 or not isinstance(document, dict) or document.get("status") != "success":
            raise _invalid("sent an answer that tells no success")
        frames = _frames(document, kind)
        bill = self._bill(_operations(document, default=len(frames) * OPERATIONS))
        return Answer(self._result(document, frames), *bill)

    def _bill(self, operations: int) -> tuple[MicroDollars, dict[str, int]]:
        return MicroDollars(operations * self._access.price), {"operations": operations}

    def _result(self, document: dict[str, Any], frames: list[Frame]) -> Result:
        ai_above = self._access.ai_above
        score = highest(frames).score
        verdict, confidence = judge(score, ai_above)
        return Result(
            verdict=verdict,
            score_ai=score,
            confidence=confidence,
            evidence=evidence(NAME, frames, ai_above),
            provider=NAME,
            model=MODEL,
            model_version=None,  # it tells none
            analysed_at=written(self._clock()),
            answer=without_secrets(without_echoes(_without_uri(document), None), self._access),
        )


def _frames(document: dict[str, Any], kind: Kind) -> list[Frame]:
    """The frames that were judged: an image is one, an animated one may be several."""
    if kind is Kind.IMAGE and "data" not in document:
        return [_frame(document, "")]
    data = document.get("data")
    found = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(found, list) or not found:
        raise _invalid("sent an answer without frames")
    if isinstance(data, dict) and data.get("status") == "ongoing":
        raise _invalid("sent the answer of an analysis that goes on")
    return [_frame(one, f"/data/frames/{number}") for number, one in enumerate(found)]


def _frame(found: Any, where: str) -> Frame:
    judged = found.get("type") if isinstance(found, dict) else None
    if not isinstance(judged, dict):
        raise _invalid(f"sent an answer without {where}/type")
    where = f"{where}/type/ai_generated"
    generators = judged.get("ai_generators")
    score = score_of(NAME, judged.get("ai_generated"), where)
    return Frame(score, where, generators if isinstance(generators, dict) else {})


def _operations(document: dict[str, Any], *, default: int) -> int:
    """How many operations the vendor says that it bills; *default* where it does not say so readably."""
    request = document.get("request")
    told = request.get("operations") if isinstance(request, dict) else None
    return told if type(told) is int and 0 <= told <= _MOST_OPERATIONS else default


def _without_uri(document: dict[str, Any]) -> dict[str, Any]:
    """*document* without `media.uri`, which repeats the name of the file."""
    media = document.get("media")
    if not isinstance(media, dict):
        return document
    return document | {"media": {name: inner for name, inner in media.items() if name != "uri"}}


def _explain(status: int, body: bytes) -> ProviderError | None:
    """What the body of a refusal says, if it is the vendor's own and says more than *status*."""
    try:
        failed = _failure(read_json(NAME, body))
    except ProviderInvalid:
        return None
    return None if type(failed) is ProviderInvalid and status in {413, 415, 429} else failed


def _failure(document: Any) -> ProviderError | None:
    """The error in *document*, if it is of a type that is documented (rule 3)."""
    if not isinstance(document, dict) or document.get("status") != "failure":
        return None
    error = document.get("error")
    told, code = (error.get("type"), error.get("code")) if isinstance(error, dict) else (None, None)
    kind = _FAILURES.get(told) if isinstance(told, str) else None
    if kind is None:
        return None
    paid = _operations(document, default=0) > 0
    said = f"{told}, code {code}" if type(code) is int and abs(code) < 10**6 else str(told)
    if (told, code) == _TOO_MANY_AT_ONCE:
        return ProviderThrottled(NAME, f"{NAME} has too many calls at once ({said})")
    if kind is ProviderDenied or (told, code) == _WRONG_SECRET:
        message = f"{NAME} refuses our account ({said}): check its user, secret, plan and usage"
        return ProviderDenied(NAME, message, possibly_paid=paid)
    words = {ProviderRejected: "refuses this content", ProviderFailed: "failed", ProviderInvalid: "refuses our request"}
    return kind(NAME, f"{NAME} {words[kind]} ({said})", possibly_paid=paid)


def _invalid(what: str) -> ProviderInvalid:
    """It answered, and so may bill."""
    return ProviderInvalid(NAME, f"{NAME} {what}", possibly_paid=True)
