"""
Webhooks as receivers meet them: real services, a real vendor and a real receiver, each over real HTTP on loopback.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from time import time_ns
from typing import Any

import pytest

from tests.harness.contents import photo
from tests.harness.http import client, problem
from tests.harness.mailbox import OTHER_SECRET, SECRET, Mailbox
from tests.harness.service import Service, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor, gate, ok, status
from tests.system.conftest import Services

PAGE = "/api/analyze"
KEYS = {"ann": "red", "bob": "blue"}
API_KEYS = ",".join(f"{name}:{tenant}:user:{sha256(name.encode()).hexdigest()}" for name, tenant in KEYS.items())


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    """A receiver."""
    async with Mailbox() as box:
        yield box


@pytest.fixture
def settings(paid: dict[str, str], box: Mailbox, tmp_path: Path) -> dict[str, str]:
    """Of a service that sells webhooks to `box`, and takes over soon what another has left."""
    return {
        **paid,
        "HASHCACHE_STORE": f"sqlite:///{tmp_path}/store.sqlite3",
        "HASHCACHE_WEBHOOK_ORIGINS": box.origin,
        "HASHCACHE_WEBHOOK_SECRET": SECRET,
        "HASHCACHE_LEASE": "300ms",
        "HASHCACHE_PROVIDER_PAUSE": "1ms",
    }


async def leave(
    service: Service, content: bytes, url: str, *, key: str | None = None, **headers: str
) -> tuple[int, str]:
    """Have *content* analysed and *url* told of it: the status, and the webhook's id or the problem's slug."""
    async with client(service.url, key) as web:
        wishes = {"Prefer": "respond-async", "X-Webhook-Url": url, **headers}
        answer = await web.post(PAGE, content=content, headers=wishes)
    if answer.status_code >= 400:
        return answer.status_code, problem(answer)
    return answer.status_code, answer.headers.get("X-Webhook-Id", "")


async def bought(service: Service, vendor: ScriptedVendor, content: bytes, url: str, *, key: str | None = None) -> str:
    """Have *content* bought, and *url* told of it once that has come to its end; the webhook's id."""
    opened = asyncio.Event()
    vendor.then(gate(opened, ok()))
    code, webhook = await leave(service, content, url, key=key)
    assert code == 202
    opened.set()
    return webhook


async def get(service: Service, content: bytes, *, key: str | None = None) -> Any:
    """What a GET of the analysis says."""
    async with client(service.url, key) as web:
        return (await web.get(f"/api/analyses/{sha256(content).hexdigest()}")).json()


def waiting(folder: Path) -> int:
    """How many letters wait in the store's file."""
    with closing(sqlite3.connect(folder / "store.sqlite3")) as file:
        return int(file.execute("SELECT count(*) FROM outbox").fetchone()[0])


async def test_it_tells_what_a_get_tells(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, tmp_path: Path
) -> None:
    """
    Once the vendor has answered: one POST, signed, with the id that the 202 named, the id of the request, and the very
    answer of a GET. Then nothing waits any more, and the log tells neither path nor query.
    """
    service = await services.start(**settings)
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok(0.25)))
    code, webhook = await leave(service, content, box.url, **{"X-Request-Id": "order-66"})
    assert code == 202
    assert webhook.startswith("msg_")
    assert waiting(tmp_path) == 1
    opened.set()
    (message,) = await box.holds(1)
    assert message.line == "POST /hooks?for=you HTTP/1.1"
    assert (message.id, message.headers["content-type"]) == (webhook, "application/json")
    assert message.signed_by(SECRET)
    assert abs(int(message.headers["webhook-timestamp"]) - time_ns() // 10**9) < 10
    told = message.json
    assert set(told) == {"type", "timestamp", "request_id", "data"}
    assert (told["type"], told["request_id"]) == ("analysis.completed", "order-66")
    assert told["data"] == await get(service, content)
    assert told["data"]["result"]["score_ai"] == 0.25
    assert told["timestamp"] == told["data"]["result"]["analysed_at"]
    await until(lambda: waiting(tmp_path) == 0, what="the letter is gone")
    (sent,) = await until(lambda: service.events("webhook.sent"))
    assert (sent["origin"], sent["webhook"], sent["request"], sent["tries"]) == (box.origin, webhook, "order-66", 1)
    assert "for=you" not in service.log()
    assert len(box.messages) == 1


@pytest.mark.parametrize(("script", "slug"), [(status(500), "provider-failed"), (status(400), "vendor-limit")])
async def test_it_tells_of_a_failure(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, script: Any, slug: str
) -> None:
    """As its problem, about the request that asked for it."""
    service = await services.start(**settings)
    content, opened = photo(), asyncio.Event()
    vendor.default = gate(opened, script)
    code, _ = await leave(service, content, box.url, **{"X-Request-Id": "order-67"})
    assert code == 202
    opened.set()
    (message,) = await box.holds(1)
    assert message.signed_by(SECRET)
    assert message.json["type"] == "analysis.failed"
    data = message.json["data"]
    assert (data["type"], data["instance"]) == (f"urn:hashcache:problem:{slug}", "order-67")
    assert data["status"] == (await get(service, content))["status"]
    assert datetime.fromisoformat(message.json["timestamp"])


async def test_what_is_answered_at_once_is_not_told_again(
    services: Services, settings: dict[str, str], box: Mailbox, tmp_path: Path
) -> None:
    """From the cache, or refused: there is no webhook, and nothing waits."""
    service = await services.start(**settings)
    content = photo()
    async with client(service.url) as web:
        assert (await web.post(PAGE, content=content)).status_code == 200
    assert await leave(service, content, box.url) == (200, "")
    assert await leave(service, b"", box.url) == (422, "empty")
    assert waiting(tmp_path) == 0
    assert box.accepted == 0


async def test_what_is_refused(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox
) -> None:
    """Each with a clear 400, before anything is bought; the URL is not repeated."""
    service = await services.start(**settings)
    origin, port = box.origin, box.port
    urls = [
        "",
        "hooks",
        f"{origin}/a#b",
        f"http://user:secret@127.0.0.1:{port}/",
        f"http://127.0.0.1:{port}@example.com/",
        f"http://127.0.0.1:{port}\\@example.com/",
        f"http://127.0.0.1:{port + 1}/",
        f"http://127.0.0.1:0{port}/x y",
        "http://127.0.0.1/",
        "http://127.0.0.1:99999/",
        f"http://localhost:{port}/",
        f"https://127.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data",
        "https://example.com/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        f"{origin}/" + "x" * 2048,
        f"{origin}/%zz",
        f"{origin}/\u00e9",
    ]
    for url in urls:
        headers = {"Prefer": "respond-async", "X-Webhook-Url": url}
        async with client(service.url) as web:
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            answer = await web.post(PAGE, content=photo(), headers=raw)
        assert (answer.status_code, problem(answer)) == (400, "bad-webhook"), url
        assert not url or url not in answer.text
    async with client(service.url) as web:
        for headers in (
            {"X-Webhook-Url": box.url},
            {"X-Webhook-Url": box.url, "Prefer": "wait=10"},
            {"X-Webhook-Url": box.url, "Prefer": "respond-async", "Cache-Control": "no-store"},
        ):
            assert problem(await web.post(PAGE, content=photo(), headers=headers)) == "bad-webhook"
        twice = [("Prefer", "respond-async"), ("X-Webhook-Url", box.url), ("X-Webhook-Url", box.url)]
        assert problem(await web.post(PAGE, content=photo(), headers=twice)) == "bad-webhook"
    assert vendor.ledger.calls == 0
    assert box.accepted == 0


async def test_where_there_are_none(services: Services, paid: dict[str, str], box: Mailbox) -> None:
    """Without the setting the header is a clear error."""
    service = await services.start(**paid)
    assert await leave(service, photo(), box.url) == (400, "bad-webhook")


@pytest.mark.prove
async def test_row_56_another_process_delivers_what_a_killed_one_had_promised(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox
) -> None:
    """
    SIGKILL between the 202 and the vendor's answer: the purchase is lost, and another process tells so, as a GET does,
    under the id that was promised. The same content was being bought by nobody else.
    """
    one, other = await services.start(**settings), await services.start(**settings)
    content = photo()
    vendor.then(gate(asyncio.Event(), ok()))
    code, webhook = await leave(one, content, box.url)
    assert code == 202
    await vendor.called(1)
    await one.kill()
    (message,) = await box.holds(1)
    assert message.id == webhook
    assert message.signed_by(SECRET)
    assert message.json["data"]["type"] == "urn:hashcache:problem:not-found"
    assert (await get(other, content))["type"] == "urn:hashcache:problem:not-found"


@pytest.mark.prove
async def test_row_56_another_process_delivers_what_a_killed_one_could_not(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, tmp_path: Path
) -> None:
    """SIGKILL after a try that failed: another process tries again, with the same id, and what was bought."""
    one, other = await services.start(**settings), await services.start(**settings)
    content = photo()
    box.answer(500)
    webhook = await bought(one, vendor, content, box.url)
    await until(lambda: one.events("webhook.failed"))
    await one.kill()
    first, second = await box.holds(2)
    assert first.id == second.id == webhook
    assert second.json["type"] == "analysis.completed"
    assert second.json["data"] == await get(other, content)
    assert await until(lambda: other.events("webhook.sent"))
    await until(lambda: waiting(tmp_path) == 0)


@pytest.mark.prove
@pytest.mark.timeout(120)
async def test_row_56_what_a_killed_one_was_delivering_is_delivered_again(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, tmp_path: Path
) -> None:
    """
    SIGKILL when the receiver has the webhook and has not yet said so: when the hold of 30 s for one try is over it
    comes once more, from another process, with the same id, about the same answer. After that nothing waits.
    """
    one, other = await services.start(**settings), await services.start(**settings)
    box.then.append(b"HTTP/1.1 2")
    webhook = await bought(one, vendor, photo(), box.url)
    await box.holds(1)
    await one.kill()
    first, second = await box.holds(2, within=75)
    assert first.id == second.id == webhook
    assert first.json == second.json
    assert all(message.signed_by(SECRET) for message in (first, second))
    assert await until(lambda: other.events("webhook.sent"))
    await until(lambda: waiting(tmp_path) == 0)
    assert len(box.messages) == 2
    assert vendor.ledger.calls == 1


async def test_row_55_a_receiver_that_was_down_is_told_when_it_is_up(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox
) -> None:
    """
    While it refuses connections, answers a redirect or an error, the webhook is tried again: the same id and the same
    body each time, a timestamp of its own, a signature of each secret that is set. After a 2xx it is over.
    """
    service = await services.start(**settings | {"HASHCACHE_WEBHOOK_SECRET": f"{SECRET} {OTHER_SECRET}"})
    await box.stop()
    webhook = await bought(service, vendor, photo(), box.url)
    (failed,) = await until(lambda: service.events("webhook.failed"))
    assert (failed["webhook"], failed["status"], failed["reason"]) == (webhook, None, "unreachable")
    box.answer(302, Location=box.url)
    await box.start()
    (message,) = await box.holds(1)
    assert message.id == webhook
    assert message.signed_by(SECRET)
    assert message.signed_by(OTHER_SECRET)
    assert len(message.headers["webhook-signature"].split(" ")) == 2
    await until(lambda: len(service.events("webhook.failed")) == 2)
    assert len(box.messages) == 1


async def test_gone_is_gone(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, tmp_path: Path
) -> None:
    """410 ends it: nothing waits any more, and the log says so."""
    service = await services.start(**settings)
    box.answer(410)
    webhook = await bought(service, vendor, photo(), box.url)
    (ended,) = await until(lambda: service.events("webhook.given_up"))
    assert (ended["webhook"], ended["status"]) == (webhook, 410)
    await until(lambda: waiting(tmp_path) == 0)


async def test_tenants_are_told_what_is_theirs(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox
) -> None:
    """Two tenants, the same content: each is told of its own purchase, though the other's has another answer."""
    service = await services.start(**settings, HASHCACHE_API_KEYS=API_KEYS)
    content, opened = photo(), asyncio.Event()
    vendor.then(gate(opened, ok(0.1)), gate(opened, ok(0.9)))
    found = {}
    for place, key in enumerate(KEYS, 1):
        code, webhook = await leave(service, content, f"{box.origin}/{key}", key=key)
        assert code == 202
        found[webhook] = (key, 0.1 if place == 1 else 0.9)
        await vendor.called(place)
    opened.set()
    for message in await box.holds(2):
        key, score = found[message.id]
        assert message.line == f"POST /{key} HTTP/1.1"
        assert message.json["data"]["result"]["score_ai"] == score
        assert message.json["data"] == await get(service, content, key=key)


async def test_a_full_outbox_is_refused_before_anything_is_bought(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, tmp_path: Path
) -> None:
    """One tenant's share: 429 for it alone; the whole: 503; both say when to come back. Delivered ones make room."""
    bounds = {"HASHCACHE_WEBHOOK_WAITING": "2", "HASHCACHE_WEBHOOK_TENANT_WAITING": "1"}
    service = await services.start(**settings, **bounds, HASHCACHE_API_KEYS=f"{API_KEYS},{_third()}")
    opened = asyncio.Event()
    vendor.default = gate(opened, ok())
    assert (await leave(service, photo(), box.url, key="ann"))[0] == 202
    assert await leave(service, photo(), box.url, key="ann") == (429, "webhooks-waiting")
    assert (await leave(service, photo(), box.url, key="bob"))[0] == 202
    assert await leave(service, photo(), box.url, key="eve") == (503, "outbox-full")
    await vendor.called(2)
    opened.set()
    await box.holds(2)
    await until(lambda: waiting(tmp_path) == 0)
    assert (await leave(service, photo(), box.url, key="eve"))[0] in {200, 202}
    await vendor.called(3)
    assert vendor.ledger.calls == 3


def _third() -> str:
    return f"eve:green:user:{sha256(b'eve').hexdigest()}"


async def test_who_ends_in_order_leaves_its_letters_to_others(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, tmp_path: Path
) -> None:
    """
    SIGTERM while the receiver is silent: the service ends well and soon, and its successor delivers at once, without
    waiting for the hold of the first, under the same id.
    """
    first = await services.start(**settings | {"HASHCACHE_LEASE": "5m"})
    box.then.append(b"HTTP/1.1 1")
    webhook = await bought(first, vendor, photo(), box.url)
    await box.holds(1)
    await first.stop()
    assert waiting(tmp_path) == 1
    await services.start(**settings)
    assert [one.id for one in await box.holds(2)] == [webhook] * 2


async def test_what_was_forgotten_meanwhile_is_not_told(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox
) -> None:
    """The receiver was down when its tenant had the answer forgotten: it is told what a GET says then."""
    service = await services.start(**settings)
    content = photo()
    box.answer(503)
    await bought(service, vendor, content, box.url)
    await until(lambda: service.events("webhook.failed"))
    async with client(service.url) as web:
        assert (await web.delete(f"/api/analyses/{sha256(content).hexdigest()}")).status_code == 200
    _, message = await box.holds(2)
    assert message.json["type"] == "analysis.failed"
    assert message.json["data"]["type"] == "urn:hashcache:problem:not-found"
    assert "score" not in message.body.decode()


async def test_an_origin_that_is_no_longer_allowed_gets_nothing(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, tmp_path: Path
) -> None:
    """What was promised to it is given up; neither is what was sealed with a secret that is gone ever sent."""
    first = await services.start(**settings)
    await box.stop()
    for _ in range(2):
        await bought(first, vendor, photo(), box.url)
    await until(lambda: len(first.events("webhook.failed")) == 2)
    await first.stop()
    await box.start()
    other = await services.start(**settings | {"HASHCACHE_WEBHOOK_ORIGINS": "https://hooks.example.com"})
    ended = await until(lambda: len(other.events("webhook.given_up")) == 2 and other.events("webhook.given_up"))
    assert {one["reason"] for one in ended} == {"not-allowed"}
    await until(lambda: waiting(tmp_path) == 0)
    assert box.accepted == 0


async def test_the_store_sees_two_commands_of_a_webhook(
    services: Services, vendor: ScriptedVendor, settings: dict[str, str], box: Mailbox, valkey: Valkey
) -> None:
    """
    On Redis: a letter is put and dropped, in keys of the outbox that end by themselves. A service without webhooks
    never asks the outbox for anything.
    """
    with valkey.client() as there:
        off = {name: value for name, value in settings.items() if "WEBHOOK" not in name}
        service = await services.start(**off | {"HASHCACHE_STORE": valkey.url})
        async with client(service.url) as web:
            assert (await web.post(PAGE, content=photo(), headers={"Prefer": "respond-async"})).status_code < 300
        await service.stop()
        assert not {"cmdstat_zadd", "cmdstat_zrange", "cmdstat_zrem"} & set(there.info("commandstats"))

        service = await services.start(**settings | {"HASHCACHE_STORE": valkey.url, "HASHCACHE_LEASE": "60s"})
        await until(lambda: _calls(there, "zrange") == 1, what="it looks once at its start")
        await bought(service, vendor, photo(), box.url)
        await box.holds(1)
        await until(lambda: _calls(there, "zrem") == 1)
        # It may have looked again meanwhile, as it does every 6 s, in vain.
        assert (_calls(there, "zadd"), _calls(there, "zrem")) == (1, 1)
        assert there.exists("hashcache:dev:books:outbox", "hashcache:dev:books:due:{hashcache:dev:books:outbox}") == 0


def _calls(there: Any, command: str) -> int:
    return int(there.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])
