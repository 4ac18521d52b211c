"""The `hive` provider against a vendor on loopback that speaks V3's dialect."""

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
from hashcache.providers.hive import HiveProvider
from loadtests.dialects.hive import KEY, MODEL, answer, base, error, item, output, sound
from tests.harness.accounts import TEN_O_CLOCK, account, upload
from tests.harness.bodies import Counted, Spooled
from tests.harness.dialects.faults import FAULTS
from tests.harness.vendor import Script, ScriptedVendor, status

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000
CLIP = b"\x00\x00\x00\x18ftypqt  \x00\x00\x00\x00qt  qt  " + bytes(range(256)) * 2000
IMAGE = upload(Kind.IMAGE, "image/png", PNG)
VIDEO = upload(Kind.VIDEO, "video/quicktime", CLIP)


def provider(url: str, *, key: str = KEY, **chosen: Any) -> HiveProvider:
    access = account(url, key, **{"ai_above": 0.9, **chosen})
    return HiveProvider(access, clock=lambda: TEN_O_CLOCK, random=lambda: 0.0)


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(answer(output(item()))) as vendor:
        yield vendor


@pytest.fixture
async def hive(vendor: ScriptedVendor) -> AsyncIterator[HiveProvider]:
    hive = provider(base(vendor.origin))
    yield hive
    await hive.close()


@pytest.mark.parametrize(("content", "raw", "name"), [(IMAGE, PNG, "upload.png"), (VIDEO, CLIP, "upload.mov")])
async def test_what_is_sent(vendor: ScriptedVendor, hive: HiveProvider, content: Any, raw: bytes, name: str) -> None:
    """The bytes as they are under a neutral name, the key as a bearer token, nothing else."""
    body = Counted(raw, chunk=1000)
    await hive.start(content, body)
    [request] = vendor.ledger.requests
    assert (request.method, request.path) == ("POST", f"/api/v3/{MODEL}")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.fields == {"media": ""}
    assert (request.file_name, request.media_type) == (name, content.media_type)
    assert request.content == hashlib.sha256(raw).hexdigest()
    assert "transfer-encoding" not in request.headers
    assert "passport" not in str(request)
    assert (body.begun, body.ended) == (1, 1)


async def test_an_answer_about_an_image_is_read(vendor: ScriptedVendor, hive: HiveProvider) -> None:
    """Score, verdict, version, evidence, instant, the bill, and the vendor's own words."""
    document = output(item(0.99, flux=0.94))
    vendor.default = answer(document)
    bought = await hive.start(IMAGE, Counted(PNG))
    result = bought.result
    assert (result.verdict, result.score_ai, result.confidence) == (Verdict.AI_GENERATED, 0.99, Confidence.HIGH)
    assert (result.provider, result.model, result.model_version) == ("hive", MODEL, "1")
    assert result.analysed_at == "2026-11-20T10:00:00Z"
    score, generator = result.evidence
    assert (score.signal, score.where, score.value) == ("score", "/output/0/classes/2/value", "0.99")
    assert (generator.signal, generator.value) == ("generator", "flux")
    assert result.answer == document
    assert (bought.price, bought.units) == (1_000, {"images": 1})


async def test_the_highest_frame_of_a_video_decides(vendor: ScriptedVendor, hive: HiveProvider) -> None:
    """One generated scene is enough; the mean is told; each item is billed, one of sound alone too."""
    vendor.default = answer(output(item(0.1), sound(), item(0.95, sora=0.8), item(0.3)))
    bought = await hive.start(VIDEO, Counted(CLIP))
    assert (bought.result.verdict, bought.result.score_ai) == (Verdict.AI_GENERATED, 0.95)
    score, mean, generator = bought.result.evidence
    assert score.where == "/output/2/classes/2/value"
    assert (mean.signal, mean.value) == ("mean_score", "0.45")
    assert generator.value == "sora"
    assert (bought.price, bought.units) == (4_000, {"frames": 4})


@pytest.mark.parametrize(
    ("score", "ai_above", "verdict"),
    [
        (0, 0.9, Verdict.NO_AI_FOUND),
        (0.899, 0.9, Verdict.NO_AI_FOUND),
        (0.9, 0.9, Verdict.AI_GENERATED),
        (1, 0.9, Verdict.AI_GENERATED),
        (0.6, 0.5, Verdict.AI_GENERATED),
    ],
)
async def test_the_operator_draws_the_line(
    vendor: ScriptedVendor, score: float, ai_above: float, verdict: Verdict
) -> None:
    """At the threshold and above it is AI."""
    vendor.default = answer(output(item(score)))
    asked_with = provider(base(vendor.origin), ai_above=ai_above)
    assert (await asked_with.start(IMAGE, Counted(PNG))).result.verdict is verdict
    await asked_with.close()


@pytest.mark.parametrize(
    ("items", "verdict", "confidence", "signals"),
    [
        ([item(0.01, deepfake=0.99)], Verdict.AI_EDITED, Confidence.HIGH, ["score", "deepfake"]),
        ([item(0.01, deepfake=0.9)], Verdict.AI_EDITED, Confidence.LOW, ["score", "deepfake"]),
        ([item(0.01, deepfake=0.89)], Verdict.NO_AI_FOUND, Confidence.HIGH, ["score"]),
        (
            [item(0.01), item(0.01, deepfake=0.95)],
            Verdict.AI_EDITED,
            Confidence.MEDIUM,
            ["score", "mean_score", "deepfake"],
        ),
        ([item(0.01), sound(0.99)], Verdict.AI_EDITED, Confidence.HIGH, ["score", "ai_generated_audio"]),
        (
            [item(0.01, deepfake=0.91, voice=0.99)],
            Verdict.AI_EDITED,
            Confidence.HIGH,
            ["score", "deepfake", "ai_generated_audio"],
        ),
        ([item(0.95, deepfake=0.99)], Verdict.AI_GENERATED, Confidence.MEDIUM, ["score", "deepfake"]),
    ],
)
async def test_a_part_made_by_ai_is_an_edit(
    vendor: ScriptedVendor,
    hive: HiveProvider,
    items: list[Any],
    verdict: Verdict,
    confidence: Confidence,
    signals: list[str],
) -> None:
    """A swapped face or a generated voice makes AI-edited, never AI-generated; the score stays that of the whole."""
    vendor.default = answer(output(*items))
    result = (await hive.start(VIDEO, Counted(CLIP))).result
    assert (result.verdict, result.confidence) == (verdict, confidence)
    assert [one.signal for one in result.evidence] == signals
    assert result.score_ai == items[0]["classes"][2]["value"]


@pytest.mark.parametrize(
    ("generators", "named"),
    [
        ({"flux": 0.5, "sora2": 0.4}, "flux"),
        ({"flux": 0.49}, None),
        ({"none": 0.99}, None),
        ({"inconclusive": 0.99}, None),
        ({"inconclusive_video": 0.99}, None),
        ({"other_image_generators": 0.99}, None),
        ({"flux": None, "sora": "0.9", "veo3": 2.0, "pika": True, "kling": 0.7}, "kling"),
    ],
)
async def test_a_generator_is_named_where_one_is_attributed(
    vendor: ScriptedVendor, hive: HiveProvider, generators: dict[str, Any], named: str | None
) -> None:
    """The highest of at least a half that names one; what is odd about generators never costs the answer."""
    vendor.default = answer(output(item(0.97, **generators)))
    result = (await hive.start(IMAGE, Counted(PNG))).result
    assert [one.value for one in result.evidence if one.signal == "generator"] == ([] if named is None else [named])


@pytest.mark.parametrize(
    ("version", "read"),
    [("1", "1"), ("2026-11", "2026-11"), (2, "2"), (None, None), ([1], None), ("", None), ("v" * 129, None)],
)
async def test_a_version_is_told_where_there_is_one(
    vendor: ScriptedVendor, hive: HiveProvider, version: object, read: str | None
) -> None:
    """An odd one does not cost the answer."""
    vendor.default = answer(output(item(), version=version))
    assert (await hive.start(IMAGE, Counted(PNG))).result.model_version == read


async def test_what_no_verdict_needs_may_be_odd(vendor: ScriptedVendor, hive: HiveProvider) -> None:
    """New members, absent ones, and an item with the one class that decides."""
    document = {"output": [{"classes": [{"class": "ai_generated", "value": 1, "new": []}], "extra": None}], "new": 1}
    vendor.default = answer(document)
    result = (await hive.start(IMAGE, Counted(PNG))).result
    assert (result.score_ai, result.model_version, result.answer) == (1.0, None, document)


def told(document: object) -> Script:
    """*document* as JSON, in which NaN may stand."""
    return status(200, body=json.dumps(document).encode())


def classes(*found: object) -> Script:
    """An answer with an item of these classes."""
    return told(output({"classes": list(found)}))


WHOLE = {"class": "ai_generated", "value": 0.5}
ODD_SCORES = (float("nan"), float("inf"), 2.0, -0.1, "0.5", None, True, [0.5], {})
NO_ANSWERS: dict[str, tuple[Script, type[ProviderError]]] = {
    **FAULTS,
    **{f"row 36: score {odd!r}": (told(output(item(odd))), ProviderInvalid) for odd in ODD_SCORES},
    **{f"row 36: a frame of {odd!r}": (told(output(item(), item(odd))), ProviderInvalid) for odd in ODD_SCORES},
    **{f"row 36: deepfake {odd!r}": (told(output(item(deepfake=odd))), ProviderInvalid) for odd in ODD_SCORES},
    **{f"row 36: voice {odd!r}": (told(output(item(voice=odd))), ProviderInvalid) for odd in ODD_SCORES},
    "row 36: no output": (told({"task_id": "t", "model": MODEL, "version": "1"}), ProviderInvalid),
    "row 36: output null": (told(output() | {"output": None}), ProviderInvalid),
    "row 36: output empty": (told(output()), ProviderInvalid),
    "row 36: output an object": (told(output() | {"output": item()}), ProviderInvalid),
    "row 36: an item of null": (told(output(item(), None)), ProviderInvalid),
    "row 36: an item of text": (told(output("ai_generated")), ProviderInvalid),
    "row 36: an item without classes": (told(output(item(), {"extra": []})), ProviderInvalid),
    "row 36: classes null": (told(output({"classes": None})), ProviderInvalid),
    "row 36: classes empty": (classes(), ProviderInvalid),
    "row 36: classes an object": (told(output({"classes": {"ai_generated": 0.5}})), ProviderInvalid),
    "row 36: a class of null": (classes(WHOLE, None), ProviderInvalid),
    "row 36: a class without a name": (classes(WHOLE, {"value": 0.5}), ProviderInvalid),
    "row 36: a class named by a number": (classes(WHOLE, {"class": 1, "value": 0.5}), ProviderInvalid),
    "row 36: a class twice": (classes(WHOLE, {"class": "ai_generated", "value": 0.1}), ProviderInvalid),
    "row 36: no value": (classes({"class": "ai_generated"}), ProviderInvalid),
    "row 36: V2's score": (classes({"class": "ai_generated", "score": 0.5}), ProviderInvalid),
    "row 36: no ai_generated": (classes({"class": "deepfake", "value": 0.1}), ProviderInvalid),
    "row 36: sound alone": (told(output(sound())), ProviderInvalid),
    "row 36: V2's answer": (
        told({"status": [{"status": {"code": "0"}, "response": {"output": [{"time": 0, "classes": []}]}}]}),
        ProviderInvalid,
    ),
    "row 36: another model's answer": (told(output(item(), model="hive/visual-moderation")), ProviderInvalid),
    "row 36: model null": (told(output(item(), model=None)), ProviderInvalid),
}


@pytest.mark.parametrize("fault", NO_ANSWERS)
async def test_no_answer_is_an_error(vendor: ScriptedVendor, hive: HiveProvider, fault: str) -> None:
    """Each fault is its error after one call, never an Answer; the connection and the body's reading are freed."""
    script, wrong = NO_ANSWERS[fault]
    vendor.then(script)
    body = Counted(PNG)
    with pytest.raises(ProviderError) as raised:
        await hive.start(IMAGE, body)
    assert type(raised.value) is wrong
    assert vendor.ledger.calls <= 1
    assert (body.begun, body.ended) == (1, 1)
    if wrong is not ProviderThrottled:
        assert (await hive.start(IMAGE, body)).result.score_ai == 0.97
    await hive.close()
    await vendor.idle()


ERRORS = [
    (400, ProviderRejected),
    (401, ProviderDenied),
    (402, ProviderDenied),
    (403, ProviderDenied),
    (413, ProviderRejected),
    (429, ProviderThrottled),
    (500, ProviderFailed),
]


@pytest.mark.parametrize("under", [200, 400, 500, None], ids=["200", "400", "500", "its own"])
@pytest.mark.parametrize(("code", "wrong"), ERRORS)
async def test_an_error_in_the_body_has_one_meaning(
    vendor: ScriptedVendor, hive: HiveProvider, code: int, wrong: type[ProviderError], under: int | None
) -> None:
    """Whatever HTTP status it stands under, the vendor's own decides; none is paid, none quotes the vendor."""
    vendor.default = answer(error(code, "said to people"), code=under or code)
    with pytest.raises(ProviderError) as raised:
        await hive.start(IMAGE, Counted(PNG))
    assert type(raised.value) is wrong
    assert not raised.value.possibly_paid
    assert "said to people" not in str(raised.value)
    assert vendor.ledger.calls == 1


async def test_an_older_gateways_error_is_understood(vendor: ScriptedVendor, hive: HiveProvider) -> None:
    """V2's way of saying that there is too much to do."""
    vendor.default = answer({"return_code": 429, "message": "Project has been rate limited"})
    with pytest.raises(ProviderThrottled):
        await hive.start(IMAGE, Counted(PNG))


@pytest.mark.parametrize("code", [200, 0, -1, 10**9, "429", None, True, 429.0])
async def test_a_code_that_is_none_says_nothing(vendor: ScriptedVendor, hive: HiveProvider, code: object) -> None:
    """Beside an answer it is one of the members that are not read; under a refusal the status decides."""
    vendor.then(told(output(item(), status_code=code)))
    assert (await hive.start(IMAGE, Counted(PNG))).result.score_ai == 0.97
    vendor.then(status(400, body=json.dumps({"status_code": code}).encode()))
    with pytest.raises(ProviderRejected):
        await hive.start(IMAGE, Counted(PNG))


async def test_an_estimate_is_never_lower_than_the_bill(hive: HiveProvider) -> None:
    """One image; a video that does not tell its length is taken for the longest, a frame a second."""
    image = await hive.estimate(IMAGE, Counted(PNG))
    assert (image.price, image.units) == (1_000, {"images": 1})
    video = await hive.estimate(VIDEO, Counted(CLIP))
    assert (video.price, video.units) == (181_000, {"frames": 181})


async def test_size_is_limited_by_the_vendor_and_then_by_the_operator(hive: HiveProvider) -> None:
    """50 MB, or what the operator's plan takes."""
    largest, larger = Spooled(CLIP, size=50_000_000), Spooled(CLIP, size=50_000_001)
    await hive.estimate(VIDEO, largest)
    with pytest.raises(ProviderRejected, match="at most 50000000 bytes"):
        await hive.estimate(VIDEO, larger)
    generous = provider("http://127.0.0.1:1", most_bytes=60_000_000, most_seconds=30)
    assert (await generous.estimate(VIDEO, larger)).units == {"frames": 31}
    assert generous.terms.limits == (
        "image: gif, jpeg, png, webp; at most 60 MB",
        "video: matroska, mp4, msvideo, quicktime, webm; at most 60 MB; at most 30 s",
    )
    await largest.close()
    await larger.close()


async def test_secrets_are_nowhere(vendor: ScriptedVendor) -> None:
    """Not in a repr, not in an error, not in the answer of a gateway that echoes headers or in an error's body."""
    access = account(base(vendor.origin), KEY)
    hive = HiveProvider(access, clock=lambda: TEN_O_CLOCK, random=lambda: 0.0)
    vendor.then(told(output(item(), headers={"authorization": f"Bearer {KEY}", "key": KEY}, kept="words")))
    bought = await hive.start(IMAGE, Counted(PNG))
    assert bought.result.answer["kept"] == "words"
    seen = [repr(access), repr(hive), encode(bought.result).decode(), repr(hive.question(Kind.IMAGE, "t"))]
    for code in (200, 400, 500):
        vendor.then(told(error(400, KEY)), status(code, body=f'"{KEY}"'.encode()))
        for _ in range(2):
            with pytest.raises(ProviderError) as raised:
                await hive.start(IMAGE, Counted(PNG))
            seen += [str(raised.value), repr(raised.value)]
    seen += [request.path for request in vendor.ledger.requests]
    assert not [text for text in seen if KEY in text]
    await hive.close()
