"""The accounts on a real Valkey server: what they cost, what a lost reply does, and what they leave behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from time import monotonic

import pytest
from redis import Redis
from redis.crc import key_slot

from hashcache.core.budget import Budget, Charge, Period
from hashcache.core.entry import Instant
from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.core.money import MicroDollars
from hashcache.core.spend import Account, Fate, day_of
from hashcache.ports import Attempt, Batch, Breaker, Granted, Health, Rules, Settlement
from hashcache.stores.redis import RedisStore
from tests.harness.clock import HandClock, turns
from tests.harness.valkey import Valkey

NAMES = Names("test")
PATIENT = timedelta(seconds=20)
#: What hosts do not bill, and what only connecting and this test itself ask for.
UNBILLED = {"hello", "client", "client|setinfo", "info", "time", "select", "auth", "ping", "quit", "config|resetstat"}
HIVE = Account("hive", "image", "default")
CENT = MicroDollars(10_000)
DAY = 86_400_000
STORED = Settlement(Fate.STORED, CENT, units={"operations": 1})
FAILED = Settlement(Fate.FAILED, health=Health.FAILED)


@asynccontextmanager
async def connected(valkey: Valkey, *, patience: timedelta = PATIENT) -> AsyncIterator[RedisStore]:
    """A store on *valkey*, opened and closed."""
    envelope = Envelope(most=1000)
    store = RedisStore(
        valkey.url, names=NAMES, envelope=envelope, clock=HandClock(), deadline=patience, patience=patience
    )
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def attempt(store: RedisStore, token: str, *, at: int = 1, lasting: int = 60_000) -> Attempt:
    """An attempt at one of the keys, which starts now and lasts so many milliseconds."""
    now = store.now()
    key = Key("analysis", f"{at:064x}", f"{at:032x}")
    return Attempt(token, key, HIVE, CENT, now, Instant(now + lasting), "process")


def budgets(store: RedisStore) -> list[Charge]:
    """Two for all, one for the provider, one for the tenant."""
    roomy = MicroDollars(1_000_000_000)
    kinds = (Budget(roomy, Period.DAY), Budget(roomy, Period.MONTH))
    others = (Budget(roomy, Period.DAY, provider="hive"), Budget(roomy, Period.MONTH, tenant="default"))
    return [budget.charge(store.now()) for budget in kinds + others]


async def granted(store: RedisStore, one: Attempt) -> Attempt:
    """*one* as it is on record."""
    answer = await store.accounts.reserve(one, budgets(store), Rules())
    assert isinstance(answer, Granted)
    return answer.attempt


class Bill:
    """What is sent, and what hosts bill for it: commands inside scripts count, as with Upstash."""

    def __init__(self, store: RedisStore, there: Redis) -> None:
        self._store, self._there = store, there
        self.read()

    def read(self) -> tuple[int, int]:
        """Commands of ours and commands billed since it was last read."""
        sent, self._sent = self._store.commands - getattr(self, "_sent", 0), self._store.commands
        ran = self._there.info("commandstats")
        self._there.config_resetstat()
        return sent, sum(stat["calls"] for name, stat in ran.items() if name.removeprefix("cmdstat_") not in UNBILLED)


async def test_a_purchase_is_two_commands_and_bills_few(valkey: Valkey) -> None:
    """
    Four budgets or none: three for reserving and seven or eight for settling, as hosts bill them; one more for the
    first of a day and for lines that are new in a month.
    """
    async with connected(valkey) as store:
        with valkey.client() as there:
            first = await granted(store, attempt(store, "a"))
            await store.accounts.note(first, "job")
            await store.accounts.settle(first, STORED)
            bill = Bill(store, there)
            bill.read()
            one = await granted(store, attempt(store, "b"))
            assert bill.read() == (1, 3)
            assert await store.accounts.note(one, "job")
            assert bill.read() == (1, 3)
            assert await store.accounts.settle(one, STORED)
            assert bill.read() == (1, 7)
            one = await granted(store, attempt(store, "c"))
            bill.read()
            assert await store.accounts.settle(one, replace(STORED, price=MicroDollars(3)))
            assert bill.read() == (1, 8)
            assert await store.accounts.settle(one, STORED) is False
            assert bill.read() == (1, 2)


async def test_what_is_rare_takes_two_commands(valkey: Valkey) -> None:
    """When something lies at the key it is told, judged, and then changed; a refusal changes nothing."""
    async with connected(valkey) as store:
        with valkey.client() as there:
            await store.accounts.settle(await granted(store, attempt(store, "x")), STORED)
            lost = await granted(store, attempt(store, "a"))
            bill = Bill(store, there)
            bill.read()
            await granted(store, attempt(store, "b"))
            assert bill.read() == (2, 2 + 7 + 1)
            await store.accounts.settle(lost, STORED)
            assert bill.read()[0] == 2
            await granted(store, attempt(store, "b"))
            assert bill.read() == (1, 2)
            tight = replace(budgets(store)[0], most=CENT)
            await store.accounts.reserve(attempt(store, "c", at=2), [tight], Rules())
            assert bill.read() == (1, 2)


async def test_what_is_read_is_one_command(valkey: Valkey) -> None:
    """Attempts, windows, breakers, totals, and a reaper that finds nothing: one; days one for each month."""
    async with connected(valkey) as store:
        await granted(store, attempt(store, "a"))
        accounts = store.accounts
        with valkey.client() as there:
            bill = Bill(store, there)
            for reading in (
                accounts.attempts(),
                accounts.used(budgets(store)),
                accounts.breakers(),
                accounts.totals(),
                accounts.reap(),
            ):
                bill.read()
                await reading
                assert bill.read() == (1, 1)
            await accounts.days(date(2000, 1, 1))
            assert bill.read()[0] in (14, 15)


async def test_a_batch_with_lines_of_its_day_bills_four_more(valkey: Valkey) -> None:
    """Nine; it is one command as ever."""
    async with connected(valkey) as store:
        at, saved = store.now(), HIVE.lines({"saved": 5, "hits": 1})
        with valkey.client() as there:
            await store.ledger.book(Batch("a", 1, at, {"hits": 1}, {"hits": 1}, days=saved))
            bill = Bill(store, there)
            bill.read()
            await store.ledger.book(Batch("a", 2, at, {"hits": 1}, {"hits": 1}, days=saved))
            assert bill.read() == (1, 9)


async def test_all_but_the_totals_end_by_themselves(valkey: Valkey) -> None:
    """What is open when nothing was paid for 40 days; days after 401 days at least."""
    async with connected(valkey) as store:
        one = await granted(store, attempt(store, "a"))
        await granted(store, attempt(store, "b", at=2, lasting=0))
        await store.accounts.settle(one, FAILED)
        await store.accounts.reap()
        days = NAMES.days(f"{day_of(store.now()):%Y-%m}")
    with valkey.client() as there:
        lives = {name.decode(): there.pttl(name) for name in there.keys(NAMES.prefix + "*")}
    assert lives.pop(NAMES.money) == -1
    assert lives.keys() == {NAMES.accounts, days}
    assert 0 < lives[NAMES.accounts] <= 40 * DAY
    assert 401 * DAY < lives[days] <= 432 * DAY


async def test_the_life_of_what_is_open_begins_anew_once_a_day(valkey: Valkey) -> None:
    """Not with each purchase, since hosts bill that."""
    async with connected(valkey) as store:
        await granted(store, attempt(store, "a"))
        with valkey.client() as there:
            there.pexpire(NAMES.accounts, 1_000_000)
            await granted(store, attempt(store, "b", at=2))
            assert there.pttl(NAMES.accounts) <= 1_000_000
            there.hset(NAMES.accounts, "renewed", store.now() - DAY)
            await granted(store, attempt(store, "c", at=3))
            assert there.pttl(NAMES.accounts) > 39 * DAY


async def test_what_got_lost_on_the_way_back_is_done_once(valkey: Valkey) -> None:
    """
    The server gets a reserve, then a settle, and does not answer in time. Then it goes on, and does it. Each is asked
    again: once in all it was drawn, once booked.
    """
    async with connected(valkey, patience=timedelta(milliseconds=300)) as store:
        await store.accounts.settle(await granted(store, attempt(store, "x", at=2)), FAILED)
        one = attempt(store, "a")
        valkey.freeze()
        with pytest.raises(StoreUnavailable):
            await store.accounts.reserve(one, budgets(store), Rules())
        valkey.thaw()
        with valkey.client() as there:
            await until(lambda: any(name.startswith(b"at:") for name in there.hkeys(NAMES.accounts)))
        reserved = await granted(store, one)
        assert await store.accounts.used(budgets(store)) == [CENT] * 4
        # Connections for the settle and for a look at the clock, which may be due: none is opened while it is frozen.
        await asyncio.gather(*(store.accounts.totals() for _ in range(3)))
        valkey.freeze()
        with pytest.raises(StoreUnavailable):
            await store.accounts.settle(reserved, STORED)
        valkey.thaw()
        with valkey.client() as there:
            await until(lambda: there.hexists(NAMES.money, HIVE.line("stored")))
        assert not await store.accounts.settle(reserved, STORED)
        assert (await store.accounts.totals())[HIVE.line("calls")] == 2


async def until(done: Callable[[], object]) -> None:
    """Let others work until it is *done*."""
    async with asyncio.timeout(10):
        while not done():
            await turns(1)


@pytest.mark.parametrize("record", ["days", "money"])
async def test_a_call_is_booked_whole_or_not_at_all(valkey: Valkey, record: str) -> None:
    """A record of a foreign type stops it before anything changed; when that is gone, it is booked."""
    async with connected(valkey) as store:
        one = await granted(store, attempt(store, "a"))
        name = NAMES.money if record == "money" else NAMES.days(f"{day_of(store.now()):%Y-%m}")
        with valkey.client() as there:
            there.set(name, "foreign")
            before = there.hgetall(NAMES.accounts)
            for act in (
                store.accounts.settle(one, Settlement(Fate.FAILED, health=Health.FAILED)),
                store.accounts.reserve(attempt(store, "b"), budgets(store), Rules()),
            ):
                with pytest.raises(StoreUnavailable):
                    await act
            assert there.hgetall(NAMES.accounts) == before
            assert len(there.keys(NAMES.prefix + "*")) == 2
            assert (await store.accounts.totals(), await store.accounts.days(date(2000, 1, 1))) == ({}, [])
            there.delete(name)
        assert await store.accounts.settle(one, FAILED)
        assert await store.accounts.totals() == HIVE.lines({"calls": 1, "failed": 1})


async def test_a_full_server_still_settles(valkey: Valkey) -> None:
    """What would draw is refused and leaves nothing; what ends is booked, since the money is spent."""
    async with connected(valkey) as store:
        one = await granted(store, attempt(store, "a"))
        with valkey.client() as there:
            there.config_set("maxmemory", 1)
            with pytest.raises(StoreUnavailable) as refused:
                await store.accounts.reserve(attempt(store, "b", at=2), budgets(store), Rules())
            assert refused.value.reason == "oom"
            assert await store.accounts.settle(one, STORED)
            there.config_set("maxmemory", 0)
        assert await store.accounts.attempts() == []
        assert (await store.accounts.totals())[HIVE.line("spent")] == CENT


async def test_damaged_records_are_passed_over(valkey: Valkey) -> None:
    """Whatever lies in the hashes, readers tell the rest, and a purchase goes on."""
    async with connected(valkey) as store:
        kept = await granted(store, attempt(store, "a"))
        one = attempt(store, "b", at=2)
        record = {"token": "", "key": {"space": "*", "name": "", "variant": ""}}
        odd = [b"", b"\xff", b"tries", b"tries 99999999999999999999 1", b"a\nrules 1 2 3 4 5\n{}\n", b"a\nb\nc\nd"]
        odd.append(b"a\nrules 1 2 3 4 5\n" + json.dumps(record).encode() + b"\n")
        window = budgets(store)[0]
        with valkey.client() as there:
            for raw in odd:
                there.hset(NAMES.accounts, f"at:{one.key.short.hex()}", raw)
                there.hset(
                    NAMES.accounts,
                    mapping={
                        f"at:{raw!r}": raw,
                        f"lapsed:{raw!r}": raw,
                        f"breaker:{raw!r}": raw,
                        f"window:{raw!r}": raw,
                    },
                )
                there.hset(NAMES.accounts, mapping={b"\xff": raw, "breaker:hive": raw, f"window:{window.name}": raw})
                assert await store.accounts.attempts() == [kept]
                assert await store.accounts.breakers() == []
                assert await store.accounts.used([window]) == [0]
                assert await store.accounts.reap() == []
                assert isinstance(await store.accounts.reserve(one, [window], Rules()), Granted)
                assert await store.accounts.used([window]) == [CENT]
                assert await store.accounts.settle(replace(one, charges=(window.name,)), FAILED)
                assert await store.accounts.breakers() == [Breaker("hive", 1)]
            there.hset(NAMES.money, mapping={b"\xff": "1", "x|y|z|w": "many"})
        assert await store.accounts.totals() == HIVE.lines({"calls": len(odd), "failed": len(odd)}) | {"\ufffd": 1}


async def test_what_has_ended_does_not_tell_whose_content_it_was(valkey: Valkey) -> None:
    """No key, digest or variant stands in what is remembered: what DELETE forgets is not found here."""
    async with connected(valkey) as store:
        for token in ("a", "b"):
            await granted(store, attempt(store, token, at=0xABCDEF, lasting=0))
        await store.accounts.reap()
        answer = await store.accounts.reserve(attempt(store, "a", at=0xABCDEF), [], Rules())
        assert isinstance(answer, Granted)
        assert answer.attempt.key == attempt(store, "a", at=0xABCDEF).key
    with valkey.client() as there:
        records = {name: there.hgetall(name) for name in there.keys(NAMES.prefix + "*")}
    assert len(records) == 3
    assert b"abcdef" not in repr(records).encode()


def test_their_records_share_one_slot() -> None:
    """Redis Cluster runs a script on one slot only, and a batch adds to them; no record is taken for an entry."""
    names = (NAMES.counters, NAMES.accounts, NAMES.money, NAMES.days("2026-11"), NAMES.days("2026-12"))
    assert len({key_slot(name.encode()) for name in names}) == 1
    assert all(NAMES.parse(name) is None for name in names)


async def test_a_reaper_sees_to_very_many(valkey: Valkey) -> None:
    """The attempts of a whole fleet that died, and what has lapsed of them when it is not remembered any longer."""
    async with connected(valkey) as store:
        ones = [attempt(store, f"t{at}", at=at, lasting=0) for at in range(1_001)]
        await asyncio.gather(*(store.accounts.reserve(one, [], Rules()) for one in ones))
        assert len(await store.accounts.reap()) == len(ones)
        assert await store.accounts.attempts() == []
        store._clock.sampled(store.now() + 3 * DAY, now := monotonic(), now)
        assert await store.accounts.reap() == []
        with valkey.client() as there:
            assert there.hkeys(NAMES.accounts) == [b"renewed"]
