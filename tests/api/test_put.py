"""`PUT /api/analyses/{sha256}`, Repr-Digest and Content-Digest: uploads that say what they are before they come."""

from __future__ import annotations

import asyncio
import base64
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import KEYS, MAX_UPLOAD, Undisturbed
from tests.harness.contents import clip, photo, text
from tests.harness.http import Wire, client, problem, request
from tests.harness.service import Service
from tests.harness.vendor import ScriptedVendor, ok

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/analyze"
EXPECT = {"Expect": "100-continue"}


def page(content: bytes) -> str:
    """The resource of *content*."""
    return f"/api/analyses/{sha256(content).hexdigest()}"


def field(content: bytes) -> str:
    """*content*'s digest as a field of RFC 9530."""
    return f"sha-256=:{base64.b64encode(sha256(content).digest()).decode()}:"


def calls_for(vendor: ScriptedVendor, content: bytes) -> int:
    """How often *content* was paid for."""
    return vendor.ledger.by_digest[sha256(content).hexdigest()]


async def test_an_unknown_one_is_bought(server: Service, vendor: ScriptedVendor) -> None:
    """Images, videos and texts are analysed as by POST: a MISS with its costs; then both methods are HITs."""
    async with client(server.url) as web:
        for content, kind in ((photo(), "image"), (clip(), "video"), (text().encode(), "text")):
            bought = await web.put(page(content), content=content)
            assert (bought.status_code, bought.headers["X-Cache"], bought.json()["kind"]) == (200, "MISS", kind)
            assert bought.json()["cost"] == {"spent_usd": "0.01", "saved_usd": "0"}
            put, posted = await web.put(page(content), content=content), await web.post(PAGE, content=content)
            for again in (put, posted):
                assert (again.headers["X-Cache"], again.json()["result"]) == ("HIT", bought.json()["result"])
                assert again.json()["cost"] == {"spent_usd": "0", "saved_usd": "0.01"}
            assert set(posted.headers) == set(put.headers)
            assert calls_for(vendor, content) == 1


@pytest.mark.parametrize("how", ["PUT", "Repr-Digest", "Content-Digest"])
async def test_a_known_one_is_answered_before_it_comes(server: Service, vendor: ScriptedVendor, how: str) -> None:
    """Who asks before he uploads gets the answer, no 100, and `Connection: close`; not one byte of a body is sent."""
    content = clip(300_000)
    method, target, headers = ("PUT", page(content), {}) if how == "PUT" else ("POST", PAGE, {how: field(content)})
    async with client(server.url) as web:
        bought = await web.post(PAGE, content=content)
    async with await Wire.open(server.url) as wire:
        await wire.send(request(method, target, b"", Content_Length=len(content), **EXPECT, **headers))
        answer = await wire.answer(to=method, within=3)
        assert (answer.status, answer.interim, answer.closes) == (200, [], True)
        assert (answer.header("x-cache"), answer.json["result"]) == ("HIT", bought.json()["result"])
        assert await wire.rest(within=2) == b""
    assert calls_for(vendor, content) == 1


async def test_an_unknown_one_is_asked_for(server: Service, vendor: ScriptedVendor) -> None:
    """Who asks before he uploads what nobody knows is told to go on, and the connection stays."""
    content = photo()
    async with await Wire.open(server.url) as wire:
        await wire.send(request("PUT", page(content), b"", Content_Length=len(content), **EXPECT))
        assert await wire.interim() == 100
        await wire.send(content)
        answer = await wire.answer()
        assert (answer.status, answer.header("x-cache"), answer.closes) == (200, "MISS", False)


async def test_who_goes_on_writing_can_read_the_answer(server: Service, vendor: ScriptedVendor) -> None:
    """A body of almost a megabyte that is sent at once is drained: the answer arrives, and the end is no reset."""
    content = clip(900_000)
    async with client(server.url) as web:
        await web.post(PAGE, content=content)
    async with await Wire.open(server.url) as wire:
        await wire.send(request("PUT", page(content), content))
        answer = await wire.answer()
        assert (answer.status, answer.header("x-cache"), answer.closes) == (200, "HIT", True)
        assert await wire.ends_well()


async def test_no_more_than_a_little_is_drained(server: Service, vendor: ScriptedVendor) -> None:
    """The connection ends within seconds, whether the rest never comes or far too much of it does."""
    content = clip()
    async with client(server.url) as web:
        await web.post(PAGE, content=content)
    for sent in (b"", bytes(MAX_UPLOAD - 1)):
        async with await Wire.open(server.url) as wire:
            await wire.send(request("PUT", page(content), b"", Content_Length=MAX_UPLOAD))
            assert (await wire.answer(within=3)).closes
            await wire.pour(sent[at : at + 100_000] for at in range(0, len(sent), 100_000))
            await wire.rest(within=3)


async def test_curl_transfers_nothing(server: Service, vendor: ScriptedVendor, tmp_path: Path) -> None:
    """`curl -T video.mp4` uploads an unknown video, and not a byte of a known one."""
    content = clip(3_000_000)
    (tmp_path / "video.mp4").write_bytes(content)
    said = []
    for _ in range(2):
        curl = await asyncio.create_subprocess_exec(
            *("curl", "-s", "-q", "--noproxy", "*", "--max-time", "20", "--expect100-timeout", "10"),
            *("-o", "/dev/null", "-w", "%{http_code} %{size_upload} %header{x-cache}"),
            *("-T", str(tmp_path / "video.mp4"), server.url + page(content)),
            stdout=asyncio.subprocess.PIPE,
        )
        said.append((await curl.communicate())[0].decode())
    assert said == ["200 3000000 MISS", "200 0 HIT"]


@pytest.mark.parametrize("how", ["PUT", "Repr-Digest", "Content-Digest"])
async def test_other_bytes_than_declared(server: Service, undisturbed: Undisturbed, how: str) -> None:
    """Bytes of another digest are 422, small or spooled: nothing is bought, kept or left behind."""
    async with undisturbed(server), client(server.url) as web:
        for content in (photo(), photo(17_000_000), text().encode()):
            if how == "PUT":
                refused = await web.put(page(photo()), content=content)
            else:
                refused = await web.post(PAGE, content=content, headers={how: field(photo())})
            assert (refused.status_code, problem(refused)) == (422, "digest-mismatch")


async def test_two_digests_that_contradict(server: Service, undisturbed: Undisturbed) -> None:
    """Digests of which one must be wrong are 422 before the body is read."""
    content = photo()
    async with undisturbed(server), await Wire.open(server.url) as wire:
        headers = {"Content_Length": 600, "Repr_Digest": field(photo()), **EXPECT}
        await wire.send(request("PUT", page(content), b"", **headers))
        refused = await wire.answer(within=3)
        assert (refused.status, refused.problem, refused.interim) == (422, "digest-mismatch", [])


@pytest.mark.parametrize(
    "value",
    ["sha-256", "sha-256=abc", "sha-256=:abc:", "sha-256=:YWJj:", "sha-256=:!:", "sha-512=:a:b", "SHA-256=:x:", ","],
)
@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
async def test_a_field_that_cannot_be_read(web: httpx.AsyncClient, name: str, value: str) -> None:
    """A malformed field is 400, not silently ignored."""
    refused = await web.post(PAGE, content=photo(), headers={name: value})
    assert (refused.status_code, problem(refused)) == (400, "bad-digest")


async def test_other_algorithms_are_ignored(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A digest of another algorithm neither helps nor hurts, alone or beside ours; the last of two counts."""
    content = photo()
    for value in ("sha-512=:AAAA:", f"md5=:AAAA:, {field(content)};q=1", f"{field(photo())},{field(content)}"):
        assert (await web.post(PAGE, content=content, headers={"Content-Digest": value})).status_code == 200


async def test_the_digest_of_a_form_says_nothing_of_the_content(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """It is read, and left alone."""
    body = {"text": text()}
    assert (await web.post(PAGE, json=body, headers={"Repr-Digest": field(photo())})).status_code == 200
    refused = await web.post(PAGE, json=body, headers={"Repr-Digest": "of another form"})
    assert (refused.status_code, problem(refused)) == (400, "bad-digest")


async def test_the_wishes_hold(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """only-if-cached, no-store and refresh mean for PUT what they mean for POST."""
    content = photo()
    absent = await web.put(page(content), content=content, headers={"Cache-Control": "only-if-cached"})
    assert (absent.status_code, problem(absent)) == (504, "not-cached")
    unkept = await web.put(page(content), content=content, headers={"Cache-Control": "no-store"})
    assert unkept.headers["X-Cache-Status"] == "BYPASS"
    assert (await web.get(page(content))).status_code == 404
    vendor.then(ok(0.2), ok(0.9))
    await web.put(page(content), content=content)
    again = await web.put(page(content), content=content, headers={"X-Force-Refresh": "true"})
    assert (again.headers["X-Cache"], again.json()["result"]["score_ai"]) == ("MISS", 0.9)
    for wish in ("only-if-cached", "no-store"):
        cached = await web.put(page(content), content=content, headers={"Cache-Control": wish})
        assert (cached.headers["X-Cache"], cached.json()["result"]["score_ai"]) == ("HIT", 0.9)


async def test_text_is_what_is_declared_as_text(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A known text is answered early as text/plain and without a media type; as a picture it is refused as ever."""
    content = text().encode()
    await web.put(page(content), content=content, headers={"Content-Type": "text/plain"})
    for headers in ({"Content-Type": "text/plain"}, {}):
        early = await web.put(page(content), content=content, headers=headers)
        assert (early.headers["X-Cache"], early.json()["kind"]) == ("HIT", "text")
    refused = await web.put(page(content), content=content, headers={"Content-Type": "image/gif"})
    assert (refused.status_code, problem(refused)) == (415, "unsupported-kind")


@pytest.mark.parametrize("media_type", ["multipart/form-data; boundary=x", "application/json", "audio/mpeg"])
async def test_only_raw_bodies_are_put(web: httpx.AsyncClient, media_type: str) -> None:
    """A form has no digest of its content: 415."""
    refused = await web.put(page(b"{}"), content=b"{}", headers={"Content-Type": media_type})
    assert (refused.status_code, problem(refused)) == (415, "unsupported-media-type")


async def test_somebody_elses_is_unknown(keyed: Service, vendor: ScriptedVendor) -> None:
    """Another tenant's answer is none: the body is asked for, and bought by whoever has it."""
    content = photo()
    async with client(keyed.url, KEYS["ann"]) as ann:
        await ann.put(page(content), content=content)
    async with await Wire.open(keyed.url) as wire:
        who = {"X_API_Key": KEYS["bob"]}
        await wire.send(request("PUT", page(content), b"", Content_Length=len(content), **EXPECT, **who))
        assert await wire.interim() == 100
        await wire.send(content)
        assert (await wire.answer()).header("x-cache") == "MISS"
    assert calls_for(vendor, content) == 2
