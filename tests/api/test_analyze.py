"""`POST /api/analyze`: each form of an upload, and which of them are the same question."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest

from tests.harness.contents import clip, photo, text
from tests.harness.http import MULTIPART, chunked, exchange, in_pieces, multipart, part, request
from tests.harness.service import Service
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/analyze"


def sha256(content: bytes) -> str:
    """As `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "video/mp4", "application/octet-stream", None])
async def test_raw_bytes_are_bought_once(
    web: httpx.AsyncClient, vendor: ScriptedVendor, media_type: str | None
) -> None:
    """A raw body is analysed the first time and answered from the cache the second, whatever type it claims."""
    content = photo()
    headers = {} if media_type is None else {"Content-Type": media_type}
    first = await web.post(PAGE, content=content, headers=headers)
    second = await web.post(PAGE, content=content, headers=headers)
    assert [answer.status_code for answer in (first, second)] == [200, 200], first.text
    assert [answer.headers["X-Cache"] for answer in (first, second)] == ["MISS", "HIT"]
    assert vendor.ledger.by_digest[sha256(content)] == 1
    assert first.json()["sha256"] == second.json()["sha256"] == sha256(content)
    assert first.json()["kind"] == "image"
    assert first.json()["result"] == second.json()["result"]
    assert first.json()["result"] == {
        "verdict": "ai_generated",
        "score_ai": 0.98,
        "confidence": "high",
        "evidence": first.json()["result"]["evidence"],
        "provider": "generic",
        "model": first.json()["result"]["model"],
        "model_version": "7",
        "analysed_at": first.json()["result"]["analysed_at"],
        "answer": {"score": 0.98, "version": "7"},
    }
    assert first.json()["cost"] == {"spent_usd": "0.01", "saved_usd": "0"}
    assert second.json()["cost"] == {"spent_usd": "0", "saved_usd": "0.01"}
    assert (first.json()["cached"], second.json()["cached"]) == (False, True)


async def test_a_file_is_the_same_however_it_comes(
    web: httpx.AsyncClient, service: Service, vendor: ScriptedVendor
) -> None:
    """Another boundary, file name, order of headers, client, form or framing: the same bytes have the same key."""
    content = clip(300_000)
    form = multipart(part(content, name="other.mp4", Content_Type="application/x-unknown"))
    raw = chunked(*(content[at : at + 7919] for at in range(0, len(content), 7919)))
    answers = [
        await web.post(PAGE, files={"file": ("one.mp4", content, "video/mp4")}),
        await web.post(PAGE, files={"file": ("zwei ü.bin", content)}, headers={"X-Other": "1", "Accept": "*/*"}),
        await web.post(PAGE, content=content, headers={"Content-Type": "video/mp4"}),
        await web.post(PAGE, content=in_pieces(content, 10_000)),
        await exchange(service.url, request("POST", PAGE, form, Content_Type=MULTIPART)),
        await exchange(
            service.url, request("POST", PAGE, chunked(form), Transfer_Encoding="chunked", Content_Type=MULTIPART)
        ),
        await exchange(service.url, request("POST", PAGE, raw, Transfer_Encoding="chunked")),
    ]
    keys = {answer.headers["X-Cache-Key"] for answer in answers if isinstance(answer, httpx.Response)}
    keys |= {answer.header("x-cache-key") for answer in answers if not isinstance(answer, httpx.Response)}
    assert len(keys) == 1
    assert vendor.ledger.by_digest[sha256(content)] == 1


async def test_a_text_is_the_same_however_it_comes(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A JSON text, a form's field, a file and a plain body with the same bytes share a key, and are kept as text."""
    content = text() + " ünïcödé \U0001f600"
    raw = content.encode()
    escaped = json.dumps({"text": content}).encode()
    answers = [
        await web.post(PAGE, json={"text": content}),
        await web.post(PAGE, content=escaped, headers={"Content-Type": "application/json; charset=utf-8"}),
        await web.post(PAGE, content=raw, headers={"Content-Type": "text/plain; charset=UTF-8"}),
        await web.post(PAGE, content=raw, headers={"Content-Type": "application/octet-stream"}),
        await web.post(PAGE, content=raw),
        await web.post(PAGE, files={"file": ("letter.txt", raw)}),
        await web.post(PAGE, files={"text": (None, raw)}),
    ]
    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", *["HIT"] * 6]
    assert {answer.headers["X-Cache-Key"] for answer in answers} == {answers[0].headers["X-Cache-Key"]}
    assert answers[0].headers["X-Cache-Key"].startswith(f"text:{sha256(raw)}:")
    assert {answer.json()["kind"] for answer in answers} == {"text"}
    assert vendor.ledger.by_digest[sha256(raw)] == 1


async def test_text_is_kept_exactly(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """CRLF, a byte order mark, a trailing newline, a composed letter: each is another text, and reaches the vendor."""
    stem = text()
    variants = [
        f"{stem}\né",
        f"{stem}\r\né",
        f"\ufeff{stem}\né",
        f"{stem}\né\n",
        f"{stem}\né\r\n",
        f"{stem}\né ",
        f"{stem}\ne\u0301",
        f"{stem}\n\u200bé",
    ]
    for content in variants:
        for form in ({"json": {"text": content}}, {"content": content.encode()}, {"files": {"text": (None, content)}}):
            answer = await web.post(PAGE, **form)
            assert answer.json()["sha256"] == sha256(content.encode())
        assert vendor.ledger.by_digest[sha256(content.encode())] == 1


async def test_a_polyglot_has_one_kind(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """A text that begins like a GIF is a text, and no image; with a NUL in it it is a GIF, and no text."""
    polyglot = b"GIF89a " + text().encode()
    as_text = await web.post(PAGE, content=polyglot, headers={"Content-Type": "text/plain"})
    as_bytes = await web.post(PAGE, content=polyglot)
    as_image = await web.post(PAGE, content=polyglot, headers={"Content-Type": "image/gif"})
    assert (as_text.json()["kind"], as_bytes.json()["kind"], as_image.status_code) == ("text", "text", 415)
    picture = polyglot + b"\x00;"
    as_text = await web.post(PAGE, content=picture, headers={"Content-Type": "text/plain"})
    as_bytes = await web.post(PAGE, content=picture)
    as_field = await web.post(PAGE, files={"text": (None, picture)})
    assert (as_text.status_code, as_bytes.json()["kind"], as_field.status_code) == (415, "image", 415)


async def test_all_parts_of_a_body_reach_the_vendor(web: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """What the vendor receives are the bytes that were uploaded, small, large in memory, and spooled to disk."""
    for size in (100, 5_000, 3_000_000, 17_000_000):
        content = photo(size)
        answer = await web.post(PAGE, content=in_pieces(content, 65_537))
        assert answer.json()["sha256"] == sha256(content)
        assert vendor.ledger.by_digest[sha256(content)] == 1
