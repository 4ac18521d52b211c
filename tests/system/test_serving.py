"""`hashcache serve` and its command line: how it starts, what it refuses in clear words, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import signal
import socket
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness.contents import photo
from tests.harness.flood import soft_limit
from tests.harness.http import Wire, client, problem, request
from tests.harness.process import hashcache
from tests.harness.service import ADMIN_TOKEN, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor, gate, ok
from tests.system.conftest import Services

STATS = "/api/admin/cache/stats"
CHEAP = {"HASHCACHE_STORE": "memory://"}


async def upload(url: str, content: bytes, key: str | None = None) -> httpx.Response:
    """One upload over a connection of its own."""
    async with client(url, key) as web:
        return await web.post("/api/analyze", files={"file": ("photo.jpg", content, "image/jpeg")})


def names(folder: Path) -> list[str]:
    """What is in *folder*."""
    return [path.name for path in folder.iterdir()]


# --- How it starts -------------------------------------------------------------------------------------------------


async def test_it_serves_with_no_settings_at_all(services: Services, tmp_path: Path) -> None:
    """Without a setting it says on stderr where it listens, what keeps the answers and who analyses; and it does."""
    service = await services.start()
    lines = service.log().splitlines()
    assert re.fullmatch(r"hashcache \d+\.\d+\.\d+ listens on http://127\.0\.0\.1:\d+", lines[0])
    assert "hashcache.sqlite3 (from default): answers survive a restart" in lines[1]
    assert "image: provenance, video: provenance, text: provenance (local and free of charge)" in lines[2]
    assert service.printed() == ""
    assert "hashcache.sqlite3" in names(tmp_path / "service-0")
    async with client(service.url) as web:
        health = await web.get("/healthz")
        ready = await web.get("/readyz")
        found = await web.post("/api/analyze", json={"text": "As an AI language model, I cannot."})
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert ready.json()["store"]["status"] == "embedded"
    assert ready.json()["providers"]["image"] == ["provenance"]
    assert found.json()["result"]["provider"] == "provenance"


async def test_host_port_and_workers_are_options(services: Services) -> None:
    """It listens on the address and port that it is told, with as many processes; the options win over variables."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
        port = probe.getsockname()[1]
    service = await services.start(
        "--host", "::1", "--port", str(port), "--workers", "2", PORT="1", WEB_CONCURRENCY="7", **CHEAP
    )
    assert service.url == f"http://[::1]:{port}"
    await until(lambda: len(service.events("store.opened")) == 2, what="two workers have opened the store")
    assert (await upload(service.url, photo())).status_code == 200


async def test_each_worker_may_have_as_many_files_open_as_the_system_allows(services: Services) -> None:
    """Started with a soft limit of 256, it and its workers have the hard one (a million where there is none)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1_048_576 if hard == resource.RLIM_INFINITY else hard
    with soft_limit(256):
        service = await services.start("--workers", "2", **CHEAP)
    processes = [psutil.Process(service.pid), *service.workers()]
    assert len(processes) == 3
    assert {process.rlimit(psutil.RLIMIT_NOFILE) for process in processes} == {(most, hard)}


async def test_the_env_file_is_read_and_the_environment_wins(services: Services, tmp_path: Path) -> None:
    """A `.env` file of the working directory counts; a variable of the process counts more."""
    service = services.make(HASHCACHE_STORE="off")
    (tmp_path / "service-0" / ".env").write_text(
        "HASHCACHE_STORE=memory://\nHASHCACHE_MAX_TEXT=4  # bytes\n", encoding="utf-8"
    )
    async with service, client(service.url) as web:
        assert (await web.get("/readyz")).json()["store"]["status"] == "off"
        assert (await web.post("/api/analyze", json={"text": "four"})).status_code == 200
        assert (await web.post("/api/analyze", json={"text": "fiver"})).status_code == 413


async def test_the_admin_token_is_made_once_for_all_workers(services: Services) -> None:
    """Without an admin's key a server on loopback prints one token, once, and every worker knows it."""
    service = await services.start("--workers", "2", HASHCACHE_ADMIN_TOKEN="", **CHEAP)
    (token,) = re.findall(r"/admin#token=(\S+)", service.log())
    await until(lambda: len(service.events("store.opened")) == 2, what="two workers have opened the store")
    # Each request on a connection of its own: the kernel deals them out to both workers.
    answers = await asyncio.gather(*(_status(service.url, token) for _ in range(20)))
    assert set(answers) == {200}
    assert await _status(service.url, "another-token") == 401


async def _status(url: str, key: str | None) -> int:
    async with client(url, key) as web:
        return (await web.get(STATS)).status_code


async def test_a_new_key_works(services: Services, paid: dict[str, str], tmp_path: Path) -> None:
    """What `keys new` prints is understood by HASHCACHE_API_KEYS: with the key one is let in, without it not."""
    ann = json.loads((await hashcache(tmp_path, "keys", "new", "--name", "ann", "--json")).out)
    shown = (await hashcache(tmp_path, "keys", "new", "--name", "root", "--role", "admin")).out
    root = dict(line.split() for line in shown.splitlines())
    keys = f"{ann['entry']},{root['entry']}"
    service = await services.start(HASHCACHE_API_KEYS=keys, HASHCACHE_ADMIN_TOKEN="", **paid)
    assert "#token=" not in service.log()
    content = photo()
    assert (await upload(service.url, content)).status_code == 401
    assert (await upload(service.url, content, ann["key"] + "x")).status_code == 401
    assert (await upload(service.url, content, ann["key"])).status_code == 200
    assert [await _status(service.url, key) for key in (None, ann["key"], root["key"])] == [401, 403, 200]
    assert ann["key"] not in service.log()


# --- What it refuses -----------------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    """Somebody else's port: one line that says so and what to do, exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = await hashcache(tmp_path, "serve", "--port", str(port), environment=CHEAP)
    assert ended.refusal(1) == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use; try --port\n"


async def test_all_that_is_wrong_with_the_settings_is_said_at_once(tmp_path: Path) -> None:
    """An unknown name, two bad values and one that is missing: a line each, with the setting's name; exit code 2."""
    environment = {
        "HASHCACHE_STOR": "memory://",
        "HASHCACHE_LEASE": "banana",
        "HASHCACHE_SECRET": "too-short",
        "HASHCACHE_IMAGE_PROVIDER": "generic",
    }
    ended = await hashcache(tmp_path, "serve", environment=environment)
    lines = ended.refusal(2).splitlines()
    assert len(lines) == 4
    assert lines[0] == "Error: HASHCACHE_STOR is no setting of hashcache; did you mean HASHCACHE_STORE?"
    for name, shown in (("LEASE", "banana"), ("SECRET", "16 characters"), ("GENERIC_URL", "generic is the provider")):
        assert [line for line in lines if f"HASHCACHE_{name}" in line and shown in line], ended.err
    assert "too-short" not in ended.err


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PORT": "eighty"}, "PORT must be a whole number"),
        ({"REDIS_URL": "redis://127.0.0.1:1", "HASHCACHE_STORE": "memory://"}, "name different stores"),
    ],
)
async def test_a_bad_setting_is_one_clear_line(tmp_path: Path, environment: dict[str, str], words: str) -> None:
    """One line that names the setting; exit code 2."""
    ended = await hashcache(tmp_path, "serve", environment=environment)
    assert words in ended.refusal(2)
    assert ended.err.count("\n") == 1


async def test_a_bad_env_file_is_a_clear_line(tmp_path: Path) -> None:
    """A line of `.env` that cannot be read is named, its value is not; exit code 2."""
    (tmp_path / ".env").write_text("HASHCACHE_ENV=dev\nHASHCACHE_SECRET hush-hush\n", encoding="utf-8")
    said = (await hashcache(tmp_path, "serve")).refusal(2)
    assert said == "Error: .env, line 2: not of the form NAME=value\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["serve", "--prot", "1"], "No such option '--prot'"),
        (["serve", "--port", "99999", "--workers", "2"], "Invalid value for '--port'"),
        (["keys", "new", "--tenant", "a b"], "a key must have names and tenants of"),
    ],
)
async def test_wrong_use_shows_the_usage(tmp_path: Path, arguments: list[str], words: str) -> None:
    """An unknown command or option, or a bad value of one: the usage and what is wrong; exit code 2."""
    said = (await hashcache(tmp_path, *arguments)).refusal(2)
    assert said.startswith("Usage: ")
    assert words in said


@pytest.mark.parametrize("how", ["no database", "a damaged one"])
async def test_a_corrupt_file_is_a_clear_line(tmp_path: Path, how: str) -> None:
    """A SQLite file that is none, or damaged: one line that says what to do; exit code 2; the file is left alone."""
    path = tmp_path / "cache.sqlite3"
    content = b"This is no database. " * 500
    if how == "a damaged one":
        content = b"SQLite format 3\0" + content
    path.write_bytes(content)
    ended = await hashcache(tmp_path, "serve", environment={"HASHCACHE_STORE": "sqlite:///cache.sqlite3"})
    assert "the store's file cache.sqlite3 is damaged or no SQLite file" in ended.refusal(2)
    assert ended.err.count("\n") == 1
    assert path.read_bytes() == content


@pytest.mark.parametrize("path", ["a-file/cache.sqlite3", "a-folder"])
async def test_a_place_where_nothing_can_be_written_is_a_clear_line(tmp_path: Path, path: str) -> None:
    """A place in which no file can be made, or a folder in its stead: one line that names the path; exit code 2."""
    (tmp_path / "a-file").touch()
    (tmp_path / "a-folder").mkdir()
    ended = await hashcache(tmp_path, "serve", environment={"HASHCACHE_STORE": f"sqlite:///{path}"})
    assert f"the store's file {path} cannot be " in ended.refusal(2)
    assert ended.err.count("\n") == 1


async def test_strangers_do_not_spend_the_operators_money(paid: dict[str, str], tmp_path: Path) -> None:
    """
    A paid provider without keys is not served beyond loopback, and the refusal says what to do; HASHCACHE_PUBLIC=1
    allows it.
    """
    refused = (await hashcache(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0", environment=paid)).refusal(2)  # noqa: S104 - it must not listen there
    assert "could spend your money" in refused
    for way in ("HASHCACHE_API_KEYS", "127.0.0.1", "HASHCACHE_PUBLIC=1"):
        assert way in refused
    # An address that is none of this machine's (RFC 5737): past the rule, and then nothing listens anywhere.
    public = {**paid, "HASHCACHE_PUBLIC": "1"}
    allowed = await hashcache(tmp_path, "serve", "--host", "192.0.2.1", "--port", "0", environment=public)
    assert "cannot listen on 192.0.2.1" in allowed.refusal(1)


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--version"], r"hashcache, version \d+\.\d+\.\d+"), (["--help"], r"(?s)Usage: .*serve")]
)
async def test_it_introduces_itself(tmp_path: Path, arguments: list[str], words: str) -> None:
    """Version and help, on stdout, exit code 0, and nothing is made in the folder."""
    ended = await hashcache(tmp_path, *arguments)
    assert (ended.code, ended.err) == (0, "")
    assert re.match(words, ended.out)
    assert names(tmp_path) == []


# --- How it ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "workers"),
    [
        (signal.SIGTERM, 1),
        pytest.param(signal.SIGTERM, 2, marks=pytest.mark.prove),
        pytest.param(signal.SIGINT, 2, marks=pytest.mark.prove),
    ],
)
async def test_row_43_what_is_being_bought_is_finished_and_kept(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], tmp_path: Path, by: signal.Signals, workers: int
) -> None:
    """
    Asked to end by SIGTERM or Ctrl-C in the middle of a purchase, it waits for the answer, gives and keeps it, and
    ends with code 0; a purchase whose client has left is kept as well. After a restart both are hits.
    """
    store = {"HASHCACHE_STORE": f"sqlite:///{tmp_path}/cache.sqlite3"}
    service = await services.start("--workers", str(workers), **paid, **store)
    first, second = photo(), photo()
    opened = asyncio.Event()
    vendor.then(gate(opened, ok()), gate(opened, ok()))
    waiting = asyncio.create_task(upload(service.url, first))
    leaving = asyncio.create_task(upload(service.url, second))
    await vendor.called(2)
    leaving.cancel()
    service.ask_to_end(by)
    await until(lambda: not service.listens(), what="it takes no new connections")
    assert not waiting.done()
    opened.set()
    answer = await waiting
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "MISS")
    await service.ended()
    later = await services.start(**paid, **store)
    answers = [await upload(later.url, content) for content in (first, second)]
    assert [answer.headers["X-Cache"] for answer in answers] == ["HIT", "HIT"]
    assert vendor.ledger.calls == 2


async def test_row_43_nothing_new_is_bought_at_the_end(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], valkey: Valkey
) -> None:
    """
    Asked to end in the middle of a call it is not ready any more. An upload that is still coming in is 503 once it is
    complete and costs nothing, what is known is still told; the call's answer is given and kept, no claim is left.
    """
    service = await services.start(REDIS_URL=valkey.url, **paid)
    first, known, late, opened = photo(), photo(), photo(), asyncio.Event()
    assert (await upload(service.url, known)).status_code == 200
    vendor.then(gate(opened, ok()))
    waiting = asyncio.create_task(upload(service.url, first))
    await vendor.called(2)
    async with AsyncExitStack() as stack:
        unknown, hit, idle = [await stack.enter_async_context(await Wire.open(service.url)) for _ in range(3)]
        assert not await unready(idle)
        for wire, content in ((unknown, late), (hit, known)):
            await wire.send(request("POST", "/api/analyze", content, Content_Type="image/jpeg")[:-100])
        await service.taken_up()
        service.ask_to_end()
        await until(lambda: unready(idle), what="it is not ready")
        await until(lambda: not service.listens(), what="it takes no new connections")
        for wire, content in ((unknown, late), (hit, known)):
            await wire.send(content[-100:])
        refused, told = await unknown.answer(), await hit.answer()
    assert (refused.status, refused.problem) == (503, "shutting-down")
    assert (told.status, told.header("x-cache")) == (200, "HIT")
    opened.set()
    assert (await waiting).headers["X-Cache"] == "MISS"
    await service.ended()
    assert vendor.ledger.calls == 2
    with valkey.client() as there:
        assert not list(there.scan_iter("*:claim"))
        assert list(there.scan_iter(f"*{{{sha256(first).hexdigest()}}}*"))


async def unready(wire: Wire) -> bool:
    """Whether /readyz is refused: by 503, or since idle connections are closed."""
    try:
        await wire.send(request("GET", "/readyz"))
        return (await wire.answer(to="GET")).status == 503
    except (EOFError, ConnectionError):
        return True


async def test_row_43_the_grace_bounds_the_end(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str]
) -> None:
    """A purchase that outlasts HASHCACHE_GRACE is given up and its client told so; it ends, with code 0."""
    service = await services.start(HASHCACHE_GRACE="1s", **paid)
    vendor.then(gate(asyncio.Event(), ok()))
    waiting = asyncio.create_task(upload(service.url, photo()))
    await vendor.called(1)
    began = asyncio.get_running_loop().time()
    await service.stop()
    assert asyncio.get_running_loop().time() - began < 1 + 4
    answer = await waiting
    assert (answer.status_code, problem(answer)) == (503, "shutting-down")
    (given_up,) = service.events("purchases.cancelled")
    assert given_up["count"] == 1


async def test_an_idle_service_ends_at_once(services: Services) -> None:
    """Without work it ends quickly, whatever connections idle clients keep open."""
    service = await services.start(HASHCACHE_ADMIN_TOKEN=ADMIN_TOKEN, **CHEAP)
    async with client(service.url) as idle:
        await idle.get("/healthz")
        began = asyncio.get_running_loop().time()
        await service.stop(signal.SIGINT)
        assert asyncio.get_running_loop().time() - began < 5
