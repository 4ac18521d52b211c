"""The store on a real Valkey server: what it costs, and what it makes of what a server may answer."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.errors import SettingsError
from hashcache.stores.redis import RedisStore
from tests.harness.booking import book
from tests.harness.clock import HandClock
from tests.harness.on_redis import (
    DEADLINE,
    LEASE,
    NAMES,
    PASSWORD,
    QUOTED,
    buy,
    connected,
    failure,
    key,
    listening,
    store_on,
)
from tests.harness.tls import Authority, TlsFront
from tests.harness.valkey import Valkey

# What it costs, and what it leaves


async def test_looking_up_is_one_command(valkey: Valkey) -> None:
    """Ten lookups of three keys are ten commands, whatever lies there, and nothing else is sent meanwhile."""
    async with connected(valkey.url) as store:
        await buy(store, key(1))
        with valkey.client() as client:
            client.config_resetstat()
            sent = store.commands
            for _ in range(10):
                await store.read([key(1), key(2), key(3)])
            calls = {name: figures["calls"] for name, figures in client.info("commandstats").items()}
        assert store.commands - sent == 10
        assert calls.pop("cmdstat_mget") == 10
        assert set(calls) <= {"cmdstat_config|resetstat", "cmdstat_info", "cmdstat_client|setinfo"}


async def test_nothing_lives_for_ever_but_the_books(valkey: Valkey) -> None:
    """Entry, claim and tombstone each have a time to live; the barrier and the counters have none."""
    async with connected(valkey.url) as store:
        await buy(store, key(1))
        await store.claim(key(2), "token", LEASE)
        await store.forget([key(3)])
        await store.forbid(Selector(tag="x"), "test")
        await book(store, {"hits": 1})
    with valkey.client() as client:
        lives = {name.decode(): client.pttl(name) for name in client.keys("*")}
    assert 599_000 < lives.pop(NAMES.entry(key(1))) <= 600_000
    assert 29_000 < lives.pop(NAMES.claim(key(2))) <= 30_000
    assert 4_199_000 < lives.pop(NAMES.tombstone(key(3))) <= 4_200_000
    hour = next(name for name in lives if ":hours:" in name)  # the series of minutes, kept for a day
    assert 0 < lives.pop(hour) <= 26 * 3_600_000
    assert lives == {NAMES.barrier: -1, NAMES.counters: -1}


async def test_time_is_the_servers(valkey: Valkey, steady: HandClock) -> None:
    """Once it was reached the store's clock is the server's, carried on by the monotonic one."""
    async with connected(valkey.url, monotonic=steady.seconds) as store:
        with valkey.client() as client:
            seconds, microseconds = client.time()
        assert abs(store.now() - (seconds * 1000 + microseconds // 1000)) < 5_000
        before = store.now()
        steady.advance(timedelta(hours=1))
        assert store.now() - before == 3_600_000


async def test_time_is_sampled_now_and_then(valkey: Valkey, steady: HandClock) -> None:
    """A minute after the last sample the next verb brings the clock back to the server's; it does not wait for it."""
    async with connected(valkey.url, monotonic=steady.seconds) as store:
        before = store.now()
        steady.advance(timedelta(hours=1))
        await store.read([])
        await store.close()
        assert abs(store.now() - before) < 10_000


async def test_other_peoples_keys_are_left_alone(valkey: Valkey) -> None:
    """Nothing that hashcache removes lies outside its prefix, in whatever way names resemble it."""
    foreign = ["session:1", "hashcache:test", "hashcache:testing:analysis:{a}:b", "xhashcache:test:analysis:{a}:b"]
    async with connected(valkey.url) as store:
        with valkey.client() as client:
            for name in foreign:
                client.set(name, "theirs")
            await buy(store, key(1))
            heads = (await store.scan(None, 1000)).heads
            assert [head.key for head in heads] == [key(1)]
            assert await store.remove(heads) == 1
            assert sorted(name.decode() for name in client.keys("*")) == sorted(foreign)


async def test_a_claim_that_never_ends_is_made_to_end(valkey: Valkey) -> None:
    """A claim without a time to live, which we never write, blocks a key for one lease at most."""
    async with connected(valkey.url) as store:
        with valkey.client() as client:
            client.set(NAMES.claim(key()), "stuck")
            bid = await store.claim(key(), "token", LEASE)
            assert bid.claim is None
            assert bid.held == LEASE
            assert 0 < client.pttl(NAMES.claim(key())) <= 30_000


async def test_a_lost_barrier_does_not_revive_entries(valkey: Valkey, steady: HandClock) -> None:
    """When the server lost the barrier, a later clear still forbids entries with the sequences of before."""
    async with connected(valkey.url, monotonic=steady.seconds) as store:
        for _ in range(5):
            barrier = await store.forbid(Selector(tag="x"), "test")
        bid = await store.claim(key(), "token", LEASE)
        old = Entry(key(), Label("image", "t", "p"), b"", barrier.sequence, store.now(), Instant(store.now() + 10**6))
        await store.commit(bid.claim, old)
        with valkey.client() as client:
            client.delete(NAMES.barrier)
        steady.advance(timedelta(seconds=1))
        assert (await store.forbid(Selector(), "all")).forbids(old)


async def test_counting_by_kind_asks_once_for_each_entry(valkey: Valkey, steady: HandClock) -> None:
    """Health is cheap to poll: the count is half a minute old at most, and then asks only for what is new."""
    async with connected(valkey.url, monotonic=steady.seconds) as store:
        for number in range(50):
            await buy(store, key(number))
        assert (await store.health()).keys["image"] == 50
        sent = store.commands
        assert (await store.health()).keys["image"] == 50
        assert store.commands - sent == 1
        await buy(store, key(50))
        steady.advance(timedelta(seconds=31))
        sent = store.commands
        assert (await store.health()).keys["image"] == 51
        assert store.commands - sent < 10


async def test_too_many_entries_are_not_counted(valkey: Valkey) -> None:
    """Beyond two thousand entries health says that it does not know, rather than reading them all."""
    async with connected(valkey.url) as store:
        with valkey.client() as client, client.pipeline() as pipeline:
            for number in range(2_001):
                pipeline.set(NAMES.entry(key(number)), "x")
            pipeline.execute()
        health = await store.health()
        assert health.status == "connected"
        assert health.keys is None
        assert health.used > 0


# Scripts


async def test_a_server_that_forgot_the_scripts_is_taught_them_again(valkey: Valkey) -> None:
    """After SCRIPT FLUSH every verb works as before."""
    async with connected(valkey.url) as store:
        for _ in range(2):
            assert await buy(store, key(1))
            bid = await store.claim(key(1), "token", LEASE)
            assert await store.renew(bid.claim, LEASE)
            await store.release(bid.claim)
            assert await store.remove((await store.scan(None, 100)).heads) == 1
            assert await buy(store, key(2))
            assert await store.forget([key(2), key(3)]) == 1
            await store.forbid(Selector(tag="x"), "test")
            await book(store, {"hits": 1})
            with valkey.client() as client:
                client.script_flush()
        assert await store.ledger.totals() == {"hits": 2}


# Away


async def test_an_idle_connection_that_was_closed_is_not_used(valkey: Valkey) -> None:
    """A server, or what is on the way to it, may close idle connections: the next verb does not notice."""
    async with connected(valkey.url) as store:
        for _ in range(5):
            await store.read([key()])
            await asyncio.to_thread(valkey.hang_up)


async def test_a_slow_handshake_outlives_the_request(valkey: Valkey) -> None:
    """A connection that takes longer to open than a verb may last is opened all the same, and serves the next verb."""
    gate, handshakes = asyncio.Event(), 0

    async def hesitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal handshakes
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", valkey.port)
        with closing(target_writer):
            handshakes += 1
            await gate.wait()
            while request := await reader.read(65536):
                target_writer.write(request)
                writer.write(await target_reader.read(65536))

    with valkey.client() as client:
        client.config_set("requirepass", PASSWORD)
    async with listening(hesitate) as port:
        store = store_on(f"redis://:{QUOTED}@127.0.0.1:{port}", deadline=timedelta(milliseconds=50))
        assert (await failure(store)).reason == "timeout"
        gate.set()
        assert await store.ledger.totals() == {}
        assert handshakes == 1
        await store.close()


# Refusals


async def test_user_password_and_database(valkey: Valkey) -> None:
    """User, percent-encoded password and database number of the URL are used."""
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "operator", "on", f">{PASSWORD}", "~hashcache:*", "+@all")
    async with connected(f"redis://operator:{QUOTED}@127.0.0.1:{valkey.port}/3") as store:
        assert await buy(store, key())
        assert (await store.health()).where == f"redis://127.0.0.1:{valkey.port}/3"
    with valkey.client() as client:
        assert client.info("keyspace")["db3"]["keys"] == 1
        assert "db0" not in client.info("keyspace")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("-LOADING Redis is loading the dataset in memory", "loading"),
        ("-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "loading"),
        ("-ERR max number of clients reached", "limit"),
        ("-ERR max requests limit exceeded. Limit: 500000, Usage: 500000.", "limit"),
        ("-ERR max concurrent connections exceeded", "limit"),
        ("-ERR DB capacity quota exceeded", "oom"),
        ("-ERR Error running script (call to f_1): @user_script:3: -OOM command not allowed", "oom"),
        ("-ERR max request size exceeded", "error"),
        ("-ERR unknown command 'AUTH', with args beginning with: 'secret'", "error"),
        ("HTTP/1.1 400 Bad Request", "error"),
        ("$many", "error"),
        ("*3\r\n:one", "error"),
    ],
)
async def test_what_a_server_may_answer(reply: str, reason: str) -> None:
    """Each error text has its reason word, and what the server says is not repeated."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(f"{reply}\r\n".encode())

    async with listening(answer) as port, connected(f"redis://127.0.0.1:{port}") as store:
        away = await failure(store)
        assert away.reason == reason
        assert "secret" not in str(away)


async def test_half_a_reply(valkey: Valkey) -> None:
    """A connection that closes in the middle of a reply is a server out of reach."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"*3\r\n$-1\r\n$100\r\nabc")
        writer.close()

    async with listening(answer) as port, connected(f"redis://127.0.0.1:{port}") as store:
        assert (await failure(store)).reason == "unreachable"


# TLS


async def test_a_verified_connection(authority: Authority, valkey: Valkey) -> None:
    """With the right certificate and name everything works over TLS, password included."""
    with valkey.client() as client:
        client.config_set("requirepass", PASSWORD)
    async with TlsFront(valkey.port, authority.context("127.0.0.1")) as front:
        url = f"rediss://default:{QUOTED}@127.0.0.1:{front.port}"
        async with connected(url, ca_file=authority.file) as store:
            assert await buy(store, key())
            assert (await store.read([key()])).slots[0].entry is not None
            assert (await store.health()).where == f"rediss://127.0.0.1:{front.port}/0"
        assert front.received > 0


async def test_a_plain_url_for_a_tls_server_is_explained(authority: Authority, valkey: Valkey) -> None:
    """Who forgot an s in the URL fails in time."""
    async with TlsFront(valkey.port, authority.context("127.0.0.1")) as front:
        async with connected(f"redis://127.0.0.1:{front.port}", deadline=DEADLINE, patience=DEADLINE) as store:
            away = await failure(store)
            assert away.reason in {"unreachable", "timeout"}
        assert front.received == 0


# URLs


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379",
        "redis://",
        "redis://127.0.0.1:port",
        "redis://127.0.0.1/name",
        f"rediss://:{QUOTED}@127.0.0.1?ssl_cert_reqs=none",
        f"redis+cluster://:{QUOTED}@127.0.0.1:1,127.0.0.1:2",
    ],
)
def test_urls_that_cannot_be_used(url: str) -> None:
    """They are refused before anything is opened, without repeating the password, and none weakens TLS."""
    with pytest.raises(SettingsError) as caught:
        RedisStore(url, names=NAMES, envelope=Envelope(most=1000), clock=HandClock())
    assert "redis://user:password@host:port/database" in str(caught.value) or "options" in str(caught.value)
    assert QUOTED not in str(caught.value)


def test_a_ca_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and one without certificates are errors that name the setting."""
    (tmp_path / "empty.pem").write_bytes(b"")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(SettingsError, match="HASHCACHE_REDIS_CA"):
            RedisStore(
                "rediss://127.0.0.1",
                names=NAMES,
                envelope=Envelope(most=1),
                clock=HandClock(),
                ca_file=str(tmp_path / name),
            )
