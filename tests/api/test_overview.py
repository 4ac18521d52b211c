"""The dashboard's figures and alerts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.api.conftest import settings
from tests.harness.contents import photo
from tests.harness.faults import Delay
from tests.harness.http import client
from tests.harness.proxy import FaultProxy
from tests.harness.service import ADMIN_TOKEN, Service, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

OVERVIEW, ALERTS = "/api/admin/overview", "/api/admin/alerts"
#: The connections that a strained server allows.
MOST = 50


async def test_the_figures_move_while_requests_run(
    service: Service, web: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """What was just answered is in the figures within two seconds, in the counts, the series and the latencies."""
    async with client(service.url, ADMIN_TOKEN) as admin:
        before = (await admin.get(OVERVIEW)).json()
        content = photo()
        for _ in range(3):
            await web.post("/api/analyze", content=content)

        async def moved() -> bool:
            now = (await admin.get(OVERVIEW)).json()
            return bool(now["cache"]["hits"] >= before["cache"]["hits"] + 2)

        await until(moved)
        now = (await admin.get(OVERVIEW)).json()
    assert now["environment"] == "dev"
    assert now["cache"]["misses"] > before["cache"]["misses"]
    assert sum(now["latency"]["levels"]["near"]["counts"]) > 0
    assert len(now["series"]["hour"]["hits"]) == 60
    assert len(now["series"]["day"]["hits"]) == 96
    assert now["store"]["bytes"]["image"] > 0
    assert [one["role"] for one in now["processes"]] == ["serve"]


async def test_many_who_look_cost_one_look(service: Service) -> None:
    """Whoever asks within a second and a half gets the same figures: they were made once."""
    async with client(service.url, ADMIN_TOKEN) as admin:
        answers = [(await admin.get(OVERVIEW)).content for _ in range(5)]
    assert len(set(answers)) <= 2


async def test_a_low_hit_rate_and_a_budget_raise_alerts(market: ScriptedVendor, folder: Path) -> None:
    """Thirty misses and a budget that is nearly spent: both are told, with a number and what to do."""
    environment = settings(
        market, folder, HASHCACHE_ENV="alerting", HASHCACHE_DAILY_BUDGET_USD="0.32", HASHCACHE_ALERT_BUDGET="90"
    )
    async with Service(folder / "alerting", environment) as service, client(service.url, ADMIN_TOKEN) as admin:
        for _ in range(30):
            await admin.post("/api/analyze", content=photo())

        async def told() -> list[dict[str, object]]:
            alerts: list[dict[str, object]] = (await admin.get(ALERTS)).json()["alerts"]
            return alerts if len(alerts) == 2 else []

        alerts = await until(told, within=25)
    rate, budget = sorted(alerts, key=lambda alert: str(alert["name"]), reverse=True)
    assert (rate["name"], rate["level"], rate["value"], rate["threshold"]) == ("hit_rate", "critical", 0, 20)
    assert "never seen before" in rate["advice"]
    assert (budget["name"], budget["level"], budget["value"]) == ("budget.all.day", "warning", 93.75)


async def test_a_slow_store_and_many_connections_raise_alerts(valkey: Valkey, folder: Path) -> None:
    """
    What the server tells of its connections, and how long commands take, are told as they are; an alert begins where
    either crosses its setting, tells both numbers, and ends when others have hung up.
    """
    others: list[Redis] = []
    async with FaultProxy(valkey.port) as proxy:
        with valkey.client() as server:
            server.config_set("maxclients", MOST)
        environment = {
            "REDIS_URL": proxy.url,
            "HASHCACHE_ALERT_CONNECTIONS": "60",
            "HASHCACHE_ALERT_STORE_P95": "80ms",
        }
        async with Service(folder / "strained", environment) as service, client(service.url, ADMIN_TOKEN) as admin:

            async def alert(name: str) -> dict[str, Any] | None:
                alerts = (await admin.get(ALERTS)).json()["alerts"]
                return next((one for one in alerts if one["name"] == name), None)

            async def ended() -> bool:
                return await alert("connections") is None

            store = (await admin.get(OVERVIEW)).json()["store"]
            assert (store["most_connections"], await alert("connections")) == (MOST, None)
            try:
                for _ in range(MOST * 60 // 100):
                    others.append(valkey.client())
                    others[-1].ping()
                told = await until(lambda: alert("connections"))
                assert (told["level"], told["threshold"]) == ("warning", 60)
                assert 60 < told["value"] <= 100
                assert f"of {MOST}" in told["detail"]
            finally:
                for one in others:
                    one.close()
            await until(ended)
            proxy.impose(Delay(replies=timedelta(milliseconds=120)))
            told = await until(lambda: alert("store_p95"), within=25)
            assert (told["level"], told["threshold"], told["value"] > 80) == ("warning", 80, True)
            assert (await admin.get(OVERVIEW)).json()["store"]["p95_ms"] > 80
