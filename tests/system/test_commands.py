"""`hashcache spend` and `hashcache providers`, as people and scripts meet them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness.contents import photo
from tests.harness.http import client
from tests.harness.process import ROOT, Ended, hashcache
from tests.harness.service import ADMIN_TOKEN, Service
from tests.harness.vendor import ScriptedVendor
from tests.system.conftest import Services

#: What only a server or an analysis needs.
HEAVY = ("uvicorn", "starlette", "redis", "c2pa", "hashcache.app", "hashcache.wiring")
SECRET = "c0nfidential-3fe1c0a8b2d94e77"
WIDE = 80


@pytest.fixture
async def shop(services: Services, vendor: ScriptedVendor, paid: dict[str, str]) -> Service:
    """A service with two budgets that has bought one answer and served it once more."""
    budgets = {"HASHCACHE_DAILY_BUDGET_USD": "1", "HASHCACHE_TENANT_BUDGETS": "default:20/month"}
    service = await services.start(**paid, **budgets)
    content = photo()
    async with client(service.url) as web:
        for _ in range(2):
            assert (await web.post("/api/analyze", content=content)).status_code == 200
    return service


async def run(
    folder: Path, service: Service, *arguments: str, key: str = ADMIN_TOKEN, variables: Mapping[str, str] | None = None
) -> Ended:
    """`hashcache` with *arguments*, who is told of *service* by variables."""
    environment = {"HASHCACHE_URL": service.url, "HASHCACHE_API_KEY": key, **(variables or {})}
    return await hashcache(folder, *arguments, environment=environment)


# --- spend ---------------------------------------------------------------------------------------------------------


async def test_spend_shows_where_the_money_went(shop: Service, tmp_path: Path) -> None:
    """In all and by provider, kind and tenant; the budgets with what is left; on lines that fit a terminal."""
    ended = await run(tmp_path, shop, "spend")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert [line.split() for line in lines[1:6]] == [
        ["spent", "$", "saved", "$", "wasted", "$", "calls", "hits", "joined"],
        ["all", "0.01", "0.01", "0", "1", "1", "0"],
        ["provider", "generic", "0.01", "0.01", "0", "1", "1", "0"],
        ["kind", "image", "0.01", "0.01", "0", "1", "1", "0"],
        ["tenant", "default", "0.01", "0.01", "0", "1", "1", "0"],
    ]
    budgets = [line.split()[:-1] for line in lines if line.startswith(("all, a", "tenant=default, a"))]
    assert budgets == [
        ["all,", "a", "day", "1", "0.01", "0.99"],
        ["tenant=default,", "a", "month", "20", "0.01", "19.99"],
    ]
    assert all(len(line) <= WIDE for line in lines if not line.startswith("At this rate"))


async def test_spend_as_json_is_the_answer_of_the_service(shop: Service, tmp_path: Path) -> None:
    """One object, of as many days as are asked for; `--url` and `--key` are as good as variables."""
    options = ("--url", shop.url, "--key", ADMIN_TOKEN)
    ended = await hashcache(tmp_path, "spend", "--json", "--days", "1", *options)
    assert ended.code == 0, ended.err
    answer = json.loads(ended.out)
    assert answer["since"] == answer["until"]
    assert (answer["spent_usd"], answer["saved_usd"], answer["calls"]["sent"]) == ("0.01", "0.01", 1)


async def test_spend_of_a_service_that_has_paid_nothing(services: Services, tmp_path: Path) -> None:
    """It says so, rather than nothing."""
    service = await services.start()
    ended = await run(tmp_path, service, "spend")
    assert (ended.code, ended.err) == (0, "")
    assert "No paid call was made" in ended.out


@pytest.mark.parametrize("options_stand", ["before", "after"])
async def test_a_bill_is_compared(shop: Service, tmp_path: Path, options_stand: str) -> None:
    """Billed, booked and the drift by day and in all, wherever the options stand; as JSON the service's answer."""
    day = json.loads((await run(tmp_path, shop, "spend", "--json")).out)["until"]
    bill = tmp_path / "bill.csv"
    bill.write_text(f"day,calls,cost\n{day},3,0.03\n", encoding="utf-8")
    options = ["--url", shop.url, "--key", ADMIN_TOKEN]
    command = ["import", str(bill), "--provider", "generic"]
    words = ["spend", *options, *command] if options_stand == "before" else ["spend", *command, *options]
    ended = await hashcache(tmp_path, *words)
    assert (ended.code, ended.err) == (0, "")
    assert [line.split() for line in ended.out.splitlines()[1:]] == [
        [day, "3", "1", "2", "0.03", "0.01", "0.02"],
        ["all", "3", "1", "2", "0.03", "0.01", "0.02"],
    ]
    assert all(len(line) <= WIDE for line in ended.out.splitlines())
    told = await run(tmp_path, shop, *words, "--json")
    assert json.loads(told.out)["drift"] == {"calls": 2, "usd": "0.02"}


async def test_a_bill_that_cannot_be_read(shop: Service, tmp_path: Path) -> None:
    """What the service says of a bad line or provider is passed on, with exit code 1; a missing file is wrong use."""
    bill = tmp_path / "bill.csv"
    bill.write_text("day,calls,cost\nyesterday,3,0.03\n", encoding="utf-8")
    words = ("spend", "import", str(bill), "--provider")
    assert "Line 2 is not a day" in (await run(tmp_path, shop, *words, "generic")).refusal(1)
    assert "those that are: generic" in (await run(tmp_path, shop, *words, "a b&c")).refusal(1)
    (await run(tmp_path, shop, "spend", "import", "nowhere.csv", "--provider", "generic")).refusal(2)


@pytest.mark.parametrize("words", [("spend",), ("spend", "--json")])
async def test_nobody_listens(tmp_path: Path, words: tuple[str, ...]) -> None:
    """One line that says what to do, and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    said = (await hashcache(tmp_path, *words, "--url", url)).refusal(1)
    assert len(said.splitlines()) == 1
    assert url in said
    assert "hashcache serve" in said


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://[", "http://127.0.0.1:99999", "\x7f"])
async def test_a_url_that_is_none(tmp_path: Path, url: str) -> None:
    """As clear as a service that is away."""
    assert "--url" in (await hashcache(tmp_path, "spend", "--url", url)).refusal(1)


@pytest.mark.parametrize("key", ["wrong-key-of-nobody", "schlüssel", ""])
async def test_a_wrong_key(shop: Service, tmp_path: Path, key: str) -> None:
    """It says that a key of role admin is needed and how to name it; the key that was sent is not repeated."""
    said = (await run(tmp_path, shop, "spend", key=key)).refusal(1)
    assert len(said.splitlines()) == 1
    assert "role admin with --key or HASHCACHE_API_KEY" in said
    assert not key or key not in said


async def test_somebody_else_listens(vendor: ScriptedVendor, tmp_path: Path) -> None:
    """A server that is no hashcache is told from one: exit code 1."""
    said = (await hashcache(tmp_path, "spend", "--url", vendor.ledger_url)).refusal(1)
    assert "as hashcache does" in said


# --- providers -----------------------------------------------------------------------------------------------------


async def about(folder: Path, **environment: str) -> tuple[list[str], dict[str, dict[str, object]]]:
    """What is printed, and the JSON by the providers' names; nothing is said on stderr and no secret anywhere."""
    shown = await hashcache(folder, "providers", environment=environment)
    told = await hashcache(folder, "providers", "--json", environment=environment)
    for ended in (shown, told):
        assert (ended.code, ended.err) == (0, "")
        assert SECRET not in ended.out
    lines = shown.out.splitlines()
    assert all(len(line) <= WIDE for line in lines)
    assert not any("None" in line or "…" in line for line in lines)
    return lines, {one["name"]: one for one in json.loads(told.out)["providers"]}


async def test_providers_with_nothing_configured(tmp_path: Path) -> None:
    """The embedded one is ready and asked; each vendor says what it needs, whole names, and what it would cost."""
    lines, found = await about(tmp_path)
    assert lines[:4] == ["Asked, in this order:", *(f"  {kind:<18}provenance" for kind in ("image", "video", "text"))]
    text = " ".join(" ".join(lines).split())
    for name, needed in (
        ("sightengine", "SIGHTENGINE_API_USER and SIGHTENGINE_API_SECRET"),
        ("reality_defender", "REALITY_DEFENDER_API_KEY"),
        ("generic", "HASHCACHE_GENERIC_URL"),
    ):
        assert f" {name} needs {needed} " in text
    assert "$0.01 per check (published 2026-07-20)" in text
    assert "price not known: set HASHCACHE_REALITY_DEFENDER_PRICE_USD" in text
    assert {name for name, one in found.items() if one["configured"]} == {"provenance"}
    assert found["provenance"]["asked_for"] == {"image": 1, "video": 1, "text": 1}
    assert found["hive"]["missing"] == ["HIVE_API_KEY"]
    assert found["aiornot"]["price_usd"] == "0.01"


async def test_providers_that_are_configured_and_not_asked(tmp_path: Path) -> None:
    """A key without a place in HASHCACHE_PROVIDER is pointed out; a price of the operator's has no date."""
    lines, found = await about(tmp_path, HIVE_API_KEY=SECRET, HASHCACHE_HIVE_PRICE_USD="0.004")
    assert "  hive              is not asked: name it in HASHCACHE_PROVIDER" in lines
    assert (found["hive"]["configured"], found["hive"]["asked_for"]) == (True, {})
    assert (found["hive"]["price_usd"], found["hive"]["price_read"]) == ("0.004", None)


async def test_providers_in_order(tmp_path: Path) -> None:
    """Each kind shows who is asked first and who next, of those that can."""
    environment = {
        "HASHCACHE_PROVIDER": "hive,aiornot,provenance",
        "HASHCACHE_VIDEO_PROVIDER": "aiornot",
        "HIVE_API_KEY": SECRET,
        "AIORNOT_API_KEY": SECRET,
    }
    lines, found = await about(tmp_path, **environment)
    assert lines[1:4] == [
        "  image             hive then aiornot then provenance",
        "  video             aiornot",
        "  text              aiornot then provenance",
    ]
    assert found["hive"]["asked_for"] == {"image": 1}
    assert found["aiornot"]["asked_for"] == {"image": 2, "video": 1, "text": 1}


@pytest.mark.parametrize("command", ["providers", "serve"])
async def test_half_an_account_is_a_wrong_setting(tmp_path: Path, command: str) -> None:
    """The missing half is named with an example, the half that is there is not repeated; exit code 2."""
    environment = {"HASHCACHE_PROVIDER": "sightengine", "SIGHTENGINE_API_SECRET": SECRET}
    said = (await hashcache(tmp_path, command, environment=environment)).refusal(2)
    assert "SIGHTENGINE_API_USER is missing" in said
    assert "for example SIGHTENGINE_API_USER=" in said
    assert SECRET not in said


# --- What they cost, and what the service says of money ------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["spend", "--help"],
        ["spend", "import", "--help"],
        ["providers", "-h"],
        ["analyze", "-h"],
        ["doctor", "-h"],
        ["export", "-h"],
        ["completion", "bash"],
    ],
)
def test_a_small_command_loads_no_server(words: list[str]) -> None:
    """Neither a web server nor Redis nor C2PA is imported to help somebody or to ask a service."""
    code = (
        "import sys, hashcache.cli as cli\n"
        f"try: cli.main({words!r})\n"
        "except SystemExit as ended: assert not ended.code\n"
        f"print('loaded:', ', '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)  # noqa: PLW1510 - the code is looked at
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "loaded: "


async def test_budgets_are_named_at_start(services: Services, paid: dict[str, str]) -> None:
    """Those that are set, each; without one, how to set it; where nothing can be spent, nothing."""
    budgets = {"HASHCACHE_DAILY_BUDGET_USD": "2.5", "HASHCACHE_GENERIC_MONTHLY_BUDGET_USD": "20"}
    with_some = await services.start(**paid, **budgets)
    assert "  budgets    all $2.5 a day, provider=generic $20 a month\n" in with_some.log()
    assert "WARNING" not in with_some.log()
    without = await services.start(**paid)
    assert "  budgets    none; HASHCACHE_DAILY_BUDGET_USD sets one\n" in without.log()
    free = await services.start()
    assert "budgets" not in free.log()


async def test_a_price_of_nothing_is_warned_of(services: Services, paid: dict[str, str]) -> None:
    """A vendor who is asked and costs nothing makes budgets and savings meaningless: it is said how to mend it."""
    environment = {name: value for name, value in paid.items() if name != "HASHCACHE_GENERIC_PRICE_USD"}
    service = await services.start(**environment, HIVE_API_KEY=SECRET, HASHCACHE_HIVE_PRICE_USD="0")
    (line,) = [line for line in service.log().splitlines() if "WARNING" in line]
    assert "generic" in line
    assert line.endswith("set HASHCACHE_GENERIC_PRICE_USD")
