"""
AI or Not (aiornot.com): images, videos and texts, answered at once. Version 2 of its API.

Facts from docs.aiornot.com (OpenAPI 5.0.2), from the vendor's own Python client 0.1.1 (github.com/aiornotinc), and from
answers that were recorded in July 2026.

Rule 1: one report is asked for (`only`): left alone the vendor runs several and bills them apart.
Rule 2: status 200 does not promise that report. It may be null, and `processing_status` may call it rejected (this
        content will never do) or errored: then there is no answer, and perhaps a bill.
Rule 3: the vendor's own word is `verdict` of an image, `is_detected` of others; `reading` says how it is weighed
        against our threshold. Its `unknown` is inconclusive whatever the score.
Rule 4: of a file the vendor names the MD5 that it received: another than that of what we sent is no answer. Of a text
        it is not known what exactly is digested, so nothing is concluded from that one.
Rule 5: it may analyse only parts of a video longer than PARTLY seconds: the result says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Any

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import ProviderFailed, ProviderInvalid, ProviderRejected
from hashcache.core.key import Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Evidence, Result, Verdict
from hashcache.ports import Answer, Body, Estimate, Terms
from hashcache.providers.access import Access
from hashcache.providers.calls import Lines, Reply
from hashcache.providers.documents import aside, read_json
from hashcache.providers.formats import form, multipart, neutral_name
from hashcache.providers.limits import Limits, as_planned, check, check_length, sentences
from hashcache.providers.reading import (
    STRENGTHS,
    evidence_of,
    judge,
    member,
    score_of,
    text_of,
    weigh,
    without_echoes,
    written,
)

NAME = "aiornot"
#: The version of our reading of an answer; raised whenever the same answer would give another result.
ADAPTER = 1
#: The vendor's own address: another one may be another service, and so belongs to the question.
URL = "https://api.aiornot.com"
#: Of one check: 5 US dollars a month for 500 checks of images, as published on READ. Of others no price was seen.
PRICE, READ = MicroDollars(10_000), "2026-07-20"
#: Seconds of a video that are surely analysed whole: the vendor advises to send longer ones in pieces of so much.
PARTLY = 30
#: At most so many generators are named in the evidence.
MOST_GENERATORS = 3

_REPORTS = {Kind.IMAGE: "ai_generated", Kind.VIDEO: "ai_video", Kind.TEXT: "ai_text"}
#: What it takes unless a plan says otherwise, as published on READ.
LIMITS: Mapping[Kind, Limits] = {
    Kind.IMAGE: Limits(
        frozenset({"image/jpeg", "image/png", "image/webp", "image/heic", "image/tiff"}), most_bytes=50_000_000
    ),
    Kind.VIDEO: Limits(most_bytes=200_000_000),
    Kind.TEXT: Limits(least_characters=250, most_characters=500_000),
}
#: Members of an answer that repeat pieces of a text.
_ECHOES = frozenset({"annotations"})


class AiOrNotProvider:
    """
    The account that *access* opens. Implements `ports.Provider`; answers at once, never gives Pending.

    *clock* gives the instant of the analysis, *random* a number within 0 and 1 for pauses.
    """

    def __init__(self, access: Access, *, clock: Callable[[], Instant], random: Callable[[], float]) -> None:
        self._access = access
        self._headers = {"Authorization": f"Bearer {access.key}"}
        self._limits = as_planned(LIMITS, access)
        self._clock = clock
        self._lines = Lines(NAME, timeout=access.timeout, concurrency=access.concurrency, random=random, tls=access.tls)

    @property
    def name(self) -> str:
        """`aiornot`."""
        return NAME

    @property
    def kinds(self) -> frozenset[Kind]:
        """All kinds."""
        return frozenset(_REPORTS)

    @property
    def terms(self) -> Terms:
        """One check a call."""
        price, above = self._access.price, self._access.ai_above
        return Terms("check", price, READ if price == PRICE else None, sentences(self._limits), ai_above=above)

    def question(self, kind: Kind, tenant: str) -> Question:
        """The report that is asked for, the threshold, and the address unless it is the vendor's own."""
        parameters = self._access.parameters(URL)
        return Question(kind, tenant, NAME, _REPORTS[kind], adapter=ADAPTER, parameters=parameters)

    async def estimate(self, content: Content, body: Body) -> Estimate:
        """
        The price of one check.

        Raises:
            ProviderRejected: the content is beyond the vendor's limits.
        """
        await check(NAME, self._limits, content, body)
        if content.kind is Kind.TEXT:
            check_length(NAME, self._limits[Kind.TEXT], await text_of(body))
        return Estimate(self._access.price, {"checks": 1})

    async def start(self, content: Content, body: Body) -> Answer:
        """
        Send the content, read the answer.

        Raises:
            ProviderError: one of its kinds.
        """
        kind, address = content.kind, f"{self._access.url}/v2/{content.kind.value}/sync"
        text, sent = None, _Passing(body)
        if kind is Kind.TEXT:
            text = await text_of(body)
            payload = form({"text": text})
        else:
            address += f"?only={_REPORTS[kind]}"
            payload = multipart(kind.value, neutral_name(content.media_type), content.media_type, sent)
        reply = await self._lines.post(address, payload, self._headers, timeout=self._access.patience(kind))
        if reply.status != 200:
            raise _invalid(f"{NAME} answered with status {reply.status}, which promises no answer")
        md5 = sent.md5 if text is None else None
        return await aside(
            lambda: Answer(self._result(kind, reply, text, md5), self._access.price, {"checks": 1}),
            size=len(reply.body),
        )

    async def resume(self, receipt: str) -> Answer:  # noqa: ARG002  # the port's
        """Never called: `start` gives no receipt."""
        raise ProviderInvalid(NAME, f"{NAME} gives no receipts")

    async def close(self) -> None:
        """Close the connections."""
        await self._lines.close()

    def _result(self, kind: Kind, reply: Reply, text: str | None, md5: str | None) -> Result:
        """What *reply* says, in our words, of a *text*, or of the file with this *md5*."""
        document = read_json(NAME, reply.body)
        if md5 is not None:
            _check_received(document, md5)
        word, found, where = _finding(kind, document)
        above = self._access.ai_above
        score = score_of(NAME, found, where) if word != "unknown" else _score_or_none(found)
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.NONE
        if score is not None and word != "unknown":
            verdict, confidence = weigh(score, above, says_ai=word == "ai")
        evidence = [] if score is None else [evidence_of(score, above, where)]
        evidence.append(_own_word(kind, word, confidence))
        evidence += _generators(document) if word == "ai" else ()
        evidence += _parts(document)
        return Result(
            verdict=verdict,
            score_ai=score,
            confidence=confidence,
            evidence=tuple(evidence),
            provider=NAME,
            model=_REPORTS[kind],
            model_version=None,
            analysed_at=written(self._clock()),
            answer=without_echoes(without_echoes(document, text, dropped=_ECHOES), self._access.key),
        )


class _Passing:
    """A Body that notes the *md5* of its bytes, in hexadecimal, each time that they have passed."""

    def __init__(self, body: Body) -> None:
        self.md5 = ""
        self._body = body

    @property
    def size(self) -> int:
        return self._body.size

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        digest = hashlib.md5(usedforsecurity=False)
        source = self._body.chunks()
        try:
            async for chunk in source:
                digest.update(chunk)
                yield chunk
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()
        self.md5 = digest.hexdigest()

    def descriptor(self) -> int | None:
        return self._body.descriptor()

    async def close(self) -> None:
        """Not ours to close."""


def _check_received(document: Any, md5: str) -> None:
    """Rule 4: whether they analysed what we sent; *md5* is empty if they answered before it had passed."""
    found = member(document, "report", "meta", "md5")
    if isinstance(found, str) and re.fullmatch(r"[0-9A-Fa-f]{32}", found) and found.lower() != md5:
        raise _invalid(f"{NAME} analysed other bytes than were sent: its MD5 is another")


def _finding(kind: Kind, document: Any) -> tuple[str, Any, str]:
    """
    The vendor's word (`ai`, `human` or `unknown`), what should be its score, and where that lay.

    Raises:
        ProviderRejected, ProviderFailed: it says that there is no report (rule 2).
        ProviderInvalid: there is none all the same, or it says nothing that we know.
    """
    name = _REPORTS[kind]
    meta = member(document, "report", "meta")
    states = [member(meta, "processing_status", name), member(meta, kind.value)]
    if "rejected" in states:
        raise ProviderRejected(NAME, f"{NAME} rejects this content", possibly_paid=True)
    if "errored" in states:
        raise ProviderFailed(NAME, f"{NAME} failed to analyse this content", possibly_paid=True)
    report = member(document, "report", name)
    if kind is Kind.IMAGE:
        word, found, where = member(report, "verdict"), member(report, "ai", "confidence"), "ai/confidence"
        if word not in ("ai", "human", "unknown"):
            raise _invalid(f"{NAME} sent an answer without a verdict in report/{name}")
    else:
        says, found, where = member(report, "is_detected"), member(report, "confidence"), "confidence"
        if not isinstance(says, bool):
            raise _invalid(f"{NAME} sent an answer without is_detected in report/{name}")
        word = "ai" if says else "human"
    return word, found, f"/report/{name}/{where}"


def _score_or_none(found: Any) -> float | None:
    """A score, where none is needed."""
    try:
        return score_of(NAME, found, "")
    except ProviderInvalid:
        return None


def _own_word(kind: Kind, word: str, confidence: Confidence) -> Evidence:
    """The vendor's *word* as a finding."""
    where = f"/report/{_REPORTS[kind]}/{'verdict' if kind is Kind.IMAGE else 'is_detected'}"
    said = {"ai": "that AI made it", "human": "that AI did not make it", "unknown": "that it cannot tell"}[word]
    return Evidence(
        "verdict", where, word, STRENGTHS[confidence], verified=False, explanation=f"The provider says {said}."
    )


def _generators(document: Any) -> Iterator[Evidence]:
    """Those that it attributes an image to, the likeliest first; each is an object, or in older answers a score."""
    where = ("report", "ai_generated", "generator")
    found = member(document, *where)
    attributed: list[tuple[float, str]] = []
    for name, one in (found if isinstance(found, dict) else {}).items():
        score = _score_or_none(member(one, "confidence") if isinstance(one, dict) else one)
        detected = member(one, "is_detected") is True if isinstance(one, dict) else (score or 0.0) >= 0.5
        if score is not None and detected and name not in {"ai", "human"} and len(name) <= 64:
            attributed.append((score, name))
    for score, name in sorted(attributed, reverse=True)[:MOST_GENERATORS]:
        strength = STRENGTHS[judge(score, 0.5)[1]]
        explanation = f"The provider attributes it to {name}, with a score of {score}."
        path = "/".join(["", *where, name.replace("~", "~0").replace("/", "~1")])
        yield Evidence("generator", path, str(score), strength, verified=False, explanation=explanation)


def _parts(document: Any) -> Iterator[Evidence]:
    """Rule 5, by the duration that the vendor found."""
    seconds = member(document, "report", "meta", "duration")
    if type(seconds) in {int, float} and seconds > PARTLY:
        explanation = f"It lasts {seconds} s; of more than {PARTLY} s the provider may analyse only parts."
        yield Evidence(
            "partly_analysed", "/report/meta/duration", str(seconds), "none", verified=False, explanation=explanation
        )


def _invalid(message: str) -> ProviderInvalid:
    """It answered, and so may bill."""
    return ProviderInvalid(NAME, message, possibly_paid=True)
