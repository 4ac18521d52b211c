"""SCAN against KEYS: what forgetting ten thousand entries costs those who share the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from statistics import median
from typing import Any

from redis import Redis

from hashcache import Cache
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.key import Names
from hashcache.integrations import names
from hashcache.integrations.values import Values
from tests.harness.valkey import Valkey

ENTRIES = 10_000
#: What lies there beside them in the end: the entry of another name, and the barrier.
OTHERS = 2
LIFE = 600_000
SECONDS = 30


def fill(client: Redis, now: Instant, sequence: int, keys: Iterable[str]) -> None:
    """Put an entry of the library under each of *keys*, as it would itself."""
    places, envelope = Names("dev"), Envelope(most=1_000_000)
    payload, label = Values().encode({"x": 1}), Label("lists", names.SHARED, names.SPACE)
    with client.pipeline(transaction=False) as pipe:
        for name in keys:
            key = names.key_of(name)
            entry = Entry(key, label, payload, sequence, now, Instant(now + LIFE))
            pipe.set(places.entry(key), envelope.seal(entry, places.entry(key)), px=LIFE)
        pipe.execute()


def slowest(client: Redis) -> dict[str, float]:
    """
    Microseconds that a command took on the server since its log was emptied, by kind of command: the median of each.

    (The longest one of thousands tells mostly how long the machine let the server wait.)
    """
    log: list[dict[str, Any]] = client.slowlog_get(1_000_000)
    found: dict[str, list[int]] = {}
    for one in log:
        words = bytes(one["command"]).decode(errors="replace").upper().split(" ")
        kind = " ".join(words[:2]) if words[0] == "EVALSHA" else words[0]
        found.setdefault(kind, []).append(one["duration"])
    return {kind: median(durations) for kind, durations in found.items() if kind not in {"SLOWLOG", "DBSIZE"}}


async def test_forgetting_ten_thousand_entries_never_holds_the_server_up(valkey: Valkey) -> None:
    """
    They are forgotten when the call returns, and gone from the server soon after, without KEYS. No kind of command that
    this took keeps the server from others for half as long as KEYS over the same keys does.
    """
    async with Cache(valkey.url) as cache:
        with valkey.client() as client:
            store = cache.answering.opened.store
            before, sequence = client.dbsize(), (await store.barrier()).sequence
            fill(client, store.now(), sequence, (f"agents:{one}" for one in range(ENTRIES)))
            fill(client, store.now(), sequence, ["pages:1"])
            assert await cache.get("agents:77") == {"x": 1}
            client.config_set("slowlog-max-len", 1_000_000)
            client.config_set("slowlog-log-slower-than", 0)
            client.slowlog_reset()
            for _ in range(5):
                assert len(client.keys("hashcache:dev:app:{agents:*")) == ENTRIES
            keys = slowest(client)["KEYS"]
            client.slowlog_reset()
            client.config_resetstat()
            await cache.invalidate("agents:*", reason="a write")
            assert await cache.get("agents:77") is None
            async with asyncio.timeout(SECONDS):
                while client.dbsize() > before + OTHERS:  # noqa: ASYNC110 - the server announces nothing
                    await asyncio.sleep(0)
            assert await cache.get("pages:1") == {"x": 1}
            assert not client.exists(Names("dev").entry(names.key_of("agents:77")))
            stats = client.info("commandstats")
            assert "cmdstat_keys" not in stats
            assert stats["cmdstat_scan"]["calls"] > 100
            ours = slowest(client)
    assert max(ours.values()) < keys / 2, (ours, keys)
