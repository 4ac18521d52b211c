"""The `reality_defender` provider against its dialect on loopback: three steps, one scan, and every way it may fail."""

import hashlib
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
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
    ProviderTimeout,
)
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Verdict, encode
from hashcache.ports import Answer, Pending, Provider
from hashcache.providers import reality_defender
from hashcache.providers.access import Access
from hashcache.providers.documents import DEEPEST
from hashcache.providers.ensemble import read_result
from hashcache.providers.reality_defender import MOST_AWAITED, MOST_MISSED, RealityDefenderProvider
from loadtests.dialects.reality_defender import (
    BAD_REQUEST,
    FREE_TIER,
    KEY,
    PRESIGN,
    RESULT,
    SIGNATURE,
    UNKNOWN_ID,
    UPLOAD,
    UPLOAD_LIMIT,
    WRONG_KEY,
    analysed,
    presigned,
)
from loadtests.vendor.dialect import sent
from tests.harness import vendor as scripts
from tests.harness.bodies import Held, Spooled
from tests.harness.dialects.reality_defender import RealityDefender, said
from tests.harness.media import movie_header, mp4
from tests.harness.vendor import Script, raw, status

DIME = MicroDollars(100_000)
TEN_O_CLOCK = Instant(1_795_168_800_000)
PICTURE = b"\xff\xd8\xff" + bytes(range(256)) * 4000
RECEIPT = "request-00000001"
CUSTOMERS_NAME = "anna-müller-passport.jpg"


def content(kind: Kind, media_type: str, held: bytes) -> Content:
    return Content(kind, media_type, Digest(hashlib.sha256(held).digest(), len(held)), CUSTOMERS_NAME)


IMAGE = content(Kind.IMAGE, "image/jpeg", PICTURE)


def provider(url: str, **changed: Any) -> RealityDefenderProvider:
    chosen: dict[str, Any] = {
        "key": KEY,
        "price": DIME,
        "timeout": timedelta(seconds=20),
        "video_timeout": timedelta(seconds=20),
        "concurrency": 4,
        "ai_above": 0.5,
        **changed,
    }
    return RealityDefenderProvider(Access(url=url, **chosen), clock=lambda: TEN_O_CLOCK, random=lambda: 0.0)


@pytest.fixture
async def vendor() -> AsyncIterator[RealityDefender]:
    async with RealityDefender() as vendor:
        yield vendor


@pytest.fixture
async def asked(vendor: RealityDefender) -> AsyncIterator[RealityDefenderProvider]:
    asked = provider(vendor.url)
    yield asked
    await asked.close()


async def uploaded(asked: RealityDefenderProvider) -> str:
    """The receipt of a picture."""
    return (await asked.start(IMAGE, Held(PICTURE))).receipt


async def answered(asked: RealityDefenderProvider, vendor: RealityDefender, document: Any) -> Answer:
    """The answer that is read from *document*."""
    vendor.then(RESULT, said(document))
    answer = await asked.resume(await uploaded(asked))
    assert isinstance(answer, Answer)
    return answer


async def test_it_is_a_provider(asked: RealityDefenderProvider) -> None:
    """It has the port's shape, takes images and videos, and bills a scan."""
    port: Provider = asked
    assert port.name == "reality_defender"
    assert port.kinds == {Kind.IMAGE, Kind.VIDEO}
    estimate = await port.estimate(IMAGE, Held(PICTURE))
    assert (estimate.price, estimate.units) == (DIME, {"scans": 1})
    assert (port.terms.unit, port.terms.price) == ("scan", DIME)
    assert "at most 10 MB" in port.terms.limits[0]


@pytest.mark.parametrize(
    ("kind", "media_type", "file_name"),
    [(Kind.IMAGE, "image/jpeg", "upload.jpg"), (Kind.VIDEO, "video/quicktime", "upload.mov")],
)
async def test_a_content_is_uploaded(
    vendor: RealityDefender, asked: RealityDefenderProvider, kind: Kind, media_type: str, file_name: str
) -> None:
    """One name of ours with our key, then exactly the bytes without it; the receipt is the request id."""
    body = Spooled(PICTURE)
    pending = await asked.start(content(kind, media_type, PICTURE), body)
    await body.close()
    assert pending == Pending(RECEIPT, timedelta(seconds=2))
    [first, second] = vendor.ledger.requests
    assert first.fields == {"fileName": file_name}
    assert first.headers["x-api-key"] == KEY
    assert vendor.uploaded == {RECEIPT: hashlib.sha256(PICTURE).hexdigest()}
    assert second.headers["content-type"] == media_type
    assert second.headers["content-length"] == str(len(PICTURE))
    assert KEY not in str(second.headers)
    assert "passport" not in str(vendor.ledger.requests)


async def test_an_answer_is_read(vendor: RealityDefender, asked: RealityDefenderProvider) -> None:
    """Score, verdict, version, findings, instant, price; and what the vendor said, without account and addresses."""
    answer = await answered(asked, vendor, analysed(RECEIPT))
    result = answer.result
    assert (answer.price, answer.units) == (DIME, {"scans": 1})
    assert (result.verdict, result.score_ai, result.confidence) == (Verdict.AI_GENERATED, 0.97, Confidence.HIGH)
    assert (result.provider, result.model, result.model_version) == ("reality_defender", "ensemble", "2.3.1")
    assert result.analysed_at == "2026-11-20T10:00:00Z"
    assert [(one.signal, one.where, one.value, one.strength) for one in result.evidence] == [
        ("score", "finalScore", "0.97", "strong"),
        ("model", "rd-full-img", "FAKE 0.91", "medium"),
        ("model", "rd-oak-img", "AUTHENTIC 0.04", "none"),
    ]
    assert not any(one.verified for one in result.evidence)
    assert set(result.answer) == {
        "requestId",
        "mediaType",
        "overallStatus",
        "releaseVersion",
        "resultsSummary",
        "models",
    }
    [get] = vendor.calls("GET")
    assert (get.path, get.headers["x-api-key"]) == (f"/api/media/users/{RECEIPT}", KEY)


@pytest.mark.parametrize(
    ("word", "score", "verdict", "confidence"),
    [
        ("FAKE", 97, Verdict.AI_GENERATED, Confidence.HIGH),
        ("MANIPULATED", 75.5, Verdict.AI_GENERATED, Confidence.MEDIUM),
        ("ARTIFICIAL", 50, Verdict.AI_GENERATED, Confidence.LOW),
        ("fake", 100, Verdict.AI_GENERATED, Confidence.HIGH),
        ("AUTHENTIC", 0, Verdict.NO_AI_FOUND, Confidence.HIGH),
        ("AUTHENTIC", 3.2, Verdict.NO_AI_FOUND, Confidence.HIGH),
        ("SUSPICIOUS", 60, Verdict.INCONCLUSIVE, Confidence.NONE),
        ("AUTHENTIC", 99, Verdict.AI_GENERATED, Confidence.LOW),
        ("FAKE", 1, Verdict.NO_AI_FOUND, Confidence.LOW),
    ],
)
async def test_the_score_decides_and_the_status_may_doubt(
    vendor: RealityDefender,
    asked: RealityDefenderProvider,
    word: str,
    score: float,
    verdict: Verdict,
    confidence: Confidence,
) -> None:
    """The scale is 0 to 100; where status and score contradict, nobody is sure."""
    result = (await answered(asked, vendor, analysed(RECEIPT, word, score))).result
    assert (result.verdict, result.score_ai, result.confidence) == (verdict, score / 100, confidence)


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    """*document* without the member that *path* leads to."""
    copied: dict[str, Any] = json.loads(json.dumps(document))
    inner = copied
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return copied


WHOLE = analysed(RECEIPT)
METADATA = WHOLE["resultsSummary"]["metadata"]


def summary(**more: Any) -> dict[str, Any]:
    return analysed(RECEIPT, resultsSummary={**WHOLE["resultsSummary"], **more})


LENIENT: dict[str, tuple[dict[str, Any], str | None, int]] = {
    "the older status alone": (without(WHOLE, "resultsSummary", "status"), "2.3.1", 3),
    "the newer status alone": (without(WHOLE, "overallStatus"), "2.3.1", 3),
    "no request id": (without(WHOLE, "requestId"), "2.3.1", 3),
    "no version": (without(WHOLE, "releaseVersion"), None, 3),
    "a version that is a list": (analysed(RECEIPT, releaseVersion=[1]), None, 3),
    "a version that is a novel": (analysed(RECEIPT, releaseVersion="v" * 129), None, 3),
    "no models": (without(WHOLE, "models"), "2.3.1", 1),
    "models that are a word": (analysed(RECEIPT, models="many"), "2.3.1", 1),
    "models of odd types": (
        analysed(RECEIPT, models=[None, 1, "x", [], {}, {"name": 1, "status": "FAKE"}]),
        "2.3.1",
        1,
    ),
    "a model with an odd status": (analysed(RECEIPT, models=[{"name": "m", "status": ["FAKE"]}]), "2.3.1", 1),
    "a model without a number": (analysed(RECEIPT, models=[{"name": "m", "status": "FAKE"}]), "2.3.1", 2),
    "a model that is an address": (analysed(RECEIPT, models=[{"name": "https://x", "status": "FAKE"}]), "2.3.1", 1),
    "a hundred models": (analysed(RECEIPT, models=[{"name": "m", "status": "FAKE"}] * 100), "2.3.1", 33),
    "no reasons": (without(WHOLE, "resultsSummary", "metadata", "reasons"), "2.3.1", 3),
    "no media type": (without(WHOLE, "mediaType"), "2.3.1", 3),
}


@pytest.mark.parametrize("case", LENIENT)
async def test_what_does_not_matter_may_be_missing_or_odd(
    vendor: RealityDefender, asked: RealityDefenderProvider, case: str
) -> None:
    """A paid answer is not thrown away because of its trimmings."""
    document, version, findings = LENIENT[case]
    result = (await answered(asked, vendor, document)).result
    assert (result.verdict, result.score_ai) == (Verdict.AI_GENERATED, 0.97)
    assert (result.model_version, len(result.evidence)) == (version, findings)


def scored(score: bytes) -> Script:
    return status(200, body=json.dumps(analysed(RECEIPT, score="HERE")).encode().replace(b'"HERE"', score))


NO_ANSWERS: dict[str, tuple[Script, type[ProviderError]]] = {
    "row 34: no JSON": (status(200, body=b"<html>"), ProviderInvalid),
    "row 34: truncated JSON": (status(200, body=b'{"requestId": "'), ProviderInvalid),
    "row 35: endless": (scripts.endless(), ProviderInvalid),
    "row 35: a bomb": (scripts.gzip_bomb(), ProviderInvalid),
    "row 35: deep": (said(analysed(RECEIPT, more=json.loads("[" * DEEPEST + "]" * DEEPEST))), ProviderInvalid),
    "row 36: a list": (said([WHOLE]), ProviderInvalid),
    "row 36: another id": (said(analysed("request-00000002")), ProviderInvalid),
    "row 36: an id that is a list": (said(analysed("", requestId=[RECEIPT])), ProviderInvalid),
    "row 36: no status": (said({"requestId": RECEIPT}), ProviderInvalid),
    "row 36: a status that is a number": (said({"overallStatus": 7}), ProviderInvalid),
    "row 36: a status that is unknown": (said(analysed(RECEIPT, "SPLENDID")), ProviderInvalid),
    "row 36: no summary": (said(without(WHOLE, "resultsSummary")), ProviderInvalid),
    "row 36: no metadata": (said(without(WHOLE, "resultsSummary", "metadata")), ProviderInvalid),
    "row 36: no score": (said(without(WHOLE, "resultsSummary", "metadata", "finalScore")), ProviderInvalid),
    "row 36: null": (scored(b"null"), ProviderInvalid),
    "row 36: true": (scored(b"true"), ProviderInvalid),
    "row 36: text": (scored(b'"97"'), ProviderInvalid),
    "row 36: NaN": (scored(b"NaN"), ProviderInvalid),
    "row 36: 100.1": (scored(b"100.1"), ProviderInvalid),
    "row 36: -1": (scored(b"-1"), ProviderInvalid),
    "row 36: more than a float holds": (scored(b"9" * 400), ProviderInvalid),
    "row 37: 401": (sent(WRONG_KEY), ProviderDenied),
    "row 37: 402": (status(402), ProviderDenied),
    "row 37: 403": (status(403), ProviderDenied),
    "row 38": (scripts.redirect("http://127.0.0.1:1/"), ProviderInvalid),
    "a bad request": (sent(BAD_REQUEST), ProviderInvalid),
    "not applicable": (said(analysed(RECEIPT, "NOT_APPLICABLE", None)), ProviderRejected),
    "unable to evaluate": (said(analysed(RECEIPT, "UNABLE_TO_EVALUATE", None)), ProviderFailed),
}


@pytest.mark.parametrize("fault", NO_ANSWERS)
async def test_no_answer_is_an_error(vendor: RealityDefender, asked: RealityDefenderProvider, fault: str) -> None:
    """Each is its error after one question, possibly paid since the bytes are there; the next one is answered."""
    script, error = NO_ANSWERS[fault]
    receipt = await uploaded(asked)
    vendor.then(RESULT, script)
    with pytest.raises(ProviderError) as raised:
        await asked.resume(receipt)
    assert type(raised.value) is error
    assert raised.value.possibly_paid
    assert len(vendor.calls("GET")) == 1
    assert isinstance(await asked.resume(receipt), Answer)
    await asked.close()
    await vendor.idle()


async def test_what_cannot_be_judged_is_said(vendor: RealityDefender, asked: RealityDefenderProvider) -> None:
    """Not applicable names the vendor's code and what is needed, and repeats none of its sentences."""
    vendor.then(RESULT, said(analysed(RECEIPT, "NOT_APPLICABLE", None)))
    with pytest.raises(ProviderRejected, match=r"cannot judge this content \(relevance\): it needs clear faces"):
        await asked.resume(await uploaded(asked))
    for reasons in (None, "relevance", [None, {"code": 1}, {"code": "<script>"}]):
        odd = summary(status="NOT_APPLICABLE", metadata={"reasons": reasons})
        with pytest.raises(ProviderRejected, match="cannot judge this content: it"):
            read_result("rd", odd, ai_above=0.5, analysed_at="")


async def test_it_is_asked_for_until_it_is_there(vendor: RealityDefender, asked: RealityDefenderProvider) -> None:
    """404 just after the upload and two words for work: each pause is longer, to ten seconds; the receipt stays."""
    receipt = await uploaded(asked)
    unfinished = [
        said(analysed(receipt, word, None)) for word in ("DOWNLOADING", "ANALYZING", "ANALYZING", "ANALYZING")
    ]
    vendor.then(RESULT, sent(UNKNOWN_ID), *unfinished)
    pauses = []
    for _ in range(5):
        pending = await asked.resume(receipt)
        assert isinstance(pending, Pending)
        assert pending.receipt == receipt
        pauses.append(pending.after.total_seconds())
    assert pauses == [3.0, 4.5, 6.75, 10.0, 10.0]
    assert isinstance(await asked.resume(receipt), Answer)
    assert len(vendor.calls("POST")) == len(vendor.calls("PUT")) == 1


async def test_an_upload_that_is_never_found_is_given_up(
    vendor: RealityDefender, asked: RealityDefenderProvider
) -> None:
    """After a handful of 404 in a row; one sign of life in between starts the count again."""
    receipt = await uploaded(asked)
    vendor.then(RESULT, *[sent(UNKNOWN_ID)] * MOST_MISSED, said(analysed(receipt, "ANALYZING", None)))
    vendor.then(RESULT, *[sent(UNKNOWN_ID)] * (MOST_MISSED + 1))
    for _ in range(MOST_MISSED + 1 + MOST_MISSED):
        assert isinstance(await asked.resume(receipt), Pending)
    with pytest.raises(ProviderInvalid, match="does not know the upload") as raised:
        await asked.resume(receipt)
    assert raised.value.possibly_paid


async def test_a_hiccup_does_not_cost_the_scan(vendor: RealityDefender, asked: RealityDefenderProvider) -> None:
    """Rows 29, 30 and 32: a vendor that fails, throttles or hangs up while asked is asked later, at most six times."""
    receipt = await uploaded(asked)
    vendor.then(RESULT, status(429, headers={"Retry-After": "90"}))
    pending = await asked.resume(receipt)
    assert isinstance(pending, Pending)
    assert pending.after >= timedelta(seconds=90)
    other = provider(vendor.url)
    for _ in range(MOST_MISSED):
        vendor.then(RESULT, *[status(503)] * 3)
        assert isinstance(await other.resume(receipt), Pending)
        vendor._queues[RESULT].clear()  # what the budget of retries left over
    vendor.then(RESULT, *[scripts.hang_up_read] * 3)
    with pytest.raises(ProviderFailed) as raised:
        await other.resume(receipt)
    assert raised.value.possibly_paid
    await other.close()


async def test_another_process_may_ask(vendor: RealityDefender, asked: RealityDefenderProvider) -> None:
    """A receipt is all that is needed: who never uploaded gets the answer, and nothing is uploaded again."""
    receipt = await uploaded(asked)
    other = provider(vendor.url)
    assert isinstance(await other.resume(receipt), Answer)
    assert len(vendor.calls("PUT")) == 1
    await other.close()


@pytest.mark.parametrize(
    "receipt", ["", "short", "../../admin", "request-1/..", "request-1?x=1", "request 0001", "réquest-0001", "r" * 129]
)
async def test_a_receipt_is_checked_before_it_is_sent(
    vendor: RealityDefender, asked: RealityDefenderProvider, receipt: str
) -> None:
    """It comes from a store and goes into an address: nothing but a request id passes, in either direction."""
    with pytest.raises(ProviderInvalid, match="no receipt"):
        await asked.resume(receipt)
    vendor.then(PRESIGN, said(presigned(receipt, vendor.signed("x"))))
    with pytest.raises(ProviderInvalid, match="where to upload"):
        await uploaded(asked)
    assert [request.method for request in vendor.ledger.requests] == ["POST"]


@pytest.mark.parametrize("url", ["https://10.1.2.3/x", "http://93.184.216.34/x", "file:///etc/passwd"])
async def test_the_bytes_go_only_where_they_may(
    vendor: RealityDefender, asked: RealityDefenderProvider, url: str
) -> None:
    """A vendor that names an address inside the operator's network, or an open line, is given nothing."""
    vendor.then(PRESIGN, said(presigned(RECEIPT, url)))
    body = Held(PICTURE)
    with pytest.raises(ProviderInvalid, match="named an address for the upload") as raised:
        await asked.start(IMAGE, body)
    assert not raised.value.possibly_paid
    assert [request.method for request in vendor.ledger.requests] == ["POST"]


NOT_TAKEN: dict[str, tuple[Script, type[ProviderError]]] = {
    "row 29": (status(500), ProviderFailed),
    "row 30": (status(429, headers={"Retry-After": "90"}), ProviderThrottled),
    "row 32": (scripts.hang_up_read, ProviderFailed),
    "row 34": (status(200, body=b"{"), ProviderInvalid),
    "row 34: cut": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"), ProviderInvalid),
    "row 36: a list": (said([]), ProviderInvalid),
    "row 36: no address": (said({"requestId": RECEIPT, "response": {}}), ProviderInvalid),
    "row 36: no id": (said({"response": {"signedUrl": "https://storage.example/"}}), ProviderInvalid),
    "row 36: a word for a response": (said({"requestId": RECEIPT, "response": "ok"}), ProviderInvalid),
    "row 36: a number for an address": (said({"requestId": RECEIPT, "response": {"signedUrl": 7}}), ProviderInvalid),
    "row 37: 401": (sent(WRONG_KEY), ProviderDenied),
    "row 37: the free plan": (sent(FREE_TIER), ProviderDenied),
    "row 37: the plan's end": (sent(UPLOAD_LIMIT), ProviderDenied),
    "row 38": (scripts.redirect("http://127.0.0.1:1/"), ProviderInvalid),
    "a bad request": (sent(BAD_REQUEST), ProviderRejected),
    "a bad request without a word": (status(400, body=b'{"code": ["free-tier-not-allowed"]}'), ProviderRejected),
    "a bad request that is no JSON": (status(400, body=b"free-tier-not-allowed"), ProviderRejected),
    "another address": (sent(UNKNOWN_ID), ProviderInvalid),
}


@pytest.mark.parametrize("fault", NOT_TAKEN)
async def test_before_the_upload_nothing_is_paid(
    vendor: RealityDefender, asked: RealityDefenderProvider, fault: str
) -> None:
    """Each is its error after one call; no bytes left us, so nothing can be billed."""
    script, error = NOT_TAKEN[fault]
    vendor.then(PRESIGN, script)
    with pytest.raises(ProviderError) as raised:
        await uploaded(asked)
    assert type(raised.value) is error
    assert not raised.value.possibly_paid
    assert [request.method for request in vendor.ledger.requests] == ["POST"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (status(400), ProviderFailed),
        (status(403, body=b"<Error><Code>SignatureDoesNotMatch</Code></Error>"), ProviderFailed),
        (status(413), ProviderFailed),
        (status(500), ProviderFailed),
        (status(503), ProviderFailed),
        (status(503, headers={"Retry-After": "90"}), ProviderThrottled),
        (scripts.redirect("http://127.0.0.1:1/"), ProviderInvalid),
        (scripts.hang_up_unread, ProviderFailed),
    ],
)
async def test_a_storage_that_does_not_take_it_is_not_paid(
    vendor: RealityDefender, asked: RealityDefenderProvider, script: Script, error: type[ProviderError]
) -> None:
    """Nothing there, nothing billed; and a bad signature is not our account's fault."""
    vendor.then(UPLOAD, script)
    large = Held(PICTURE * 8)  # more than the kernel takes from us before it is read
    with pytest.raises(ProviderError) as raised:
        await asked.start(content(Kind.IMAGE, "image/jpeg", PICTURE * 8), large)
    assert type(raised.value) is error
    assert not raised.value.possibly_paid
    assert len(vendor.calls("PUT")) <= 1


@pytest.mark.parametrize("script", [scripts.hang_up_read, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")])
async def test_an_upload_without_its_acknowledgement_is_asked_for(
    vendor: RealityDefender, asked: RealityDefenderProvider, script: Script
) -> None:
    """A lost reply costs neither the scan nor a second one: all bytes were sent, so the receipt is good."""
    vendor.then(UPLOAD, script)
    receipt = await uploaded(asked)
    vendor.then(RESULT, said(analysed(receipt)))
    assert isinstance(await asked.resume(receipt), Answer)
    assert len(vendor.calls("PUT")) == 1


@pytest.mark.parametrize("script", [scripts.silence, scripts.drip(0.05)], ids=["row 32", "row 33"])
async def test_the_deadline_of_its_kind_holds(vendor: RealityDefender, script: Script) -> None:
    """A video has another deadline than an image; before the upload nothing is paid."""
    hasty = provider(vendor.url, timeout=timedelta(hours=1), video_timeout=timedelta(seconds=0.2))
    vendor.then(PRESIGN, script)
    with pytest.raises(ProviderTimeout) as raised:
        await hasty.start(content(Kind.VIDEO, "video/mp4", PICTURE), Held(PICTURE))
    assert not raised.value.possibly_paid
    await hasty.close()


async def test_a_result_that_does_not_come_in_time_is_asked_for_later(
    vendor: RealityDefender, asked: RealityDefenderProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows 32 and 33 while asking: each asking has its deadline, and the scan is not lost by one."""
    monkeypatch.setattr(reality_defender, "ASKING", timedelta(seconds=0.2))
    receipt = await uploaded(asked)
    vendor.then(RESULT, scripts.silence, scripts.drip(0.05))
    for _ in range(2):
        assert isinstance(await asked.resume(receipt), Pending)
    monkeypatch.undo()
    assert isinstance(await asked.resume(receipt), Answer)


@pytest.mark.parametrize(
    ("kind", "media_type", "held", "said_"),
    [
        (Kind.IMAGE, "image/jpeg", bytes(10_000_001), "at most 10000000 bytes"),
        (Kind.VIDEO, "video/mp4", bytes(100_000_001), "at most 100000000 bytes"),
        (Kind.IMAGE, "image/tiff", b"II*\0", "does not take image/tiff"),
        (Kind.VIDEO, "video/webm", b"\x1aE\xdf\xa3", "does not take video/webm"),
        (Kind.TEXT, "text/plain", b"text", "does not analyse texts"),
    ],
)
async def test_what_is_beyond_the_limits_is_refused_before_it_is_paid(
    vendor: RealityDefender, asked: RealityDefenderProvider, kind: Kind, media_type: str, held: bytes, said_: str
) -> None:
    """The smaller of the published limits; nothing is sent."""
    with pytest.raises(ProviderRejected, match=said_):
        await asked.estimate(content(kind, media_type, held), Held(held))
    assert vendor.ledger.calls == 0


async def test_limits_are_settings() -> None:
    """Another plan takes more, or less."""
    film = mp4(header=movie_header(31_000, 1000))
    roomy = provider("https://rd.example", most_bytes=50_000_000)
    await roomy.estimate(content(Kind.IMAGE, "image/png", b""), Held(bytes(10_000_001)))
    short = provider("https://rd.example", most_seconds=30)
    with pytest.raises(ProviderRejected, match=r"at most 30 s; this one lasts 31\.0 s"):
        await short.estimate(content(Kind.VIDEO, "video/mp4", film), Held(film))


ACCESSES = [
    {"url": url, "key": key, "price": price, "concurrency": 1 + len(key) % 2, "ai_above": ai_above, "most_bytes": most}
    for url, key, price, ai_above, most in [
        ("https://a.example", "k1", MicroDollars(1), 0, None),
        ("https://a.example", "k1", MicroDollars(1), 0.5, None),
        ("https://b.example", "k1", DIME, 0.5, None),
        ("https://b.example", "k12", DIME, 1, 5),
        ("https://a.example", "k2", DIME, 1.0, None),
    ]
]


@pytest.fixture(scope="module")
def accounts() -> list[tuple[dict[str, Any], RealityDefenderProvider]]:
    return [(access, provider(**access)) for access in ACCESSES]


ASKED = st.tuples(
    st.integers(0, len(ACCESSES) - 1), st.sampled_from([Kind.IMAGE, Kind.VIDEO]), st.sampled_from(["acme", "other"])
)


@given(one=ASKED, other=ASKED)
def test_two_questions_share_a_key_if_and_only_if_the_same_is_asked(
    accounts: list[tuple[dict[str, Any], RealityDefenderProvider]],
    one: tuple[int, Kind, str],
    other: tuple[int, Kind, str],
) -> None:
    """
    The request says nothing but the content, and the threshold how its answer is read: with the kind and the tenant
    they are the key; account, price, limits and address are not.
    """
    variants, asked = [], []
    for number, kind, tenant in (one, other):
        access, made = accounts[number]
        variants.append(made.question(kind, tenant).variant)
        asked.append((kind, tenant, access["ai_above"]))
    assert (variants[0] == variants[1]) == (asked[0] == asked[1])


async def test_secrets_stay_where_they_belong(
    vendor: RealityDefender, asked: RealityDefenderProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither our key nor a signature is in an answer, a receipt, an error, a repr or a log."""
    caplog.set_level(logging.DEBUG)
    seen = [repr(asked), repr(asked._access), repr(asked.terms)]  # what a debugger would print
    pending = await asked.start(IMAGE, Held(PICTURE))
    echo = analysed(
        RECEIPT, requestId=None, models=[{"name": "m", "status": "FAKE", "data": {"map": vendor.signed("x")}}]
    )
    vendor.then(RESULT, said(echo))
    answer = await asked.resume(pending.receipt)
    assert isinstance(answer, Answer)
    seen += [repr(pending), repr(answer), encode(answer.result).decode(), repr(asked.question(Kind.IMAGE, "acme"))]
    throttled = NOT_TAKEN["row 30"][0]  # the last one: after it nobody is called
    bad = said(presigned(RECEIPT, f"ftp://x/{SIGNATURE}"))
    faults = [script for script, _ in NOT_TAKEN.values() if script is not throttled]
    for fault in (status(403), status(500), scripts.hang_up_unread, scripts.redirect("http://127.0.0.1:1/")):
        vendor.then(UPLOAD, fault)
        with pytest.raises(ProviderError) as raised:
            await asked.start(content(Kind.IMAGE, "image/jpeg", PICTURE * 8), Held(PICTURE * 8))
        seen += [repr(raised.value), str(raised.value)]
    for fault in (*faults, bad, throttled):
        vendor.then(PRESIGN, fault)
        with pytest.raises(ProviderError) as raised:
            await uploaded(asked)
        seen += [repr(raised.value), str(raised.value)]
    told = "\n".join([*seen, caplog.text])
    for secret in (KEY, SIGNATURE, "X-Amz", "passport", "owner@customer.example"):
        assert secret not in told


async def test_scans_that_are_waited_for_are_bounded(vendor: RealityDefender, asked: RealityDefenderProvider) -> None:
    """Receipts of which nobody asks again do not pile up."""
    for number in range(MOST_AWAITED + 50):
        asked._pending(
            f"request-{number:08d}", reality_defender._Awaited(), missed=0
        )  # over HTTP it would take minutes
    assert len(asked._awaited) == MOST_AWAITED
