"""The ledger on a real Valkey server: what it costs, what a lost reply does, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis
from redis.crc import key_slot

from hashcache.core.entry import EPOCH, Instant
from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.ports.ledger import Batch, Minute, Process
from hashcache.stores.redis import RedisStore
from tests.harness.clock import START, HandClock
from tests.harness.valkey import Valkey

NAMES = Names("test")
PATIENT = timedelta(seconds=20)
NOW = Instant(START)
#: What hosts do not bill, and what only connecting and this test itself ask for.
UNBILLED = {"hello", "client", "client|setinfo", "info", "time", "select", "auth", "ping", "quit", "config|resetstat"}
COUNTS = {f"counter.{number}": number for number in range(30)}
MINUTE = {"hits.image": 3, "spent": 30_000}


def key(number: int) -> Key:
    """One of many keys."""
    return Key("analysis", f"{number:064x}", f"{number:032x}")


@asynccontextmanager
async def connected(valkey: Valkey, *, patience: timedelta = PATIENT) -> AsyncIterator[RedisStore]:
    """A store on *valkey*, opened and closed; nothing of this process's clock reaches its ledger but by `HandClock`."""
    clock = HandClock()
    store = RedisStore(valkey.url, names=NAMES, envelope=Envelope(most=1000), clock=clock, patience=patience)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def billed(there: Redis) -> int:
    """How many commands ran since the last `config_resetstat`, those inside scripts counted, as Upstash bills them."""
    ran = there.info("commandstats")
    return sum(stat["calls"] for name, stat in ran.items() if name.removeprefix("cmdstat_") not in UNBILLED)


async def test_a_batch_is_one_command_and_bills_few(valkey: Valkey) -> None:
    """
    Whatever it counts: five as hosts bill them, one more for a process's first in an hour; three more with hits, and
    three more again when some of those must be forgotten.
    """
    many = {key(number): 1 for number in range(500)}
    async with connected(valkey) as store:
        store.ledger._remembered = 600  # a bound that a test can reach
        at = store.now()
        batches = {
            6: Batch("a", 1, at, COUNTS, MINUTE),
            5: Batch("a", 2, at, COUNTS, MINUTE),
            9: Batch("a", 3, at, COUNTS, MINUTE, many),
            8: Batch("a", 4, at, COUNTS, MINUTE, many),
            11: Batch("a", 5, at, COUNTS, MINUTE, {key(number): 1 for number in range(500, 800)}),
            2: Batch("a", 5, at, COUNTS, MINUTE),
        }
        with valkey.client() as there:
            await store.ledger.book(Batch("b", 1, at))  # from here on the server knows the script
            for bill, batch in batches.items():
                there.config_resetstat()
                before = store.commands
                await store.ledger.book(batch)
                assert (store.commands - before, billed(there)) == (1, bill)
            assert there.hlen(NAMES.hits) == 600


async def test_a_beat_and_what_is_read_bill_few(valkey: Valkey) -> None:
    """A beat is three, the first four; totals and processes one, hits two, a day of minutes one for each hour."""
    async with connected(valkey) as store:
        one = Process("a", "host", 1, "serve", "1", NOW, NOW)
        ledger, minute = store.ledger, timedelta(minutes=1)
        await ledger.beat(one, minute)
        with valkey.client() as there:
            there.config_resetstat()
            await ledger.beat(one, minute)
            assert billed(there) == 3
            there.config_resetstat()
            await ledger.totals()
            await ledger.processes()
            assert billed(there) == 2
            await ledger.hits([key(1), key(2), key(3)])
            assert billed(there) == 4
            before = store.commands
            await ledger.minutes(EPOCH)
            assert store.commands - before in (26, 27)
            there.config_resetstat()
            await ledger.minutes(store.now())
            assert billed(there) == 1


async def test_all_but_the_totals_end_by_themselves(valkey: Valkey) -> None:
    """The counters never; hours within 26, hits within 31 days of the last one, processes with the last beat."""
    async with connected(valkey) as store:
        at = store.now()
        await store.ledger.book(Batch("a", 1, at, COUNTS, MINUTE, {key(1): 1}))
        await store.ledger.book(Batch("a", 2, Instant(at - 3_600_000), COUNTS))
        await store.ledger.beat(Process("a", "host", 1, "serve", "1", at, at), timedelta(seconds=15))
    with valkey.client() as there:
        lives = {name.decode(): there.pttl(name) for name in there.keys(NAMES.prefix + "*")}
        assert lives.pop(NAMES.counters) == -1
        most = {NAMES.hits: 31 * 24 * 3600, NAMES.processes: 15}
        most |= {NAMES.hour(at // 3_600_000 - ago): 26 * 3600 for ago in (0, 1)}
        assert lives.keys() == most.keys()
        assert all(most[name] * 1000 - 5_000 < life <= most[name] * 1000 for name, life in lives.items())


async def test_a_batch_whose_reply_is_lost_is_added_once(valkey: Valkey) -> None:
    """
    The server gets a batch and does not answer in time, so the batch counts as not sent. Then it goes on, and adds it.
    The batch is sent again: once in all it was added.
    """
    async with connected(valkey, patience=timedelta(milliseconds=300)) as store:
        batch = Batch("a", 1, store.now(), {"spent": 10_000}, {"spent": 10_000}, {key(1): 1})
        await store.ledger.book(replace(batch, sender="b"))
        valkey.freeze()
        with pytest.raises(StoreUnavailable):
            await store.ledger.book(batch)
        valkey.thaw()
        with valkey.client() as there:
            async with asyncio.timeout(10):
                while there.hget(NAMES.counters, "spent") != b"20000":
                    await turn()
        assert not await store.ledger.book(batch)
        assert await store.ledger.totals() == {"spent": 20_000}
        assert await store.ledger.minutes(EPOCH) == [Minute(Instant(batch.at // 60_000 * 60_000), {"spent": 20_000})]
        assert await store.ledger.hits([key(1)]) == [2]


async def turn() -> None:
    """Let others work."""
    await asyncio.sleep(0)


@pytest.mark.parametrize("record", ["counters", "hour", "hits"])
async def test_a_batch_is_added_whole_or_not_at_all(valkey: Valkey, record: str) -> None:
    """A record of a foreign type stops it before anything was added; when that is gone, the batch is added."""
    async with connected(valkey) as store:
        batch = Batch("a", 1, store.now(), {"hits": 1}, {"hits": 1}, {key(1): 1})
        name = {"counters": NAMES.counters, "hits": NAMES.hits, "hour": NAMES.hour(batch.at // 3_600_000)}[record]
        with valkey.client() as there:
            there.set(name, "foreign")
            with pytest.raises(StoreUnavailable):
                await store.ledger.book(batch)
            assert there.keys(NAMES.prefix + "*") == [name.encode()]
            there.delete(name)
        assert await store.ledger.book(batch)
        assert await store.ledger.totals() == {"hits": 1}


async def test_a_full_server_adds_nothing_by_halves(valkey: Valkey) -> None:
    """It refuses the whole batch, which is added when there is room again."""
    async with connected(valkey) as store:
        batch = Batch("a", 1, store.now(), {"hits": 1}, {"hits": 1}, {key(1): 1})
        with valkey.client() as there:
            there.config_set("maxmemory", 1)
            with pytest.raises(StoreUnavailable) as refused:
                await store.ledger.book(batch)
            assert refused.value.reason == "oom"
            there.config_set("maxmemory", 0)
            assert there.keys(NAMES.prefix + "*") == []
        assert await store.ledger.book(batch)


async def test_damaged_records_are_passed_over(valkey: Valkey) -> None:
    """Whatever lies in the hashes, readers tell the rest."""
    async with connected(valkey) as store:
        at = store.now()
        hour, another = NAMES.hour(at // 3_600_000), (at // 60_000 + 1) % 60
        await store.ledger.book(Batch("a", 1, at, {"hits": 1}, {"hits": 1}))
        await store.ledger.beat(Process("a", "host", 1, "serve", "1", at, at), timedelta(minutes=1))
        with valkey.client() as there:
            there.hset(NAMES.counters, mapping={b"\xff": "1", "misses": "many"})
            there.hset(hour, mapping={"x.hits": 1, "hits": 1, f"{another}.hits": "1.5", "": 1})
            there.hset(NAMES.processes, mapping={"b": "", "c": f"{at * 2} {{", "d": f"{at * 2} {{}}", "e": "x {}"})
        assert await store.ledger.totals() == {"hits": 1, "\ufffd": 1}
        assert [minute.counts for minute in await store.ledger.minutes(EPOCH)] == [{"hits": 1}]
        assert [process.name for process in await store.ledger.processes()] == ["a"]


async def test_a_new_process_removes_what_dead_ones_left(valkey: Valkey) -> None:
    """So there are never more records than processes that live or died since the last start."""
    async with connected(valkey) as store:
        at = store.now()
        with valkey.client() as there:
            there.hset(NAMES.processes, mapping={"dead": f"{at} {{}}", "odd": "?", "alive": f"{at * 2} {{}}"})
            await store.ledger.beat(Process("a", "host", 1, "serve", "1", at, at), timedelta(minutes=1))
            assert set(there.hkeys(NAMES.processes)) == {b"a", b"alive"}


async def test_nothing_of_it_tells_whose_content_was_asked_for(valkey: Valkey) -> None:
    """No key, digest or variant stands in it: what DELETE forgets is not found here."""
    async with connected(valkey) as store:
        await store.ledger.book(Batch("a", 1, store.now(), COUNTS, MINUTE, {key(0xABCDEF): 1}))
    with valkey.client() as there:
        records = {name: there.hgetall(name) for name in there.keys(NAMES.prefix + "*")}
    assert b"abcdef" not in repr(records).encode()


def test_its_records_share_one_slot() -> None:
    """Redis Cluster runs a script on one slot only; no record is taken for an entry."""
    names = (NAMES.counters, NAMES.hits, NAMES.processes, NAMES.hour(1), NAMES.hour(2))
    assert len({key_slot(name.encode()) for name in names}) == 1
    assert all(NAMES.parse(name) is None for name in names)
