"""The store on a real Valkey server: what it costs, and what happens when the server is away, late, full or a liar."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.errors import SettingsError, StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.stores.redis import RedisStore
from tests.harness.booking import book
from tests.harness.clock import HandClock, turns
from tests.harness.service import until
from tests.harness.tls import Authority, TlsFront
from tests.harness.valkey import Valkey, free_port

NAMES = Names("test")
LEASE = timedelta(seconds=30)
#: Far more than a healthy server on this machine needs, and far less than these tests would notice.
DEADLINE = timedelta(milliseconds=400)
PATIENT = timedelta(seconds=20)
#: How much later than its deadline a verb may come back on a busy machine.
MARGIN = 0.6
PASSWORD = "pass/word@of:the#operator"
QUOTED = "pass%2Fword%40of%3Athe%23operator"


def key(number: int = 1) -> Key:
    """One of many keys."""
    return Key("analysis", f"{number:064x}", "variant")


def store_on(url: str, *, deadline: timedelta = PATIENT, patience: timedelta = PATIENT, **more: Any) -> RedisStore:
    """A store on *url*, not open."""
    envelope = Envelope(most=1_000_000)
    return RedisStore(
        url, names=NAMES, envelope=envelope, clock=HandClock(), deadline=deadline, patience=patience, **more
    )


@asynccontextmanager
async def connected(
    url: str,
    *,
    deadline: timedelta = PATIENT,
    patience: timedelta = PATIENT,
    monotonic: Callable[[], float] = time.monotonic,
    ca_file: str | None = None,
    connections: int = 20,
) -> AsyncIterator[RedisStore]:
    """A store on *url*, opened and closed."""
    store = store_on(
        url,
        connections=connections,
        deadline=deadline,
        patience=patience,
        ca_file=ca_file,
        monotonic=monotonic,
    )
    try:
        await store.open()
        yield store
    finally:
        await store.close()


async def buy(store: RedisStore, of: Key, payload: bytes = b"answer") -> bool:
    """Claim and commit an entry; whether it was kept."""
    bid = await store.claim(of, "token", LEASE)
    assert bid.claim is not None
    entry = Entry(of, Label("image", "default", "p"), payload, 0, store.now(), Instant(store.now() + 600_000))
    return await store.commit(bid.claim, entry)


async def failure(store: RedisStore, of: Key | None = None) -> StoreUnavailable:
    """How reading fails, and that it does so in time."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await store.read([of or key()])
    assert time.monotonic() - began < DEADLINE.total_seconds() + MARGIN
    return caught.value


async def answers(store: RedisStore) -> bool:
    """Whether the server is asked again, and answers."""
    try:
        await store.read([key()])
    except StoreUnavailable:
        return False
    return True


@pytest.fixture
def steady() -> HandClock:
    """A monotonic clock that the test moves: breakers and samples happen only when it says so."""
    return HandClock()


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
    assert 599_000 < lives.pop(NAMES.tombstone(key(3))) <= 600_000
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


async def test_a_value_of_another_type_is_absent(valkey: Valkey) -> None:
    """A list under an entry's name is a miss, counted by the bidder, skipped by scans, and replaced by a commit."""
    async with connected(valkey.url) as store:
        with valkey.client() as client:
            client.lpush(NAMES.entry(key(1)), "foreign")
        assert (await store.read([key(1)])).slots[0].entry is None
        assert (await store.scan(None, 100)).heads == ()
        assert (await store.health()).keys == {"image": 0, "video": 0, "text": 0}
        assert await buy(store, key(1))
        assert store.refused == 1
        assert (await store.read([key(1)])).slots[0].entry is not None


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


async def test_absent_at_the_start_it_heals_by_itself() -> None:
    """Opening without a server raises nothing; verbs fail at once; when it comes up they work."""
    server = Valkey()
    async with connected(server.url) as store:
        for _ in range(5):
            assert (await failure(store)).reason == "unreachable"
        health = await store.health()
        assert (health.status, health.reason) == ("degraded", "unreachable")
        with server:
            await until(lambda: answers(store))
            assert await buy(store, key())
            assert (await store.health()).status == "connected"


async def test_killed_it_fails_soon_and_heals(valkey: Valkey) -> None:
    """After SIGKILL verbs fail within the deadline; a new server on the same port is used without a restart."""
    async with connected(valkey.url, deadline=DEADLINE) as store:
        await store.read([key()])
        valkey.kill()
        for _ in range(5):
            assert (await failure(store)).reason == "unreachable"
        valkey.start()
        await until(lambda: answers(store))
        assert (await store.read([key()])).slots[0].entry is None


async def test_an_idle_connection_that_was_closed_is_not_used(valkey: Valkey) -> None:
    """A server, or what is on the way to it, may close idle connections: the next verb does not notice."""
    async with connected(valkey.url) as store:
        for _ in range(5):
            await store.read([key()])
            await asyncio.to_thread(valkey.hang_up)


async def test_killed_while_it_is_asked(valkey: Valkey) -> None:
    """A server that dies with a hundred verbs under way fails each of them, none hangs, and no place is lost."""
    async with connected(valkey.url, connections=5) as store:
        await asyncio.gather(*(store.read([key()]) for _ in range(20)))
        valkey.freeze()
        verbs = [asyncio.create_task(store.read([key()])) for _ in range(100)]
        await asyncio.wait(verbs, timeout=0.05)
        valkey.kill()
        outcomes = await asyncio.gather(*verbs, return_exceptions=True)
        assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)


async def test_frozen_each_verb_ends_by_its_deadline_then_none_waits(valkey: Valkey, steady: HandClock) -> None:
    """
    Three verbs wait for a server that never answers; then nobody does: that it is looked for, with one command at a
    time, is no verb's business. It serves again soon after it answers.
    """
    async with connected(
        valkey.url, deadline=DEADLINE, patience=timedelta(seconds=1), monotonic=steady.seconds
    ) as store:
        await store.read([key()])
        valkey.freeze()
        for _ in range(3):
            assert (await failure(store)).reason == "timeout"
        sent = store.commands
        began = time.monotonic()
        while store.commands - sent < 2:
            before = time.monotonic()
            assert (await failure(store)).reason == "timeout"
            assert time.monotonic() - before < DEADLINE.total_seconds() / 2
            await turns(1)
        assert time.monotonic() - began >= 2, "the second look comes after the first one's patience and a pause"
        valkey.thaw()
        await until(lambda: answers(store))


async def test_cancelled_verbs_lose_no_connection_and_cross_no_replies(valkey: Valkey) -> None:
    """After hundreds of verbs cancelled at any moment, all connections still serve, each its own caller's answer."""
    async with connected(valkey.url, connections=4) as store:
        for number in range(8):
            await buy(store, key(number), f"answer {number}".encode())

        async def look(number: int) -> None:
            reading = await store.read([key(number)])
            assert reading.slots[0].entry.payload == f"answer {number}".encode()

        for at in range(400):
            verbs = [asyncio.create_task(look(number)) for number in range(8)]
            await turns(at % 40)
            for verb in verbs[::2]:
                verb.cancel()
            outcomes = await asyncio.gather(*verbs, return_exceptions=True)
            assert [one for one in outcomes if not isinstance(one, asyncio.CancelledError | None)] == []
        await asyncio.gather(*(look(number % 8) for number in range(40)))
        with valkey.client() as client:
            assert client.info("clients")["connected_clients"] <= 4 + 1


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


async def test_a_wrong_password(valkey: Valkey, steady: HandClock) -> None:
    """It is tried three times, then once a second; the reason is told, and neither password nor user is."""
    with valkey.client() as client:
        client.config_set("requirepass", "another")
    watcher = Redis(host="127.0.0.1", port=valkey.port, password="another")
    async with connected(f"redis://operator:{QUOTED}@127.0.0.1:{valkey.port}", monotonic=steady.seconds) as store:
        for _ in range(50):
            away = await failure(store)
            assert away.reason == "auth"
            assert PASSWORD not in str(away)
            assert QUOTED not in str(away)
            assert "operator" not in str(away).replace("the operator", "")
        assert watcher.info("commandstats")["cmdstat_auth"]["failed_calls"] <= 3
        steady.advance(timedelta(seconds=1))
        for _ in range(50):
            await failure(store)
        assert watcher.info("commandstats")["cmdstat_auth"]["failed_calls"] <= 4
        health = await store.health()
        assert health.reason == "auth"
        assert PASSWORD not in health.where
    watcher.close()


async def test_no_password_where_one_is_needed(valkey: Valkey) -> None:
    """A server that wants a password which we do not have is a refusal of our account."""
    with valkey.client() as client:
        client.config_set("requirepass", PASSWORD)
    async with connected(valkey.url) as store:
        assert (await failure(store)).reason == "auth"


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


async def test_a_missing_right_is_named(valkey: Valkey) -> None:
    """A user without the right to scan is told so by name; the breaker stays closed for what is allowed."""
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "operator", "on", f">{PASSWORD}", "~hashcache:*", "+@all", "-scan")
    async with connected(f"redis://operator:{QUOTED}@127.0.0.1:{valkey.port}") as store:
        for _ in range(5):
            with pytest.raises(StoreUnavailable) as caught:
                await store.scan(None, 10)
            assert caught.value.reason == "denied"
            assert "scan" in str(caught.value)
        assert await buy(store, key())


async def test_full_memory(valkey: Valkey) -> None:
    """With full memory reads go on, commits fail as `oom`, and forgetting and clearing still work."""
    async with connected(valkey.url) as store:
        await buy(store, key(1))
        bid = await store.claim(key(2), "token", LEASE)
        entry = Entry(key(2), Label("image", "t", "p"), b"x", 0, store.now(), Instant(store.now() + 10**6))
        with valkey.client() as client:
            client.config_set("maxmemory", 1)
        for _ in range(5):
            with pytest.raises(StoreUnavailable) as caught:
                await store.commit(bid.claim, entry)
            assert caught.value.reason == "oom"
        assert (await store.read([key(1)])).slots[0].entry is not None
        assert await store.forget([key(1), key(2)]) == 1
        barrier = await store.forbid(Selector(), "test")
        await store.progress(barrier.sequence, deleted=0, swept=True)
        with valkey.client() as client:
            client.config_set("maxmemory", 0)
        assert not await store.commit(bid.claim, entry)


async def test_a_replica_keeps_nothing(valkey: Valkey) -> None:
    """A server that became a replica refuses writes as `readonly`, and connections to it are not kept."""
    async with connected(valkey.url) as store:
        await store.read([])
        with valkey.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", free_port())
            before = client.info("stats")["total_connections_received"]
            with pytest.raises(StoreUnavailable) as caught:
                await store.claim(key(), "token", LEASE)
            assert caught.value.reason == "readonly"
            await store.read([])
            assert client.info("stats")["total_connections_received"] == before + 1


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server of a few lines; its port. Waits at the end until each connection is closed."""
    writers: list[asyncio.StreamWriter] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError):
            await serve(reader, writer)

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


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


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the server."""
    return Authority(tmp_path)


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


@pytest.mark.parametrize("fault", ["authority", "system", "name"])
async def test_an_unverified_server_is_told_nothing(
    tmp_path: Path, authority: Authority, valkey: Valkey, fault: str
) -> None:
    """With another authority, only the system's, or another name the reason is `tls`, and no byte is sent to it."""
    context = authority.context("redis.example" if fault == "name" else "127.0.0.1")
    ca_file = {"authority": Authority(tmp_path, "other").file, "system": None, "name": authority.file}[fault]
    async with TlsFront(valkey.port, context) as front:
        async with connected(f"rediss://:{QUOTED}@127.0.0.1:{front.port}", ca_file=ca_file) as store:
            for _ in range(5):
                away = await failure(store)
                assert away.reason == "tls"
                assert PASSWORD not in str(away)
        assert front.received == 0


async def test_it_never_falls_back_to_plain(valkey: Valkey) -> None:
    """A server without TLS behind a `rediss` URL is sent a TLS greeting and no command."""
    url = f"rediss://:{QUOTED}@127.0.0.1:{valkey.port}"
    async with connected(url, deadline=DEADLINE, patience=DEADLINE) as store:
        assert (await failure(store)).reason in {"timeout", "tls"}
    with valkey.client() as client:
        assert not {"cmdstat_auth", "cmdstat_time", "cmdstat_mget"} & set(client.info("commandstats"))


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
        f"redis+sentinel://:{QUOTED}@127.0.0.1:1/name/0",
    ],
)
def test_urls_that_cannot_be_used(url: str) -> None:
    """They are refused before anything is opened, without repeating the password, and none weakens TLS."""
    with pytest.raises(SettingsError) as caught:
        RedisStore(url, names=NAMES, envelope=Envelope(most=1000), clock=HandClock())
    assert "redis://user:password@host:port/database" in str(caught.value) or "options" in str(caught.value)
    assert QUOTED not in str(caught.value)


def test_sentinel_is_named_as_not_supported_yet() -> None:
    """Who asks for it reads that, not that the URL is malformed."""
    for url in ("redis+sentinel://a:1,b:2/name/0", "rediss+sentinel://a:1/name/0"):
        with pytest.raises(SettingsError, match="not supported yet"):
            RedisStore(url, names=NAMES, envelope=Envelope(most=1000), clock=HandClock())


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
