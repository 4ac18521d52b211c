"""
Secrets are told to nobody but those they are for: nothing that a service produces holds one, in any usual spelling.

Rule: each secret holds the same word, and everything that was produced is searched for it.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from redis import Redis

from loadtests.dialects import aiornot, gptzero, hive, sightengine
from loadtests.dialects.reality_defender import KEY as REALITY_DEFENDER
from loadtests.dialects.reality_defender import PRESIGN
from tests.harness.contents import photo, text
from tests.harness.dialects import reality_defender
from tests.harness.http import client, problem
from tests.harness.process import hashcache
from tests.harness.service import Service, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import Script, ScriptedVendor, hang_up_read, ok, redirect, status
from tests.system.conftest import Services

CANARY = b"canary"
PASSWORD, SECRET, TOKEN = (f"{CANARY.decode()}-{name}-7f3a90c2d815" for name in ("password", "secret", "admin-token"))
GENERIC = "canary-generic-0a1b2c"


class Spoken(Protocol):
    """A vendor that speaks, and does once what it is told."""

    def misbehave(self, *scripts: Script) -> None:
        """The next calls get these scripts."""
        ...


@dataclass
class Plain:
    """A vendor with one address."""

    server: ScriptedVendor

    def misbehave(self, *scripts: Script) -> None:
        """The next calls get these scripts."""
        self.server.then(*scripts)


@dataclass
class Polled:
    """Reality Defender."""

    server: reality_defender.RealityDefender

    def misbehave(self, *scripts: Script) -> None:
        """The next jobs get these scripts."""
        self.server.then(PRESIGN, *scripts)


@asynccontextmanager
async def speaking(name: str) -> AsyncGenerator[tuple[Spoken, dict[str, str], bytes, str]]:
    """The vendor *name*, the settings of a service that buys from it, a content that it takes, and its secret."""
    if name == "reality_defender":
        async with reality_defender.RealityDefender() as server:
            key = REALITY_DEFENDER
            environment = {"REALITY_DEFENDER_API_KEY": key, "HASHCACHE_REALITY_DEFENDER_URL": server.url}
            yield Polled(server), environment, photo(), key
        return
    async with ScriptedVendor() as vendor:
        words = text(400).encode()
        match name:
            case "sightengine":
                vendor.default, key = sightengine.answer(sightengine.picture()), sightengine.SECRET
                environment = {"SIGHTENGINE_API_USER": sightengine.USER, "SIGHTENGINE_API_SECRET": key}
                yield (
                    Plain(vendor),
                    {**environment, "HASHCACHE_SIGHTENGINE_URL": sightengine.base(vendor.origin)},
                    photo(),
                    key,
                )
            case "hive":
                vendor.default, key = hive.answer(hive.output(hive.item())), hive.KEY
                yield Plain(vendor), {"HIVE_API_KEY": key, "HASHCACHE_HIVE_URL": hive.base(vendor.origin)}, photo(), key
            case "aiornot":
                vendor.default, key = aiornot.speaks(), aiornot.KEY
                yield Plain(vendor), {"AIORNOT_API_KEY": key, "HASHCACHE_AIORNOT_URL": vendor.origin}, words, key
            case "gptzero":
                vendor.default, key = gptzero.speaks(), gptzero.KEY
                yield Plain(vendor), {"GPTZERO_API_KEY": key, "HASHCACHE_GPTZERO_URL": vendor.origin}, words, key
            case _:
                vendor.default = ok()
                headers = json.dumps({"Authorization": f"Bearer {GENERIC}"})
                environment = {"HASHCACHE_GENERIC_HEADERS": headers, "HASHCACHE_GENERIC_SCORE": "/score"}
                yield (
                    Plain(vendor),
                    {**environment, "HASHCACHE_GENERIC_URL": f"{vendor.url}?k={GENERIC}"},
                    photo(),
                    GENERIC,
                )


class Produced:
    """All that was produced, by where."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, bytes]] = []

    def add(self, where: str, what: bytes | str) -> None:
        """One more piece."""
        self.parts.append((where, what.encode() if isinstance(what, str) else what))

    def answer(self, answer: httpx.Response) -> None:
        """An answer over HTTP."""
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        self.add(
            f"{answer.request.method} {answer.request.url.path} {answer.status_code}", head.encode() + answer.content
        )

    def store(self, there: Redis) -> None:
        """Every key and its value, as the server would write it to disk."""
        for key in there.scan_iter():
            self.add("a key of the store", key)
            self.add(f"the value of {key!r}", there.dump(key) or b"")

    def folder(self, folder: Path) -> None:
        """Every file below *folder*: the logs, and whatever else was written."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.add(f"file {path.name}", path.read_bytes())

    def told(self) -> list[str]:
        """Where a secret is told."""
        spellings = tuple(spelled(CANARY))
        return [where for where, what in self.parts if any(one in what.lower() for one in spellings)]


def spelled(word: bytes) -> Iterator[bytes]:
    """*word* as it is, in hexadecimal digits, and what of it is fixed in base64, in lower case."""
    yield word
    yield word.hex().encode()
    for before in range(3):
        encoded = base64.b64encode(b"\x00" * before + word + b"\x00" * 3)
        yield encoded[(before * 8 + 5) // 6 : (before + len(word)) * 8 // 6].lower()


def echoing(secret: str) -> list[Script]:
    """What a careless vendor does: tell our key in each kind of failure."""
    told = json.dumps({"error": f"the key {secret} is wrong", "key": secret, "detail": secret}).encode()
    failures = [status(code, body=told, headers={"X-Key": secret}) for code in (400, 401, 402, 404, 413, 429, 500, 200)]
    return [*failures, redirect(f"http://127.0.0.1:1/?key={secret}"), hang_up_read]


async def ask(web: httpx.AsyncClient, content: bytes) -> httpx.Response:
    """The answer to an upload, which is bought in any case."""
    kind = "image/jpeg" if content.startswith(b"\xff\xd8") else "text/plain"
    headers = {"Content-Type": kind, "X-Force-Refresh": "true"}
    return await web.post("/api/analyze", content=content, headers=headers)


async def failure(web: httpx.AsyncClient, content: bytes) -> httpx.Response | None:
    """The answer to an upload that the vendor met with a failure; None when it was not asked, for some milliseconds."""
    failed = await ask(web, content)
    assert failed.status_code >= 400, failed.text
    return None if problem(failed) == "provider-down" else failed


async def use(service: Service, vendor: Spoken, content: bytes, secret: str, produced: Produced) -> None:
    """What users, admins and a careless vendor do with *service*."""
    async with (
        client(service.url) as web,
        client(service.url, TOKEN) as admin,
        client(service.url, "wrong") as stranger,
    ):
        bought = await ask(web, content)
        assert bought.status_code == 200, bought.text
        produced.answer(bought)
        for script in echoing(secret):
            vendor.misbehave(script)
            produced.answer(await until(lambda: failure(web, content), what="the vendor is asked"))
        produced.answer(await web.post("/api/analyze", content=b"\x00", headers={"Content-Type": "image/jpeg"}))
        pages = ("/api/admin/cache/stats", "/api/admin/cache/minutes", "/api/admin/spend", "/metrics")
        for who in (admin, web, stranger):
            for page in (*pages, "/healthz", "/readyz", "/openapi.json", f"/api/analyses/{bought.json()['sha256']}"):
                produced.answer(await who.get(page))
        clear = {"pattern": "nothing:*", "reason": "a look at what is told"}
        produced.answer(await admin.post("/api/admin/cache/clear", json=clear))
        produced.answer(await admin.post("/api/admin/cache/clear", json={"pattern": "**bad**"}))


VENDORS = ["generic", "sightengine", "hive", "aiornot", "gptzero", "reality_defender"]


@pytest.mark.parametrize("name", VENDORS)
async def test_no_secret_is_told(services: Services, valkey: Valkey, name: str, tmp_path: Path) -> None:
    """
    Uploads, failures whose words hold our key, and admin pages: neither logs, answers, files nor the store's keys and
    values hold the vendor's key, the admin's token, the secret or the password.
    """
    produced = Produced()
    with valkey.client() as there:
        there.ping()
        guard(valkey)
        async with speaking(name) as (vendor, account, content, secret):
            service = await services.start(**account, **house(valkey), HASHCACHE_PROVIDER=name)
            await use(service, vendor, content, secret, produced)
            await service.stop()
        produced.store(there)
    produced.folder(tmp_path)
    assert len(produced.parts) > 30
    assert produced.told() == []


def guard(valkey: Valkey) -> None:
    """Whoever connects from now on needs the password; what is dumped is not compressed."""
    with valkey.client() as there:
        there.config_set("rdbcompression", "no")
        there.config_set("requirepass", PASSWORD)


def house(valkey: Valkey) -> dict[str, str]:
    """The settings that name secrets of our own."""
    return {
        "HASHCACHE_PROVIDER_PAUSE": "1ms",
        "HASHCACHE_SECRET": SECRET,
        "HASHCACHE_ADMIN_TOKEN": TOKEN,
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{valkey.port}",
    }


async def test_no_secret_is_printed(services: Services, valkey: Valkey, tmp_path: Path) -> None:
    """
    With accounts at all vendors: neither the commands that tell of providers and money, nor a start that is refused
    because a secret is malformed, print one.
    """
    produced = Produced()
    guard(valkey)
    environment = {**house(valkey), "HASHCACHE_PROVIDER": ",".join(VENDORS)}
    async with AsyncExitStack() as stack:
        for name in VENDORS:
            _, account, _, _ = await stack.enter_async_context(speaking(name))
            environment |= account
        service = await services.start(**environment)
        command = {**environment, "HASHCACHE_API_KEY": TOKEN}
        told = (["providers"], ["providers", "--json"], ["spend", "--url", service.url])
        for ended in await asyncio.gather(*(hashcache(tmp_path, *one, environment=command) for one in told)):
            assert ended.code == 0, ended.err
            produced.add("a command", ended.out + ended.err)
        for variable, value in malformed(environment).items():
            ended = await hashcache(tmp_path, "serve", "--port", "0", environment={**environment, variable: value})
            produced.add(f"a malformed {variable}", ended.refusal(ended.code))
        await service.stop()
    produced.folder(tmp_path)
    assert produced.told() == []


def malformed(environment: dict[str, str]) -> dict[str, str]:
    """Secrets that cannot be right."""
    return {
        "HASHCACHE_API_KEYS": "canary:canary",
        "HASHCACHE_ADMIN_TOKEN": "canary",
        "REDIS_URL": environment["REDIS_URL"] + "/canary?canary=canary",
    }


def test_the_search_finds_what_it_looks_for() -> None:
    """A secret in each of its spellings is found, wherever it begins."""
    for before in range(3):
        whole = b"x" * before + b"canary-key"
        for spelling in (whole, whole.upper(), whole.hex().encode(), base64.b64encode(whole)):
            produced = Produced()
            produced.add("here", b"some {" + spelling + b"} words")
            assert produced.told() == ["here"]
    produced = Produced()
    produced.add("here", "nothing")
    assert produced.told() == []
