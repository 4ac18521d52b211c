"""The outbox on a real Valkey server: what it costs, what it leaves behind, and what others may have put there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from redis.crc import key_slot

from hashcache.core.entry import Instant
from hashcache.core.envelope import Envelope
from hashcache.core.key import Names
from hashcache.ports import Bounds, Full, Sealed
from hashcache.stores.redis import RedisStore
from tests.harness.clock import HandClock
from tests.harness.valkey import Valkey

NAMES = Names("test")
BOUNDS = Bounds(10, 10)
HOUR = timedelta(hours=1)
UNBILLED = {
    "hello",
    "client",
    "client|setinfo",
    "info",
    "time",
    "select",
    "auth",
    "ping",
    "config|resetstat",
}


def store_on(valkey: Valkey) -> RedisStore:
    """A store on *valkey*, not opened."""
    patience = timedelta(seconds=20)
    return RedisStore(valkey.url, names=NAMES, envelope=Envelope(most=1000), clock=HandClock(), patience=patience)


async def test_each_verb_is_one_command(valkey: Valkey) -> None:
    """One script each; of what hosts bill: 2 to look in vain, 7 to put, 4 to put back, 5 to take, 6 to drop."""
    store = store_on(valkey)
    await store.open()
    outbox = store.outbox
    letter = Sealed("msg_1", "red", b"sealed", Instant(store.now() + 1000))

    async def each() -> AsyncIterator[int]:
        """Each verb once; what it should cost."""
        await outbox.take("a", hold=HOUR, most=16)
        yield 2
        await outbox.put(letter, "a", hold=HOUR, bounds=BOUNDS)
        yield 7
        await outbox.defer(letter, "a", store.now())
        yield 4
        await outbox.take("a", hold=HOUR, most=16)
        yield 5
        await outbox.drop("msg_1")
        yield 6

    async for _ in each():
        pass  # now the server knows the scripts
    with valkey.client() as there:
        there.config_resetstat()
        before = store.commands
        async for billed in each():
            calls = {name.removeprefix("cmdstat_"): one["calls"] for name, one in there.info("commandstats").items()}
            assert calls["evalsha"] == store.commands - before == 1
            assert sum(count for name, count in calls.items() if name not in UNBILLED) == billed, calls
            there.config_resetstat()
            before = store.commands
    await store.close()


async def test_everything_ends_by_itself(valkey: Valkey) -> None:
    """Both keys lie in one slot and have a time to live, longer than a letter's; what is dropped leaves nothing."""
    store = store_on(valkey)
    await store.open()
    with valkey.client() as there:
        for number in range(3):
            letter = Sealed(f"msg_{number}", "red", b"sealed", Instant(store.now() + 1000))
            assert await store.outbox.put(letter, "a", hold=HOUR, bounds=BOUNDS) is None
        keys = sorted(there.keys("hashcache:test:*"))
        assert keys == sorted([NAMES.outbox.encode(), NAMES.due.encode()])
        assert len({key_slot(key) for key in keys}) == 1
        assert all(3 * 86_400 < there.ttl(key) <= 8 * 86_400 for key in keys)
        for number in range(3):
            assert await store.outbox.drop(f"msg_{number}")
        assert there.keys("hashcache:test:books:*") == []
    await store.close()


async def test_what_is_no_letter_is_passed_over(valkey: Valkey) -> None:
    """Ids without a letter, fields that are none: others are delivered all the same, and the ids go."""
    store = store_on(valkey)
    await store.open()
    letter = Sealed("msg_1", "red", b"sealed", Instant(store.now() + 1000))
    with valkey.client() as there:
        assert await store.outbox.put(letter, "a", hold=timedelta(0), bounds=BOUNDS) is None
        there.zadd(NAMES.due, {"ghost": 1, "half": 2, "odd": 3})
        there.hset(NAMES.outbox, mapping={"half": "x", "odd": "x", "=odd": "nothing-of-ours", "#blue": "many"})
        told = await store.outbox.take("b", hold=HOUR, most=10)
        assert list(told.letters) == [letter]
        assert there.zcard(NAMES.due) == 1
        blue = Sealed("msg_2", "blue", b"sealed", letter.expires)
        assert await store.outbox.put(blue, "a", hold=HOUR, bounds=Bounds(2, 1)) is None
        assert await store.outbox.put(blue_again(blue), "a", hold=HOUR, bounds=Bounds(9, 1)) is Full.TENANT
    await store.close()


def blue_again(blue: Sealed) -> Sealed:
    """Another letter of the same tenant."""
    return Sealed("msg_3", blue.tenant, blue.sealed, blue.expires)
