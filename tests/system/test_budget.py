"""A budget of a fleet, over HTTP: it is spent to the last call, and what costs nothing goes on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from httpx import Response

from tests.harness.books import books_agree
from tests.harness.contents import photo
from tests.harness.http import client, problem
from tests.harness.service import until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor
from tests.system.conftest import Services

CALLS, UPLOADS = 50, 200


@pytest.mark.prove
async def test_row_52_two_hundred_misses_against_fifty_calls(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], valkey: Valkey
) -> None:
    """
    200 new files at the same moment at two services, which together may pay for 50: exactly 50 calls; 150 are refused
    with the time at which the budget begins anew. What was bought is a hit everywhere still, and the books agree.
    """
    environment = {**paid, "REDIS_URL": valkey.url, "HASHCACHE_MONTHLY_BUDGET_USD": "0.50"}
    both = [await services.start(**environment) for _ in range(2)]
    contents = [photo() for _ in range(UPLOADS)]
    one, two = client(both[0].url), client(both[1].url)
    async with one, two:
        everybody = zip([one, two] * (UPLOADS // 2), contents, strict=True)
        answers = await asyncio.gather(*(ask(web, content) for web, content in everybody))
        bought = [content for content, answer in zip(contents, answers, strict=True) if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert (len(bought), len(refused), vendor.ledger.calls) == (CALLS, UPLOADS - CALLS, CALLS)
        for answer in refused:
            assert (answer.status_code, problem(answer)) == (429, "budget-spent")
            resets = datetime.fromisoformat(answer.json()["resets"])
            assert resets == next_month()
            wait = timedelta(seconds=int(answer.headers["Retry-After"]))
            assert abs(datetime.now(UTC) + wait - resets) < timedelta(minutes=1)
        for web in (one, two):
            await until(lambda web=web: is_ready(web), what="the store answers in time again, after such a burst")
            hits = [await ask(web, content) for content in bought]
            assert {(answer.status_code, answer.headers["X-Cache"]) for answer in hits} == {(200, "HIT")}
    report = await books_agree(both[0], vendor.ledger)
    (budget,) = report["budgets"]
    assert (report["calls"]["stored"], budget["used_usd"], budget["left_usd"]) == (CALLS, "0.5", "0")


async def is_ready(web: httpx.AsyncClient) -> bool:
    """Whether its store answers."""
    return bool((await web.get("/readyz")).json()["store"]["status"] == "connected")


async def ask(web: httpx.AsyncClient, content: bytes) -> Response:
    """The answer to an upload of *content*."""
    return await web.post("/api/analyze", content=content, headers={"Content-Type": "image/jpeg"})


def next_month() -> datetime:
    """The next first of a month, UTC, at 0:00."""
    late = datetime.now(UTC).replace(day=28, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=4)
    return late.replace(day=1)
