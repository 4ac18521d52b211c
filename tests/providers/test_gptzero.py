"""The `gptzero` provider against its vendor's dialect on loopback: what is sent, what is read, what is no answer."""

import hashlib
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hashcache.core.content import Content, Kind
from hashcache.core.digest import Digest
from hashcache.core.entry import Instant
from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
    SettingsError,
)
from hashcache.core.money import MicroDollars, dollars
from hashcache.core.result import Confidence, Verdict, encode
from hashcache.ports import Provider
from hashcache.providers import gptzero
from hashcache.providers.access import Access
from hashcache.providers.gptzero import GptZeroProvider
from hashcache.settings.vendors import KNOWN
from loadtests.dialects import gptzero as dialect
from loadtests.dialects.gptzero import KEY, answer, speaks
from loadtests.vendor.dialect import sent, told
from tests.harness.altered import ABSENT, altered
from tests.harness.bodies import Counted, Held
from tests.harness.dialects.faults import FAULTS
from tests.harness.recorder import recording
from tests.harness.vendor import Script, ScriptedVendor, status

PRICE = MicroDollars(50)
TEN_O_CLOCK = Instant(1_795_168_800_000)
PATIENT = timedelta(seconds=20)
CUSTOMER = "anna-müller-application.txt"
WORDS = "Dear all,\r\nthis naïve \u2028 letter says 100 % = 😀 + more;\n" * 20
LETTER = WORDS.encode()


def content(raw: bytes) -> Content:
    return Content(Kind.TEXT, "text/plain", Digest(hashlib.sha256(raw).digest(), len(raw)), CUSTOMER)


TEXT = content(LETTER)


def access(url: str, **more: Any) -> Access:
    account = Access(
        url=url, key=KEY, price=PRICE, timeout=PATIENT, video_timeout=PATIENT, concurrency=4, ai_above=0.5
    )  # fmt: skip
    return replace(account, **more)


def provider(url: str, *, multilingual: bool = False, model_version: str | None = None, **more: Any) -> GptZeroProvider:
    return GptZeroProvider(
        access(url, **more),
        clock=lambda: TEN_O_CLOCK,
        random=lambda: 0.0,
        multilingual=multilingual,
        model_version=model_version,
    )


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(speaks()) as vendor:
        yield vendor


@pytest.fixture
async def asked(vendor: ScriptedVendor) -> AsyncIterator[GptZeroProvider]:
    asked = provider(vendor.origin)
    yield asked
    await asked.close()


def test_it_is_a_provider_with_the_vendors_terms() -> None:
    """It has the port's shape; what it costs and where it is are what the settings say by default."""
    port: Provider = provider(gptzero.URL)
    assert (port.name, port.kinds) == ("gptzero", frozenset({Kind.TEXT}))
    assert (port.terms.unit, port.terms.price, port.terms.read) == ("word", PRICE, "2026-07-19")
    assert port.terms.limits == ("text: at least 250 characters; at most 50000 characters",)
    known = KNOWN["gptzero"]
    assert (known.url, dollars(known.price), known.unit) == (gptzero.URL, gptzero.PRICE, port.terms.unit)
    assert known.kinds == port.kinds
    assert provider(gptzero.URL, price=MicroDollars(1)).terms.read is None


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {"multilingual": "false"}),
        ({"multilingual": True}, {"multilingual": "true"}),
        ({"model_version": "2025-11-28-base"}, {"multilingual": "false", "modelVersion": "2025-11-28-base"}),
    ],
)
async def test_a_text_goes_as_json(vendor: ScriptedVendor, options: dict[str, Any], sent: dict[str, str]) -> None:
    """To the letter, over chunks that cut a character in two, with the options and the key in its header."""
    asked = provider(vendor.origin, **options)
    body = Counted(LETTER, chunk=7)
    result = (await asked.start(TEXT, body)).result
    [request] = vendor.ledger.requests
    assert (request.path, request.fields) == ("/v2/predict/text", {"document": WORDS, **sent})
    assert request.headers["x-api-key"] == KEY
    assert "application.txt" not in repr(request)
    assert result.model_version == sent.get("modelVersion", "2026-08-14-base")
    assert (body.begun, body.ended) == (1, 1)
    await asked.close()


def test_options_that_exclude_each_other_are_refused_at_once() -> None:
    """The vendor asks not to pin a version for texts in several languages: the message names both settings."""
    with pytest.raises(SettingsError, match=r"HASHCACHE_GPTZERO_MULTILINGUAL and HASHCACHE_GPTZERO_MODEL_VERSION"):
        provider(gptzero.URL, multilingual=True, model_version="2025-11-28-base")


async def test_an_answer_is_read(asked: GptZeroProvider) -> None:
    """Verdict, score, the vendor's confidence, evidence, model and version, instant."""
    result = (await asked.start(TEXT, Held(LETTER))).result
    assert (result.verdict, result.score_ai, result.confidence) == (Verdict.AI_GENERATED, 0.96, Confidence.HIGH)
    assert (result.provider, result.model, result.model_version) == ("gptzero", "ai-scan", "2026-08-14-base")
    assert result.analysed_at == "2026-11-20T10:00:00Z"
    found = [(one.signal, one.where, one.value, one.strength, one.verified) for one in result.evidence]
    assert found == [
        ("score", "/documents/0/class_probabilities/ai", "0.96", "strong", False),
        ("class", "/documents/0/predicted_class", "ai", "strong", False),
    ]
    assert result.evidence[1].explanation == "The provider says that AI wrote all of it."
    assert encode(result)


@pytest.mark.parametrize(
    ("text", "words"),
    [("one two\tthree\r\nfour\u00a0five " * 50, 250), ("word " * 300, 300), ("w" * 250, 1), (" " * 250, 0)],
)
async def test_words_are_billed(vendor: ScriptedVendor, asked: GptZeroProvider, text: str, words: int) -> None:
    """What blanks and line ends separate; the estimate and the bill agree, and nothing is sent to estimate."""
    raw = text.encode()
    estimate = await asked.estimate(content(raw), Held(raw))
    assert (estimate.price, estimate.units) == (words * PRICE, {"words": words})
    assert vendor.accepted == 0
    answer = await asked.start(content(raw), Held(raw))
    assert (answer.price, answer.units) == (estimate.price, estimate.units)


DOCUMENT = "documents__0__"


def mixed(ai: float = 0.0001, **more: Any) -> dict[str, Any]:
    """The changes that make the answer one about a mixture."""
    return {
        f"{DOCUMENT}predicted_class": "mixed",
        f"{DOCUMENT}document_classification": "MIXED",
        f"{DOCUMENT}class_probabilities": {"human": 0, "ai": ai, "mixed": 1 - ai},
        f"{DOCUMENT}confidence_category": "medium",
        f"{DOCUMENT}subclass": {"mixed": {"predicted_class": "polished"}},
    } | {f"{DOCUMENT}{name}": value for name, value in more.items()}


def human(ai: float = 0.02, **more: Any) -> dict[str, Any]:
    """The changes that make the answer one about a person's text."""
    return {
        f"{DOCUMENT}predicted_class": "human",
        f"{DOCUMENT}document_classification": "HUMAN_ONLY",
        f"{DOCUMENT}class_probabilities__ai": ai,
        f"{DOCUMENT}confidence_category": "low",
    } | {f"{DOCUMENT}{name}": value for name, value in more.items()}


READINGS: list[tuple[dict[str, Any], Verdict, float, Confidence]] = [
    ({f"{DOCUMENT}confidence_category": "low"}, Verdict.AI_GENERATED, 0.96, Confidence.LOW),
    ({f"{DOCUMENT}confidence_category": "medium"}, Verdict.AI_GENERATED, 0.96, Confidence.MEDIUM),
    # without a category that we know, the distance from the threshold decides
    ({f"{DOCUMENT}confidence_category": ABSENT}, Verdict.AI_GENERATED, 0.96, Confidence.HIGH),
    ({f"{DOCUMENT}confidence_category": ["low"]}, Verdict.AI_GENERATED, 0.96, Confidence.HIGH),
    ({f"{DOCUMENT}confidence_category": "none"}, Verdict.AI_GENERATED, 0.96, Confidence.HIGH),
    # the class
    (human(), Verdict.NO_AI_FOUND, 0.02, Confidence.LOW),
    (human(confidence_category=None), Verdict.NO_AI_FOUND, 0.02, Confidence.HIGH),
    (mixed(), Verdict.AI_EDITED, 0.0001, Confidence.MEDIUM),
    (mixed(confidence_category=None), Verdict.AI_EDITED, 0.0001, Confidence.LOW),
    # the older name of the class stands in, and without both the score alone decides
    (mixed(predicted_class=ABSENT), Verdict.AI_EDITED, 0.0001, Confidence.MEDIUM),
    (human(predicted_class=None), Verdict.NO_AI_FOUND, 0.02, Confidence.LOW),
    (human(predicted_class="robot", document_classification=7), Verdict.NO_AI_FOUND, 0.02, Confidence.HIGH),
    ({f"{DOCUMENT}predicted_class": ABSENT, f"{DOCUMENT}document_classification": ABSENT}, Verdict.AI_GENERATED, 0.96,
     Confidence.HIGH),
    # class and threshold disagree: its confidence is about another verdict than ours
    ({f"{DOCUMENT}class_probabilities__ai": 0.45}, Verdict.INCONCLUSIVE, 0.45, Confidence.NONE),
    (human(0.5, confidence_category="high"), Verdict.AI_GENERATED, 0.5, Confidence.LOW),
    (mixed(0.6, confidence_category="high"), Verdict.AI_GENERATED, 0.6, Confidence.LOW),
    # an old server
    ({f"{DOCUMENT}class_probabilities": ABSENT}, Verdict.AI_GENERATED, 0.94, Confidence.HIGH),
    ({f"{DOCUMENT}class_probabilities": None}, Verdict.AI_GENERATED, 0.94, Confidence.HIGH),
    # the ends of the scale
    ({f"{DOCUMENT}class_probabilities__ai": 1}, Verdict.AI_GENERATED, 1.0, Confidence.HIGH),
    (human(0), Verdict.NO_AI_FOUND, 0.0, Confidence.LOW),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "verdict", "score", "confidence"), READINGS)
async def test_class_threshold_and_category_make_the_result(
    vendor: ScriptedVendor,
    asked: GptZeroProvider,
    changes: dict[str, Any],
    verdict: Verdict,
    score: float,
    confidence: Confidence,
) -> None:
    """The vendor's category holds for its own class only; a mixture under the threshold is edited by AI."""
    vendor.then(speaks(altered(answer, **changes)))
    result = (await asked.start(TEXT, Held(LETTER))).result
    assert (result.verdict, result.score_ai, result.confidence) == (verdict, score, confidence)


@pytest.mark.parametrize(
    ("changes", "value", "strength", "said"),
    [
        (mixed(), "mixed", "medium", "that a person wrote it and AI polished it"),
        (mixed(subclass={"mixed": {"predicted_class": "concatenated"}}), "mixed", "medium", "parts by AI"),
        (mixed(subclass=ABSENT), "mixed", "medium", "AI's in part"),
        (mixed(subclass={"mixed": {"predicted_class": ["x"]}}), "mixed", "medium", "AI's in part"),
        (human(confidence_category=7), "human", "none", "that a person wrote all of it"),
    ],
)
async def test_the_class_is_told_in_a_sentence(
    vendor: ScriptedVendor, asked: GptZeroProvider, changes: dict[str, Any], value: str, strength: str, said: str
) -> None:
    """Of a mixture also how it is mixed, where the vendor tells it."""
    vendor.then(speaks(altered(answer, **changes)))
    [found] = [
        one for one in (await asked.start(TEXT, Held(LETTER))).result.evidence if one.signal == "class"
    ]  # fmt: skip
    assert (found.value, found.strength) == (value, strength)
    assert said in found.explanation


async def test_the_threshold_is_the_operators(vendor: ScriptedVendor) -> None:
    """The same answer under another threshold is another result."""
    strict = provider(vendor.origin, ai_above=0.97)
    result = (await strict.start(TEXT, Held(LETTER))).result
    assert (result.verdict, result.score_ai, result.confidence) == (Verdict.INCONCLUSIVE, 0.96, Confidence.NONE)
    await strict.close()


ODD = [True, "0.9", "", [0.9], {"value": 0.9}, math.nan, math.inf, 2.0, -0.1]
WRONG: list[tuple[str, list[Any]]] = [
    ("documents", [ABSENT, None, [], {}, "ai", 0.9, [None], [[]], ["ai"], [{}], [{}, {}]]),
    ("documents__0__class_probabilities", [{}, [], "ai", 0.9, True, {"human": 0.1}]),
    ("documents__0__class_probabilities__ai", [ABSENT, None, *ODD]),
]


@pytest.mark.parametrize(("path", "odds"), WRONG)
async def test_an_answer_without_its_score_is_none(
    vendor: ScriptedVendor, asked: GptZeroProvider, path: str, odds: list[Any]
) -> None:
    """Row 36: probabilities that are there must hold a score within 0 and 1; else it is an error, perhaps billed."""
    for odd in odds:
        vendor.then(speaks(altered(answer, **{path: odd})))
        with pytest.raises(ProviderInvalid) as raised:
            await asked.start(TEXT, Held(LETTER))
        assert raised.value.possibly_paid, odd


async def test_two_documents_answer_nothing(vendor: ScriptedVendor, asked: GptZeroProvider) -> None:
    """One was asked about: of two whole ones neither is taken."""

    def two(request: Any) -> Any:
        document = answer(request)
        return {**document, "documents": document["documents"] * 2}

    vendor.then(speaks(two))
    with pytest.raises(ProviderInvalid, match="one document"):
        await asked.start(TEXT, Held(LETTER))


async def test_an_old_server_must_send_the_old_score(vendor: ScriptedVendor, asked: GptZeroProvider) -> None:
    """Row 36: where it stands in, it is read as strictly."""
    for odd in [ABSENT, None, *ODD]:
        changes = {"documents__0__class_probabilities": ABSENT, "documents__0__completely_generated_prob": odd}
        vendor.then(speaks(altered(answer, **changes)))
        with pytest.raises(ProviderInvalid) as raised:
            await asked.start(TEXT, Held(LETTER))
        assert raised.value.possibly_paid, odd


async def test_the_old_score_counts_for_nothing_beside_the_new(vendor: ScriptedVendor, asked: GptZeroProvider) -> None:
    """The vendor calls it deprecated: it may be odd or gone."""
    for odd in [ABSENT, None, True, "0.9", [], 2.0, -1]:
        vendor.then(speaks(altered(answer, documents__0__completely_generated_prob=odd)))
        assert (await asked.start(TEXT, Held(LETTER))).result.score_ai == 0.96


@pytest.mark.parametrize(
    ("version", "told"),
    [(ABSENT, None), (None, None), ("", None), ([1], None), (True, None), ("v" * 129, None), ("v" * 128, "v" * 128),
     (3, "3")],
)  # fmt: skip
async def test_a_missing_version_is_none(
    vendor: ScriptedVendor, asked: GptZeroProvider, version: object, told: str | None
) -> None:
    """A paid answer is not thrown away because the version is absent, of an odd type, or a novel."""
    vendor.then(speaks(altered(answer, version=version)))
    assert (await asked.start(TEXT, Held(LETTER))).result.model_version == told


async def test_what_is_not_needed_may_be_odd(vendor: ScriptedVendor, asked: GptZeroProvider) -> None:
    """New members, and known ones of another shape, do not cost a paid answer."""
    odd = {"sentences": None, "paragraphs": 7, "subclass": [], "result_message": [], "language": None, "new": {"a": []}}
    changes = {f"{DOCUMENT}{name}": value for name, value in odd.items()}
    vendor.then(speaks(altered(answer, scanId=7, meta=None, news=[], **changes)))
    assert (await asked.start(TEXT, Held(LETTER))).result.score_ai == 0.96


async def test_echoes_of_the_text_are_removed(vendor: ScriptedVendor, asked: GptZeroProvider) -> None:
    """Neither the whole nor the sentences and spans that repeat it in pieces are kept; their numbers are."""
    vendor.then(speaks(altered(answer, inputText=WORDS)))
    result = (await asked.start(TEXT, Held(LETTER))).result
    [document] = result.answer["documents"]
    assert document["inputText"] is None
    assert result.answer["inputText"] is None
    assert document["sentences"][0]["sentence"] is None
    assert document["sentences"][0]["generated_prob"] == 0.97
    assert document["excluded_spans"] == [{"start": 0, "end": 20, "text": None, "reason": "header"}]
    assert b"letter says" not in encode(result)
    assert document["result_message"].startswith("Our detector")


@pytest.mark.parametrize(
    ("echo", "cut"),
    [
        (WORDS, False), (WORDS.strip(), False), (WORDS + " ", False), (WORDS[:300], True), ("another text", False),
        ("", False), (" ", False), (None, False), (7, False), (ABSENT, False),
    ],
)  # fmt: skip
async def test_a_text_that_was_cut_is_said_to_be(
    vendor: ScriptedVendor, asked: GptZeroProvider, echo: object, *, cut: bool
) -> None:
    """The vendor's echo shows how far it read; no result claims more."""
    vendor.then(speaks(altered(answer, documents__0__inputText=echo)))
    found = [one for one in (await asked.start(TEXT, Held(LETTER))).result.evidence if one.signal == "partly_analysed"]
    assert bool(found) is cut
    if cut:
        assert (found[0].value, "first 300 of" in found[0].explanation) == ("300", True)


async def test_a_higher_limit_than_the_vendors_is_found_out(vendor: ScriptedVendor) -> None:
    """An operator who raises the limit in error sees in each long result that it is about the beginning only."""
    raw = b"word " * 12_000
    generous = provider(vendor.origin, most_characters=100_000)
    assert (await generous.estimate(content(raw), Held(raw))).units == {"words": 12_000}
    result = (await generous.start(content(raw), Held(raw))).result
    assert [one.value for one in result.evidence if one.signal == "partly_analysed"] == ["50000"]
    await generous.close()


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_answer_is_an_error(vendor: ScriptedVendor, asked: GptZeroProvider, fault: str) -> None:
    """Each fault is its error after one call; the connection and the body's reading are freed, and nothing is told."""
    script, error = FAULTS[fault]
    vendor.then(script)
    body = Counted(LETTER)
    with pytest.raises(ProviderError) as raised:
        await asked.start(TEXT, body)
    assert type(raised.value) is error
    assert vendor.ledger.calls <= 1
    assert (body.begun, body.ended) == (1, 1)
    assert KEY not in f"{raised.value!r} {raised.value.__dict__}"
    if error is not ProviderThrottled:
        assert (await asked.start(TEXT, body)).result.score_ai == 0.96
    await asked.close()
    await vendor.idle()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (sent(dialect.UNKNOWN_KEY), ProviderDenied),
        (sent(dialect.OUT_OF_WORDS), ProviderDenied),
        (sent(dialect.TOO_MANY), ProviderThrottled),
        (sent(told(400, {"error": "document is required"})), ProviderRejected),
        (sent(told(500, {"error": "upstream failure"})), ProviderError),
        (status(404, body=b"<html>Cannot POST</html>"), ProviderInvalid),
        (status(404, body=b'{"error": {"code": 7}}'), ProviderInvalid),
        (status(429, body=b"words"), ProviderThrottled),
        (status(429, body=b'["words"]'), ProviderThrottled),
    ],
    ids=["unknown key", "out of words", "too many an hour", "malformed", "failed", "no such page", "odd 404",
         "odd 429", "another odd 429"],
)  # fmt: skip
async def test_its_errors_are_understood(
    vendor: ScriptedVendor, asked: GptZeroProvider, script: Script, error: type[ProviderError]
) -> None:
    """Row 37: a key it does not know is 404, words that are used up are 429: both are the account's fault."""
    vendor.then(script)
    with pytest.raises(error) as raised:
        await asked.start(TEXT, Held(LETTER))
    assert vendor.ledger.calls == 1
    assert not raised.value.possibly_paid
    assert "Consider" not in str(raised.value)


async def test_a_wrong_key_is_denied(vendor: ScriptedVendor) -> None:
    """The vendor knows another key: nobody's upload is at fault, and a wrong address is told apart."""
    wrong = provider(vendor.origin, key="canary-wrong-71c0")
    lost = provider(f"{vendor.origin}/nowhere")
    with pytest.raises(ProviderDenied) as raised:
        await wrong.start(TEXT, Held(LETTER))
    assert "canary" not in repr(raised.value)
    with pytest.raises(ProviderInvalid, match="check its URL"):
        await lost.start(TEXT, Held(LETTER))
    await wrong.close()
    await lost.close()


@pytest.mark.parametrize(
    ("length", "more", "taken"),
    [
        (249, {}, False), (250, {}, True), (50_000, {}, True), (50_001, {}, False),
        (300, {"most_characters": 300}, True), (301, {"most_characters": 300}, False),
        (300, {"most_bytes": 600}, True), (300, {"most_bytes": 599}, False),
    ],
)  # fmt: skip
async def test_a_length_that_it_does_not_take_is_refused(length: int, more: dict[str, int], *, taken: bool) -> None:
    """In characters, not in bytes; before anything is sent, so nothing is cut in silence."""
    raw = ("ü" * length).encode()
    asked = provider(gptzero.URL, **more)
    if taken:
        assert (await asked.estimate(content(raw), Held(raw))).price == PRICE
        return
    with pytest.raises(ProviderRejected, match=r"texts of at (least|most)"):
        await asked.estimate(content(raw), Held(raw))


async def test_secrets_and_names_stay_here(asked: GptZeroProvider) -> None:
    """Neither the key nor the customer's file name is in a repr, a question, an estimate or an answer."""
    told = [asked, asked.terms, asked.question(Kind.TEXT, "acme"), await asked.estimate(TEXT, Held(LETTER))]
    told.append(encode((await asked.start(TEXT, Held(LETTER))).result))
    assert KEY not in repr(told)
    assert "application.txt" not in repr(told)


async def test_a_key_that_is_echoed_is_not_kept(vendor: ScriptedVendor, asked: GptZeroProvider) -> None:
    """Some gateway repeats the headers that it was sent: the answer that is stored holds no key."""
    vendor.then(speaks(altered(answer, meta__headers=[{"echo": f"Bearer {KEY}"}, KEY])))
    assert KEY.encode() not in encode((await asked.start(TEXT, Held(LETTER))).result)


def test_the_vendors_own_address_is_no_part_of_the_question() -> None:
    """Another one is, since another service may answer there; key, price, deadlines and limits never are."""
    own = provider(gptzero.URL).question(Kind.TEXT, "acme")
    assert dict(own.parameters) == {"ai_above": "0.5", "multilingual": "False"}
    assert provider("https://gateway.example.com").question(Kind.TEXT, "acme").variant != own.variant


CHOICES = st.fixed_dictionaries({
    "path": st.sampled_from(["", "/eu"]),
    "options": st.sampled_from([
        {},
        {"multilingual": True},
        {"model_version": "2025-11-28-base"},
        {"model_version": "2026-08-14-base"},
        {"model_version": "False"},
    ]),
    "ai_above": st.sampled_from([0.5, 0.7]),
    "key": st.sampled_from(["one-key", "another-key"]),
    "price": st.sampled_from([PRICE, MicroDollars(1)]),
    "timeout": st.sampled_from([PATIENT, PATIENT * 2]),
    "concurrency": st.sampled_from([1, 4]),
    "most_characters": st.sampled_from([None, 10**6]),
})  # fmt: skip
PLAIN = {"path": "", "options": {}, "ai_above": 0.5, "key": "one-key"}
ROTATED = {**PLAIN, "key": "another-key", "price": MicroDollars(1), "timeout": PATIENT * 2, "most_characters": 10**6}


@settings(max_examples=25, deadline=None)
@example(one=PLAIN, another=ROTATED)
@given(one=CHOICES, another=CHOICES)
async def test_one_question_is_one_request(one: dict[str, Any], another: dict[str, Any]) -> None:
    """Two questions share a key if and only if the same bytes are sent and read by the same threshold."""
    found: list[tuple[object, str]] = []
    async with recording(b"{}") as recorder:
        for chosen in (one, another):
            more = {name: value for name, value in chosen.items() if name not in {"path", "options"}}
            asked = provider(recorder.url + chosen["path"], **chosen["options"], **more)
            with pytest.raises(ProviderInvalid):
                await asked.start(TEXT, Held(LETTER))
            await asked.close()
            request = recorder.last(without={"x-api-key"})
            found.append(((request, chosen["ai_above"]), asked.question(Kind.TEXT, "acme").variant))
    (request, key), (other_request, other_key) = found
    assert (key == other_key) == (request == other_request)
