"""
Uploads that cannot be analysed: each is a clear problem, buys and keeps nothing, and the next request is served.

Those that reach our own code only: where servers differ, see test_bad_connections.
"""

from __future__ import annotations

import gzip
import json

import pytest

from tests.api.conftest import MAX_TEXT, MAX_UPLOAD, Undisturbed
from tests.harness.contents import photo, text
from tests.harness.http import BOUNDARY, MULTIPART, chunked, exchange, multipart, part, request
from tests.harness.service import Service
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/analyze"
JSON = "application/json"
TEXT = "text/plain"
MODEL = part(b"x", field="model", name=None)
LONG = b"x" * (MAX_TEXT + 1)
LONG_FIELD = part(LONG, field="text", name=None)
MANY_HEADERS = part(b"x", **{f"X_{number}": "1" for number in range(100)})
MIXED = f"multipart/mixed; boundary={BOUNDARY}"
WITHOUT_NAME = b"--" + BOUNDARY.encode() + b"\r\nContent-Disposition: form-data\r\n\r\nx\r\n"
WITHOUT_HEADERS = b"--" + BOUNDARY.encode() + b"\r\n\r\nx\r\n"
PHOTO = photo()

#: What is sent (media type, body), and what comes of it (status, problem).
REFUSED: dict[str, tuple[str | None, bytes, int, str]] = {
    "empty body": (None, b"", 422, "empty"),
    "empty image": ("image/png", b"", 422, "empty"),
    "empty text": (TEXT, b"", 422, "empty"),
    "empty JSON text": (JSON, b'{"text": ""}', 422, "empty"),
    "empty file": (MULTIPART, multipart(part(b"")), 422, "empty"),
    "empty field": (MULTIPART, multipart(part(b"", field="text", name=None)), 422, "empty"),
    "no part": (MULTIPART, multipart(), 400, "no-file"),
    "no file but its path": (MULTIPART, multipart(part(b"photo.jpg", name=None)), 400, "no-file"),
    "two files": (MULTIPART, multipart(part(PHOTO), part(PHOTO)), 400, "two-files"),
    "file and text": (MULTIPART, multipart(part(PHOTO), part(b"x", field="text", name=None)), 400, "two-files"),
    "text and file": (MULTIPART, multipart(part(b"x", field="text", name=None), part(PHOTO)), 400, "two-files"),
    "file and unknown field": (MULTIPART, multipart(part(PHOTO), MODEL), 400, "unknown-field"),
    "unknown field": (MULTIPART, multipart(part(PHOTO, field="upload")), 400, "unknown-field"),
    "field in another case": (MULTIPART, multipart(part(PHOTO, field="File")), 400, "unknown-field"),
    "part without name": (MULTIPART, multipart(WITHOUT_NAME), 400, "malformed"),
    "part without headers": (MULTIPART, multipart(WITHOUT_HEADERS), 400, "malformed"),
    "part in base64": (MULTIPART, multipart(part(b"aGk=", Content_Transfer_Encoding="base64")), 400, "malformed"),
    "part with a name of 9 KB": (MULTIPART, multipart(part(PHOTO, name="n" * 9000)), 400, "malformed"),
    "part with 100 headers": (MULTIPART, multipart(MANY_HEADERS), 400, "malformed"),
    "truncated in the part": (MULTIPART, multipart(part(PHOTO))[:300], 400, "malformed"),
    "truncated in the headers": (MULTIPART, multipart(part(PHOTO))[:60], 400, "malformed"),
    "truncated before the end": (MULTIPART, part(PHOTO), 400, "malformed"),
    "truncated in the last boundary": (MULTIPART, multipart(part(PHOTO))[:-4], 400, "malformed"),
    "no multipart at all": (MULTIPART, PHOTO, 400, "malformed"),
    "empty multipart": (MULTIPART, b"", 400, "malformed"),
    "bytes after the end": (MULTIPART, multipart(part(PHOTO)) + b"x" * 70_000, 400, "malformed"),
    "boundary missing": ("multipart/form-data", multipart(part(PHOTO)), 400, "malformed"),
    "boundary empty": ('multipart/form-data; boundary=""', multipart(part(PHOTO)), 400, "malformed"),
    "boundary too long": ("multipart/form-data; boundary=" + "b" * 300, multipart(part(PHOTO)), 400, "malformed"),
    "another boundary": ("multipart/form-data; boundary=other", multipart(part(PHOTO)), 400, "malformed"),
    "another multipart": (MIXED, multipart(part(PHOTO)), 415, "unsupported-media-type"),
    "web form": ("application/x-www-form-urlencoded", b"text=hello", 415, "unsupported-media-type"),
    "audio": ("audio/mpeg", PHOTO, 415, "unsupported-media-type"),
    "HTML": ("text/html", b"<p>", 415, "unsupported-media-type"),
    "nonsense for a type": ("caf\xe9/;;=;charset;=", PHOTO, 415, "unsupported-media-type"),
    "bytes of no kind": (None, b"\x00\x01\x02\x03" * 100, 415, "unsupported-kind"),
    "PDF": (None, b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(100), 415, "unsupported-kind"),
    "file of no kind": (MULTIPART, multipart(part(bytes(100))), 415, "unsupported-kind"),
    "text as image": ("image/png", b"not a picture", 415, "unsupported-kind"),
    "text with NUL": (TEXT, b"a\x00b", 415, "not-utf8"),
    "text in Latin-1": (TEXT, "café".encode("latin-1"), 415, "not-utf8"),
    "text cut in a letter": (TEXT, "café".encode()[:-1], 415, "not-utf8"),
    "text in UTF-16": (TEXT, "text".encode("utf-16"), 415, "not-utf8"),
    "surrogate in UTF-8": (TEXT, b"a \xed\xa0\x80 b", 415, "not-utf8"),
    "overlong UTF-8": (TEXT, b"a \xc0\xaf b", 415, "not-utf8"),
    "field in Latin-1": (MULTIPART, multipart(part(b"caf\xe9", field="text", name=None)), 415, "not-utf8"),
    "another charset": ("text/plain; charset=iso-8859-1", b"text", 415, "not-utf8"),
    "no JSON": (JSON, b"{text: 1}", 400, "malformed"),
    "empty JSON": (JSON, b"", 400, "malformed"),
    "JSON not UTF-8": (JSON, b'{"text": "\xff"}', 400, "malformed"),
    "JSON in UTF-16": (JSON, '{"text": "x"}'.encode("utf-16"), 400, "malformed"),
    "JSON with a byte order mark": (JSON, b'\xef\xbb\xbf{"text": "x"}', 400, "malformed"),
    "JSON list": (JSON, b'["x"]', 400, "malformed"),
    "JSON text that is none": (JSON, b'{"text": 7}', 400, "malformed"),
    "JSON text null": (JSON, b'{"text": null}', 400, "malformed"),
    "JSON without text": (JSON, b"{}", 400, "no-file"),
    "JSON with another member": (JSON, b'{"text": "x", "lang": "en"}', 400, "unknown-field"),
    "JSON with a surrogate for a name": (JSON, b'{"\\ud800": 1}', 400, "unknown-field"),
    "JSON that repeats a name": (JSON, b'{"text": "x", "text": "y"}', 400, "malformed"),
    "JSON with NaN": (JSON, b'{"text": NaN}', 400, "malformed"),
    "JSON with Infinity": (JSON, b'{"text": "x", "n": -Infinity}', 400, "malformed"),
    "JSON with a number of 10,000 digits": (JSON, b'{"text": ' + b"9" * 10_000 + b"}", 400, "malformed"),
    "JSON nested 100,000 deep": (JSON, b'{"text": ' + b"[" * 100_000, 400, "malformed"),
    "JSON nested deep and closed": (JSON, b'{"text": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, 400, "malformed"),
    "lone high surrogate": (JSON, b'{"text": "a \\ud83d b"}', 422, "bad-text"),
    "lone low surrogate": (JSON, b'{"text": "\\ude00"}', 422, "bad-text"),
    "JSON text with NUL": (JSON, b'{"text": "a\\u0000b"}', 415, "not-utf8"),
    "text over its limit": (TEXT, LONG, 413, "too-large"),
    "field over its limit": (MULTIPART, multipart(LONG_FIELD), 413, "too-large"),
    "JSON text over its limit": (JSON, json.dumps({"text": "x" * (MAX_TEXT + 1)}).encode(), 413, "too-large"),
    "huge JSON": (JSON, b" " * (MAX_TEXT * 6 + 2000), 413, "too-large"),
    "undeclared text over its limit": (None, LONG, 413, "too-large"),
    "text file over its limit": (MULTIPART, multipart(part(LONG)), 413, "too-large"),
}  # fmt: skip


@pytest.mark.parametrize(("media_type", "body", "status", "slug"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_analysed(
    service: Service,
    undisturbed: Undisturbed,
    media_type: str | None,
    body: bytes,
    status: int,
    slug: str,
) -> None:
    """With its length announced or in chunks: the exact problem, on a connection whose state is told."""
    headers = {} if media_type is None else {"Content_Type": media_type}
    async with undisturbed(service):
        for raw in (
            request("POST", PAGE, body, **headers),
            request("POST", PAGE, chunked(body[:50], body[50:]), Transfer_Encoding="chunked", **headers),
        ):
            refused = await exchange(service.url, raw)
            assert (refused.status, refused.problem) == (status, slug), refused.body
            if status == 413:
                assert refused.json["limit"] in {MAX_TEXT, MAX_UPLOAD, MAX_TEXT * 6 + 1024}


@pytest.mark.parametrize("coding", ["gzip", "zstd", "br", "deflate", "GZIP", "identity, gzip", "x-unknown"])
async def test_a_compressed_body_is_refused(service: Service, undisturbed: Undisturbed, coding: str) -> None:
    """A body with a content coding is 415 before it is read, and the answer says which codings are taken: none."""
    body = gzip.compress(PHOTO)
    async with undisturbed(service):
        raw = request("POST", PAGE, body[:10], Content_Length=len(body), Content_Encoding=coding)
        refused = await exchange(service.url, raw)
        assert (refused.status, refused.problem) == (415, "compressed-body")
        assert refused.header("accept-encoding") == "identity"


async def test_identity_is_no_compression(service: Service, vendor: ScriptedVendor) -> None:
    """`Content-Encoding: identity` and an empty one say nothing."""
    for coding in ("identity", "Identity", ""):
        answer = await exchange(service.url, request("POST", PAGE, photo(), Content_Encoding=coding))
        assert answer.status == 200


@pytest.mark.parametrize("form", ["text", "field", "JSON", "file"])
async def test_a_text_at_its_limit_is_taken(service: Service, vendor: ScriptedVendor, form: str) -> None:
    """Exactly as many bytes as a text may have are taken, in each form; letters of several bytes count as such."""
    content = text(MAX_TEXT - 2).encode() + "é".encode()
    bodies = {
        "text": (TEXT, content),
        "field": (MULTIPART, multipart(part(content, field="text", name=None))),
        "JSON": (JSON, json.dumps({"text": content.decode()}).encode()),
        "file": (MULTIPART, multipart(part(content))),
    }
    media_type, body = bodies[form]
    answer = await exchange(service.url, request("POST", PAGE, body, Content_Type=media_type))
    assert (answer.status, answer.json["kind"]) == (200, "text")
    longer = {
        "text": (TEXT, content + b"x"),
        "field": (MULTIPART, multipart(part(content + b"x", field="text", name=None))),
        "JSON": (JSON, json.dumps({"text": content.decode() + "x"}).encode()),
        "file": (MULTIPART, multipart(part(content + b"x"))),
    }
    media_type, body = longer[form]
    refused = await exchange(service.url, request("POST", PAGE, body, Content_Type=media_type))
    assert (refused.status, refused.problem, refused.json["limit"]) == (413, "too-large", MAX_TEXT)


async def test_a_json_text_may_be_written_in_escapes(service: Service, vendor: ScriptedVendor) -> None:
    """A text at its limit of which JSON writes every character in six bytes is taken."""
    content = text(MAX_TEXT)
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in content)
    answer = await exchange(service.url, request("POST", PAGE, f'{{"text": "{escaped}"}}'.encode(), Content_Type=JSON))
    assert answer.status == 200


@pytest.mark.parametrize("form", ["raw", "chunks", "multipart", "multipart in chunks"])
async def test_row_48_one_byte_over_the_limit(
    service: Service, vendor: ScriptedVendor, undisturbed: Undisturbed, form: str
) -> None:
    """An upload with exactly as many bytes as allowed is analysed; with one more it is 413, and nothing is bought."""
    content = photo(MAX_UPLOAD)
    answer = await exchange(service.url, framed(form, content))
    assert answer.status == 200
    async with undisturbed(service):
        refused = await exchange(service.url, framed(form, content + b"x"))
        assert (refused.status, refused.problem, refused.json["limit"]) == (413, "too-large", MAX_UPLOAD)


def framed(form: str, content: bytes) -> bytes:
    """The request that uploads *content* in this *form*."""
    body, headers = content, {}
    if "multipart" in form:
        body, headers = multipart(part(content)), {"Content_Type": MULTIPART}
    if "chunks" in form:
        size = 1_000_003
        body = chunked(*(body[at : at + size] for at in range(0, len(body), size)))
        headers["Transfer_Encoding"] = "chunked"
    return request("POST", PAGE, body, **headers)
