"""A provider's epoch, over HTTP, on two services that share a Valkey server: raised on one, in force on both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import KEYS, settings
from tests.harness.contents import photo, text
from tests.harness.http import client, problem
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor, gate, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROVIDERS = "/api/admin/providers"
EPOCH = f"{PROVIDERS}/generic/epoch"
REANALYSIS = f"{PROVIDERS}/generic/reanalysis"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(market: ScriptedVendor, folder: Path) -> AsyncIterator[tuple[Service, Service]]:
    """Two machines of one fleet."""
    with Valkey() as valkey:
        environment = {
            **settings(market, folder, HASHCACHE_ENV=f"epoch-{uuid4().hex[:8]}"),
            "HASHCACHE_STORE": valkey.url,
        }
        async with (
            Service(folder / "epoch-one", environment) as one,
            Service(folder / "epoch-two", environment) as two,
        ):
            yield one, two
            assert not one.events("request.fault")
            assert not two.events("request.fault")


@pytest_asyncio.fixture(loop_scope="session")
async def one(pair: tuple[Service, Service]) -> AsyncIterator[httpx.AsyncClient]:
    """An admin of the first."""
    async with client(pair[0].url, ADMIN_TOKEN) as web:
        yield web


@pytest_asyncio.fixture(loop_scope="session")
async def two(pair: tuple[Service, Service]) -> AsyncIterator[httpx.AsyncClient]:
    """An admin of the second."""
    async with client(pair[1].url, ADMIN_TOKEN) as web:
        yield web


async def ask(web: httpx.AsyncClient, content: bytes) -> httpx.Response:
    """One upload, answered."""
    answer = await web.post("/api/analyze", content=content)
    assert answer.status_code == 200, answer.text
    return answer


async def advance(web: httpx.AsyncClient, reason: str = "") -> int:
    """Raise the epoch; the new one."""
    answer = await web.post(EPOCH, json={"reason": reason})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert {**document, "epoch": 0} == {"success": True, "provider": "generic", "epoch": 0, "reason": reason}
    epoch: int = document["epoch"]
    return epoch


async def epoch_of(web: httpx.AsyncClient) -> int:
    """The provider's epoch, as it is listed."""
    (listed,) = (await web.get(PROVIDERS)).json()["providers"]
    epoch: int = listed["epoch"]
    return epoch


async def test_no_process_serves_an_older_epoch_once_it_is_raised(
    one: httpx.AsyncClient, two: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """Both had the answer near; the first who asks buys under a new key, the other finds it there."""
    content = photo()
    name = sha256(content).hexdigest()
    for web in (one, two, one, two):
        await ask(web, content)
    before = (await ask(two, content)).headers
    assert (before["X-Cache"], vendor.ledger.by_digest[name]) == ("HIT", 1)
    epoch = await advance(one, "new model")
    assert [await epoch_of(web) for web in (one, two)] == [epoch, epoch]
    assert [(await web.get(f"/api/analyses/{name}")).status_code for web in (two, one)] == [404, 404]
    bought, found = await ask(two, content), await ask(one, content)
    assert [answer.headers["X-Cache"] for answer in (bought, found)] == ["MISS", "HIT"]
    assert bought.headers["X-Cache-Key"] == found.headers["X-Cache-Key"] != before["X-Cache-Key"]
    assert vendor.ledger.by_digest[name] == 2


async def test_a_call_under_way_gives_its_answer_to_nobody_who_asks_later(
    one: httpx.AsyncClient, two: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """Who asked before is given it; it is not kept, and who asks afterwards does not wait for it."""
    content, opened = photo(), asyncio.Event()
    calls = vendor.ledger.calls
    vendor.then(gate(opened, ok(0.1)), ok(0.9))
    old = asyncio.create_task(ask(two, content))
    await vendor.called(calls + 1)
    await advance(one)
    new = await ask(two, content)
    opened.set()
    assert [answer.json()["result"]["score_ai"] for answer in (await old, new)] == [0.1, 0.9]
    assert (await old).headers["X-Cache-Key"] != new.headers["X-Cache-Key"]
    for web in (one, two):
        again = await ask(web, content)
        assert (again.headers["X-Cache"], again.json()["result"]["score_ai"]) == ("HIT", 0.9)


async def test_each_raise_counts_one(one: httpx.AsyncClient, two: httpx.AsyncClient) -> None:
    """Also of several at one moment on two machines, and with no body at all."""
    before = await epoch_of(one)
    raised = await asyncio.gather(*(advance(web) for web in (one, two, one, two)))
    assert sorted(raised) == list(range(before + 1, before + 5))
    assert (await two.post(EPOCH)).json()["epoch"] == before + 5 == await epoch_of(one)


async def test_what_is_older_is_counted_and_priced(
    one: httpx.AsyncClient, two: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """By kind, at the price that was paid; near verdicts by name, the nearest first; no failure, nothing cleared."""
    await advance(one)
    await one.post("/api/admin/cache/clear", json={})
    assert (await one.get(REANALYSIS)).json()["entries"] == 0
    scores = {photo(): 0.45, photo(): 0.6, photo(): 0.95, text().encode(): 0.61}
    keys = {}
    for content, score in scores.items():
        vendor.then(ok(score))
        keys[score] = (await ask(one, content)).headers["X-Cache-Key"]
    vendor.then(status(400))
    assert (await one.post("/api/analyze", content=photo())).status_code == 422
    assert (await two.get(REANALYSIS)).json()["entries"] == 0
    present = (await two.get(REANALYSIS, params={"of": "present"})).json()
    assert (present["of"], present["entries"], present["cost_usd"]) == ("present", 4, "0.04")
    epoch = await advance(one)
    fresh = await ask(one, photo())
    document = (await two.get(REANALYSIS)).json()
    assert document.pop("scanned") >= 5
    assert document == {
        "success": True,
        "provider": "generic",
        "epoch": epoch,
        "of": "older",
        "entries": 4,
        "by_kind": {"image": 3, "video": 0, "text": 1},
        "cost_usd": "0.04",
        "threshold": 0.5,
        "near": 0.1,
        "near_threshold": 2,
        "nearest": [{"key": keys[0.45], "score_ai": 0.45}, {"key": keys[0.6], "score_ai": 0.6}],
        "complete": True,
    }
    wide = (await two.get(REANALYSIS, params={"near": "1"})).json()
    assert (wide["near_threshold"], [one["score_ai"] for one in wide["nearest"]]) == (4, [0.45, 0.6, 0.61, 0.95])
    assert fresh.headers["X-Cache-Key"] not in {named["key"] for named in wide["nearest"]}
    await one.post("/api/admin/cache/invalidate/text")
    assert (await two.get(REANALYSIS)).json()["entries"] == 3


async def test_the_providers_are_listed(one: httpx.AsyncClient) -> None:
    """With what a dashboard shows of them."""
    (listed,) = (await one.get(PROVIDERS)).json()["providers"]
    assert listed.pop("epoch") >= 0
    closed = {"provider": "generic", "state": "closed", "failures": 0, "reason": None, "until": None}
    assert listed == {
        "name": "generic",
        "kinds": ["image", "video", "text"],
        "asked_for": {"image": 1, "video": 1, "text": 1},
        "embedded": False,
        "unit": "call",
        "price_usd": "0.01",
        "price_read": None,
        "limits": [],
        "ai_above": 0.5,
        "breaker": closed,
    }


async def test_only_admins_may(keyed: Service) -> None:
    """A user's key is 403 on all three, none 401."""
    for key, code in ((KEYS["ann"], 403), (None, 401)):
        async with client(keyed.url, key) as web:
            answers = [await web.get(PROVIDERS), await web.post(EPOCH), await web.get(REANALYSIS)]
        assert [answer.status_code for answer in answers] == [code] * 3


@pytest.mark.parametrize("name", ["hive", "nobody", "%2F", "x" * 300])
async def test_an_unknown_provider_is_404(one: httpx.AsyncClient, name: str) -> None:
    """Also one that exists and is not asked for anything here; no epoch is raised."""
    for answer in (
        await one.post(f"{PROVIDERS}/{name}/epoch"),
        await one.get(f"{PROVIDERS}/{name}/reanalysis"),
    ):
        assert (answer.status_code, problem(answer)) == (404, "not-found")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"reason": 1}', b'{"epoch": 9}', b'{"reason": "%s"}' % (b"x" * 201)])
async def test_a_wrong_body_raises_nothing(one: httpx.AsyncClient, body: bytes) -> None:
    """400, and the epoch is what it was."""
    before = await epoch_of(one)
    answer = await one.post(EPOCH, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, problem(answer)) == (400, "malformed")
    assert await epoch_of(one) == before


@pytest.mark.parametrize("near", ["", "-0.1", "1.1", "nan", "0,1", "1e-1", "0.1234567"])
async def test_near_is_a_number_from_0_to_1(one: httpx.AsyncClient, near: str) -> None:
    """Anything else is 400; so is asking of other epochs than the older ones or the present one."""
    answer = await one.get(REANALYSIS, params={"near": near})
    assert (answer.status_code, problem(answer)) == (400, "malformed")
    answer = await one.get(REANALYSIS, params={"of": near})
    assert (answer.status_code, problem(answer)) == (400, "malformed")
