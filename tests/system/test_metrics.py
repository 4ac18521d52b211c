"""`/metrics` and the figures of a fleet: several processes, one truth, to whoever is asked and whatever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.contents import photo
from tests.harness.http import client
from tests.harness.service import ADMIN_TOKEN, Service, until
from tests.harness.valkey import Valkey
from tests.system.conftest import Services

#: Many processes or many tries: minutes on a busy machine.
pytestmark = pytest.mark.prove

WORKERS = 2


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of each store that processes can share."""
    if request.param == "sqlite":
        return {}
    valkey: Valkey = request.getfixturevalue("valkey")
    return {"REDIS_URL": valkey.url}


def read(page: httpx.Response) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples of a page, by name and labels."""
    assert page.status_code == 200, page.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }


def requests(samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float], outcome: str) -> float:
    """How many images had this *outcome*."""
    labels = {"outcome": outcome, "kind": "image"}
    return samples.get(("hashcache_requests_total", frozenset(labels.items())), 0)


async def scrape(url: str, **headers: str) -> httpx.Response:
    """One page, over a connection of its own, so that any worker may answer."""
    async with client(url) as web:
        return await web.get("/metrics", headers=headers)


async def stats(service: Service) -> dict[str, Any]:
    """The administrator's figures."""
    async with client(service.url, ADMIN_TOKEN) as admin:
        answer = await admin.get("/api/admin/cache/stats")
    figures: dict[str, Any] = answer.json()
    return figures


async def analyse(url: str, content: bytes) -> None:
    """One request, over a connection of its own."""
    async with client(url) as web:
        assert (await web.post("/api/analyze", content=content)).status_code == 200


async def test_counters_are_the_fleets_and_never_go_back(
    services: Services, paid: dict[str, str], store: dict[str, str]
) -> None:
    """
    Whichever of the workers answers a scrape, under load, no counter is less than in the scrape before (Prometheus
    would take it for a restart); a moment later all answer what really happened.
    """
    service = await services.start("--workers", str(WORKERS), **paid, **store)
    content = photo()
    before: dict[Any, float] = {}
    for _ in range(15):
        await asyncio.gather(*(analyse(service.url, content) for _ in range(4)))
        after = read(await scrape(service.url))
        counted = {key: value for key, value in before.items() if key[0].endswith(("_total", "_bucket", "_sum"))}
        assert not {key: (value, after.get(key)) for key, value in counted.items() if after.get(key, -1) < value}
        before = after

    async def complete() -> bool:
        pages = [read(await scrape(service.url)) for _ in range(2 * WORKERS)]
        return all(
            sum(requests(page, outcome) for outcome in ("hit", "miss", "collapsed", "stale")) == 60
            and requests(page, "miss") == 1
            for page in pages
        )

    await until(complete, what="every worker tells the whole truth")


async def test_every_process_is_told_with_its_gauges(
    services: Services, paid: dict[str, str], store: dict[str, str]
) -> None:
    """All workers, by whichever is asked; also in the administrator's figures, with their process ids."""
    service = await services.start("--workers", str(WORKERS), **paid, **store)

    async def all_told() -> bool:
        pages = [read(await scrape(service.url)) for _ in range(2 * WORKERS)]
        named = [
            {name for name, _ in page} >= {"hashcache_flights", "hashcache_near_bytes"}
            and len([key for key in page if key[0] == "hashcache_flights"]) == WORKERS
            for page in pages
        ]
        return all(named)

    await until(all_told, what="each page tells of each worker")
    told = (await stats(service))["processes"]
    pids = {process.pid for process in service.processes()}
    assert len(told) == WORKERS
    assert {one["pid"] for one in told} <= pids
    assert {one["role"] for one in told} == {"serve"}


async def test_a_killed_process_loses_what_it_did_in_the_last_second(
    services: Services, paid: dict[str, str], store: dict[str, str]
) -> None:
    """What was reported stays; who starts anew finds it, and counts on."""
    service = services.make(**paid, **store)
    async with service:
        content = photo()
        for _ in range(5):
            await analyse(service.url, content)

        async def reported() -> bool:
            return requests(read(await scrape(service.url)), "hit") == 4

        await until(reported, what="it is reported")
        await analyse(service.url, content)
        os.kill(service.pid, signal.SIGKILL)
        await service.kill()
        await service.start()
        assert requests(read(await scrape(service.url)), "hit") in {4, 5}
        assert len((await stats(service))["processes"]) <= 2


async def test_commands_and_minutes_are_told(services: Services, paid: dict[str, str], valkey: Valkey) -> None:
    """What the fleet asked of the store, this month; and what happened in each minute of the last day."""
    service = await services.start(**paid, REDIS_URL=valkey.url)
    content = photo()
    for _ in range(3):
        await analyse(service.url, content)

    async def told() -> bool:
        return (await stats(service))["cache"]["commands"]["total"] is not None

    await until(told, what="commands are reported")
    cache = (await stats(service))["cache"]
    assert cache["commands"]["total"] == cache["commands"]["month"] >= 3
    assert cache["commands"]["per_request"] == round(cache["commands"]["total"] / 3, 2)
    async with client(service.url, ADMIN_TOKEN) as admin:
        answer = (await admin.get("/api/admin/cache/minutes")).json()
        assert (answer["success"], answer["step_seconds"]) == (True, 60)
        assert sum(minute["hits"] for minute in answer["minutes"]) == 2
        assert sum(minute["by_kind"]["image"]["misses"] for minute in answer["minutes"]) == 1
        assert {minute["spent_usd"] for minute in answer["minutes"]} <= {"0.01", "0"}
        later = await admin.get("/api/admin/cache/minutes", params={"since": "2999-01-01T00:00:00+00:00"})
        assert later.json()["minutes"] == []
        for wrong in ("yesterday", "2026-11-20T10:00:00", "9" * 30, ""):
            assert (await admin.get("/api/admin/cache/minutes", params={"since": wrong})).status_code == 400


async def test_the_page_stays_while_the_store_is_away(services: Services, paid: dict[str, str], valkey: Valkey) -> None:
    """It says that the store is down, tells of this process, and shows no counter that it does not know."""
    service = await services.start(**paid, REDIS_URL=valkey.url)
    await analyse(service.url, photo())
    valkey.kill()
    samples = read(await scrape(service.url))
    assert samples["hashcache_store_up", frozenset()] == 0
    assert [name for name, _ in samples if name == "hashcache_flights"]
    assert not [name for name, _ in samples if name.endswith("_total")]


async def test_who_may_read_it(services: Services, paid: dict[str, str]) -> None:
    """On loopback whoever asks directly; through a proxy, or by another name, only an administrator."""
    service = await services.start(**paid)
    assert (await scrape(service.url)).status_code == 200
    for headers in (
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Via": "1.1 proxy"},
        {"Host": "metrics.example"},
        {"Host": "localhost.example:80"},
    ):
        assert (await scrape(service.url, **headers)).status_code == 401, headers
        assert (await scrape(service.url, Authorization=f"Bearer {ADMIN_TOKEN}", **headers)).status_code == 200


async def test_off_loopback_it_is_the_administrators(services: Services, paid: dict[str, str]) -> None:
    """A server that others can reach asks for an admin's key, whoever asks."""
    service = await services.start("--host", "0.0.0.0", **paid, HASHCACHE_PUBLIC="1")  # noqa: S104 - what it is about
    url = service.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - what it is about
    assert (await scrape(url)).status_code == 401
    assert (await scrape(url, Authorization=f"Bearer {ADMIN_TOKEN}")).status_code == 200
