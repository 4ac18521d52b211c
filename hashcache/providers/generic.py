"""
Any paid HTTP API as a provider: one POST with the content, one JSON answer, its score found by a JSON Pointer.

Rule 1: an image or video goes as multipart, streamed; a text as JSON. Nothing else of the customer's is sent.
Rule 2: the address and the fields are part of the question; the headers are not, because they carry secrets that
        rotate. A secret belongs into a header, not into the address.
Rule 3: without a pointer to a score the verdict is inconclusive and the vendor's answer is carried as it is
        (moderation, OCR).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import ProviderInvalid, SettingsError
from hashcache.core.key import Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Evidence, Result, Verdict
from hashcache.ports import Answer, Body, Estimate, Terms
from hashcache.providers.calls import Lines
from hashcache.providers.documents import aside, read_json
from hashcache.providers.formats import Payload, json, multipart, neutral_name
from hashcache.providers.reading import (
    evidence_of,
    judge,
    score_of,
    text_of,
    version_of,
    without_echoes,
    written,
)

NAME = "generic"
#: The version of our reading of an answer; raised whenever the same answer would give another result.
ADAPTER = 1


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
    of the analysis, *random* a number within 0 and 1 for pauses; *tls*: whom to trust, the public authorities if None.

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
        tls: ssl.SSLContext | None = None,
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
        self._lines = Lines(NAME, timeout=timeout, concurrency=concurrency, random=random, tls=tls)

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

    @property
    def terms(self) -> Terms:
        """A flat price for each call; what it takes is not known here."""
        return Terms("call", self._price, ai_above=self._ai_above if self._score is not None else None)

    async def estimate(self, _content: Content, _body: Body) -> Estimate:
        """The price of one call."""
        return Estimate(self._price, {"calls": 1})

    async def start(self, content: Content, body: Body) -> Answer:
        """
        Send the content, read the answer. Never gives Pending.

        Raises:
            ProviderError: one of its kinds.
        """
        text = await text_of(body) if content.kind is Kind.TEXT else None
        payload = self._payload(content, body, text)
        reply = await self._lines.post(self._url, payload, self._headers, timeout=self._timeouts[content.kind])
        if reply.status not in {200, 201}:
            raise _invalid(f"{NAME} answered with status {reply.status}, which promises no answer")
        return await aside(
            lambda: Answer(self._result(read_json(NAME, reply.body), text), self._price, {"calls": 1}),
            size=len(reply.body),
        )

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
        return multipart(field, neutral_name(content.media_type), content.media_type, body)

    def _result(self, document: Any, text: str | None) -> Result:
        """What *document* says, in our words."""
        score = self._find_score(document)
        evidence: tuple[Evidence, ...] = ()
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.NONE
        if score is not None and self._score is not None:
            verdict, confidence = judge(score, self._ai_above)
            evidence = (evidence_of(score, self._ai_above, self._score.text),)
        return Result(
            verdict=verdict,
            score_ai=score,
            confidence=confidence,
            evidence=evidence,
            provider=NAME,
            model=NAME,
            model_version=self._find_version(document),
            analysed_at=written(self._clock()),
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
        return score_of(NAME, found, self._score.text)

    def _find_version(self, document: Any) -> str | None:
        """The vendor's version of its model, if it tells one in at most 128 characters."""
        if self._version is None:
            return None
        try:
            found = self._version.find(document)
        except LookupError:
            return None
        return version_of(found)


def _invalid(message: str) -> ProviderInvalid:
    """It answered, and so may bill."""
    return ProviderInvalid(NAME, message, possibly_paid=True)
