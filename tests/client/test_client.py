"""`hashcache.Client` and `hashcache.AsyncClient` against the real service: each claim is proved for both."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import tracemalloc
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from time import monotonic

import pytest

from hashcache.client import (
    AsyncClient,
    BudgetProblem,
    ContentChanged,
    ContentProblem,
    NotAllowed,
    NotHashcache,
    ProviderProblem,
    RequestProblem,
    ServiceProblem,
    TimedOut,
    Unreachable,
)
from hashcache.core.content import Kind
from tests.client.conftest import Asking
from tests.harness.contents import clip, photo, text
from tests.harness.front import Front, Trick
from tests.harness.service import Service, until
from tests.harness.vendor import ScriptedVendor, gate, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="module")
GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


def busy(seconds: int) -> bytes:
    """The answer of a service that has no room for so many *seconds*."""
    return refusal("spool-full", 503, f"Retry-After: {seconds}\r\n", retry_after=seconds)


def refusal(slug: str, code: int, headers: str = "", **members: int) -> bytes:
    """A problem as the service gives it."""
    problem = {"type": f"urn:hashcache:problem:{slug}", "status": code, "detail": "As told.", **members}
    body = json.dumps(problem).encode()
    head = f"HTTP/1.1 {code} Problem\r\nContent-Type: application/problem+json\r\n{headers}"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def name(content: bytes) -> str:
    """What names it."""
    return sha256(content).hexdigest()


async def test_a_file_is_uploaded_once(ask: Asking, front: Front, vendor: ScriptedVendor, tmp_path: Path) -> None:
    """A miss is uploaded and bought; the next time its hash is enough, and the answer says what it saved."""
    content = photo(3_000_000)
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    steps: list[tuple[int, int]] = []
    first = await ask("analyze", path, on_progress=lambda sent, total: steps.append((sent, total)))
    assert (first.verdict, first.score_ai, first.confidence, first.kind) == ("ai_generated", 0.98, "high", "image")
    assert (first.provider, first.cached, first.uploaded, first.sha256) == ("generic", False, 3_000_000, name(content))
    assert (first.cost.spent_usd, first.cost.saved_usd) == (Decimal("0.01"), 0)
    assert first.result.analysed_at.utcoffset() == timedelta()
    assert steps[-1] == (3_000_000, 3_000_000)
    assert [sent for sent, _ in steps] == sorted({sent for sent, _ in steps})
    again = await ask("analyze", str(path))
    assert (again.cached, again.uploaded, again.cost.saved_usd) == (True, 0, Decimal("0.01"))
    assert again.key.startswith(f"analysis:{name(content)}:")
    assert again.age is not None
    assert again.ttl > 0
    assert (front.asked["PUT"], front.uploaded, vendor.ledger.calls) == (1, 3_000_000, 1)


@pytest.mark.parametrize("form", ["bytes", "memoryview", "file", "buffer", "pipe"])
async def test_forms_of_one_content(ask: Asking, vendor: ScriptedVendor, tmp_path: Path, form: str) -> None:
    """Bytes, an open file from where it stands, a buffer, a pipe: one name, and the same bytes arrive."""
    content = clip(700_000)
    (tmp_path / "with-a-start").write_bytes(b"start" + content)
    with open(tmp_path / "with-a-start", "rb") as file:  # noqa: ASYNC230, PTH123 - as its users open one
        file.seek(5)
        reading, writing = os.pipe()
        pouring = asyncio.create_task(asyncio.to_thread(_pour, writing, content))
        with open(reading, "rb") as pipe:  # noqa: ASYNC230, PTH123 - of a descriptor
            forms = {
                "bytes": content,
                "memoryview": memoryview(content),
                "file": file,
                "buffer": io.BytesIO(content),
                "pipe": pipe,
            }
            analysis = await ask("analyze", forms[form])
            assert not file.closed
            if form != "pipe":
                pipe.read()
        await pouring
    assert (analysis.sha256, analysis.kind, analysis.uploaded) == (name(content), "video", 700_000)
    assert vendor.ledger.by_digest == {name(content): 1}


def _pour(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb") as pipe:
        pipe.write(content)


async def test_a_text(ask: Asking, front: Front) -> None:
    """A text is analysed as a text, is known the second time, and `sha256sum` of its UTF-8 names it."""
    words = text() + " ü"
    first, second = await ask("analyze", text=words), await ask("analyze", text=words)
    assert (first.kind, first.cached, second.cached) == ("text", False, True)
    assert first.sha256 == name(words.encode())
    assert front.asked["PUT"] == 1


async def test_what_is_no_content(ask: Asking, front: Front) -> None:
    """Neither, both, or a file in text mode: TypeError before anything is asked; half a surrogate: ValueError."""
    for arguments, named in (((), {}), ((b"x",), {"text": "x"}), ((io.StringIO("x"),), {}), ((3,), {})):
        with pytest.raises(TypeError):
            await ask("analyze", *arguments, **named)
    with pytest.raises(ValueError, match="surrogates"):
        await ask("analyze", text="\ud83d")
    with pytest.raises(FileNotFoundError):
        await ask("analyze", "/nowhere/photo.jpg")
    assert not front.asked


async def test_the_question_can_be_spared(ask: Asking, front: Front, vendor: ScriptedVendor) -> None:
    """`hash_first=False` asks nothing before; what is known is answered all the same, and bought once."""
    content = photo()
    for cached in (False, True):
        assert (await ask("analyze", content, hash_first=False)).cached is cached
    assert (front.asked["GET"], front.asked["PUT"], vendor.ledger.calls) == (0, 2, 1)


async def test_refresh_and_tags(ask: Asking, vendor: ScriptedVendor, service: Service) -> None:
    """`refresh` buys anew what is cached; tags name what is bought, and are sent as the service reads them."""
    content = photo()
    await ask("analyze", content, tags=["campaign-7", "customer/42"])
    vendor.then(ok(0.1))
    assert (await ask("analyze", content, refresh=True)).score_ai == 0.1
    assert (await ask("analyze", content)).score_ai == 0.1
    assert vendor.ledger.calls == 2


async def test_lookup(ask: Asking, front: Front, tmp_path: Path) -> None:
    """Digests, paths and bytes at once, in their order, twice named twice told; a thousand and one are two requests."""
    known, unknown = photo(), photo()
    await ask("analyze", known)
    path = tmp_path / "known.jpg"
    path.write_bytes(known)
    front.asked.clear()
    found = await ask("lookup", [path, name(unknown).upper(), known, unknown])
    assert [one.status for one in found.found] == ["known", "unknown", "known", "unknown"]
    assert [one.sha256 for one in found.found] == [name(known), name(unknown), name(known), name(unknown)]
    assert (found.known, found.cost.saved_usd) == (1, Decimal("0.01"))
    assert found.found[0].result.verdict == "ai_generated"
    many = await ask("lookup", [f"{number:064x}" for number in range(1000)] + [name(known)])
    assert [one.status for one in many.found] == ["unknown"] * 1000 + ["known"]
    assert (front.asked["POST"], front.asked["PUT"]) == (3, 0)
    assert (await ask("lookup", [])).found == ()


async def test_get(ask: Asking) -> None:
    """By its digest: the analysis, or None; what is no digest is a ValueError."""
    content = photo()
    assert await ask("get", name(content)) is None
    bought = await ask("analyze", content)
    assert (await ask("get", name(content))).result == bought.result
    assert await ask("get", name(content), kind=Kind.TEXT) is None
    with pytest.raises(ValueError, match="64 hexadecimal"):
        await ask("get", "photo.jpg")


async def test_figures_and_clearing(ask: Asking) -> None:
    """Typed figures; a dry run counts and touches nothing; a clear removes and says how many."""
    await ask("clear")
    before = await ask("spend", days=1)
    for _ in range(2):
        await ask("analyze", photo())
    assert (await ask("stats")).cache.misses >= 2
    spend = await ask("spend", days=1)
    assert spend.spent_usd - before.spent_usd == Decimal("0.02")
    assert spend.by_provider["generic"].calls["sent"] >= 2
    counted = await ask("clear", "analysis:*", dry_run=True)
    assert (counted.deleted, counted.dry_run, counted.id) == (2, True, None)
    cleared = await ask("clear", "analysis:*", reason="a test")
    assert (cleared.deleted, cleared.done, cleared.pattern) == (2, True, "analysis:*")
    assert (await ask("clear", dry_run=True)).deleted == 0


# --- What goes wrong -----------------------------------------------------------------------------------------------


async def test_a_lost_answer_buys_nothing_twice(ask: Asking, front: Front, vendor: ScriptedVendor) -> None:
    """The answer to an upload is lost on its way: it is found by its hash, and uploaded and bought once."""
    front.play("PUT", Trick(lose=True))
    analysis = await ask("analyze", photo(500_000))
    assert analysis.verdict == "ai_generated"
    assert (front.asked["PUT"], vendor.ledger.calls) == (1, 1)


@pytest.mark.parametrize("reply", [GATEWAY, refusal("provider-timeout", 504)], ids=["gateway", "service"])
async def test_who_gives_up_buys_nothing_twice(ask: Asking, front: Front, vendor: ScriptedVendor, reply: bytes) -> None:
    """A gateway, or the service, answers while it still buys: what is being bought is waited for, not sent again."""
    given_up, opened = asyncio.Event(), asyncio.Event()
    vendor.then(gate(opened, ok(0.7)))
    front.play("PUT", Trick(reply=reply, lose=True, when=given_up))
    asking = asyncio.create_task(ask("analyze", photo()))
    await vendor.called(1)
    given_up.set()
    await until(lambda: front.asked["GET"] >= 2, what="it is asked by hash after the upload")
    opened.set()
    assert (await asking).score_ai == 0.7
    assert (front.asked["PUT"], vendor.ledger.calls) == (1, 1)


async def test_an_upload_that_never_arrived_is_sent_again(ask: Asking, front: Front, vendor: ScriptedVendor) -> None:
    """Reset before the service saw it, and refused by a gateway: asked by hash, not known, sent again, bought once."""
    for trick in (Trick(refuse=True), Trick(reply=GATEWAY)):
        front.play("PUT", trick)
    assert (await ask("analyze", photo())).cached is False
    assert (front.asked["PUT"], front.asked["GET"], vendor.ledger.calls) == (3, 3, 1)


async def test_a_refreshed_answer_that_is_lost(ask: Asking, front: Front, vendor: ScriptedVendor) -> None:
    """The answer to a refresh is lost: what lies there was bought during this call, so it is not bought again."""
    content = photo()
    await ask("analyze", content)
    vendor.then(ok(0.2))
    front.play("PUT", Trick(lose=True))
    assert (await ask("analyze", content, refresh=True)).score_ai == 0.2
    assert vendor.ledger.calls == 2


async def test_questions_are_repeated(ask: Asking, front: Front) -> None:
    """A reset question is asked again, three times at most; one that never is answered says so."""
    content = photo()
    await ask("analyze", content)
    for _ in range(3):
        front.play("GET", Trick(refuse=True))
    assert (await ask("analyze", content)).cached
    for _ in range(4):
        front.play("GET", Trick(refuse=True))
    with pytest.raises(Unreachable) as lost:
        await ask("analyze", content)
    assert not isinstance(lost.value, TimedOut)


async def test_nobody_listens(ask: Asking) -> None:
    """Unreachable, and nothing can have been bought."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    elsewhere = Asking(type(ask.client)(url, timeout=10))
    with pytest.raises(Unreachable) as lost:
        await elsewhere("analyze", photo())
    assert not lost.value.maybe_bought
    await elsewhere.close()


async def test_waiting_as_the_service_asks(ask: Asking, front: Front, vendor: ScriptedVendor) -> None:
    """A service without room is asked again after Retry-After; is that past the deadline, its problem is raised."""
    front.play("PUT", Trick(reply=busy(1)))
    assert (await ask("analyze", photo())).cached is False
    front.play("PUT", Trick(reply=busy(60)))
    with pytest.raises(ServiceProblem) as full:
        await ask("analyze", photo())
    assert (full.value.slug, full.value.retry_after) == ("spool-full", 60)
    assert vendor.ledger.calls == 1


async def test_somebody_else_answers(ask: Asking, front: Front) -> None:
    """A 404 of another server is no "not known": it is never sent a content."""
    front.play("GET", Trick(reply=b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno"))
    with pytest.raises(NotHashcache):
        await ask("analyze", photo())
    front.play("GET", Trick(reply=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
    with pytest.raises(NotHashcache):
        await ask("analyze", photo())
    assert front.asked["PUT"] == 0


async def test_the_deadline_is_of_the_whole_call(ask: Asking, vendor: ScriptedVendor, front: Front) -> None:
    """A vendor who never answers: TimedOut after the call's time, which says that it may be bought; it then is."""
    opened = asyncio.Event()
    vendor.then(gate(opened, ok(0.4)))
    content = photo()
    began = monotonic()
    with pytest.raises(TimedOut) as late:
        await ask("analyze", content, timeout=1.5)
    assert monotonic() - began < 5
    assert late.value.maybe_bought
    opened.set()
    assert (await ask("get", name(content))).score_ai == 0.4
    assert vendor.ledger.calls == 1


async def test_refusals_have_types(ask: Asking, front: Front, vendor: ScriptedVendor) -> None:
    """What is wrong with the content, the provider and the request are told apart; the slug and the id are there."""
    with pytest.raises(ContentProblem) as unknown:
        await ask("analyze", b"\x00\x01\x02" * 100)
    assert (unknown.value.slug, unknown.value.status) == ("unsupported-kind", 415)
    assert unknown.value.request_id
    with pytest.raises(ContentProblem, match="no bytes"):
        await ask("analyze", b"")
    vendor.then(status(500))
    with pytest.raises(ProviderProblem) as failed:
        await ask("analyze", photo())
    assert failed.value.slug == "provider-failed"
    with pytest.raises(RequestProblem):
        await ask("spend", days=0)
    assert vendor.ledger.calls == 1


async def test_a_budget_and_a_key(ask: Asking, vendor: ScriptedVendor, tmp_path: Path) -> None:
    """A spent budget and an unknown key have types of their own, and no message repeats the key."""
    environment = {
        "HASHCACHE_PROVIDER": "generic",
        "HASHCACHE_GENERIC_URL": vendor.url,
        "HASHCACHE_GENERIC_PRICE_USD": "0.01",
        "HASHCACHE_DAILY_BUDGET_USD": "0.001",
    }
    async with Service(tmp_path, environment) as poor:
        stranger = Asking(type(ask.client)(poor.url, api_key="a-key-of-nobody", timeout=10))
        with pytest.raises(NotAllowed) as refused:
            await stranger("stats")
        assert "a-key-of-nobody" not in f"{refused.value} {refused.value!r} {stranger.client!r}"
        await stranger.close()
        customer = Asking(type(ask.client)(poor.url, timeout=10))
        with pytest.raises(BudgetProblem) as spent:
            await customer("analyze", photo())
        assert spent.value.members["budget"] == "all"
        await customer.close()


async def test_a_file_that_changes(ask: Asking, front: Front, vendor: ScriptedVendor, tmp_path: Path) -> None:
    """Shorter or longer than when it was hashed: noticed; other bytes: the service refuses. Nothing is bought."""
    path = tmp_path / "photo.jpg"

    def change(content: bytes) -> None:
        path.write_bytes(photo(600_000))
        front.before["GET"] = lambda: path.write_bytes(content)

    for size in (400_000, 800_000):
        change(photo(size))
        with pytest.raises(ContentChanged):
            await ask("analyze", path)
    change(photo(600_000))
    with pytest.raises(ContentProblem) as other:
        await ask("analyze", path)
    assert other.value.slug == "digest-mismatch"
    assert vendor.ledger.calls == 0


async def test_cancelling_harms_nobody_else(service: Service) -> None:
    """Calls that are cancelled at any moment under contention: the client goes on, and five calls succeed."""
    async with AsyncClient(service.url, timeout=20) as cache:
        content = photo(300_000)
        for turn in range(30):
            calls = [asyncio.create_task(cache.analyze(content)) for _ in range(40)]
            await asyncio.wait(calls, timeout=0.002 * (turn % 10))
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert all(one.verdict for one in await asyncio.gather(*(cache.analyze(content) for _ in range(5))))


async def test_memory_stays_small(service: Service, tmp_path: Path) -> None:
    """A file of 150 MB is hashed and uploaded with less than 16 MB of memory of its own."""
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.write(clip(64))
        file.truncate(150_000_000)
    tracemalloc.start()
    try:
        async with AsyncClient(service.url) as cache:
            assert (await cache.analyze(path)).uploaded == 150_000_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 16_000_000
