"""The `sightengine` provider against a vendor on loopback that speaks its dialect."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hashcache.core.content import Kind
from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
)
from hashcache.core.result import Confidence, Verdict, encode
from hashcache.providers.sightengine import SightengineProvider
from loadtests.dialects.sightengine import SECRET, USER, answer, base, failure, film, picture
from tests.harness.accounts import TEN_O_CLOCK, account, upload
from tests.harness.bodies import Counted, Spooled
from tests.harness.dialects.faults import FAULTS
from tests.harness.vendor import Script, ScriptedVendor, status

JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 2000
CLIP = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(range(256)) * 2000
IMAGE = upload(Kind.IMAGE, "image/jpeg", JPEG)
VIDEO = upload(Kind.VIDEO, "video/mp4", CLIP)


def provider(url: str, *, key: str = SECRET, **chosen: Any) -> SightengineProvider:
    access = account(url, key, **{"user": USER, **chosen})
    return SightengineProvider(access, clock=lambda: TEN_O_CLOCK, random=lambda: 0.0)


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(answer(picture())) as vendor:
        yield vendor


@pytest.fixture
async def sightengine(vendor: ScriptedVendor) -> AsyncIterator[SightengineProvider]:
    sightengine = provider(base(vendor.origin))
    yield sightengine
    await sightengine.close()


@pytest.mark.parametrize(
    ("content", "raw", "path", "name"),
    [(IMAGE, JPEG, "/1.0/check.json", "upload.jpg"), (VIDEO, CLIP, "/1.0/video/check-sync.json", "upload.mp4")],
)
async def test_what_is_sent(
    vendor: ScriptedVendor, sightengine: SightengineProvider, content: Any, raw: bytes, path: str, name: str
) -> None:
    """The bytes as they are under a neutral name, the model and the account as fields, and nothing in the address."""
    vendor.default = answer(film(0.5))
    body = Counted(raw, chunk=1000)
    await sightengine.start(content, body)
    [request] = vendor.ledger.requests
    assert (request.method, request.path) == ("POST", path)
    assert request.fields == {"models": "genai", "api_user": USER, "api_secret": SECRET, "media": ""}
    assert (request.file_name, request.media_type) == (name, content.media_type)
    assert request.content == hashlib.sha256(raw).hexdigest()
    assert "transfer-encoding" not in request.headers
    assert "passport" not in str(request)
    assert SECRET not in str(request.headers)
    assert (body.begun, body.ended) == (1, 1)


async def test_an_answer_about_an_image_is_read(sightengine: SightengineProvider) -> None:
    """Score, verdict, evidence, instant, the bill; the vendor's words without the echo of the file's name."""
    bought = await sightengine.start(IMAGE, Counted(JPEG))
    result = bought.result
    assert (result.verdict, result.score_ai, result.confidence) == (Verdict.AI_GENERATED, 0.97, Confidence.HIGH)
    assert (result.provider, result.model, result.model_version) == ("sightengine", "genai", None)
    assert result.analysed_at == "2026-11-20T10:00:00Z"
    [finding] = result.evidence
    assert (finding.signal, finding.where, finding.value) == ("score", "/type/ai_generated", "0.97")
    assert "at or above the threshold of 0.5" in finding.explanation
    assert result.answer == picture() | {"media": {"id": "med_hT4mR"}}
    assert (bought.price, bought.units) == (5_000, {"operations": 5})


async def test_the_highest_frame_of_a_video_decides(vendor: ScriptedVendor, sightengine: SightengineProvider) -> None:
    """One generated scene is enough; the mean is told; each frame is billed."""
    vendor.default = answer(film(0.1, 0.02, 0.96, 0.12))
    bought = await sightengine.start(VIDEO, Counted(CLIP))
    assert (bought.result.verdict, bought.result.score_ai) == (Verdict.AI_GENERATED, 0.96)
    score, mean = bought.result.evidence
    assert (score.signal, score.where) == ("score", "/data/frames/2/type/ai_generated")
    assert (mean.signal, mean.value, mean.strength) == ("mean_score", "0.3", "none")
    assert "4 frames" in mean.explanation
    assert (bought.price, bought.units) == (20_000, {"operations": 20})
    assert "uri" not in bought.result.answer["media"]


async def test_an_animated_image_is_read_by_its_frames(
    vendor: ScriptedVendor, sightengine: SightengineProvider
) -> None:
    """An image that is answered frame by frame is judged, and paid, frame by frame."""
    vendor.default = answer(film(0.1, 0.2))
    bought = await sightengine.start(upload(Kind.IMAGE, "image/gif", JPEG), Counted(JPEG))
    assert (bought.result.verdict, bought.result.score_ai) == (Verdict.NO_AI_FOUND, 0.2)
    assert bought.units == {"operations": 10}


@pytest.mark.parametrize(
    ("score", "ai_above", "verdict", "confidence"),
    [
        (0, 0.5, Verdict.NO_AI_FOUND, Confidence.HIGH),
        (1, 0.5, Verdict.AI_GENERATED, Confidence.HIGH),
        (0.5, 0.5, Verdict.AI_GENERATED, Confidence.LOW),
        (0.5, 0.7, Verdict.NO_AI_FOUND, Confidence.LOW),
    ],
)
async def test_the_operator_draws_the_line(
    vendor: ScriptedVendor, score: float, ai_above: float, verdict: Verdict, confidence: Confidence
) -> None:
    """At the threshold and above it is AI."""
    vendor.default = answer(picture(score))
    asked_with = provider(base(vendor.origin), ai_above=ai_above)
    result = (await asked_with.start(IMAGE, Counted(JPEG))).result
    assert (result.verdict, result.confidence) == (verdict, confidence)
    await asked_with.close()


@pytest.mark.parametrize(
    ("generators", "named"),
    [
        ({"flux": 0.91, "midjourney": 0.93, "gan": 0.01}, "midjourney"),
        ({"flux": 0.5}, "flux"),
        ({"flux": 0.49}, None),
        ({}, None),
        (None, None),
        ([0.9], None),
        ("flux", None),
        ({"flux": "0.9", "gan": None, "dalle": True, "sora": 2.0, "veo": [1], "kling": 0.6}, "kling"),
        ({"f" * 65: 0.9, "": 0.9}, None),
    ],
)
async def test_a_generator_is_named_where_one_is_attributed(
    vendor: ScriptedVendor, sightengine: SightengineProvider, generators: object, named: str | None
) -> None:
    """The highest of at least a half; what is odd about generators never costs the answer."""
    vendor.default = answer(picture(0.97, ai_generators=generators))
    result = (await sightengine.start(IMAGE, Counted(JPEG))).result
    found = [one.value for one in result.evidence if one.signal == "generator"]
    assert found == ([] if named is None else [named])
    assert result.score_ai == 0.97


@pytest.mark.parametrize(
    ("request_told", "operations"),
    [
        ({"id": "r", "operations": 7}, 7),
        ({"id": "r", "operations": 0}, 0),
        ({"id": "r"}, 5),
        ({"operations": None}, 5),
        ({"operations": "5"}, 5),
        ({"operations": -1}, 5),
        ({"operations": 5.5}, 5),
        ({"operations": True}, 5),
        ({"operations": 10**12}, 5),
        (None, 5),
        ([], 5),
    ],
)
async def test_the_bill_is_what_the_vendor_says(
    vendor: ScriptedVendor, sightengine: SightengineProvider, request_told: object, operations: int
) -> None:
    """Where it does not say, or says nonsense, it is what was estimated; the answer is kept."""
    vendor.default = answer(picture() | {"request": request_told})
    bought = await sightengine.start(IMAGE, Counted(JPEG))
    assert (bought.price, bought.units) == (operations * 1000, {"operations": operations})


@pytest.mark.parametrize("media", [None, "upload.jpg", [], {}])
async def test_what_no_verdict_needs_may_be_odd(
    vendor: ScriptedVendor, sightengine: SightengineProvider, media: object
) -> None:
    """Members that are new, absent or of another type do not cost the answer."""
    document = picture() | {"media": media, "new": {"member": 1}}
    vendor.default = answer(document)
    assert (await sightengine.start(IMAGE, Counted(JPEG))).result.answer == document


def told(document: object) -> Script:
    """*document* as JSON, in which NaN may stand."""
    return status(200, body=json.dumps(document).encode())


def still(**changed: object) -> Script:
    """An answer about an image with some members changed."""
    return told(picture() | changed)


def frames(*found: object, **data: object) -> Script:
    """An answer about a video with these frames."""
    return told(film(0.5) | {"data": {"frames": list(found), **data}})


FRAME = film(0.5)["data"]["frames"][0]
WRONG: dict[str, Script] = {
    **{
        f"row 36: score {score!r}": told(picture(score))
        for score in (float("nan"), float("inf"), 2.0, -0.1, 1.0000001, "0.5", None, True, [0.5], {})
    },
    "row 36: no type": told({name: inner for name, inner in picture().items() if name != "type"}),
    "row 36: no score": still(type={"deepfake": 0.5}),
    "row 36: type is a list": still(type=[0.5]),
    "row 36: type is null": still(type=None),
    "row 36: no status": told({name: inner for name, inner in picture().items() if name != "status"}),
    "row 36: status null": still(status=None),
    "row 36: status pending": still(status="pending"),
    "row 36: status a list": still(status=["success"]),
    "row 36: data null": still(data=None),
    "row 36: a failure of no known type": told(failure("novel_error")),
    "row 36: a failure without an error": told({"status": "failure"}),
    "row 36: a failure whose error is text": told({"status": "failure", "error": "media_error"}),
    "row 36: a failure whose type is a list": told({"status": "failure", "error": {"type": ["media_error"]}}),
}
WRONG_FILMS: dict[str, Script] = {
    **{f"row 36: a frame of {score!r}": told(film(0.1, score, 0.2)) for score in (float("nan"), 2.0, None, "1", True)},
    "row 36: no frames": frames(),
    "row 36: frames null": told(film(0.5) | {"data": {"frames": None}}),
    "row 36: frames an object": told(film(0.5) | {"data": {"frames": FRAME}}),
    "row 36: data a list": told(film(0.5) | {"data": [FRAME]}),
    "row 36: data null": told(film(0.5) | {"data": None}),
    "row 36: no data": told(picture()),
    "row 36: a frame without type": frames(FRAME, {"info": {"position": 1}}),
    "row 36: a frame without a score": frames(FRAME, {"type": {"deepfake": 0.1}}),
    "row 36: a frame of null": frames(FRAME, None),
    "row 36: a frame of text": frames(FRAME, "0.5"),
    "row 36: not finished": frames(FRAME, status="ongoing"),
}
NO_ANSWERS: dict[str, tuple[Script, type[ProviderError], Kind]] = {
    **{name: (script, error, Kind.IMAGE) for name, (script, error) in FAULTS.items()},
    **{f"image, {name}": (script, ProviderInvalid, Kind.IMAGE) for name, script in WRONG.items()},
    **{f"video, {name}": (script, ProviderInvalid, Kind.VIDEO) for name, script in WRONG_FILMS.items()},
}


@pytest.mark.parametrize("fault", NO_ANSWERS)
async def test_no_answer_is_an_error(vendor: ScriptedVendor, sightengine: SightengineProvider, fault: str) -> None:
    """Each fault is its error after one call, never an Answer; the connection and the body's reading are freed."""
    script, error, kind = NO_ANSWERS[fault]
    vendor.then(script)
    body = Counted(JPEG)
    with pytest.raises(ProviderError) as raised:
        await sightengine.start(IMAGE if kind is Kind.IMAGE else VIDEO, body)
    assert type(raised.value) is error
    assert vendor.ledger.calls <= 1
    assert (body.begun, body.ended) == (1, 1)
    if error is not ProviderThrottled:
        assert (await sightengine.start(IMAGE, body)).result.score_ai == 0.97
    await sightengine.close()
    await vendor.idle()


FAILURES = [
    ("api_error", 7, ProviderFailed),
    ("argument_error", 1, ProviderDenied),  # a wrong secret, as the documentation shows it
    ("argument_error", 3, ProviderInvalid),
    ("callback_error", 7, ProviderInvalid),
    ("credentials_error", 7, ProviderDenied),
    ("media_error", 7, ProviderRejected),
    ("plan_error", 7, ProviderDenied),
    ("request_error", 7, ProviderInvalid),
    ("unknown_error", 7, ProviderFailed),
    ("usage_limit", 32, ProviderDenied),
    ("usage_limit", 37, ProviderThrottled),
]


@pytest.mark.parametrize("code", [200, 400, 502])
@pytest.mark.parametrize(("kind", "number", "error"), FAILURES)
async def test_each_documented_failure_has_one_meaning(
    vendor: ScriptedVendor,
    sightengine: SightengineProvider,
    kind: str,
    number: int,
    error: type[ProviderError],
    code: int,
) -> None:
    """Whatever the HTTP status: row 37 for the account, a refused content for the media; none of them is paid."""
    vendor.default = answer(failure(kind, number), code=code)
    with pytest.raises(ProviderError) as raised:
        await sightengine.start(IMAGE, Counted(JPEG))
    assert type(raised.value) is error
    assert not raised.value.possibly_paid
    assert f"{kind}, code {number}" in str(raised.value)
    assert "says to people" not in str(raised.value)
    assert vendor.ledger.calls == 1


async def test_a_failure_that_was_billed_says_so(vendor: ScriptedVendor, sightengine: SightengineProvider) -> None:
    """Operations that a failure counts are counted as possibly paid."""
    vendor.default = answer(failure("media_error", operations=5), code=400)
    with pytest.raises(ProviderRejected) as raised:
        await sightengine.start(IMAGE, Counted(JPEG))
    assert raised.value.possibly_paid


@pytest.mark.parametrize(
    ("code", "error"), [(413, ProviderRejected), (415, ProviderRejected), (429, ProviderThrottled)]
)
async def test_a_status_that_says_more_than_the_failure_stands(
    vendor: ScriptedVendor, sightengine: SightengineProvider, code: int, error: type[ProviderError]
) -> None:
    """A `request_error` under 413 is about the content's size."""
    vendor.default = answer(failure("request_error"), code=code)
    with pytest.raises(error):
        await sightengine.start(IMAGE, Counted(JPEG))


async def test_a_usage_limit_with_a_time_to_come_back_is_waited_for(
    vendor: ScriptedVendor, sightengine: SightengineProvider
) -> None:
    """Row 30: the vendor's own time holds, whatever it writes below."""
    vendor.default = status(429, body=json.dumps(failure("usage_limit", 32)).encode(), headers={"Retry-After": "90"})
    with pytest.raises(ProviderThrottled) as raised:
        await sightengine.start(IMAGE, Counted(JPEG))
    assert raised.value.retry_after == pytest.approx(90, abs=5)


async def test_an_estimate_is_never_lower_than_the_bill(sightengine: SightengineProvider) -> None:
    """Five operations an image; a video that does not tell its length is taken for the longest, a frame a second."""
    image = await sightengine.estimate(IMAGE, Counted(JPEG))
    assert (image.price, image.units) == (5_000, {"operations": 5})
    video = await sightengine.estimate(VIDEO, Counted(CLIP))
    assert (video.price, video.units) == (305_000, {"operations": 305})


async def test_size_is_limited_by_the_vendor_and_then_by_the_operator(sightengine: SightengineProvider) -> None:
    """50 MB, or what the operator's plan takes."""
    largest, larger = Spooled(CLIP, size=50_000_000), Spooled(CLIP, size=50_000_001)
    await sightengine.estimate(VIDEO, largest)
    with pytest.raises(ProviderRejected, match="at most 50000000 bytes"):
        await sightengine.estimate(VIDEO, larger)
    generous = provider("http://127.0.0.1:1/1.0", most_bytes=60_000_000, most_seconds=30)
    assert (await generous.estimate(VIDEO, larger)).units == {"operations": 155}
    assert generous.terms.limits == (
        "image: gif, jpeg, png, webp; at most 60 MB",
        "video: matroska, mp4, msvideo, quicktime, webm; at most 60 MB; at most 30 s",
    )
    await largest.close()
    await larger.close()


async def test_secrets_are_nowhere(vendor: ScriptedVendor) -> None:
    """Not in a repr, not in an error, not in an answer of a gateway that echoes the form or in an error's body."""
    access = account(base(vendor.origin), SECRET, user=USER)
    sightengine = SightengineProvider(access, clock=lambda: TEN_O_CLOCK, random=lambda: 0.0)
    echo = {"form": {"api_secret": SECRET, "api_user": USER, "all": f"api_secret={SECRET}"}, "kept": "words"}
    vendor.then(told(picture() | echo))
    bought = await sightengine.start(IMAGE, Counted(JPEG))
    assert bought.result.answer["kept"] == "words"
    seen = [
        repr(access),
        repr(sightengine),
        encode(bought.result).decode(),
        repr(sightengine.question(Kind.IMAGE, "t")),
    ]
    for code in (200, 400, 500):
        vendor.then(told(failure("media_error") | {"echo": SECRET}), status(code, body=f'"{SECRET}"'.encode()))
        for _ in range(2):
            with pytest.raises(ProviderError) as raised:
                await sightengine.start(IMAGE, Counted(JPEG))
            seen += [str(raised.value), repr(raised.value)]
    seen += [request.path + str(request.headers) for request in vendor.ledger.requests]
    assert not [text for text in seen if SECRET in text or USER in text]
    await sightengine.close()
