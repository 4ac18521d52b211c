"""
Any paid HTTP API as a provider: one POST with the content, one JSON answer, its score found by a JSON Pointer.

Rule 1: an image or video goes as multipart, streamed; a text as JSON. Nothing else of the customer's is sent.
Rule 2: the address and the fields are part of the question; the headers are not, because they carry secrets that
        rotate. A secret belongs into a header, not into the address.
Rule 3: a score is a number within 0 and 1, or there is no answer. Without a pointer to a score the verdict is
        inconclusive and the vendor's answer is carried as it is (moderation, OCR).
Rule 4: confidence is how far the score lies from the threshold, as a part of the way to the end of its side:
        0.8 and more is high, 0.4 and more medium, else low.
Rule 5: echoes of the content are removed from the answer: each string longer than LONGEST_STRING, and for a text each
        string that equals it or, from SHORTEST_ECHO characters on, holds it. Removed means null. A vendor that
        repeats a text in pieces is not found out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import ProviderInvalid, SettingsError
from hashcache.core.key import Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Evidence, Result, Verdict
from hashcache.ports import Answer, Body
from hashcache.providers.calls import Lines
from hashcache.providers.formats import Payload, json, multipart, read_json

NAME = "generic"
#: The version of our reading of an answer; raised whenever the same answer would give another result.
ADAPTER = 1
LONGEST_STRING = 4000
SHORTEST_ECHO = 16
_EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/tiff": "tiff",
    "image/bmp": "bmp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
}
_STRENGTHS = {Confidence.HIGH: "strong", Confidence.MEDIUM: "medium", Confidence.LOW: "weak"}


@dataclass(frozen=True, slots=True)
class Pointer:
    """A JSON Pointer (RFC 6901); the empty one means the whole document."""

    text: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(/([^/~]|~[01])*)*", self.text):
            raise SettingsError(f"{self.text!r} is not a JSON Pointer, such as /result/score")

    def find(self, document: Any) -> Any:
        """
        What it points to in *document*.

        Raises:
            LookupError: nothing.
        """
        for token in self.text.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            if isinstance(document, dict):
                document = document[name]
            elif isinstance(document, list) and re.fullmatch(r"0|[1-9][0-9]{0,8}", name):
                document = document[int(name)]
            else:
                raise LookupError(name)
        return document


class GenericProvider:
    """
    The API at *url*, which costs *price* a call. Implements `ports.Provider`.

    *headers* are sent as they are. *score* and *version* are JSON Pointers into the answer; a missing version is
    none, a missing score is no answer. A score of *ai_above* or more means AI-generated. *clock* gives the instant
    of the analysis, *random* a number within 0 and 1 for pauses.

    Raises:
        SettingsError: a pointer is malformed.
    """

    def __init__(  # noqa: PLR0913  # each is a setting of its own, given by name
        self,
        *,
        url: str,
        price: MicroDollars,
        timeout: timedelta,
        video_timeout: timedelta,
        concurrency: int,
        clock: Callable[[], Instant],
        random: Callable[[], float],
        headers: Mapping[str, str] | None = None,
        file_field: str = "file",
        text_field: str = "text",
        score: str | None = None,
        version: str | None = None,
        ai_above: float = 0.5,
    ) -> None:
        self._url = url
        self._headers = dict(headers or {})
        self._fields = {Kind.IMAGE: file_field, Kind.VIDEO: file_field, Kind.TEXT: text_field}
        self._score = None if score is None else Pointer(score)
        self._version = None if version is None else Pointer(version)
        self._ai_above = ai_above
        self._price = price
        self._timeouts = {Kind.IMAGE: timeout, Kind.VIDEO: video_timeout, Kind.TEXT: timeout}
        self._clock = clock
        self._lines = Lines(NAME, timeout=timeout, concurrency=concurrency, random=random)

    @property
    def name(self) -> str:
        """`generic`."""
        return NAME

    @property
    def kinds(self) -> frozenset[Kind]:
        """All kinds: what the vendor does not take, it refuses."""
        return frozenset(Kind)

    def question(self, kind: Kind, tenant: str) -> Question:
        """The address, the field, the pointers and the threshold (see rule 2)."""
        parameters = {"url": self._url, "field": self._fields[kind], "ai_above": repr(float(self._ai_above))}
        if self._score is not None:
            parameters["score"] = self._score.text
        if self._version is not None:
            parameters["version"] = self._version.text
        return Question(kind, tenant, NAME, NAME, adapter=ADAPTER, parameters=parameters)

    def price(self, content: Content) -> MicroDollars:  # noqa: ARG002  # the port's: this vendor's price is flat
        """The price of one call."""
        return self._price

    async def start(self, content: Content, body: Body) -> Answer:
        """
        Send the content, read the answer. Never gives Pending.

        Raises:
            ProviderError: one of its kinds.
        """
        text = await _text(body) if content.kind is Kind.TEXT else None
        payload = self._payload(content, body, text)
        reply = await self._lines.post(self._url, payload, self._headers, timeout=self._timeouts[content.kind])
        if reply.status not in {200, 201}:
            raise _invalid(f"{NAME} answered with status {reply.status}, which promises no answer")
        return Answer(self._result(read_json(NAME, reply.body), text), self._price)

    async def resume(self, receipt: str) -> Answer:  # noqa: ARG002  # the port's
        """Never called: `start` gives no receipt."""
        raise ProviderInvalid(NAME, f"{NAME} gives no receipts")

    async def close(self) -> None:
        """Close the connections."""
        await self._lines.close()

    def _payload(self, content: Content, body: Body, text: str | None) -> Payload:
        field = self._fields[content.kind]
        if text is not None:
            return json({field: text})
        extension = _EXTENSIONS.get(content.media_type, "bin")
        return multipart(field, f"upload.{extension}", content.media_type, body)

    def _result(self, document: Any, text: str | None) -> Result:
        """What *document* says, in our words."""
        score = self._find_score(document)
        evidence: tuple[Evidence, ...] = ()
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.NONE
        if score is not None and self._score is not None:
            verdict, confidence = judge(score, self._ai_above)
            side = "at or above" if verdict is Verdict.AI_GENERATED else "below"
            evidence = (
                Evidence(
                    signal="score",
                    where=self._score.text,
                    value=str(score),
                    strength=_STRENGTHS[confidence],
                    verified=False,
                    explanation=f"The provider's score is {score}, {side} the threshold of {self._ai_above}.",
                ),
            )
        return Result(
            verdict=verdict,
            score_ai=score,
            confidence=confidence,
            evidence=evidence,
            provider=NAME,
            model=NAME,
            model_version=self._find_version(document),
            analysed_at=datetime.fromtimestamp(self._clock() // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            answer=without_echoes(document, text),
        )

    def _find_score(self, document: Any) -> float | None:
        """The score; None when none is asked for."""
        if self._score is None:
            return None
        try:
            found = self._score.find(document)
        except LookupError:
            raise _invalid(f"{NAME} sent an answer without {self._score.text}") from None
        if type(found) not in {int, float} or not math.isfinite(found) or not 0 <= found <= 1:
            raise _invalid(f"{NAME} sent an answer whose {self._score.text} is not a number within 0 and 1")
        return float(found)

    def _find_version(self, document: Any) -> str | None:
        """The vendor's version of its model, if it tells one in at most 128 characters."""
        if self._version is None:
            return None
        try:
            found = self._version.find(document)
        except LookupError:
            return None
        written = str(found) if type(found) in {str, int, float} else ""
        return written if 0 < len(written) <= 128 else None


def judge(score: float, ai_above: float) -> tuple[Verdict, Confidence]:
    """Verdict and confidence of *score* under the threshold *ai_above* (rule 4)."""
    if score >= ai_above:
        verdict, way, distance = Verdict.AI_GENERATED, 1 - ai_above, score - ai_above
    else:
        verdict, way, distance = Verdict.NO_AI_FOUND, ai_above, ai_above - score
    part = distance / way if way else 1.0
    if part >= 0.8:
        return verdict, Confidence.HIGH
    return verdict, Confidence.MEDIUM if part >= 0.4 else Confidence.LOW


def without_echoes(document: Any, text: str | None) -> Any:
    """*document* with echoes of the content as None (rule 5); names of members are kept."""
    if isinstance(document, dict):
        return {name: without_echoes(inner, text) for name, inner in document.items()}
    if isinstance(document, list):
        return [without_echoes(inner, text) for inner in document]
    if isinstance(document, str) and _echoes(document, text):
        return None
    return document


def _echoes(found: str, text: str | None) -> bool:
    if len(found) > LONGEST_STRING:
        return True
    sought = (text or "").strip()  # a vendor may trim what it repeats
    return bool(sought) and (found.strip() == sought or (len(sought) >= SHORTEST_ECHO and sought in found))


async def _text(body: Body) -> str:
    """The whole text; its size was bounded when it was received, and it was seen to be UTF-8."""
    return b"".join([chunk async for chunk in body.chunks()]).decode()


def _invalid(message: str) -> ProviderInvalid:
    """It answered, and so may bill."""
    return ProviderInvalid(NAME, message, possibly_paid=True)
