"""Where the money went, over HTTP: what is booked for each end of a call, budgets, and a vendor's bill beside it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import KEYS, settings
from tests.harness.contents import clip, photo, text
from tests.harness.http import client, problem
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import ScriptedVendor, gate, hang_up_read, ok, status

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPEND = "/api/admin/spend"
IMPORT = "/api/admin/spend/import?provider=generic"
PAGE = "/api/analyze"
FATES = ("stored", "unkept", "fenced", "failed", "unknown")
NOTHING: dict[str, Any] = {}


@pytest_asyncio.fixture(loop_scope="session")
async def root(keyed: Service, vendor: ScriptedVendor) -> AsyncIterator[httpx.AsyncClient]:
    """The admin of `keyed`, who analyses for the tenant red."""
    async with client(keyed.url, KEYS["root"]) as root:
        yield root


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def frugal(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """A service that may make two calls a day, and three a month for the tenant default."""
    budgets = {"HASHCACHE_DAILY_BUDGET_USD": "0.02", "HASHCACHE_TENANT_BUDGETS": "default:0.03/month,other:1/day"}
    async with Service(folder / "frugal", settings(market, folder, HASHCACHE_ENV="frugal", **budgets)) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lonely(market: ScriptedVendor, folder: Path) -> AsyncIterator[Service]:
    """A service whose store is away."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = settings(market, folder, HASHCACHE_STORE=f"redis://127.0.0.1:{port}")
    async with Service(folder / "lonely", environment) as service:
        yield service


async def spend(admin: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    """The present answer."""
    answer = await admin.get(SPEND, params=query)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def flat(figures: dict[str, Any]) -> dict[str, Decimal]:
    """*figures* by name, amounts in dollars, without what is 0; of a whole answer, the figures in all."""
    found = {
        **{f"{word}_usd": Decimal(figures[f"{word}_usd"]) for word in ("spent", "saved", "wasted")},
        **{name: Decimal(figures[name]) for name in ("hits", "collapsed")},
        **{name: Decimal(count) for name, count in figures["calls"].items()},
        **{f"units.{name}": Decimal(count) for name, count in figures["units"].items()},
    }
    return {name: amount for name, amount in found.items() if amount}


def total(parts: list[dict[str, Any]]) -> dict[str, Decimal]:
    """The sum of *parts*."""
    found: dict[str, Decimal] = {}
    for part in parts:
        for name, amount in flat(part).items():
            found[name] = found.get(name, Decimal(0)) + amount
    return found


async def booked(admin: httpx.AsyncClient, act: Callable[[], Awaitable[object]]) -> dict[str, Any]:
    """What *act* has added to the figures in all; amounts as they are written, counts as int."""
    before = flat(await spend(admin))
    await act()
    after = flat(await spend(admin))
    grown = {name: after.get(name, 0) - before.get(name, 0) for name in after}
    return {name: str(amount) if name.endswith("_usd") else int(amount) for name, amount in grown.items() if amount}


# --- Who may ask, and for what -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), [("GET", SPEND), ("POST", IMPORT)])
async def test_money_is_shown_to_admins_alone(keyed: Service, method: str, path: str) -> None:
    """Without a key and with an unknown one 401, with a user's 403; what is asked does not matter."""
    for key, expected in ((None, "unauthorized"), ("nobody", "unauthorized"), (KEYS["ann"], "forbidden")):
        async with client(keyed.url, key) as web:
            for query in ({}, {"days": "x", "provider": "x"}):
                assert problem(await web.request(method, path, params=query or None)) == expected


@pytest.mark.parametrize("days", ["0", "401", "1000", "-1", "1.5", "x", "", "٣", " 7"])
async def test_days_that_are_refused(root: httpx.AsyncClient, days: str) -> None:
    """Anything but a whole number from 1 to 400, in digits, is a 400 that says so."""
    answer = await root.get(SPEND, params={"days": days})
    assert (answer.status_code, problem(answer)) == (400, "malformed")
    assert "from 1 to 400" in answer.json()["detail"]


@pytest.mark.parametrize(("days", "before"), [("1", 0), ("007", 6), ("400", 399), (None, 29)])
async def test_days_that_are_told(root: httpx.AsyncClient, days: str | None, before: int) -> None:
    """So many days of UTC, today included; 30 where none are named."""
    answer = await spend(root, **({"days": days} if days else {}))
    until = date.fromisoformat(answer["until"])
    assert date.fromisoformat(answer["since"]) == until - timedelta(days=before)
    assert abs(until - datetime.now(UTC).date()) <= timedelta(days=1)


# --- What is booked ------------------------------------------------------------------------------------------------


async def test_a_miss_is_spent_and_a_hit_saved(root: httpx.AsyncClient) -> None:
    """The price is spent once and saved by each later hit; each is there as soon as its answer is."""
    content = photo()
    miss = await booked(root, lambda: root.post(PAGE, content=content))
    assert miss == {"spent_usd": "0.01", "sent": 1, "stored": 1, "units.calls": 1}
    assert await booked(root, lambda: root.post(PAGE, content=content)) == {"saved_usd": "0.01", "hits": 1}


async def test_whoever_joins_a_call_saves_its_price(
    keyed: Service, root: httpx.AsyncClient, vendor: ScriptedVendor
) -> None:
    """Three uploads at once: one call is paid for, two have joined it."""
    content, opened, calls = photo(), asyncio.Event(), vendor.ledger.calls
    vendor.then(gate(opened, ok()))

    async def crowd() -> None:
        uploads = [asyncio.create_task(root.post(PAGE, content=content)) for _ in range(3)]
        await vendor.called(calls + 1)
        await keyed.taken_up()
        opened.set()
        assert [answer.status_code for answer in await asyncio.gather(*uploads)] == [200] * 3

    assert await booked(root, crowd) == {
        "spent_usd": "0.01",
        "saved_usd": "0.02",
        "collapsed": 2,
        "sent": 1,
        "stored": 1,
        "units.calls": 1,
    }


@pytest.mark.parametrize(
    ("script", "wasted"),
    [(status(400), NOTHING), (hang_up_read, {"wasted_usd": "0.01"}), (ok(2), {"wasted_usd": "0.01"})],
    ids=["refused", "unanswered", "nonsense"],
)
async def test_a_failed_call_is_wasted_where_it_may_be_billed(
    root: httpx.AsyncClient, vendor: ScriptedVendor, script: Any, wasted: dict[str, str]
) -> None:
    """A call without an answer is counted as failed; its price as wasted, unless the vendor has plainly refused."""
    vendor.then(script)
    found = await booked(root, lambda: root.post(PAGE, content=photo()))
    assert found == {"sent": 1, "failed": 1, **wasted}


async def test_what_is_bought_and_not_kept_is_spent(root: httpx.AsyncClient) -> None:
    """`no-store` is a call of its own class."""
    found = await booked(root, lambda: root.post(PAGE, content=clip(), headers={"Cache-Control": "no-store"}))
    assert found == {"spent_usd": "0.01", "sent": 1, "unkept": 1, "units.calls": 1}


async def test_a_refresh_is_spent_and_labelled(root: httpx.AsyncClient) -> None:
    """A refresh is a call like any other, and saves nothing; a label tells how many there were."""
    content = photo()
    await root.post(PAGE, content=content)
    found = await booked(root, lambda: root.post(PAGE, content=content, headers={"X-Force-Refresh": "true"}))
    assert found == {"spent_usd": "0.01", "sent": 1, "stored": 1, "refresh": 1, "units.calls": 1}


async def test_what_is_cleared_under_way_is_spent(root: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """An answer that was cleared before it came is paid for and given, not stored: `fenced`."""
    content, opened, calls = photo(), asyncio.Event(), vendor.ledger.calls
    vendor.then(gate(opened, ok()))

    async def cleared() -> None:
        upload = asyncio.create_task(root.post(PAGE, content=content))
        await vendor.called(calls + 1)
        assert (await root.post("/api/admin/cache/clear", json={"pattern": "analysis:*"})).status_code == 200
        opened.set()
        assert (await upload).status_code == 200

    assert await booked(root, cleared) == {"spent_usd": "0.01", "sent": 1, "fenced": 1, "units.calls": 1}


async def test_what_nobody_was_asked_is_not_booked(root: httpx.AsyncClient) -> None:
    """An upload that is refused before a provider is asked costs nothing."""
    assert await booked(root, lambda: root.post(PAGE, content=b"\0\1\2")) == NOTHING


async def test_parts_add_up(keyed: Service, root: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """
    Providers, kinds, tenants and days each add up to the whole, every call is in one class, and the vendor's ledger
    agrees; all time is the sum of all days.
    """
    calls = vendor.ledger.calls
    start = await spend(root)
    before = flat(start)
    blue = flat(start["by_tenant"]["blue"]) if "blue" in start["by_tenant"] else {}
    async with client(keyed.url, KEYS["bob"]) as bob:
        for caller in (root, bob):
            for content in (photo(), clip(), text().encode()):
                await caller.post(PAGE, content=content)
                await caller.post(PAGE, content=content)
    vendor.then(hang_up_read)
    await root.post(PAGE, content=photo())
    answer = await spend(root, days="400")
    whole = flat(answer)
    assert whole["sent"] - before.get("sent", 0) == vendor.ledger.calls - calls == 7
    assert whole["sent"] == sum(whole.get(fate, 0) for fate in FATES)
    for parts in ("by_provider", "by_kind", "by_tenant"):
        assert total(list(answer[parts].values())) == whole, parts
    assert total(answer["by_day"]) == flat(answer["all_time"]) == whole
    assert (set(answer["by_provider"]), set(answer["by_kind"])) == ({"generic"}, {"image", "text", "video"})
    assert set(answer["by_tenant"]) == {"red", "blue"}
    assert flat(answer["by_tenant"]["blue"])["hits"] - blue.get("hits", 0) == 3
    assert (answer["open_attempts"], answer["budgets"]) == ([], [])
    projection = answer["projection"]
    assert projection is None or projection["sentence"].startswith("At this rate: ")


async def test_a_call_under_way_is_on_record(root: httpx.AsyncClient, vendor: ScriptedVendor) -> None:
    """While the vendor works, the attempt is shown with what it may cost; it is in no class yet."""
    opened, calls = asyncio.Event(), vendor.ledger.calls
    vendor.then(gate(opened, ok()))
    before = await spend(root)
    upload = asyncio.create_task(root.post(PAGE, content=photo()))
    await vendor.called(calls + 1)
    during = await spend(root)
    opened.set()
    await upload
    (attempt,) = during["open_attempts"]
    assert (attempt["provider"], attempt["kind"], attempt["tenant"]) == ("generic", "image", "red")
    assert (attempt["estimate_usd"], attempt["tries"], attempt["has_receipt"]) == ("0.01", 1, False)
    assert attempt["started"] <= attempt["until"]
    assert flat(during) == flat(before)
    assert (await spend(root))["open_attempts"] == []


async def test_the_figures_tell_the_same_money(root: httpx.AsyncClient) -> None:
    """`GET /api/admin/cache/stats` and the books agree on every sum, in all and by provider."""
    content = photo()
    await root.post(PAGE, content=content)
    await root.post(PAGE, content=content)
    money = (await root.get("/api/admin/cache/stats")).json()["money"]
    books = await spend(root)
    names = ("spent_usd", "saved_usd", "wasted_usd")
    whole = books["all_time"]
    assert {name: money[name] for name in names} == {name: whole[name] for name in names}
    assert money["calls"] == whole["calls"]["sent"]
    generic = books["by_provider"]["generic"]
    assert money["by_provider"]["generic"] == {
        "calls": generic["calls"]["sent"],
        **{name: generic[name] for name in names},
    }


# --- Budgets -------------------------------------------------------------------------------------------------------


async def test_a_spent_budget_refuses_and_says_until_when(frugal: Service, vendor: ScriptedVendor) -> None:
    """
    Two calls fit; the third is a 429 that names the budget and when it begins anew. Hits are still served, and nothing
    is booked for what was not bought.
    """
    contents = [photo() for _ in range(3)]
    calls = vendor.ledger.calls
    async with client(frugal.url, ADMIN_TOKEN) as web:
        answers = [await web.post(PAGE, content=content) for content in contents]
        again = await web.post(PAGE, content=contents[0])
        answer = await spend(web)
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert vendor.ledger.calls - calls == 2
    refused = answers[2]
    assert problem(refused) == "budget-spent"
    body = refused.json()
    assert (again.status_code, again.headers["X-Cache"]) == (200, "HIT")
    all_day, tenant_month, other_day = answer["budgets"]
    assert all_day | {"resets": ""} == {
        "scope": "all",
        "period": "day",
        "limit_usd": "0.02",
        "used_usd": "0.02",
        "left_usd": "0",
        "resets": "",
    }
    assert (tenant_month["scope"], tenant_month["period"]) == ("tenant=default", "month")
    assert (tenant_month["used_usd"], tenant_month["left_usd"]) == ("0.02", "0.01")
    assert (other_day["scope"], other_day["used_usd"], other_day["left_usd"]) == ("tenant=other", "0", "1")
    assert (body["budget"], body["resets"]) == ("all", all_day["resets"])
    assert body["resets"] in body["detail"]
    assert 1 <= body["retry_after"] <= 86_400
    assert refused.headers["Retry-After"] == str(body["retry_after"])
    assert flat(answer) == {
        "spent_usd": Decimal("0.02"),
        "saved_usd": Decimal("0.01"),
        "hits": 1,
        "sent": 2,
        "stored": 2,
        "units.calls": 2,
    }


# --- A vendor's bill -----------------------------------------------------------------------------------------------


async def test_a_bill_is_compared_with_the_books(root: httpx.AsyncClient) -> None:
    """
    Day by day and in all: what is billed, what is booked, and the difference. Columns in any order, foreign ones,
    several lines of a day and a byte order mark are fine; nothing of it is kept.
    """
    await root.post(PAGE, content=photo())
    before = await spend(root)
    today, earlier = before["until"], "2020-02-29"
    ours = next(day for day in before["by_day"] if day["day"] == today)
    calls, cost = ours["calls"]["sent"], Decimal(ours["spent_usd"]) + Decimal(ours["wasted_usd"])
    lines = ["Cost,plan,day,CALLS", f"{cost},pro,{today},{calls}", f"$0.5,,{today},1", "", f'"1.25",pro,{earlier},2']
    answer = await root.post(IMPORT, content="\ufeff" + "\r\n".join(lines), headers={"Content-Type": "text/csv"})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert (document["success"], document["provider"]) == (True, "generic")
    assert document["drift"] == {"calls": 3, "usd": "1.75"}
    past, present = document["days"]
    assert past == {
        "day": earlier,
        "billed": {"calls": 2, "usd": "1.25"},
        "booked": {"calls": 0, "usd": "0"},
        "drift": {"calls": 2, "usd": "1.25"},
    }
    assert (present["day"], present["drift"]) == (today, {"calls": 1, "usd": "0.5"})
    assert (present["booked"]["calls"], Decimal(present["booked"]["usd"])) == (calls, cost)
    assert flat(await spend(root)) == flat(before)


async def test_a_bill_that_is_less_than_the_books(root: httpx.AsyncClient) -> None:
    """A drift may be negative: the vendor has billed less than was booked."""
    await root.post(PAGE, content=photo())
    today = (await spend(root))["until"]
    answer = (await root.post(IMPORT, content=f"day,calls,cost\n{today},0,0\n")).json()
    assert answer["drift"]["calls"] == -answer["booked"]["calls"] < 0
    assert Decimal(answer["drift"]["usd"]) == -Decimal(answer["booked"]["usd"])


@pytest.mark.parametrize(
    ("export", "said"),
    [
        (b"", "The first line must name"),
        (b"day,calls,cost\n", "no line after its first one"),
        (b"day,calls\n2026-11-21,1\n", "cost"),
        (b"day,calls,cost,cost\n", "cost"),
        (b"day,calls,cost\n21.11.2026,1,0.01\n", "line 2"),
        (b"day,calls,cost\n2026-11-21,1,0.01\n2026-11-21,one,0.01\n", "line 3"),
        (b"day,calls,cost\n2026-11-21,-1,0.01\n", "line 2"),
        (b"day,calls,cost\n2026-11-21,1,-0.01\n", "line 2"),
        (b"day,calls,cost\n2026-11-21,1,NaN\n", "line 2"),
        (b"day,calls,cost\n2026-11-21,1,0.0000001\n", "line 2"),
        (b"day,calls,cost\n2026-11-21,1\n", "line 2 has fewer fields"),
        (b'day,calls,cost\n"2026-11-21,1,1\n', "CSV"),
        (b"day,calls,cost\n" + b"2026-11-21,1,1\n" * 10_001, "10000 lines"),
        (b"day,calls,cost\n\xff\xfe\n", "not UTF-8"),
        ("day,calls,cost\n2026-11-21,1,1\n".encode("utf-16"), "not UTF-8"),
    ],
)
async def test_an_export_that_cannot_be_read(root: httpx.AsyncClient, export: bytes, said: str) -> None:
    """A 400 says what is wrong and where; no part of it is compared."""
    answer = await root.post(IMPORT, content=export)
    assert (answer.status_code, problem(answer)) == (400, "malformed")
    assert said.lower() in answer.json()["detail"].lower()


async def test_an_export_that_is_too_large(root: httpx.AsyncClient) -> None:
    """A megabyte is the most."""
    answer = await root.post(IMPORT, content=b"x" * 1_000_001)
    assert (answer.status_code, problem(answer)) == (413, "too-large")


@pytest.mark.parametrize("query", ["", "?provider=", "?provider=hive", "?provider=Generic"])
async def test_a_bill_of_nobody_that_is_configured(root: httpx.AsyncClient, query: str) -> None:
    """A 404 names those that are; who says nothing is told what to say."""
    answer = await root.post(SPEND + "/import" + query, content=b"day,calls,cost\n2026-11-21,1,1\n")
    if query:
        assert (answer.status_code, problem(answer)) == (404, "not-found")
        assert answer.json()["detail"].endswith(": generic.")
    else:
        assert (answer.status_code, problem(answer)) == (400, "malformed")


# --- Without the store ---------------------------------------------------------------------------------------------


async def test_without_the_store_no_part_of_the_books_is_told(lonely: Service, vendor: ScriptedVendor) -> None:
    """While the store is away both are a 503 with a time to ask again; analyses go on."""
    async with client(lonely.url, ADMIN_TOKEN) as web:
        assert (await web.post(PAGE, content=photo())).status_code == 200
        for answer in (await web.get(SPEND), await web.post(IMPORT, content=b"day,calls,cost\n2026-11-21,1,1\n")):
            assert (answer.status_code, problem(answer)) == (503, "store-unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
