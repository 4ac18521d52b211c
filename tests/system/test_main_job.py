"""The main job, with the real command and over real sockets: a file is bought once, and answered from the cache."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.harness.books import books_agree
from tests.harness.contents import photo
from tests.harness.http import MULTIPART, Wire, client, multipart, part, request
from tests.harness.service import Service, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor, gate, ok
from tests.system.conftest import Services

PAGE = "/api/analyze"


async def upload(service: Service, content: bytes) -> httpx.Response:
    """The answer to one upload, which must be a result."""
    async with client(service.url) as web:
        answer = await web.post(PAGE, files={"file": ("photo.jpg", content, "image/jpeg")})
    assert answer.status_code == 200, answer.text
    return answer


async def crowd(
    service: Service, contents: list[bytes], *, clients: int, uploads: int
) -> dict[str, list[dict[str, Any]]]:
    """*uploads* of *contents* in turn by so many parallel *clients*, a connection each: the answers by digest."""
    raw = [request("POST", PAGE, multipart(part(one)), Content_Type=MULTIPART) for one in contents]
    answers: dict[str, list[dict[str, Any]]] = {}
    turns = iter(range(uploads))

    async def one() -> None:
        async with await Wire.open(service.url) as wire:
            for turn in turns:
                await wire.send(raw[turn % len(raw)])
                answer = await wire.answer()
                assert answer.status == 200, answer.body
                result = json.loads(answer.body)
                answers.setdefault(result["sha256"], []).append(result)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(one())
    return answers


async def store_status(service: Service) -> dict[str, Any]:
    """What /readyz says of the store."""
    async with client(service.url) as web:
        ready = await web.get("/readyz")
    assert ready.status_code == 200
    status: dict[str, Any] = ready.json()["store"]
    return status


# --- Bought once ---------------------------------------------------------------------------------------------------


async def test_bought_once_with_no_store_configured(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str]
) -> None:
    """MISS, then HIT; with the SQLite file that is the default still HIT after a restart. The vendor was paid once."""
    service = services.make(**paid)
    content = photo()
    async with service:
        first, second = await upload(service, content), await upload(service, content)
    async with service:
        third = await upload(service, content)
        await books_agree(service, vendor.ledger)
    assert [answer.headers["X-Cache"] for answer in (first, second, third)] == ["MISS", "HIT", "HIT"]
    assert first.json()["result"] == second.json()["result"] == third.json()["result"]
    assert [answer.json()["cost"]["spent_usd"] for answer in (first, second, third)] == ["0.01", "0", "0"]
    assert vendor.ledger.by_digest == {sha256(content).hexdigest(): 1}


async def test_bought_once_with_redis_however_it_is_named(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], valkey: Valkey
) -> None:
    """HASHCACHE_STORE, REDIS_URL, and REDIS_HOST with REDIS_PORT lead to one server: bought once, a HIT after that."""
    ways = (
        {"HASHCACHE_STORE": f"{valkey.url}/0"},
        {"REDIS_URL": valkey.url},
        {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(valkey.port)},
    )
    content = photo()
    found = []
    for way in ways:
        service = services.make(**paid, **way)
        async with service:
            found += [await upload(service, content), await upload(service, content)]
        (opened,) = service.events("store.opened")
        assert (opened["status"], opened["source"], opened["level"]) == ("connected", next(iter(way)), "info")
    assert [answer.headers["X-Cache"] for answer in found] == ["MISS"] + ["HIT"] * 5
    assert vendor.ledger.calls == 1


async def test_services_on_one_redis_share_what_they_bought(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], valkey: Valkey
) -> None:
    """
    What one service bought is a hit in the other; a file that both are given at once is bought once; a service of
    another HASHCACHE_ENV knows nothing of it.
    """
    one = await services.start(**paid, REDIS_URL=valkey.url)
    two = await services.start(**paid, REDIS_URL=valkey.url)
    other = await services.start(**paid, REDIS_URL=valkey.url, HASHCACHE_ENV="other")
    content, together = photo(), photo()
    answers = [await upload(service, content) for service in (one, two, other, other)]
    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", "HIT", "MISS", "HIT"]
    opened = asyncio.Event()
    vendor.then(gate(opened, ok()))
    both = [asyncio.create_task(upload(service, together)) for service in (one, two)]
    await vendor.called(3)
    await until(lambda: _waited_for(valkey), what="the other service waits for the claim of the first")
    opened.set()
    answers = await asyncio.gather(*both)
    assert sorted(answer.json()["cost"]["spent_usd"] for answer in answers) == ["0", "0.01"]
    assert sorted("; collapsed" in answer.headers["Cache-Status"] for answer in answers) == [False, True]
    assert answers[0].json()["result"] == answers[1].json()["result"]
    assert vendor.ledger.by_digest[sha256(together).hexdigest()] == 1


def _waited_for(server: Valkey) -> bool:
    """Whether somebody has asked how long another one's claim lasts: only whoever then waits does."""
    with server.client() as there:
        return "cmdstat_pttl" in there.info("commandstats")


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_thousand_uploads_of_ten_files_are_ten_calls(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], workers: int
) -> None:
    """20 parallel clients upload 10 distinct files 1,000 times: 10 calls, and one result for each file."""
    service = await services.start("--workers", str(workers), **paid)
    await until(lambda: len(service.events("store.opened")) == workers, what="all workers serve")
    contents = [photo(3000) for _ in range(10)]
    answers = await crowd(service, contents, clients=20, uploads=1000)
    assert vendor.ledger.calls == 10
    assert vendor.ledger.by_digest == dict.fromkeys((sha256(content).hexdigest() for content in contents), 1)
    assert {digest: len(given) for digest, given in answers.items()} == dict.fromkeys(vendor.ledger.by_digest, 100)
    for given in answers.values():
        assert all(answer["result"] == given[0]["result"] for answer in given)
        assert [answer["cost"]["spent_usd"] for answer in given].count("0.01") == 1
    report = await books_agree(service, vendor.ledger)
    assert report["calls"]["stored"] == 10


# --- Without a store -----------------------------------------------------------------------------------------------


async def test_off_never_caches_and_still_buys_once_at_a_time(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str]
) -> None:
    """With HASHCACHE_STORE=off each upload is bought, but not twice at the same moment; it is said at start."""
    service = await services.start(**paid, HASHCACHE_STORE="off")
    assert "off: nothing is kept" in service.log()
    content = photo()
    alone = [await upload(service, content) for _ in range(2)]
    assert [answer.headers["X-Cache"] for answer in alone] == ["MISS", "MISS"]
    assert vendor.ledger.calls == 2
    opened = asyncio.Event()
    vendor.then(gate(opened, ok()))
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(await Wire.open(service.url)) for _ in range(8)]
        for wire in wires:
            await wire.send(request("POST", PAGE, content, Content_Type="image/jpeg"))
        await service.taken_up()
        opened.set()
        answers = [await wire.answer() for wire in wires]
    assert vendor.ledger.calls == 3
    saved = [json.loads(answer.body)["cost"]["saved_usd"] for answer in answers]
    assert sorted(saved) == ["0"] + ["0.01"] * 7
    await books_agree(service, vendor.ledger)


async def test_memory_keeps_until_the_end(services: Services, vendor: ScriptedVendor, paid: dict[str, str]) -> None:
    """With memory:// an answer is a hit until the process ends, and no file is made."""
    service = services.make(**paid, HASHCACHE_STORE="memory://")
    content = photo()
    async with service:
        found = [await upload(service, content) for _ in range(2)]
    async with service:
        found.append(await upload(service, content))
    assert [answer.headers["X-Cache"] for answer in found] == ["MISS", "HIT", "MISS"]


# --- Redis away ----------------------------------------------------------------------------------------------------


async def test_row_01_redis_that_is_absent_at_start_is_no_outage(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str]
) -> None:
    """
    Without the server that it was told of, it starts and answers, and says so at start and in /readyz; once the server
    is there it is used, without a restart, and what is bought then is kept in it.
    """
    server = Valkey()
    service = await services.start(**paid, REDIS_URL=server.url)
    assert ": AWAY (" in service.log()
    content = photo()
    away = [await upload(service, content) for _ in range(3)]
    # Near memory keeps what the store cannot.
    assert [answer.headers["X-Cache"] for answer in away] == ["MISS", "HIT", "HIT"]
    assert (await store_status(service))["status"] == "degraded"
    async with client(service.url) as web:
        assert (await web.get("/healthz")).status_code == 200
    (opened,) = service.events("store.opened")
    assert (opened["status"], opened["level"]) == ("degraded", "warning")
    assert len(service.events("store.away")) == 1
    with server:
        await until(lambda: _healed(service), within=20, what="it has found the server")
        later = photo()
        bought = await upload(service, later)
        assert "stored" in bought.headers["Cache-Status"]
        assert (await upload(service, later)).headers["X-Cache"] == "HIT"
        with server.client() as there:
            assert list(there.scan_iter(f"*{sha256(later).hexdigest()}*"))
    assert [len(service.events(event)) for event in ("store.away", "store.available")] == [1, 1]


async def test_row_02_redis_that_dies_under_load_is_no_outage(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str]
) -> None:
    """
    The server is killed while uploads go on: every one is answered, what was bought lately is still a hit, and it is
    said once; when it is back, empty, it is used again without a restart.
    """
    with Valkey() as server:
        service = await services.start(**paid, REDIS_URL=server.url)
        contents = [photo() for _ in range(5)]
        known = [await upload(service, content) for content in contents]
        async with asyncio.TaskGroup() as group:
            # Each of the uploads must be a 200.
            crowded = group.create_task(crowd(service, [photo() for _ in range(40)], clients=4, uploads=400))
            await vendor.called(15)
            server.kill()
            assert not crowded.done()
        assert sum(map(len, crowded.result().values())) == 400
        again = [await upload(service, content) for content in contents]
        assert [answer.headers["X-Cache"] for answer in known + again] == ["MISS"] * 5 + ["HIT"] * 5
        assert vendor.ledger.by_digest == dict.fromkeys(vendor.ledger.by_digest, 1)
        assert (await store_status(service))["status"] == "degraded"
        server.start()
        await until(lambda: _healed(service), within=20, what="it has found the server")
        content = photo()
        assert "stored" in (await upload(service, content)).headers["Cache-Status"]
        with server.client() as there:
            assert list(there.scan_iter(f"*{sha256(content).hexdigest()}*"))
        assert [len(service.events(event)) for event in ("store.away", "store.available")] == [1, 1]
        await service.stop()


async def _healed(service: Service) -> bool:
    return (await store_status(service))["status"] == "connected"
