"""
A Redis server that is shared with strangers: nothing of theirs is touched, nothing of ours stays for ever.

Everything here goes through the service's own HTTP; the server is looked at from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from tests.harness.contents import clip, photo, text
from tests.harness.http import client
from tests.harness.service import ADMIN_TOKEN, Service, until
from tests.harness.valkey import Valkey
from tests.harness.vendor import ScriptedVendor, gate, ok
from tests.system.conftest import Services

#: What others keep on the same server, and what another environment of ours does; none of it is ours.
STRANGERS = {
    b"analysis:{0}:0": b"someone's",
    b"text:{0}:0": b"someone's",
    b"hashcache": b"someone's",
    b"hashcache:": b"someone's",
    b"hashcache:prod2:analysis:{0}:0": b"another environment, whose name begins like ours",
    b"hashcache:dev:analysis:{0}:0": b"another environment",
    b"xhashcache:prod:analysis:{0}:0": b"someone's",
    b"HASHCACHE:PROD:analysis:{0}:0": b"someone's",
}
PREFIX = b"hashcache:prod:"
BOOKS = PREFIX + b"books:"
DAY = 24 * 3600


@pytest.fixture
def strangers(valkey: Valkey) -> Iterator[Redis]:
    """A client of the server, on which others have left their keys."""
    with valkey.client() as there:
        there.mset(STRANGERS)
        yield there


async def clear(service: Service, pattern: str | None, **more: Any) -> dict[str, Any]:
    """The answer of a clear, which must be done at once."""
    asked = {**({"pattern": pattern} if pattern else {}), **more}
    async with client(service.url, ADMIN_TOKEN) as admin:
        answer = await admin.post("/api/admin/cache/clear", json=asked)
    assert answer.status_code == 200, answer.text
    cleared: dict[str, Any] = answer.json()
    return cleared


async def fill(service: Service) -> None:
    """Six entries: three images, a video, two texts."""
    async with client(service.url) as web:
        for content in (photo(), photo(), photo(), clip()):
            answer = await web.post("/api/analyze", content=content)
            assert answer.headers["X-Cache"] == "MISS"
        for _ in range(2):
            assert (await web.post("/api/analyze", json={"text": text()})).status_code == 200


def ours(there: Redis) -> dict[bytes, int]:
    """Our keys and how many milliseconds each has to live, -1: for ever."""
    return {key: there.pttl(key) for key in there.scan_iter(PREFIX + b"*", count=1000)}


def entries(there: Redis) -> list[bytes]:
    """Our keys that are no books."""
    return [key for key in ours(there) if not key.startswith(BOOKS)]


async def test_a_clear_touches_nothing_but_our_entries(
    services: Services, paid: dict[str, str], strangers: Redis
) -> None:
    """
    Clearing everything removes our entries, not the books, and nothing else, not even the same answers of another
    environment; a glob in a pattern is
    no glob; it takes SCAN and UNLINK, never KEYS, FLUSHDB or FLUSHALL.
    """
    service = await services.start(**paid, REDIS_URL=_url(strangers), HASHCACHE_ENV="prod")
    await fill(service)
    # The books are written once a second.
    await until(lambda: strangers.exists(BOOKS + b"counters"), what="the counters are in the books")
    assert len(entries(strangers)) == 6
    copies = [key.replace(b":prod:", b":prod2:") for key in entries(strangers)]
    for copy in copies:
        strangers.copy(copy.replace(b":prod2:", b":prod:"), copy)
    for glob in ("analysis:?*", "[at]*", "analysis:{*", "hashcache:*", "\\*"):
        assert (await clear(service, glob))["deleted"] == 0
    assert (await clear(service, "*", dry_run=True))["deleted"] == 6
    assert (await clear(service, "text:*"))["deleted"] == 2
    before = strangers.hgetall(BOOKS + b"counters")
    assert (await clear(service, None, reason="a test"))["deleted"] == 4
    assert entries(strangers) == []
    assert {key: strangers.get(key) for key in STRANGERS} == STRANGERS
    assert strangers.exists(*copies) == 6
    books = strangers.hgetall(BOOKS + b"counters")
    assert {name: books.get(name) for name in before if name.startswith((b"spent.", b"calls."))} == {
        name: count for name, count in before.items() if name.startswith((b"spent.", b"calls."))
    }
    assert strangers.exists(BOOKS + b"barrier")
    used = {name.removeprefix("cmdstat_") for name in strangers.info("commandstats")}
    assert {"scan", "unlink"} <= used
    assert not used & {"keys", "flushdb", "flushall"}


async def test_everything_but_the_books_has_a_time_to_live(
    services: Services, vendor: ScriptedVendor, paid: dict[str, str], strangers: Redis
) -> None:
    """
    Entries live for 7 days (images, videos) or 30 (texts), a claim for the lease, a tombstone for 70 minutes, at most;
    lines of money live for 400 days and what remains of the month; of the books only the barrier and the totals have no
    end. And each is where its name says: under the prefix, its digest in braces.
    """
    service = await services.start(**paid, REDIS_URL=_url(strangers), HASHCACHE_ENV="prod", HASHCACHE_LEASE="9s")
    await fill(service)
    async with client(service.url) as web:
        answer = await web.post("/api/analyze", content=photo())
        forgotten = answer.json()["sha256"]
        assert (await web.delete(f"/api/analyses/{forgotten}")).json()["deleted"] == 1
        opened = asyncio.Event()
        vendor.then(gate(opened, ok()))
        buying = asyncio.create_task(web.post("/api/analyze", content=photo()))
        await vendor.called(8)
        found = ours(strangers)
        opened.set()
        await buying
    life = {
        b"hashcache:prod:analysis:{": 7 * DAY,
        b"hashcache:prod:text:{": 30 * DAY,
        b":claim": 9,
        b":forgotten": 4200,
    }
    told = dict.fromkeys(life, 0)
    for key, milliseconds in found.items():
        if key.startswith(BOOKS):
            ends = not key.startswith((BOOKS + b"barrier", BOOKS + b"counters", BOOKS + b"money:"))
            longest = 435 * DAY if key.startswith((BOOKS + b"days:", BOOKS + b"accounts:")) else 31 * DAY
            assert (0 < milliseconds <= longest * 1000) if ends else milliseconds == -1, key
            continue
        part = next(part for part in (b":claim", b":forgotten", *life) if key.endswith(part) or key.startswith(part))
        told[part] += 1
        assert 0 < milliseconds <= life[part] * 1000
        if part in (b":forgotten", *list(life)[:2]):
            assert milliseconds > life[part] * 1000 - 60_000, "it is not kept as long as it should be"
    assert list(told.values())[:3] == [4, 2, 1]
    assert told[b":forgotten"] >= 1
    assert forgotten.encode() not in b"".join(key for key in found if not key.endswith(b":forgotten"))
    assert all(strangers.ttl(key) == -1 for key in STRANGERS)


def _url(there: Redis) -> str:
    return f"redis://127.0.0.1:{there.connection_pool.connection_kwargs['port']}"
