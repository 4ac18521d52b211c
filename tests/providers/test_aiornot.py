"""The `aiornot` provider against its vendor's dialect on loopback: what is sent, what is read, what is no answer."""

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
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
)
from hashcache.core.money import MicroDollars, dollars
from hashcache.core.result import Confidence, Verdict, encode
from hashcache.ports import Provider
from hashcache.providers import aiornot
from hashcache.providers.access import Access
from hashcache.providers.aiornot import AiOrNotProvider
from hashcache.settings.vendors import KNOWN
from loadtests.dialects.aiornot import ANSWERS, KEY, image, speaks, text, video
from tests.harness.altered import ABSENT, altered
from tests.harness.bodies import Counted, Held, Spooled
from tests.harness.dialects.faults import FAULTS
from tests.harness.media import movie_header, mp4
from tests.harness.recorder import recording
from tests.harness.vendor import ScriptedVendor, status

CENT = MicroDollars(10_000)
TEN_O_CLOCK = Instant(1_795_168_800_000)
PATIENT = timedelta(seconds=20)
CUSTOMER = "anna-müller-passport.jpg"
PICTURE = b"\xff\xd8\xff" + bytes(range(256)) * 4000
LETTER = ("Dear all,\r\nnaïve \u2028 & 100 % = 😀 + more;\n" * 20).encode()


def content(kind: Kind, media_type: str, raw: bytes) -> Content:
    return Content(kind, media_type, Digest(hashlib.sha256(raw).digest(), len(raw)), CUSTOMER)


IMAGE = content(Kind.IMAGE, "image/jpeg", PICTURE)
VIDEO = content(Kind.VIDEO, "video/quicktime", PICTURE)
TEXT = content(Kind.TEXT, "text/plain", LETTER)
ASKED = {Kind.IMAGE: (IMAGE, PICTURE), Kind.VIDEO: (VIDEO, PICTURE), Kind.TEXT: (TEXT, LETTER)}


def access(url: str, **more: Any) -> Access:
    account = Access(
        url=url, key=KEY, price=CENT, timeout=PATIENT, video_timeout=PATIENT, concurrency=4, ai_above=0.5
    )  # fmt: skip
    return replace(account, **more)


def provider(url: str, **more: Any) -> AiOrNotProvider:
    return AiOrNotProvider(access(url, **more), clock=lambda: TEN_O_CLOCK, random=lambda: 0.0)


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(speaks()) as vendor:
        yield vendor


@pytest.fixture
async def asked(vendor: ScriptedVendor) -> AsyncIterator[AiOrNotProvider]:
    asked = provider(vendor.origin)
    yield asked
    await asked.close()


def test_it_is_a_provider_with_the_vendors_terms() -> None:
    """It has the port's shape; what it costs and where it is are what the settings say by default."""
    port: Provider = provider(aiornot.URL)
    assert (port.name, port.kinds) == ("aiornot", frozenset(Kind))
    assert (port.terms.unit, port.terms.price, port.terms.read) == ("check", CENT, "2026-07-20")
    assert port.terms.limits == (
        "image: heic, jpeg, png, tiff, webp; at most 50 MB",
        "video: at most 200 MB",
        "text: at least 250 characters; at most 500000 characters",
    )
    known = KNOWN["aiornot"]
    assert (known.url, dollars(known.price), known.unit) == (aiornot.URL, aiornot.PRICE, port.terms.unit)
    assert known.kinds == port.kinds
    assert provider(aiornot.URL, price=MicroDollars(1)).terms.read is None


@pytest.mark.parametrize(
    ("sent", "path", "field", "file_name"),
    [
        (IMAGE, "/v2/image/sync?only=ai_generated", "image", "upload.jpg"),
        (VIDEO, "/v2/video/sync?only=ai_video", "video", "upload.mov"),
    ],
)
async def test_a_file_goes_as_multipart_and_one_report_is_bought(
    vendor: ScriptedVendor, asked: AiOrNotProvider, sent: Content, path: str, field: str, file_name: str
) -> None:
    """Exactly its bytes under a neutral name, the key in the header, one report by name; nothing of the customer's."""
    body = Counted(PICTURE, chunk=1000)
    answer = await asked.start(sent, body)
    [request] = vendor.ledger.requests
    assert (request.path, list(request.fields)) == (path, [field])
    assert (request.content, request.file_name) == (hashlib.sha256(PICTURE).hexdigest(), file_name)
    assert request.media_type == sent.media_type
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "passport" not in repr(request)
    assert (body.begun, body.ended) == (1, 1)
    assert (answer.price, answer.units) == (CENT, {"checks": 1})


async def test_a_text_goes_as_a_form(vendor: ScriptedVendor, asked: AiOrNotProvider) -> None:
    """To the letter: no line end is rewritten, and chunks that cut a character in two do not harm."""
    answer = await asked.start(TEXT, Counted(LETTER, chunk=7))
    [request] = vendor.ledger.requests
    assert (request.path, request.fields) == ("/v2/text/sync", {"text": LETTER.decode()})
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (answer.price, answer.units) == (CENT, {"checks": 1})


async def test_an_answer_is_read(asked: AiOrNotProvider) -> None:
    """Verdict, score, evidence with generators, model, instant; the vendor's own words are carried."""
    result = (await asked.start(IMAGE, Held(PICTURE))).result
    assert (result.verdict, result.score_ai, result.confidence) == (Verdict.AI_GENERATED, 0.97, Confidence.HIGH)
    assert (result.provider, result.model, result.model_version) == ("aiornot", "ai_generated", None)
    assert result.analysed_at == "2026-11-20T10:00:00Z"
    found = [(one.signal, one.where, one.value, one.strength, one.verified) for one in result.evidence]
    assert found == [
        ("score", "/report/ai_generated/ai/confidence", "0.97", "strong", False),
        ("verdict", "/report/ai_generated/verdict", "ai", "strong", False),
        ("generator", "/report/ai_generated/generator/four_o", "0.92", "strong", False),
        ("generator", "/report/ai_generated/generator/flux", "0.81", "medium", False),
    ]
    assert result.evidence[2].explanation == "The provider attributes it to four_o, with a score of 0.92."
    assert result.answer["report"]["meta"]["md5"] == hashlib.md5(PICTURE, usedforsecurity=False).hexdigest()
    assert encode(result)


REPORT = "report__ai_generated__"
#: What is changed in the answer of a kind, and what is read then.
READINGS: list[tuple[Kind, dict[str, Any], Verdict, float | None, Confidence]] = [
    (Kind.IMAGE, {f"{REPORT}verdict": "human", f"{REPORT}ai__confidence": 0.03}, Verdict.NO_AI_FOUND, 0.03,
     Confidence.HIGH),
    (Kind.IMAGE, {f"{REPORT}ai__confidence": 1}, Verdict.AI_GENERATED, 1.0, Confidence.HIGH),
    (Kind.IMAGE, {f"{REPORT}ai__confidence": 0.5}, Verdict.AI_GENERATED, 0.5, Confidence.LOW),
    (Kind.IMAGE, {f"{REPORT}ai__confidence": 0.49}, Verdict.INCONCLUSIVE, 0.49, Confidence.NONE),
    (Kind.IMAGE, {f"{REPORT}verdict": "human"}, Verdict.AI_GENERATED, 0.97, Confidence.LOW),
    (Kind.IMAGE, {f"{REPORT}verdict": "unknown"}, Verdict.INCONCLUSIVE, 0.97, Confidence.NONE),
    (Kind.IMAGE, {f"{REPORT}verdict": "unknown", f"{REPORT}ai__confidence": -1}, Verdict.INCONCLUSIVE, None,
     Confidence.NONE),
    (Kind.IMAGE, {f"{REPORT}verdict": "unknown", f"{REPORT}ai": None}, Verdict.INCONCLUSIVE, None, Confidence.NONE),
    (Kind.VIDEO, {}, Verdict.AI_GENERATED, 0.88, Confidence.MEDIUM),
    (Kind.VIDEO, {"report__ai_video": {"is_detected": False, "confidence": 0}}, Verdict.NO_AI_FOUND, 0.0,
     Confidence.HIGH),
    (Kind.VIDEO, {"report__ai_video__is_detected": False}, Verdict.AI_GENERATED, 0.88, Confidence.LOW),
    (Kind.TEXT, {}, Verdict.NO_AI_FOUND, 0.12, Confidence.MEDIUM),
    (Kind.TEXT, {"report__ai_text__is_detected": True}, Verdict.INCONCLUSIVE, 0.12, Confidence.NONE),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "changes", "verdict", "score", "confidence"), READINGS)
async def test_the_vendors_word_and_our_threshold_are_both_heard(
    vendor: ScriptedVendor,
    asked: AiOrNotProvider,
    kind: Kind,
    changes: dict[str, Any],
    verdict: Verdict,
    score: float | None,
    confidence: Confidence,
) -> None:
    """Agreement is judged by the distance; AI by its word alone is inconclusive, by the threshold alone a low guess."""
    vendor.then(speaks(altered(ANSWERS[kind.value], **changes)))
    sent, raw = ASKED[kind]
    result = (await asked.start(sent, Held(raw))).result
    assert (result.verdict, result.score_ai, result.confidence) == (verdict, score, confidence)
    assert result.model == {Kind.IMAGE: "ai_generated", Kind.VIDEO: "ai_video", Kind.TEXT: "ai_text"}[kind]
    signals = [one.signal for one in result.evidence]
    assert ("score" in signals, "verdict" in signals) == (score is not None, True)


async def test_the_threshold_is_the_operators(vendor: ScriptedVendor) -> None:
    """The same answer under another threshold is another result."""
    strict = provider(vendor.origin, ai_above=0.98)
    result = (await strict.start(IMAGE, Held(PICTURE))).result
    assert (result.verdict, result.score_ai) == (Verdict.INCONCLUSIVE, 0.97)
    await strict.close()


@pytest.mark.parametrize(
    ("generator", "named"),
    [
        (ABSENT, []),
        (None, []),
        ([], []),
        ({}, []),
        ({"flux": None, "midjourney": "0.9", "a": True, "b": {"is_detected": True}}, []),
        ({"flux": {"is_detected": False, "confidence": 0.9}}, []),
        ({"flux": {"is_detected": 1, "confidence": 0.9}}, []),
        ({"flux": {"is_detected": True, "confidence": 2}}, []),
        ({"ai": {"is_detected": True, "confidence": 0.9}, "x" * 65: 0.9}, []),
        ({"midjourney": 0.6, "dall_e": 0.2}, ["midjourney"]),
        ({"a": 0.6, "b": 0.9, "c": 0.7, "d": 0.8}, ["b", "d", "c"]),
    ],
)
async def test_generators_are_named_where_they_are_told(
    vendor: ScriptedVendor, asked: AiOrNotProvider, generator: object, named: list[str]
) -> None:
    """In either form that the vendor has used, the likeliest first and at most three; what is odd is passed over."""
    vendor.then(speaks(altered(image, report__ai_generated__generator=generator)))
    result = (await asked.start(IMAGE, Held(PICTURE))).result
    found = [one.where.rpartition("/")[2] for one in result.evidence if one.signal == "generator"]
    assert (found, result.verdict) == (named, Verdict.AI_GENERATED)


async def test_a_person_is_no_generator(vendor: ScriptedVendor, asked: AiOrNotProvider) -> None:
    """What the vendor does not call AI is attributed to nobody."""
    vendor.then(speaks(altered(image, report__ai_generated__verdict="human")))
    result = (await asked.start(IMAGE, Held(PICTURE))).result
    assert "generator" not in [one.signal for one in result.evidence]


@pytest.mark.parametrize(
    ("duration", "partly"),
    [(30, False), (30.5, True), (600, True), (None, False), ("600", False), (True, False), (ABSENT, False)],
)
async def test_a_long_video_is_said_to_be_analysed_in_part(
    vendor: ScriptedVendor, asked: AiOrNotProvider, *, duration: object, partly: bool
) -> None:
    """No result claims more than the vendor looked at, as far as the duration is told."""
    vendor.then(speaks(altered(video, report__meta__duration=duration)))
    result = (await asked.start(VIDEO, Held(PICTURE))).result
    assert ("partly_analysed" in [one.signal for one in result.evidence]) is partly


async def test_other_bytes_than_were_sent_are_no_answer(vendor: ScriptedVendor, asked: AiOrNotProvider) -> None:
    """The MD5 of an image or a video is that of our bytes, or the answer is about something else, if perhaps billed."""
    other = hashlib.md5(b"other", usedforsecurity=False).hexdigest()
    for sent, usual in ((IMAGE, image), (VIDEO, video)):
        vendor.then(speaks(altered(usual, report__meta__md5=other)))
        with pytest.raises(ProviderInvalid, match="other bytes") as raised:
            await asked.start(sent, Held(PICTURE))
        assert raised.value.possibly_paid


@pytest.mark.parametrize("md5", [ABSENT, None, "", "abc123", 7, "DIGEST"])
async def test_without_a_digest_nothing_is_concluded(
    vendor: ScriptedVendor, asked: AiOrNotProvider, md5: object
) -> None:
    """A missing or odd MD5 is no mismatch, and one in capitals is the same; that of a text is not compared."""
    if md5 == "DIGEST":
        md5 = hashlib.md5(PICTURE, usedforsecurity=False).hexdigest().upper()
    vendor.then(speaks(altered(image, report__meta__md5=md5)), speaks(altered(text, metadata__md5="f" * 32)))
    assert (await asked.start(IMAGE, Held(PICTURE))).result.score_ai == 0.97
    assert (await asked.start(TEXT, Held(LETTER))).result.score_ai == 0.12


async def test_a_second_try_is_digested_anew(vendor: ScriptedVendor, asked: AiOrNotProvider) -> None:
    """After a 429 the same bytes are sent again, and their MD5 is that of one sending."""
    vendor.then(status(429, headers={"Retry-After": "0"}))
    body = Counted(PICTURE)
    assert (await asked.start(IMAGE, body)).result.score_ai == 0.97
    assert (vendor.ledger.calls, body.begun, body.ended) == (2, 2, 2)


SCORES = {
    Kind.IMAGE: "report__ai_generated__ai__confidence",
    Kind.VIDEO: "report__ai_video__confidence",
    Kind.TEXT: "report__ai_text__confidence",
}
WORDS = {
    Kind.IMAGE: ("report__ai_generated__verdict", [ABSENT, None, "", "AI", "maybe", 1, True, [], {}]),
    Kind.VIDEO: ("report__ai_video__is_detected", [ABSENT, None, "true", 1, 0.9, []]),
    Kind.TEXT: ("report__ai_text__is_detected", [ABSENT, None, "true", 1, 0.9, []]),
}
ODD_SCORES = [ABSENT, None, True, "0.9", "", [0.9], {"value": 0.9}, math.nan, math.inf, 2.0, -0.1, -1]
REPORTS = {Kind.IMAGE: "report__ai_generated", Kind.VIDEO: "report__ai_video", Kind.TEXT: "report__ai_text"}
WRONG: list[tuple[Kind, str, list[Any]]] = [
    *((kind, path, ODD_SCORES) for kind, path in SCORES.items()),
    *((kind, path, odds) for kind, (path, odds) in WORDS.items()),
    *((kind, path, [ABSENT, None, {}, [], "ai", 0.9, True]) for kind, path in REPORTS.items()),
    *((kind, "report", [ABSENT, None, {}, [], "ai"]) for kind in Kind),
]


@pytest.mark.parametrize(("kind", "path", "odds"), WRONG)
async def test_an_answer_without_its_report_is_none(
    vendor: ScriptedVendor, asked: AiOrNotProvider, kind: Kind, path: str, odds: list[Any]
) -> None:
    """Row 36: a word or score that is missing, null, of another type or out of range is an error, perhaps billed."""
    sent, raw = ASKED[kind]
    for odd in odds:
        vendor.then(speaks(altered(ANSWERS[kind.value], **{path: odd})))
        with pytest.raises(ProviderInvalid) as raised:
            await asked.start(sent, Held(raw))
        assert raised.value.possibly_paid, odd


@pytest.mark.parametrize("with_report", [True, False])
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Kind.IMAGE, "report__meta__processing_status__ai_generated"),
        (Kind.VIDEO, "report__meta__processing_status__ai_video"),
        (Kind.VIDEO, "report__meta__video"),
    ],
)
@pytest.mark.parametrize(("state", "error"), [("rejected", ProviderRejected), ("errored", ProviderFailed)])
async def test_what_was_not_processed_is_no_answer(
    vendor: ScriptedVendor,
    asked: AiOrNotProvider,
    kind: Kind,
    path: str,
    state: str,
    error: type[ProviderError],
    *,
    with_report: bool,
) -> None:
    """Under status 200 the vendor rejects the content, or fails: with or without a report, and perhaps with a bill."""
    changes: dict[str, Any] = {path: state} if with_report else {path: state, REPORTS[kind]: None}
    vendor.then(speaks(altered(ANSWERS[kind.value], **changes)))
    with pytest.raises(ProviderError) as raised:
        await asked.start(ASKED[kind][0], Held(PICTURE))
    assert type(raised.value) is error
    assert raised.value.possibly_paid


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Kind.IMAGE, {"report__meta": ABSENT}),
        (Kind.IMAGE, {"report__meta": None, "id": ABSENT, "created_at": 7, "external_id": ABSENT}),
        (Kind.IMAGE, {"report__meta__processing_status": "processed"}),
        (Kind.IMAGE, {"report__meta__processing_status": {"ai_generated": "queued", "deepfake": "errored"}}),
        (Kind.IMAGE, {"report__ai_generated__human": None, "report__new": [{"is_detected": 7}], "new": {}}),
        (Kind.VIDEO, {"report__meta__audio": "errored", "report__ai_voice": None}),
        (Kind.TEXT, {"metadata": None, "report__meta": []}),
    ],
)
async def test_what_is_not_needed_may_be_odd(
    vendor: ScriptedVendor, asked: AiOrNotProvider, kind: Kind, changes: dict[str, Any]
) -> None:
    """A paid answer is not thrown away for a member that nobody reads, or for a new one."""
    vendor.then(speaks(altered(ANSWERS[kind.value], **changes)))
    sent, raw = ASKED[kind]
    assert (await asked.start(sent, Held(raw))).result.score_ai is not None


async def test_echoes_of_a_text_are_removed(vendor: ScriptedVendor, asked: AiOrNotProvider) -> None:
    """Neither the annotations, which repeat it in pieces, nor a repetition of the whole are kept."""
    pieces = [[LETTER.decode()[:40], 0.2]]
    vendor.then(speaks(altered(text, report__ai_text__annotations=pieces, echo=LETTER.decode())))
    answer = (await asked.start(TEXT, Held(LETTER))).result.answer
    assert answer["report"]["ai_text"] == {"is_detected": False, "confidence": 0.12, "annotations": None}
    assert answer["echo"] is None


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_answer_is_an_error(vendor: ScriptedVendor, asked: AiOrNotProvider, fault: str) -> None:
    """Each fault is its error after one call; the connection and the body's reading are freed, and nothing is told."""
    script, error = FAULTS[fault]
    vendor.then(script)
    body = Counted(PICTURE)
    with pytest.raises(ProviderError) as raised:
        await asked.start(IMAGE, body)
    assert type(raised.value) is error
    assert vendor.ledger.calls <= 1
    assert (body.begun, body.ended) == (1, 1)
    assert KEY not in f"{raised.value!r} {raised.value.__dict__}"
    if error is not ProviderThrottled:
        assert (await asked.start(IMAGE, body)).result.score_ai == 0.97
    await asked.close()
    await vendor.idle()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, ProviderDenied), (403, ProviderDenied), (408, ProviderFailed), (409, ProviderInvalid),
        (425, ProviderFailed), (429, ProviderThrottled), (500, ProviderFailed), (502, ProviderFailed),
        (503, ProviderFailed), (504, ProviderFailed), (201, ProviderInvalid), (422, ProviderRejected),
    ],
)  # fmt: skip
async def test_each_status_that_its_client_knows_has_a_meaning(
    vendor: ScriptedVendor, asked: AiOrNotProvider, code: int, error: type[ProviderError]
) -> None:
    """The vendor's own client takes 401 and 403 for a refused key and repeats eight others: we repeat none of them."""
    vendor.then(status(code, body=b'{"detail": "no"}'))
    with pytest.raises(ProviderError) as raised:
        await asked.start(IMAGE, Held(PICTURE))
    assert (type(raised.value), vendor.ledger.calls) == (error, 1)


@pytest.mark.parametrize(
    ("kind", "media_type", "most", "more"),
    [
        (Kind.IMAGE, "image/png", 50_000_000, {}),
        (Kind.VIDEO, "video/webm", 200_000_000, {}),
        (Kind.IMAGE, "image/png", 1000, {"most_bytes": 1000}),
        (Kind.VIDEO, "video/mp4", 1000, {"most_bytes": 1000}),
    ],
)
async def test_a_size_that_it_does_not_take_is_refused(
    kind: Kind, media_type: str, most: int, more: dict[str, int]
) -> None:
    """At the limit it is taken, one byte more is not; the operator may say another limit."""
    asked = provider(aiornot.URL, **more)
    sent = content(kind, media_type, PICTURE)
    body, larger = Spooled(PICTURE[:100], size=most), Spooled(PICTURE[:100], size=most + 1)
    estimate = await asked.estimate(sent, body)
    assert (estimate.price, estimate.units) == (CENT, {"checks": 1})
    with pytest.raises(ProviderRejected, match=f"at most {most} bytes"):
        await asked.estimate(sent, larger)
    await body.close()
    await larger.close()


async def test_a_duration_is_limited_where_the_operator_says_so(vendor: ScriptedVendor) -> None:
    """The vendor analyses parts of long videos; with a limit they are refused before anything is sent."""
    short, long = (mp4(header=movie_header(duration, 1000)) for duration in (30_000, 30_500))
    careful = provider(vendor.origin, most_seconds=30)
    assert (await careful.estimate(content(Kind.VIDEO, "video/mp4", short), Held(short))).price == CENT
    with pytest.raises(ProviderRejected, match="at most 30 s"):
        await careful.estimate(content(Kind.VIDEO, "video/mp4", long), Held(long))
    assert (await provider(vendor.origin).estimate(content(Kind.VIDEO, "video/mp4", long), Held(long))).price == CENT
    assert vendor.accepted == 0


@pytest.mark.parametrize(
    ("length", "more", "taken"),
    [
        (249, {}, False), (250, {}, True), (500_000, {}, True), (500_001, {}, False),
        (300, {"most_characters": 300}, True), (301, {"most_characters": 300}, False),
    ],
)  # fmt: skip
async def test_a_length_that_it_does_not_take_is_refused(length: int, more: dict[str, int], *, taken: bool) -> None:
    """In characters, not in bytes; before anything is sent."""
    raw = ("ü" * length).encode()
    sent = content(Kind.TEXT, "text/plain", raw)
    asked = provider(aiornot.URL, **more)
    if taken:
        assert (await asked.estimate(sent, Held(raw))).price == CENT
        return
    with pytest.raises(ProviderRejected, match=f"this one has {length}"):
        await asked.estimate(sent, Held(raw))


async def test_secrets_and_names_stay_here(asked: AiOrNotProvider) -> None:
    """Neither the key nor the customer's file name is in a repr, a question, an estimate or an answer."""
    for kind, (sent, raw) in ASKED.items():
        told = [asked, asked.terms, asked.question(kind, "acme"), await asked.estimate(sent, Held(raw))]
        told.append(encode((await asked.start(sent, Held(raw))).result))
        assert KEY not in repr(told)
        assert "passport" not in repr(told)
    assert KEY not in repr(access(aiornot.URL))


async def test_a_key_that_is_echoed_is_not_kept(vendor: ScriptedVendor, asked: AiOrNotProvider) -> None:
    """Some gateway repeats the headers that it was sent: the answer that is stored holds no key."""
    vendor.then(speaks(altered(image, report__headers=[{"echo": f"Bearer {KEY}"}, KEY])))
    assert KEY.encode() not in encode((await asked.start(IMAGE, Held(PICTURE))).result)


def test_the_vendors_own_address_is_no_part_of_the_question() -> None:
    """Another one is, since another service may answer there; key, price, deadlines and limits never are."""
    own = provider(aiornot.URL).question(Kind.IMAGE, "acme")
    assert dict(own.parameters) == {"ai_above": "0.5"}
    assert provider("https://gateway.example.com").question(Kind.IMAGE, "acme").variant != own.variant


CHOICES = st.fixed_dictionaries({
    "kind": st.sampled_from(Kind),
    "path": st.sampled_from(["", "/eu"]),
    "ai_above": st.sampled_from([0.5, 0.7]),
    "key": st.sampled_from(["one-key", "another-key"]),
    "price": st.sampled_from([CENT, MicroDollars(1)]),
    "timeout": st.sampled_from([PATIENT, PATIENT * 2]),
    "concurrency": st.sampled_from([1, 4]),
    "most_bytes": st.sampled_from([None, 10**9]),
    "most_characters": st.sampled_from([None, 10**6]),
})  # fmt: skip


PLAIN = {"kind": Kind.IMAGE, "path": "", "ai_above": 0.5, "key": "one-key"}
ROTATED = {**PLAIN, "key": "another-key", "price": MicroDollars(1), "timeout": PATIENT * 2, "most_bytes": 10**9}


@settings(max_examples=25, deadline=None)
@example(one=PLAIN, another=ROTATED)
@given(one=CHOICES, another=CHOICES)
async def test_one_question_is_one_request(one: dict[str, Any], another: dict[str, Any]) -> None:
    """Two questions share a key if and only if the same bytes are sent and read by the same threshold."""
    found: list[tuple[object, str]] = []
    async with recording(b"{}") as recorder:
        for chosen in (one, another):
            more = {name: value for name, value in chosen.items() if name not in {"kind", "path"}}
            asked = provider(recorder.url + chosen["path"], **more)
            sent, raw = ASKED[chosen["kind"]]
            with pytest.raises(ProviderInvalid):
                await asked.start(sent, Held(raw))
            await asked.close()
            request = recorder.last(without={"authorization"})
            found.append(((request, chosen["ai_above"]), asked.question(chosen["kind"], "acme").variant))
    (request, key), (other_request, other_key) = found
    assert (key == other_key) == (request == other_request)
