"""
Hive, V3: whether an image or video was generated, and by what; faces swapped and voices generated in it.

Rule 1: the key is a V3 secret and goes as a bearer token. V2 projects speak another dialect (`score`, not `value`) and
        are not understood: their answers are refused, never guessed at.
Rule 2: what is billed is an image, or a frame of a video; each item of `output` is one.
Rule 3: `ai_generated` decides. Below the threshold a deepfake or a generated voice above it makes the verdict
        AI-edited: part of the medium is AI's work, though not the whole of it, which is what the score is about.
Rule 4: a class that the verdict is made of is a score within 0 and 1 wherever it stands, and stands once in an item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import ProviderError, ProviderInvalid
from hashcache.core.key import Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Evidence, Result, Verdict
from hashcache.ports import Answer, Body, Estimate, Terms
from hashcache.providers.access import Access
from hashcache.providers.calls import Lines, Reply
from hashcache.providers.documents import aside, read_json
from hashcache.providers.formats import multipart, neutral_name
from hashcache.providers.frames import Frame, evidence, highest, sampled
from hashcache.providers.limits import Limits, as_planned, check, sentences
from hashcache.providers.reading import (
    evidence_of,
    judge,
    score_of,
    version_of,
    without_echoes,
    without_secrets,
    written,
)
from hashcache.providers.refusals import refusal

NAME = "hive"
MODEL = "hive/ai-generated-and-deepfake-content-detection"
#: The version of our reading of an answer; raised whenever the same answer would give another result.
ADAPTER = 1
#: Where the vendor is; another address is part of the question.
URL = "https://api.thehive.ai/api/v3"
#: What one image or frame cost without a contract, and when that was read.
PRICE, READ = MicroDollars(6_000), "2026-07-20"
_SECONDS = 180
#: What it takes unless a plan says otherwise.
LIMITS: Mapping[Kind, Limits] = {
    Kind.IMAGE: Limits(frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"}), most_bytes=50_000_000),
    Kind.VIDEO: Limits(
        frozenset({"video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/x-msvideo"}),
        most_bytes=50_000_000,
        most_seconds=_SECONDS,
    ),
}
_UNITS = {Kind.IMAGE: "images", Kind.VIDEO: "frames"}
_WHOLE = "ai_generated"
#: What is AI's work in a medium that is not generated as a whole.
_PARTS = ("deepfake", "ai_generated_audio")
_SOUND = frozenset({"ai_generated_audio", "not_ai_generated_audio"})
#: Classes that name no generator.
_NO_GENERATOR = frozenset(
    {_WHOLE, "not_ai_generated", "deepfake", "none", "inconclusive", "inconclusive_video", "other_image_generators"}
) | _SOUND  # fmt: skip
_SURENESS = (Confidence.NONE, Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)

#: The classes of one item of `output`, by name: where each value lies in the answer, and the value.
_Classes = Mapping[str, tuple[str, Any]]


class HiveProvider:
    """The account of *access*. Implements `ports.Provider`; *clock* and *random* as for `generic`."""

    def __init__(self, access: Access, *, clock: Callable[[], Instant], random: Callable[[], float]) -> None:
        self._access = access
        self._clock = clock
        self._lines = Lines(NAME, timeout=access.timeout, concurrency=access.concurrency, random=random, tls=access.tls)
        self._most_seconds = access.most_seconds or _SECONDS
        self._limits = as_planned(LIMITS, access)

    @property
    def name(self) -> str:
        """`hive`."""
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
        """So much an image or frame."""
        price, above = self._access.price, self._access.ai_above
        return Terms("image or frame", price, READ if price == PRICE else None, sentences(self._limits), ai_above=above)

    async def estimate(self, content: Content, body: Body) -> Estimate:
        """
        One image, or as many frames as a video has seconds.

        Raises:
            ProviderRejected: the vendor does not take it.
        """
        seconds = await check(NAME, self._limits, content, body)
        is_video = content.kind is Kind.VIDEO
        return Estimate(*self._bill(content.kind, sampled(seconds, self._most_seconds) if is_video else 1))

    async def start(self, content: Content, body: Body) -> Answer:
        """
        Send the content, read the answer. Never gives Pending.

        Raises:
            ProviderError: one of its kinds.
        """
        payload = multipart("media", neutral_name(content.media_type), content.media_type, body)
        headers = {"Authorization": f"Bearer {self._access.key}"}
        url, patience = f"{self._access.url}/{MODEL}", self._access.patience(content.kind)
        reply = await self._lines.post(url, payload, headers, timeout=patience, explain=_explain)
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
        if reply.status != 200 or not isinstance(document, dict):
            raise _invalid("sent an answer that is none of V3's")
        items = _items(document)
        return Answer(self._result(document, items), *self._bill(kind, len(items)))

    def _bill(self, kind: Kind, units: int) -> tuple[MicroDollars, dict[str, int]]:
        return MicroDollars(units * self._access.price), {_UNITS[kind]: units}

    def _result(self, document: dict[str, Any], items: list[_Classes]) -> Result:
        ai_above = self._access.ai_above
        frames = _frames(items)
        parts = _parts(items, ai_above)
        score = highest(frames).score
        verdict, confidence = judge(score, ai_above)
        if verdict is not Verdict.AI_GENERATED and parts:
            verdict, confidence = Verdict.AI_EDITED, max((sure for sure, _ in parts), key=_SURENESS.index)
        return Result(
            verdict=verdict,
            score_ai=score,
            confidence=confidence,
            evidence=(*evidence(NAME, frames, ai_above), *(finding for _, finding in parts)),
            provider=NAME,
            model=MODEL,
            model_version=version_of(document.get("version")),
            analysed_at=written(self._clock()),
            answer=without_secrets(without_echoes(document, None), self._access),
        )


def _items(document: dict[str, Any]) -> list[_Classes]:
    """What is said of each image or frame; at least one, and of the model that was asked."""
    if document.get("model", MODEL) != MODEL:
        raise _invalid("sent the answer of another model")
    output = document.get("output")
    if not isinstance(output, list) or not output:
        raise _invalid("sent an answer without output")
    return [_classes(item, f"/output/{number}/classes") for number, item in enumerate(output)]


def _classes(item: Any, where: str) -> _Classes:
    listed = item.get("classes") if isinstance(item, dict) else None
    if not isinstance(listed, list) or not listed:
        raise _invalid(f"sent an answer without {where}")
    classes: dict[str, tuple[str, Any]] = {}
    for number, one in enumerate(listed):
        name = one.get("class") if isinstance(one, dict) else None
        if not isinstance(name, str) or name in classes:
            raise _invalid(f"sent an answer whose {where}/{number} is no class of its own")
        classes[name] = (f"{where}/{number}/value", one.get("value"))
    return classes


def _frames(items: list[_Classes]) -> list[Frame]:
    """The pictures among *items*; what is of sound alone is none."""
    frames = []
    for classes in items:
        if _SOUND.issuperset(classes):
            continue
        where, found = classes.get(_WHOLE, ("/output", None))
        generators = {name: value for name, (_, value) in classes.items() if name not in _NO_GENERATOR}
        frames.append(Frame(score_of(NAME, found, where), where, generators))
    if not frames:
        raise _invalid(f"sent an answer without {_WHOLE}")
    return frames


def _parts(items: list[_Classes], ai_above: float) -> list[tuple[Confidence, Evidence]]:
    """Where the highest score of a part (see rule 3) reaches *ai_above*: how sure, and the finding."""
    found = []
    for name in _PARTS:
        scores = [(score_of(NAME, value, where), where) for where, value in (c[name] for c in items if name in c)]
        score, where = max(scores, key=lambda one: one[0], default=(0.0, ""))
        if scores and score >= ai_above:
            found.append((judge(score, ai_above)[1], evidence_of(score, ai_above, where, signal=name)))
    return found


def _explain(_status: int, body: bytes) -> ProviderError | None:
    """What the body of a refusal says, if it is the vendor's own."""
    try:
        return _failure(read_json(NAME, body))
    except ProviderInvalid:
        return None


def _failure(document: Any) -> ProviderError | None:
    """The error in *document*: V3 repeats its HTTP status as `status_code`, older gateways as `return_code`."""
    if not isinstance(document, dict):
        return None
    for name in ("status_code", "return_code"):
        code = document.get(name)
        if type(code) is int and 400 <= code < 600:
            return refusal(NAME, code, {})
    return None


def _invalid(what: str) -> ProviderInvalid:
    """It answered, and so may bill."""
    return ProviderInvalid(NAME, f"{NAME} {what}", possibly_paid=True)
