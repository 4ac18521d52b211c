"""A vendor who takes a job and is asked for it later: who asks may die, and nobody uploads or pays again."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path

import pytest

from loadtests.dialects.reality_defender import KEY, RESULT, analysed
from tests.harness.books import settled
from tests.harness.contents import photo
from tests.harness.dialects.reality_defender import RealityDefender, said
from tests.harness.fleet import PRICE, Fleet
from tests.harness.service import until

pytestmark = [pytest.mark.prove, pytest.mark.timeout(120)]


@pytest.mark.parametrize("shared", ["redis", "sqlite"], indirect=True)
async def test_killed_while_it_asks_for_the_result(shared: dict[str, str], tmp_path: Path) -> None:
    """
    The process that had the job taken is killed with -9 while it polls: another one asks on with the receipt that is
    on record. The vendor was asked for one address and sent one upload; one call is in the books, paid once.
    """
    async with RealityDefender() as vendor:
        environment = {
            **shared,
            "HASHCACHE_LEASE": "1s",
            "HASHCACHE_PROVIDER": "reality_defender",
            "HASHCACHE_REALITY_DEFENDER_URL": vendor.url,
            "HASHCACHE_REALITY_DEFENDER_PRICE_USD": PRICE,
            "REALITY_DEFENDER_API_KEY": KEY,
        }
        pending = said(analysed("request-00000001", "ANALYZING", None))
        vendor.then(RESULT, *[pending] * 3)
        content = photo()
        async with Fleet(tmp_path, vendor.url, [environment] * 2) as fleet:
            dying, other = fleet.services
            asked = asyncio.create_task(fleet.callers(1, dying)[0].upload(content))
            await until(lambda: vendor.calls("GET"), within=20, what="it asks for the result")
            await fleet.kill(dying)
            before = len(vendor.calls("GET"))
            with pytest.raises((OSError, EOFError)):
                await asked
            answer = await fleet.callers(1, other)[0].upload(content)
            assert answer.status == 200, answer.body
            assert answer.json["cost"]["spent_usd"] == PRICE
            assert answer.json["result"]["verdict"] == "ai_generated"
            report = await settled(other)
        assert len(vendor.calls("GET")) > before
        assert {request.path for request in vendor.calls("GET")} == {"/api/media/users/request-00000001"}
        assert [len(vendor.calls(method)) for method in ("POST", "PUT")] == [1, 1]
        assert vendor.uploaded == {"request-00000001": sha256(content).hexdigest()}
        calls = {name: count for name, count in report["calls"].items() if count}
        assert (calls, report["spent_usd"], report["wasted_usd"]) == ({"sent": 1, "stored": 1}, PRICE, "0")
