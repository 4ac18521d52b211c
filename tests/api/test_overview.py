"""The dashboard's figures and alerts."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.api.conftest import settings
from tests.harness.contents import photo
from tests.harness.http import client
from tests.harness.service import ADMIN_TOKEN, Service, until
from tests.harness.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="session")

OVERVIEW, ALERTS = "/api/admin/overview", "/api/admin/alerts"


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
