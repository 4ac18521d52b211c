"""`hashcache reanalyse`, against a running service; and epochs over restarts and without a store."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

from tests.harness.contents import photo
from tests.harness.http import client, problem
from tests.harness.process import Ended, hashcache
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor, ok
from tests.system.conftest import Services

PROVIDERS = "/api/admin/providers"


async def buy(service: Service, vendor: ScriptedVendor, *scores: float) -> None:
    """One answer for each of *scores*."""
    async with client(service.url) as web:
        for score in scores:
            vendor.then(ok(score))
            assert (await web.post("/api/analyze", content=photo())).headers["X-Cache"] == "MISS"


async def reanalyse(folder: Path, service: Service, *options: str) -> Ended:
    """The command, with an admin's key."""
    environment = {"HASHCACHE_URL": service.url, "HASHCACHE_API_KEY": ADMIN_TOKEN}
    return await hashcache(folder, "reanalyse", *options, environment=environment)


async def test_what_a_new_model_would_cost(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], tmp_path: Path
) -> None:
    """A table for people, JSON for programs: how many, at what price, and the near ones by name."""
    service = await services.start(**paid, HASHCACHE_STORE="memory://")
    await buy(service, vendor, 0.52, 0.9, 0.97)
    for options, count in ((["--present"], 3), ([], 0)):
        told = await reanalyse(tmp_path, service, "--dry-run", "--json", *options)
        assert json.loads(told.out)["providers"][0]["entries"] == count
    async with client(service.url, ADMIN_TOKEN) as admin:
        await admin.post(f"{PROVIDERS}/generic/epoch")
    told = await reanalyse(tmp_path, service, "--dry-run")
    assert told.code == 0
    assert told.out.splitlines()[1].split() == ["generic", "1", "3", "3", "0", "0", "0.03", "1"]
    assert "generic: scores within 0.1 of 0.5, the nearest first:" in told.out
    assert "  0.52  analysis:" in told.out
    told = await reanalyse(tmp_path, service, "--dry-run", "--provider", "generic", "--near", "0.41", "--json")
    (found,) = json.loads(told.out)["providers"]
    assert (found["entries"], found["cost_usd"], found["near_threshold"]) == (3, "0.03", 2)


async def test_nothing_is_analysed_again_by_itself(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], tmp_path: Path
) -> None:
    """Without --dry-run it says why and ends with 2; a provider that is not there ends with 1."""
    service = await services.start(**paid, HASHCACHE_STORE="memory://")
    refused = await reanalyse(tmp_path, service)
    assert (refused.code, refused.out) == (2, "")
    assert "uploads are not kept" in " ".join(refused.err.split())
    unknown = await reanalyse(tmp_path, service, "--dry-run", "--provider", "hive")
    assert (unknown.code, unknown.out) == (1, "")
    assert "these are: generic" in unknown.err
    assert vendor.ledger.calls == 0


async def test_an_epoch_outlives_the_processes_and_is_added_to_the_setting(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], tmp_path: Path
) -> None:
    """Raised once, then set to 3 and started anew: 4, and what was bought before the setting is older as well."""
    store = f"sqlite:///{tmp_path}/shared.sqlite3"
    service = await services.start(**paid, HASHCACHE_STORE=store)
    async with client(service.url, ADMIN_TOKEN) as admin:
        assert (await admin.post(f"{PROVIDERS}/generic/epoch")).json()["epoch"] == 1
    await buy(service, vendor, 0.9)
    await service.stop()
    service = await services.start(**paid, HASHCACHE_STORE=store, HASHCACHE_GENERIC_EPOCH="3")
    async with client(service.url, ADMIN_TOKEN) as admin:
        (listed,) = (await admin.get(PROVIDERS)).json()["providers"]
        assert listed["epoch"] == 4
        assert (await admin.get(f"{PROVIDERS}/generic/reanalysis")).json()["entries"] == 1
        assert (await admin.post(f"{PROVIDERS}/generic/epoch")).json()["epoch"] == 5


async def test_without_the_store_no_epoch_is_raised(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], valkey: Valkey
) -> None:
    """503 and nothing claimed; the list is given, with what is not known as null."""
    environment = {"HASHCACHE_STORE": valkey.url, "HASHCACHE_ENV": f"epoch-{uuid4().hex[:8]}"}
    service = await services.start(**paid, **environment)
    async with client(service.url, ADMIN_TOKEN) as admin:
        valkey.kill()
        for refused in (
            await admin.post(f"{PROVIDERS}/generic/epoch"),
            await admin.get(f"{PROVIDERS}/generic/reanalysis"),
        ):
            assert (refused.status_code, problem(refused)) == (503, "store-unavailable")
        (listed,) = (await admin.get(PROVIDERS)).json()["providers"]
        assert (listed["epoch"], listed["breaker"]) == (0, None)
