"""The vendors in play money: whoever runs a service against them must be able to believe their bill."""

from __future__ import annotations

import ast
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from hashcache.settings.vendors import KNOWN
from loadtests.dialects import gptzero, hive
from loadtests.dialects.reality_defender import KEY, SIGNATURE
from loadtests.expectations import Ledger, read_ledger
from loadtests.provider import dialects
from loadtests.vendor.books import dollars, micro_dollars
from loadtests.vendor.vendors import Vendors
from loadtests.vendor.weather import Weather
from tests.harness.contents import clip, photo, text
from tests.harness.http import client
from tests.harness.process import hashcache
from tests.harness.seller import Seller, selling
from tests.harness.service import ADMIN_TOKEN, Service

ROOT = Path(__file__).resolve().parents[2]
CLIP = clip()
SENT = {"image": ("image/jpeg", photo()), "video": ("video/mp4", CLIP), "text": ("text/plain", text(400).encode())}
PURCHASES = [(name, kind) for name, dialect in dialects().items() for kind in dialect.KINDS]


@pytest.fixture
async def seller() -> AsyncIterator[Seller]:
    async with selling("--delay", "0") as seller:
        yield seller


async def upload(service: Service, kind: str) -> httpx.Response:
    """The answer to a content of this *kind*, the same in each call."""
    media_type, content = SENT[kind]
    async with client(service.url) as web:
        return await web.post("/api/analyze", content=content, headers={"Content-Type": media_type})


async def spent(service: Service) -> dict[str, Any]:
    """What the service says that it spent."""
    async with client(service.url, ADMIN_TOKEN) as web:
        return dict((await web.get("/api/admin/spend")).json())


@pytest.mark.parametrize("name", dialects())
async def test_a_service_buys_once_and_both_books_agree(seller: Seller, tmp_path: Path, name: str) -> None:
    """
    The real service and the real command: of each kind that the vendor takes, two uploads are answered and one is
    billed; what we say that we spent is the vendor's bill, to the micro-dollar, and so are the units.
    """
    async with Service(tmp_path, seller.settings(name)) as service:
        kinds = dialects()[name].KINDS
        for kind in kinds:
            first, second = await upload(service, kind), await upload(service, kind)
            assert (first.status_code, second.status_code) == (200, 200), first.text
            assert (first.json()["cached"], second.json()["cached"]) == (False, True)
            assert first.json()["result"]["provider"] == name
        ours, theirs = await spent(service), await seller.billed(name)
    assert (theirs["calls"], theirs["contents"], theirs["duplicates"]) == (len(kinds), len(kinds), 0)
    assert theirs["refused"] == {}
    assert micro_dollars(ours["spent_usd"]) == theirs["micro_dollars"] > 0
    assert sum(ours["units"].values()) == theirs["units"]
    assert ours["wasted_usd"] == "0"


async def test_what_was_paid_twice_can_be_seen(seller: Seller, tmp_path: Path) -> None:
    """A refresh is a second purchase of the same content: the ledger calls it a duplicate."""
    async with Service(tmp_path, seller.settings("sightengine")) as service, client(service.url) as web:
        for _ in range(2):
            media_type, content = SENT["image"]
            headers = {"Content-Type": media_type, "X-Force-Refresh": "true"}
            assert (await web.post("/api/analyze", content=content, headers=headers)).status_code == 200
    theirs = await seller.billed("sightengine")
    assert (theirs["calls"], theirs["contents"], theirs["duplicates"], theirs["units"]) == (2, 1, 1, 10)
    assert (theirs["unit"], theirs["price_usd"], theirs["billed_usd"]) == ("operation", "0.0029", "0.029")
    total = await seller.billed()
    assert (total["calls"], total["duplicates"], total["micro_dollars"]) == (2, 1, 29_000)
    assert total["vendors"]["sightengine"] == theirs
    assert read_ledger(seller.ledger_url("sightengine")) == Ledger(2, 1, Decimal("0.0145"))


async def test_an_answer_that_is_lost_is_billed_and_booked_as_wasted(tmp_path: Path) -> None:
    """A vendor that takes the money and hangs up: our books call the same sum wasted."""
    async with (
        selling("--delay", "0", "--losing", "1", "--price", "hive=0.25") as seller,
        Service(tmp_path, seller.settings("hive")) as service,
    ):
        assert (await upload(service, "image")).status_code == 502
        ours, theirs = await spent(service), await seller.billed("hive")
    assert (theirs["lost"], theirs["billed_usd"]) == (1, "0.25")
    assert (ours["spent_usd"], ours["wasted_usd"]) == ("0", "0.25")


@asynccontextmanager
async def playing(weather: Weather, *, unfinished: int = 0) -> AsyncIterator[tuple[Vendors, httpx.AsyncClient]]:
    """The vendors in this process, and a client."""
    vendors = Vendors(dialects(unfinished=unfinished).values(), weather=weather)
    await vendors.start()
    try:
        async with client(vendors.origin) as web:
            yield vendors, web
    finally:
        await vendors.stop()


async def buy(web: httpx.AsyncClient, name: str, content: bytes = CLIP) -> httpx.Response:
    """The reply of the vendor *name* to the call that begins a purchase, as its adapter makes it."""
    match name:
        case "sightengine":
            account = {"models": "genai", "api_user": "1029384756", "api_secret": "canary-sightengine-5c1f"}
            file = {"media": ("upload.mp4", content, "video/mp4")}
            return await web.post("/sightengine/1.0/video/check-sync.json", data=account, files=file)
        case "hive":
            file = {"media": ("upload.mp4", content, "video/mp4")}
            return await web.post(f"/hive/api/v3/{hive.MODEL}", files=file, headers=bearer(hive.KEY))
        case "aiornot":
            file = {"video": ("upload.mp4", content, "video/mp4")}
            headers = bearer("canary-aiornot-5d1f0c")
            return await web.post("/aiornot/v2/video/sync?only=ai_video", files=file, headers=headers)
        case "gptzero":
            asked = {"document": "so many words", "multilingual": False}
            return await web.post("/gptzero/v2/predict/text", json=asked, headers={"x-api-key": gptzero.KEY})
        case "reality_defender":
            address = "/reality_defender/api/files/aws-presigned"
            return await web.post(address, json={"fileName": "upload.mp4"}, headers={"x-api-key": KEY})
        case _:
            return await web.post("/generic/analyse", files={"file": ("upload.mp4", content, "video/mp4")})


def bearer(key: str) -> dict[str, str]:
    """The header that carries a *key*."""
    return {"Authorization": f"Bearer {key}"}


#: How each vendor words a refusal, where its own statuses differ.
OWN_STATUS = {
    ("sightengine", 401): 400,
    ("gptzero", 401): 404,
    ("gptzero", 402): 429,
    ("reality_defender", 402): 400,
    ("reality_defender", 403): 400,
}


@pytest.mark.parametrize("name", dialects())
@pytest.mark.parametrize("denial", [401, 402, 403])
async def test_a_refused_account_is_worded_as_the_vendor_words_it_and_costs_nothing(name: str, denial: int) -> None:
    """The vendor's own status, nothing billed, and the refusal in the ledger."""
    async with playing(Weather(denial=denial)) as (vendors, web):
        assert (await buy(web, name)).status_code == OWN_STATUS.get((name, denial), denial)
        told = vendors.accounts[name].told()
    assert (told["calls"], told["micro_dollars"], told["refused"]) == (0, 0, {str(denial): 1})


@pytest.mark.parametrize("name", dialects())
async def test_more_than_the_rate_is_throttled_with_a_time_to_come_back(name: str) -> None:
    """Two of three calls a minute are let in; the third learns when; another vendor has a rate of its own."""
    async with playing(Weather(rate=2, window=60)) as (vendors, web):
        statuses = [(await buy(web, name)).status_code for _ in range(2)]
        refused = await buy(web, name)
        other = await buy(web, next(one for one in dialects() if one != name))
    assert [*statuses, refused.status_code, other.status_code] == [200, 200, 429, 200]
    assert 55 <= int(refused.headers["retry-after"]) <= 60
    assert vendors.accounts[name].refused == {429: 1}


@pytest.mark.parametrize("name", dialects())
async def test_a_failure_is_not_billed(name: str) -> None:
    """500, and nothing in the books but that."""
    async with playing(Weather(failing=1)) as (vendors, web):
        assert (await buy(web, name)).status_code == 500
        assert (vendors.accounts[name].units, vendors.accounts[name].refused) == (0, {500: 1})


async def test_a_share_of_calls_fails_and_the_same_ones_each_time() -> None:
    """Half of forty calls, more or less; the same seed gives the same days."""
    runs = []
    for _ in range(2):
        async with playing(Weather(failing=0.5)) as (_, web):
            runs.append([(await buy(web, "generic")).status_code for _ in range(40)])
    assert runs[0] == runs[1]
    assert 8 <= runs[0].count(500) <= 32


async def test_credit_is_used_up() -> None:
    """Two cents buy two calls of a cent; from then on 402."""
    async with playing(Weather(credit=20_000)) as (vendors, web):
        assert [(await buy(web, "generic")).status_code for _ in range(4)] == [200, 200, 402, 402]
        assert vendors.accounts["generic"].micro_dollars == 20_000


async def test_a_purchase_takes_its_time_and_is_booked_before_the_answer() -> None:
    """The caller gives up before the slow vendor answers, and has paid all the same."""
    async with playing(Weather(delay=30)) as (vendors, web):
        with pytest.raises(httpx.ReadTimeout):
            await web.post("/generic/analyse", json={"text": "words"}, timeout=0.3)
        assert vendors.accounts["generic"].told()["calls"] == 1


async def test_a_scan_is_one_purchase_however_often_it_is_asked_for() -> None:
    """Reality Defender: nothing for the address, a scan for the bytes, nothing for three questions about it."""
    async with playing(Weather(), unfinished=2) as (vendors, web):
        account = vendors.accounts["reality_defender"]
        begun = (await buy(web, "reality_defender")).json()
        assert account.units == 0
        assert (await web.put(begun["response"]["signedUrl"], content=CLIP)).status_code == 200
        assert account.units == 1
        address = f"/reality_defender/api/media/users/{begun['requestId']}"
        words = [(await web.get(address, headers={"x-api-key": KEY})).json()["overallStatus"] for _ in range(3)]
        assert words[:2] == ["ANALYZING", "ANALYZING"]
        assert words[2] in {"FAKE", "AUTHENTIC"}
        unsigned = begun["response"]["signedUrl"].replace(SIGNATURE, "")
        assert (await web.put(unsigned, content=CLIP)).status_code == 403
    assert (account.told()["calls"], account.units, account.refused) == (1, 1, {403: 1})


@pytest.mark.parametrize(("name", "units"), [("sightengine", 10), ("hive", 2), ("aiornot", 1), ("gptzero", 3)])
async def test_what_is_billed_are_the_vendors_units(name: str, units: int) -> None:
    """Operations, frames, checks, words; and the same content gets the same answer again."""
    async with playing(Weather()) as (vendors, web):
        first, second = await buy(web, name), await buy(web, name)
        assert first.content == second.content
        assert vendors.accounts[name].told() | {"units": units * 2, "calls": 2, "contents": 1, "duplicates": 1} == (
            vendors.accounts[name].told()
        )


async def test_what_is_nobodys_business_is_refused() -> None:
    """No vendor of that name, no length, no multipart: a sentence, nothing booked, and others are served on."""
    async with playing(Weather()) as (vendors, web):
        assert "GET /ledger" in (await web.get("/nobody/ledger")).json()["error"]
        assert (await web.post("/generic/analyse", content=endless())).status_code == 411
        malformed = {"Content-Type": "multipart/form-data; boundary=b"}
        assert (await web.post("/generic/analyse", content=b"--c\r\n", headers=malformed)).status_code == 400
        assert (
            await web.post("/generic/analyse", content=b"[1", headers={"Content-Type": "application/json"})
        ).status_code == 400
        assert vendors.accounts["generic"].units == 0
        assert (await buy(web, "generic")).status_code == 200


async def endless() -> AsyncIterator[bytes]:
    """A body that does not tell its length."""
    yield b"{}"


async def command(*options: str) -> tuple[int, str, str]:
    """How the command ended: its exit code, what it wrote to its output, and to its errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.provider", *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(10):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_command_explains_itself() -> None:
    """Each option has a word of help."""
    code, out, _ = await command("--help")
    assert code == 0
    for option in ("--price", "--delay", "--rate", "--failing", "--losing", "--deny", "--credit", "--exposed"):
        assert option in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "is not on this machine"),  # noqa: S104  # that it is refused is the claim
        (["--host", "localhost.example.com"], "is not on this machine"),
        (["--price", "hive=1e-3"], "is no price"),
        (["--price", "hive=0.0000001"], "finer than a millionth"),
        (["--price", "nobody=1"], "is none of"),
        (["--failing", "nan"], "a share within 0 and 1"),
        (["--deny", "404"], "invalid choice"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_it_listens(options: list[str], said: str) -> None:
    """Exit code 2, and a sentence."""
    code, out, err = await command(*options)
    assert (code, out) == (2, "")
    assert said in err


async def test_its_output_is_a_settings_file(tmp_path: Path) -> None:
    """What it prints is what hashcache reads: each vendor is configured, at its price."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.provider", "--price", "hive=0.25"), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines = [b""]
    try:
        async with asyncio.timeout(20):
            while not lines[-1].startswith(b"HASHCACHE_GENERIC_PRICE_USD"):
                lines.append(await process.stdout.readline())
    finally:
        process.terminate()
        await process.communicate()
    (tmp_path / ".env").write_bytes(b"".join(lines))
    ended = await hashcache(tmp_path, "providers", "--json")
    assert ended.code == 0, ended.err
    read = {one["name"]: one for one in json.loads(ended.out)["providers"]}
    for name, dialect in dialects().items():
        assert read[name]["configured"], read[name]
        assert read[name]["price_usd"] == ("0.25" if name == "hive" else dollars(dialect.PRICE))


def test_prices_and_addresses_are_those_of_our_settings() -> None:
    """Each vendor that hashcache knows is played, for the same kinds, unit and default price."""
    played = dialects()
    assert set(played) == {*KNOWN, "generic"}
    for name, known in KNOWN.items():
        assert set(played[name].KINDS) == {kind.value for kind in known.kinds}
        assert known.unit == played[name].UNIT
        if known.price != "0":
            assert dollars(played[name].PRICE) == known.price


def imported(path: Path) -> Iterable[str]:
    """The modules that the one at *path* imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_load_tests_know_neither_tests_nor_the_code_that_they_load() -> None:
    """
    They meet hashcache over HTTP only; what a vendor bills is counted by nobody but the vendor. What measures the
    library and its digests in one process has nothing to meet over HTTP, and no vendor.
    """
    compare = ROOT / "loadtests" / "compare"
    in_process = {compare / "borders.py", compare / "library" / "caches.py"}
    modules = set((ROOT / "loadtests").rglob("*.py")) - in_process
    assert len(modules) > 10
    for path in modules:
        assert not {name.split(".")[0] for name in imported(path)} & {"tests", "hashcache"}, path
