"""The `generic` provider against a vendor on loopback: what is sent, how the answer is read, what is no answer."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.content import Content, Kind
from hashcache.core.digest import Digest
from hashcache.core.entry import Instant
from hashcache.core.errors import (
    ProviderError,
    ProviderInvalid,
    ProviderThrottled,
    ProviderTimeout,
    SettingsError,
)
from hashcache.core.money import MicroDollars
from hashcache.core.result import Confidence, Verdict, encode
from hashcache.ports import Body, Provider
from hashcache.providers.formats import multipart
from hashcache.providers.generic import GenericProvider, Pointer
from hashcache.providers.reading import judge, without_echoes
from tests.harness import vendor as scripts
from tests.harness.bodies import Counted, Held
from tests.harness.dialects.faults import FAULTS
from tests.harness.vendor import Script, ScriptedVendor, ok, status

CENT = MicroDollars(10_000)
TEN_O_CLOCK = Instant(1_795_168_800_000)


def content(kind: Kind, media_type: str, raw: bytes, name: str | None = None) -> Content:
    return Content(kind, media_type, Digest(hashlib.sha256(raw).digest(), len(raw)), name)


def provider(url: str, **settings: object) -> GenericProvider:
    chosen: dict[str, object] = {
        "price": CENT,
        "timeout": timedelta(seconds=20),
        "video_timeout": timedelta(seconds=20),
        "concurrency": 4,
        "clock": lambda: TEN_O_CLOCK,
        "random": lambda: 0.0,
        "score": "/score",
        **settings,
    }
    return GenericProvider(url=url, **chosen)  # type: ignore[arg-type]  # each test chooses its own


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor


@pytest.fixture
async def generic(vendor: ScriptedVendor) -> AsyncIterator[GenericProvider]:
    generic = provider(vendor.url, version="/version")
    yield generic
    await generic.close()


PICTURE = b"\xff\xd8\xff" + bytes(range(256)) * 4000
IMAGE = content(Kind.IMAGE, "image/jpeg", PICTURE, "anna-müller-passport.jpg")


async def test_it_is_a_provider(generic: GenericProvider) -> None:
    """It has the port's shape, and analyses every kind at a flat price."""
    port: Provider = generic
    assert port.name == "generic"
    assert port.kinds == frozenset(Kind)
    assert (await port.estimate(IMAGE, Held(PICTURE))).price == CENT
    assert port.terms.price == CENT


@pytest.mark.parametrize(
    ("kind", "media_type", "file_name"),
    [
        (Kind.IMAGE, "image/jpeg", "upload.jpg"),
        (Kind.VIDEO, "video/quicktime", "upload.mov"),
        (Kind.IMAGE, "image/x-new", "upload.bin"),
    ],
)
async def test_a_file_goes_as_multipart_under_a_neutral_name(
    vendor: ScriptedVendor, generic: GenericProvider, kind: Kind, media_type: str, file_name: str
) -> None:
    """The vendor receives exactly the bytes, one part, a length, and nothing of the customer's file name."""
    body = Counted(PICTURE, chunk=1000)
    await generic.start(content(kind, media_type, PICTURE, "anna-müller-passport.jpg"), body)
    [request] = vendor.ledger.requests
    assert request.content == hashlib.sha256(PICTURE).hexdigest()
    assert (request.file_name, request.media_type) == (file_name, media_type)
    assert list(request.fields) == ["file"]
    assert "transfer-encoding" not in request.headers
    assert "passport" not in str(request.headers)
    assert (body.begun, body.ended) == (1, 1)


async def test_a_text_goes_as_json(vendor: ScriptedVendor) -> None:
    """In UTF-8, under the field's name, over several chunks that cut a character in two."""
    text = 'naïve "quotes" \u2028 😀\r\n' * 100
    asked = provider(vendor.url, text_field="document", headers={"Authorization": "Bearer k"})
    raw_text = text.encode()
    await asked.start(content(Kind.TEXT, "text/plain", raw_text), Counted(raw_text, chunk=7))
    [request] = vendor.ledger.requests
    assert request.fields == {"document": text}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer k"
    await asked.close()


async def test_an_answer_is_read(vendor: ScriptedVendor, generic: GenericProvider) -> None:
    """Score, verdict, version, evidence, instant and price; the vendor's own words are carried."""
    answer = await generic.start(IMAGE, Counted(PICTURE))
    result = answer.result
    assert answer.price == CENT
    assert (result.verdict, result.score_ai, result.confidence) == (Verdict.AI_GENERATED, 0.98, Confidence.HIGH)
    assert (result.provider, result.model, result.model_version) == ("generic", "generic", "7")
    assert result.analysed_at == "2026-11-20T10:00:00Z"
    assert result.answer == {"score": 0.98, "version": "7"}
    [finding] = result.evidence
    assert (finding.signal, finding.where, finding.value) == ("score", "/score", "0.98")
    assert (finding.strength, finding.verified) == ("strong", False)
    assert json.loads(encode(result))["score_ai"] == 0.98


async def test_without_a_pointer_the_answer_is_carried(vendor: ScriptedVendor) -> None:
    """Moderation or OCR: no score is made up, the verdict is inconclusive."""
    vendor.default = status(200, body=b'{"labels": ["beach"], "score": 0.9}')
    asked = provider(vendor.url, score=None)
    result = (await asked.start(IMAGE, Counted(PICTURE))).result
    assert (result.verdict, result.score_ai, result.confidence) == (Verdict.INCONCLUSIVE, None, Confidence.NONE)
    assert (result.evidence, result.answer) == ((), {"labels": ["beach"], "score": 0.9})
    await asked.close()


async def test_a_missing_version_is_none(vendor: ScriptedVendor, generic: GenericProvider) -> None:
    """A paid answer is not thrown away because the version is absent, of an odd type, or a novel."""
    for odd in (b"", b', "version": null', b', "version": [1]', b', "version": "' + b"v" * 129 + b'"'):
        vendor.then(status(200, body=b'{"score": 0.5' + odd + b"}"))
        assert (await generic.start(IMAGE, Counted(PICTURE))).result.model_version is None
    vendor.then(status(201, body=b'{"score": 0, "version": 3}'))
    assert (await generic.start(IMAGE, Counted(PICTURE))).result.model_version == "3"


NO_ANSWERS: dict[str, tuple[Script, type[ProviderError]]] = {
    **FAULTS,
    "row 36: NaN": (status(200, body=b'{"score": NaN}'), ProviderInvalid),
    "row 36: infinite": (status(200, body=b'{"score": 1e999}'), ProviderInvalid),
    "row 36: 2.0": (ok(2.0), ProviderInvalid),
    "row 36: -0.1": (ok(-0.1), ProviderInvalid),
    "row 36: more than a float holds": (status(200, body=b'{"score": ' + b"9" * 400 + b"}"), ProviderInvalid),
    "row 36: true": (status(200, body=b'{"score": true}'), ProviderInvalid),
    "row 36: text": (status(200, body=b'{"score": "0.5"}'), ProviderInvalid),
    "row 36: null": (status(200, body=b'{"score": null}'), ProviderInvalid),
    "row 36: absent": (status(200, body=b'{"error": "no credit"}'), ProviderInvalid),
    "row 36: a list": (status(200, body=b"[0.5]"), ProviderInvalid),
}


@pytest.mark.parametrize("fault", NO_ANSWERS)
async def test_no_answer_is_an_error(vendor: ScriptedVendor, generic: GenericProvider, fault: str) -> None:
    """Each fault is its error after one call, never an Answer; the connection and the body's reading are freed."""
    script, error = NO_ANSWERS[fault]
    vendor.then(script)
    body = Counted(PICTURE)
    with pytest.raises(ProviderError) as raised:
        await generic.start(IMAGE, body)
    assert type(raised.value) is error
    assert vendor.ledger.calls <= 1
    assert (body.begun, body.ended) == (1, 1)
    if error is not ProviderThrottled:
        assert (await generic.start(IMAGE, body)).result.score_ai == 0.98
    await generic.close()
    await vendor.idle()


@pytest.mark.parametrize("script", [scripts.silence, scripts.drip(0.05)], ids=["row 32", "row 33"])
async def test_the_deadline_of_its_kind_holds(vendor: ScriptedVendor, script: Script) -> None:
    """An image has another deadline than a video; when it passes the call is possibly paid and not repeated."""
    vendor.default = script
    asked = provider(vendor.url, timeout=timedelta(hours=1), video_timeout=timedelta(seconds=0.2))
    with pytest.raises(ProviderTimeout) as raised:
        await asked.start(content(Kind.VIDEO, "video/mp4", PICTURE), Counted(PICTURE))
    assert raised.value.possibly_paid
    assert vendor.ledger.calls == 1
    await asked.close()


def test_what_changes_the_answer_is_in_the_question() -> None:
    """Each parameter gives another key; headers, price and deadlines do not."""
    asked = provider("http://127.0.0.1/a").question(Kind.IMAGE, "acme")
    changed = [
        provider("http://127.0.0.1/b").question(Kind.IMAGE, "acme"),
        provider("http://127.0.0.1/a", file_field="media").question(Kind.IMAGE, "acme"),
        provider("http://127.0.0.1/a", score="/other").question(Kind.IMAGE, "acme"),
        provider("http://127.0.0.1/a", score=None).question(Kind.IMAGE, "acme"),
        provider("http://127.0.0.1/a", score="").question(Kind.IMAGE, "acme"),
        provider("http://127.0.0.1/a", version="/v").question(Kind.IMAGE, "acme"),
        provider("http://127.0.0.1/a", ai_above=0.6).question(Kind.IMAGE, "acme"),
        provider("http://127.0.0.1/a").question(Kind.VIDEO, "acme"),
        provider("http://127.0.0.1/a").question(Kind.IMAGE, "other"),
    ]
    assert len({asked.variant, *(one.variant for one in changed)}) == len(changed) + 1
    same = provider(
        "http://127.0.0.1/a", headers={"X-Key": "k"}, price=MicroDollars(1), text_field="t", timeout=timedelta(1)
    )
    assert same.question(Kind.IMAGE, "acme") == asked


@given(score=st.floats(0, 1), ai_above=st.floats(0, 1))
def test_a_verdict_never_contradicts_its_score(score: float, ai_above: float) -> None:
    """At or above the threshold is AI, below is not; the ends of the scale are sure, and nothing divides by zero."""
    verdict, confidence = judge(score, ai_above)
    assert verdict is (Verdict.AI_GENERATED if score >= ai_above else Verdict.NO_AI_FOUND)
    assert confidence is not Confidence.NONE
    if score in (0.0, 1.0) and score != ai_above:
        assert confidence is Confidence.HIGH


@pytest.mark.parametrize(
    ("score", "confidence"),
    [(0.5, "low"), (0.69, "low"), (0.71, "medium"), (0.91, "high"), (0.49, "low"), (0.29, "medium"), (0.09, "high")],
)
def test_confidence_is_the_distance_to_the_threshold(score: float, confidence: str) -> None:
    """With a threshold of 0.5: from 40 % of the way to the end medium, from 80 % high."""
    assert judge(score, 0.5)[1] == confidence


async def test_echoes_of_a_text_are_removed(vendor: ScriptedVendor) -> None:
    """What repeats the text whole, at any depth, or is very long, is null in the answer; the rest stays."""
    text = "  To be, or not to be.\n"
    vendor.default = ok(
        0.5, inputText=text, nested=[{"said": f"You wrote: {text.strip()}"}], note="be", long="x" * 4001
    )
    asked = provider(vendor.url)
    raw_text = text.encode()
    result = (await asked.start(content(Kind.TEXT, "text/plain", raw_text), Counted(raw_text))).result
    assert result.answer == {
        "score": 0.5,
        "version": "7",
        "inputText": None,
        "nested": [{"said": None}],
        "note": "be",
        "long": None,
    }
    await asked.close()


def test_a_short_text_removes_only_itself() -> None:
    """A text of few characters occurs in innocent words: only strings that equal it are removed."""
    assert without_echoes({"a": "ok", "b": "token"}, "ok\n") == {"a": None, "b": "token"}
    assert without_echoes({"a": "", "b": "word"}, " \n") == {"a": "", "b": "word"}


RFC_6901 = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, " ": 7}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("", RFC_6901), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/m~0n", 8), ("/ ", 7)],
)
def test_a_pointer_finds_what_rfc_6901_says(pointer: str, found: object) -> None:
    """The examples of section 5."""
    assert Pointer(pointer).find(RFC_6901) == found


@pytest.mark.parametrize(
    "pointer", ["/bar", "/foo/2", "/foo/-", "/foo/00", "/foo/-1", "/foo/0/0", "/foo/\u0660", "/a/b"]
)
def test_a_pointer_to_nothing_finds_nothing(pointer: str) -> None:
    """No wrap-around, no leading zeros, no foreign digits."""
    with pytest.raises(LookupError):
        Pointer(pointer).find(RFC_6901)


@pytest.mark.parametrize("pointer", ["score", "/~", "/~2", "#/score"])
def test_a_malformed_pointer_is_refused_at_once(pointer: str) -> None:
    """Before anything is sent or paid."""
    with pytest.raises(SettingsError, match="JSON Pointer"):
        provider("http://127.0.0.1/", score=pointer)


async def test_multipart_has_the_length_it_declares() -> None:
    """Extra fields first, then the file; names are quoted, so no name can open another header."""
    body: Body = Counted(b"content", chunk=3)
    payload = multipart('fi"le\r\nX: y', "upload.jpg", "image/jpeg", body, [("models", "genai")], boundary="b")
    whole = b"".join([chunk async for chunk in payload.chunks()])
    assert payload.headers == {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(len(whole))}
    assert whole == (
        b'--b\r\nContent-Disposition: form-data; name="models"\r\n\r\ngenai\r\n'
        b'--b\r\nContent-Disposition: form-data; name="fi%22le%0D%0AX: y"; filename="upload.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\ncontent\r\n--b--\r\n"
    )


async def test_a_payload_left_in_the_middle_leaves_the_body(vendor: ScriptedVendor) -> None:
    """The body's own reading ends with the payload's, not when the garbage is collected."""
    read = Counted(bytes(300_000), chunk=3)
    source = read.chunks()
    read.chunks = lambda: source  # type: ignore[method-assign]  # held here, so that only closing can end it
    chunks = multipart("file", "upload.jpg", "image/jpeg", read).chunks()
    await anext(chunks)
    assert await anext(chunks) == bytes(3)
    await chunks.aclose()
    assert (read.begun, read.ended) == (1, 1)


@pytest.mark.parametrize(("size", "pieces"), [(0, 1), (256 * 1024, 1), (256 * 1024 + 1, 2 + 3)])
async def test_a_small_content_goes_in_one_piece(size: int, pieces: int) -> None:
    """With what is around it: the same bytes either way."""
    content = bytes(range(256)) * 1025
    read = Counted(content[:size], chunk=128 * 1024)
    payload = multipart("file", "upload.jpg", "image/jpeg", read, boundary="b")
    sent = [piece async for piece in payload.chunks()]
    assert len(sent) == pieces
    whole = b"".join(sent)
    assert whole.endswith(b"\r\n\r\n" + content[:size] + b"\r\n--b--\r\n")
    assert str(len(whole)) == payload.headers["Content-Length"]
    assert (read.begun, read.ended) == (1, 1)


def test_boundaries_are_never_repeated() -> None:
    """Without one handed in, each is new: a content cannot know it."""
    body: Body = Counted(b"")
    drawn = {multipart("file", "upload.jpg", "image/jpeg", body).headers["Content-Type"] for _ in range(100)}
    assert len(drawn) == 100
    assert len(drawn.pop()) == len("multipart/form-data; boundary=") + 32
