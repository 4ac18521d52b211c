"""
GPTZero (gptzero.me): texts, answered at once. Version 2 of its API, scan `ai-scan`.

Facts from the vendor's API reference (gptzero.stoplight.io) and support pages as others wrote them down in September
2026, and from answers that were recorded in May 2026.

Rule 1: the score is `class_probabilities.ai`: how likely all of it is AI's. `completely_generated_prob` is deprecated
        and stands in only where an old server sends no probabilities.
Rule 2: the vendor names one of three classes. Under our threshold, `mixed` (parts by AI, or polished by it) is
        `ai_edited`: a text that people and AI share; its score is near 0, since it is not all AI's. `ai` and `human`
        are weighed against the threshold as `reading` says.
Rule 3: `confidence_category` is about that class, so it is ours wherever our verdict is that class; else see `reading`.
Rule 4: the vendor cuts a text at 50,000 characters in silence: longer ones are refused. Where it cut all the same,
        which its echo of the text shows, the result says so.
Rule 5: it bills words. We count what blanks and line ends separate; the vendor publishes no rule, so its bill may
        differ by a little.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Instant
from hashcache.core.errors import ProviderDenied, ProviderError, ProviderInvalid, SettingsError
from hashcache.core.key import Question
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Evidence, Result, Verdict
from hashcache.ports import Answer, Body, Estimate, Terms
from hashcache.providers.access import Access
from hashcache.providers.calls import Lines
from hashcache.providers.documents import aside, read_json
from hashcache.providers.formats import json
from hashcache.providers.limits import Limits, as_planned, check, check_length, sentences
from hashcache.providers.reading import (
    STRENGTHS,
    evidence_of,
    judge,
    member,
    score_of,
    text_of,
    version_of,
    weigh,
    without_echoes,
    written,
)

NAME = "gptzero"
MODEL = "ai-scan"
#: The version of our reading of an answer; raised whenever the same answer would give another result.
ADAPTER = 1
#: The vendor's own address: another one may be another service, and so belongs to the question.
URL = "https://api.gptzero.me"
#: Of one word: 24.99 US dollars a month for 500,000 words (plan Professional, billed yearly), as published on READ.
PRICE, READ = MicroDollars(50), "2026-07-19"
#: What it takes unless a plan says otherwise; see rule 4.
LIMITS: Mapping[Kind, Limits] = {Kind.TEXT: Limits(least_characters=250, most_characters=50_000)}

_CLASSES = {"ai": "ai", "human": "human", "mixed": "mixed", "ai_only": "ai", "human_only": "human"}
_SENTENCES = {
    "ai": "that AI wrote all of it",
    "human": "that a person wrote all of it",
    "mixed": "that it is a person's in part and AI's in part",
    "concatenated": "that it joins parts by a person and parts by AI",
    "polished": "that a person wrote it and AI polished it",
}
#: The deprecated score.
_OLD = "completely_generated_prob"
#: Members of an answer that repeat the text, or pieces of it.
_ECHOES = frozenset({"inputText", "sentence", "text"})
#: What the vendor says when the words of the plan are used up; of the hourly limit it says nothing like it.
_QUOTA = re.compile(r"\bwords?\b|\bmonth|\bupgrad|\bquota\b", re.IGNORECASE)


class GptZeroProvider:
    """
    The account that *access* opens. Implements `ports.Provider`; answers at once, never gives Pending.

    *multilingual*: also texts in French and Spanish. *model_version*: asks that version, such as `2025-11-28-base`;
    None: the vendor's newest. *clock* gives the instant of the analysis, *random* a number within 0 and 1 for pauses.

    Raises:
        SettingsError: *multilingual* with a *model_version*, which the vendor asks not to combine.
    """

    def __init__(
        self,
        access: Access,
        *,
        clock: Callable[[], Instant],
        random: Callable[[], float],
        multilingual: bool = False,
        model_version: str | None = None,
    ) -> None:
        if multilingual and model_version is not None:
            raise SettingsError(
                "HASHCACHE_GPTZERO_MULTILINGUAL and HASHCACHE_GPTZERO_MODEL_VERSION exclude each other: "
                "texts in several languages are analysed by the newest model only"
            )
        self._access = access
        self._headers = {"x-api-key": access.key}
        self._options: dict[str, bool | str] = {"multilingual": multilingual}
        if model_version is not None:
            self._options["modelVersion"] = model_version
        self._limits = as_planned(LIMITS, access)
        self._clock = clock
        self._lines = Lines(NAME, timeout=access.timeout, concurrency=access.concurrency, random=random, tls=access.tls)

    @property
    def name(self) -> str:
        """`gptzero`."""
        return NAME

    @property
    def kinds(self) -> frozenset[Kind]:
        """Texts."""
        return frozenset(LIMITS)

    @property
    def terms(self) -> Terms:
        """A price for each word."""
        price, limits = self._access.price, sentences(self._limits)
        return Terms("word", price, READ if price == PRICE else None, limits, ai_above=self._access.ai_above)

    def question(self, kind: Kind, tenant: str) -> Question:
        """The options that are sent, the threshold, and the address unless it is the vendor's own."""
        parameters = self._access.parameters(URL) | {name: str(value) for name, value in self._options.items()}
        return Question(kind, tenant, NAME, MODEL, adapter=ADAPTER, parameters=parameters)

    async def estimate(self, content: Content, body: Body) -> Estimate:
        """
        The price of the text's words.

        Raises:
            ProviderRejected: no text, too short or too long.
        """
        await check(NAME, self._limits, content, body)
        text = await text_of(body)
        check_length(NAME, self._limits[Kind.TEXT], text)
        return Estimate(*self._bill(text))

    async def start(self, _content: Content, body: Body) -> Answer:
        """
        Send the text, read the answer.

        Raises:
            ProviderError: one of its kinds.
        """
        text = await text_of(body)
        payload = json({"document": text, **self._options})
        reply = await self._lines.post(
            f"{self._access.url}/v2/predict/text",
            payload,
            self._headers,
            timeout=self._access.patience(Kind.TEXT),
            explain=_explain,
        )
        if reply.status != 200:
            raise _invalid(f"{NAME} answered with status {reply.status}, which promises no answer")
        return await aside(
            lambda: Answer(self._result(read_json(NAME, reply.body), text), *self._bill(text)), size=len(reply.body)
        )

    async def resume(self, receipt: str) -> Answer:  # noqa: ARG002  # the port's
        """Never called: `start` gives no receipt."""
        raise ProviderInvalid(NAME, f"{NAME} gives no receipts")

    async def close(self) -> None:
        """Close the connections."""
        await self._lines.close()

    def _bill(self, text: str) -> tuple[MicroDollars, Mapping[str, int]]:
        """Price and units (rule 5)."""
        words = len(text.split())
        return MicroDollars(words * self._access.price), {"words": words}

    def _result(self, document: Any, text: str) -> Result:
        """What *document* says, in our words."""
        documents = member(document, "documents")
        if not isinstance(documents, list) or len(documents) != 1:
            raise _invalid(f"{NAME} sent an answer without its one document")
        [found] = documents
        score, where = _score(found)
        verdict, confidence = _verdict(found, score, self._access.ai_above)
        return Result(
            verdict=verdict,
            score_ai=score,
            confidence=confidence,
            evidence=(
                evidence_of(score, self._access.ai_above, f"/documents/0/{where}"),
                *_own_class(found),
                *_cut(document, found, text),
            ),
            provider=NAME,
            model=MODEL,
            model_version=version_of(member(document, "version")),
            analysed_at=written(self._clock()),
            answer=without_echoes(without_echoes(document, text, dropped=_ECHOES), self._access.key),
        )


def _score(found: Any) -> tuple[float, str]:
    """The score of a document, and where in it that lay (rule 1)."""
    if member(found, "class_probabilities") is None:
        return score_of(NAME, member(found, _OLD), _OLD), _OLD
    where = "class_probabilities/ai"
    return score_of(NAME, member(found, *where.split("/")), where), where


def _class_of(found: Any) -> str | None:
    """`ai`, `human` or `mixed`; None where it names none that we know."""
    for name in ("predicted_class", "document_classification"):
        said = member(found, name)
        if isinstance(said, str) and said.lower() in _CLASSES:
            return _CLASSES[said.lower()]
    return None


def _category_of(found: Any) -> Confidence | None:
    """How sure the vendor is of the class, where it says so in a word that we know."""
    said = member(found, "confidence_category")
    return Confidence(said) if said in ("high", "medium", "low") else None


def _verdict(found: Any, score: float, ai_above: float) -> tuple[Verdict, Confidence]:
    """Rules 2 and 3."""
    named, category = _class_of(found), _category_of(found)
    if named is None:
        return judge(score, ai_above)
    if named == "mixed" and score < ai_above:
        return Verdict.AI_EDITED, category or Confidence.LOW
    verdict, confidence = weigh(score, ai_above, says_ai=named == "ai")
    agreed = {"ai": Verdict.AI_GENERATED, "human": Verdict.NO_AI_FOUND}.get(named)
    return verdict, category if category is not None and verdict is agreed else confidence


def _own_class(found: Any) -> Iterator[Evidence]:
    """The vendor's class as a finding, and of a mixture how it is mixed, where the vendor tells it."""
    named = _class_of(found)
    if named is None:
        return
    how = member(found, "subclass", "mixed", "predicted_class") if named == "mixed" else None
    said = _SENTENCES[how if how in ("concatenated", "polished") else named]
    strength = STRENGTHS[_category_of(found) or Confidence.NONE]
    where = "/documents/0/predicted_class"
    yield Evidence("class", where, named, strength, verified=False, explanation=f"The provider says {said}.")


def _cut(document: Any, found: Any, text: str) -> Iterator[Evidence]:
    """Rule 4: its echo is the beginning of the text and not all of it."""
    echo = member(found, "inputText") or member(document, "inputText")
    whole = text.strip()
    if isinstance(echo, str) and 0 < len(echo.strip()) < len(whole) and whole.startswith(echo.strip()):
        said = f"The provider analysed only the first {len(echo)} of {len(text)} characters."
        where = "/documents/0/inputText"
        yield Evidence("partly_analysed", where, str(len(echo)), "none", verified=False, explanation=said)


def _explain(status: int, body: bytes) -> ProviderError | None:
    """
    What the vendor's `{"error": "..."}` under *status* tells; None: no more than the status.

    404 with it stands for a key that is unknown or has expired, not for a wrong address. 429 stands for the hourly
    limit, which passes, and for words of the plan that are used up or a key that is not read, which do not.
    """
    try:
        said = member(read_json(NAME, body), "error")
    except ProviderInvalid:
        return None
    if not isinstance(said, str):
        return None
    if status == 404:
        return ProviderDenied(NAME, f"{NAME} does not know our key or plan (404): check its key")
    if status == 429 and _QUOTA.search(said):
        return ProviderDenied(NAME, f"{NAME} says that the words of our plan are used up (429): check plan and key")
    return None


def _invalid(message: str) -> ProviderInvalid:
    """It answered, and so may bill."""
    return ProviderInvalid(NAME, message, possibly_paid=True)
