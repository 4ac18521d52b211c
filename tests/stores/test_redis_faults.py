"""The faults of one server, by their numbers in the fault matrix: what the store does, and that it heals."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from redis import Redis

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.stores.redis import RedisStore
from tests.fuzz import envelopes, frames
from tests.harness.clock import HandClock, turns
from tests.harness.faults import Delay, DropReply, HalfOpen, On, Then
from tests.harness.node import LOOPBACK, Node
from tests.harness.on_redis import (
    DEADLINE,
    LEASE,
    NAMES,
    PASSWORD,
    QUOTED,
    answers,
    buy,
    connected,
    failure,
    key,
)
from tests.harness.proxy import FaultProxy
from tests.harness.service import until
from tests.harness.tls import Authority, TlsFront
from tests.harness.valkey import Valkey, free_port


async def refused(store: RedisStore) -> StoreUnavailable:
    """How reading fails at once, without waiting for anything."""
    verb = asyncio.create_task(store.read([key()]))
    await turns(1)
    assert verb.done()
    with pytest.raises(StoreUnavailable) as caught:
        await verb
    return caught.value


async def test_row_01_absent_at_the_start_it_heals_by_itself() -> None:
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


async def test_row_02_killed_while_it_is_asked(valkey: Valkey) -> None:
    """A server that dies with a hundred verbs under way fails each of them, none hangs, and no place is lost."""
    async with connected(valkey.url, connections=5) as store:
        await asyncio.gather(*(store.read([key()]) for _ in range(20)))
        valkey.freeze()
        verbs = [asyncio.create_task(store.read([key()])) for _ in range(100)]
        await asyncio.wait(verbs, timeout=0.05)
        valkey.kill()
        outcomes = await asyncio.gather(*verbs, return_exceptions=True)
        assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)


async def test_row_02_killed_it_fails_soon_and_heals(valkey: Valkey) -> None:
    """After SIGKILL verbs fail within the deadline; a new server on the same port is used without a restart."""
    async with connected(valkey.url, deadline=DEADLINE) as store:
        await store.read([key()])
        valkey.kill()
        for _ in range(5):
            assert (await failure(store)).reason == "unreachable"
        valkey.start()
        await until(lambda: answers(store))
        assert (await store.read([key()])).slots[0].entry is None


async def test_row_03_frozen_each_verb_ends_by_its_deadline_then_none_waits(valkey: Valkey, steady: HandClock) -> None:
    """
    Three verbs wait for a server that never answers; then nobody does: that it is looked for, with one command at a
    time, is no verb's business. It serves again soon after it answers.
    """
    async with (
        FaultProxy(valkey.port) as proxy,
        connected(proxy.url, deadline=DEADLINE, patience=timedelta(seconds=1), monotonic=steady.seconds) as store,
    ):
        await store.read([key()])
        valkey.freeze()
        for _ in range(3):
            assert (await failure(store)).reason == "timeout"
        sent, looks = store.commands, proxy.tally.times_asked(b"PING")
        began = time.monotonic()
        while proxy.tally.times_asked(b"PING") - looks < 2:
            assert (await refused(store)).reason == "timeout"
        assert time.monotonic() - began >= 2, "the second look comes after the first one's patience and a pause"
        assert store.commands == sent
        valkey.thaw()
        await until(lambda: answers(store))


@pytest.mark.parametrize("fault", ["authority", "system", "name"])
async def test_row_06_an_unverified_server_is_told_nothing(
    tmp_path: Path, authority: Authority, valkey: Valkey, fault: str
) -> None:
    """
    With another authority, only the system's, or another name the reason is `tls`, and no byte is sent to it.

    There is no setting that makes this fail a start, as the row allows: a certificate that expires at night would keep
    a service from starting that can do its work. It is degraded, and says why.
    """
    context = authority.context("redis.example" if fault == "name" else "127.0.0.1")
    ca_file = {"authority": Authority(tmp_path, "other").file, "system": None, "name": authority.file}[fault]
    async with TlsFront(valkey.port, context) as front:
        async with connected(f"rediss://:{QUOTED}@127.0.0.1:{front.port}", ca_file=ca_file) as store:
            for _ in range(5):
                away = await failure(store)
                assert away.reason == "tls"
                assert PASSWORD not in str(away)
        assert front.received == 0


async def test_row_06_it_never_falls_back_to_plain(valkey: Valkey) -> None:
    """A server without TLS behind a `rediss` URL is sent a TLS greeting and no command."""
    url = f"rediss://:{QUOTED}@127.0.0.1:{valkey.port}"
    async with connected(url, deadline=DEADLINE, patience=DEADLINE) as store:
        assert (await failure(store)).reason in {"timeout", "tls"}
    with valkey.client() as client:
        assert not {"cmdstat_auth", "cmdstat_time", "cmdstat_mget"} & set(client.info("commandstats"))


async def test_row_07_a_wrong_password(valkey: Valkey, steady: HandClock) -> None:
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


async def test_row_07_no_password_where_one_is_needed(valkey: Valkey) -> None:
    """A server that wants a password which we do not have is a refusal of our account."""
    with valkey.client() as client:
        client.config_set("requirepass", PASSWORD)
    async with connected(valkey.url) as store:
        assert (await failure(store)).reason == "auth"


async def test_row_07_a_missing_right_is_named(valkey: Valkey) -> None:
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


async def test_row_08_full_memory(valkey: Valkey) -> None:
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


async def test_row_09_a_replica_keeps_nothing(valkey: Valkey) -> None:
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


async def test_row_19_a_value_of_another_type_is_absent(valkey: Valkey) -> None:
    """
    A list under an entry's name is a miss, counted by the bidder, skipped by scans, and replaced by a commit.

    Other than the row says it is not left there: a name with our prefix and a content's digest is nobody else's, and a
    paid answer that is not kept would be paid for again and again. It is replaced by an answer only, never removed.
    """
    async with connected(valkey.url) as store:
        with valkey.client() as client:
            client.lpush(NAMES.entry(key(1)), "foreign")
        assert (await store.read([key(1)])).slots[0].entry is None
        assert (await store.scan(None, 100)).heads == ()
        assert (await store.health()).keys == {"image": 0, "video": 0, "text": 0}
        assert await buy(store, key(1))
        assert store.refused == 1
        assert (await store.read([key(1)])).slots[0].entry is not None


async def test_row_22_cancelled_verbs_lose_no_connection_and_cross_no_replies(valkey: Valkey) -> None:
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


async def test_row_04_slow_is_as_good_as_frozen(valkey: Valkey, steady: HandClock) -> None:
    """
    A server whose replies take 2 s is met by three verbs, then by one probe at a time, whoever asks. When it is quick
    again no storm meets it: the probes of one second are all that it has to answer before it serves.
    """
    async with FaultProxy(valkey.port) as proxy:
        patience = timedelta(seconds=1)
        async with connected(
            proxy.url, deadline=DEADLINE, patience=patience, connections=5, monotonic=steady.seconds
        ) as store:
            await asyncio.gather(*(store.read([key()]) for _ in range(5)))
            slow = Delay(replies=timedelta(seconds=2))
            proxy.impose(slow)
            sent = proxy.tally.times_asked(b"MGET")
            for _ in range(3):
                assert (await failure(store)).reason == "timeout"
            for _ in range(200):
                assert (await refused(store)).reason == "timeout"
            probed = proxy.tally.times_asked(b"PING")
            await proxy.until_asked(b"PING", times=probed + 1)
            assert proxy.tally.times_asked(b"MGET") - sent == 3
            asked = proxy.tally.times_asked()
            proxy.heal(slow)
            await until(lambda: answers(store))
            assert proxy.tally.times_asked() - asked <= 5
            assert proxy.tally.open <= 5


async def test_row_05_half_open_connections_cost_one_pause(valkey: Valkey) -> None:
    """
    Five connections of which no byte arrives any more: three verbs wait for them, then a new one is opened, and none
    of the old ones is used again.
    """
    async with (
        FaultProxy(valkey.port) as proxy,
        connected(proxy.url, deadline=DEADLINE, patience=timedelta(seconds=1), connections=5) as store,
    ):
        await asyncio.gather(*(store.read([key()]) for _ in range(5)))
        sent = store.commands
        proxy.impose(HalfOpen(), On.EXISTING)
        for _ in range(3):
            assert (await failure(store)).reason == "timeout"
        await until(lambda: answers(store), within=3)
        await asyncio.gather(*(store.read([key()]) for _ in range(20)))
        assert store.commands - sent <= 3 + 1 + 1 + 20 + 1, "verbs, probe, the first that is answered, verbs, the clock"


async def test_row_06_an_expired_certificate(authority: Authority, valkey: Valkey) -> None:
    """A certificate that was good until yesterday is `tls`, told as expired; no byte of a command is sent."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with TlsFront(valkey.port, authority.context("127.0.0.1", until=yesterday)) as front:
        async with connected(f"rediss://:{QUOTED}@127.0.0.1:{front.port}", ca_file=authority.file) as store:
            assert "expired" in str(await failure(store))
            for _ in range(5):
                assert (await failure(store)).reason == "tls"
        assert front.received == 0


async def test_row_09_a_replica_that_is_a_master_again(valkey: Valkey) -> None:
    """REPLICAOF while connected: writes are refused as `readonly`, and taken again once it is a master."""
    async with connected(valkey.url) as store:
        assert await buy(store, key(1))
        with valkey.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", free_port())
            for _ in range(5):
                with pytest.raises(StoreUnavailable) as caught:
                    await store.claim(key(2), "token", LEASE)
                assert caught.value.reason == "readonly"
            client.execute_command("REPLICAOF", "NO", "ONE")
        assert await buy(store, key(2))


async def test_row_12_a_server_that_is_loading(tmp_path: Path) -> None:
    """
    A server that is started again with much to load is away with the reason `loading`, and asked once a second; when
    it has loaded the entries of before are there.
    """
    settings = {"key-load-delay": "2000", "loading-process-events-interval-bytes": "1024", "rdbcompression": "no"}
    node = Node(free_port(), tmp_path / "node", settings)
    try:
        node.start()
        url = f"redis://{LOOPBACK}:{node.port}"
        async with connected(url, patience=timedelta(seconds=1)) as store:
            assert await buy(store, key())
            with node.client() as client, client.pipeline(transaction=False) as pipeline:
                for number in range(1_000):
                    pipeline.set(f"filler:{number}", "x" * 500)
                pipeline.execute()
            node.ask("SAVE")
            node.kill()
            assert (await failure(store)).reason == "unreachable"
            node.spawn()
            reasons = set()

            async def serves() -> bool:
                reasons.add((await store.health()).reason)
                return await answers(store)

            await until(serves)
            assert "loading" in reasons
            assert (await store.read([key()])).slots[0].entry is not None
    finally:
        node.kill()


async def test_row_13_a_server_that_is_full(valkey: Valkey) -> None:
    """
    A server that takes no more clients: twenty at once are all served over the one connection there is, and it is
    not met by a storm. Without any connection it is away, for the reason `limit` (or `unreachable`: a server that
    refuses hangs up, and its word may be lost with that), is not asked by verbs, and heals.
    """
    with valkey.client() as client:
        async with connected(valkey.url, connections=20) as store:
            client.config_set("maxclients", 1)
            before = client.info("stats")["rejected_connections"]
            for _ in range(5):
                await asyncio.gather(*(store.read([key()]) for _ in range(20)))
            assert client.info("stats")["rejected_connections"] - before <= 20
            client.client_kill_filter(_type="normal", skipme=True)
            before = client.info("stats")["rejected_connections"]
            for _ in range(100):
                assert (await failure(store)).reason in {"limit", "unreachable"}
            assert client.info("stats")["rejected_connections"] - before <= 5
            client.config_set("maxclients", 100)
            await until(lambda: answers(store))


@pytest.mark.parametrize("then", [Then.SILENT, Then.RESET])
async def test_row_16_a_reply_lost_after_the_claim(valkey: Valkey, then: Then) -> None:
    """The claim was granted and its reply is lost: asking again with the same token gets our own claim at once."""
    async with FaultProxy(valkey.port) as proxy, connected(proxy.url, deadline=DEADLINE) as store:
        await buy(store, key(2))  # the server knows the scripts
        proxy.impose(DropReply(to=(b"EVALSHA",), then=then))
        with pytest.raises(StoreUnavailable):
            await store.claim(key(), "ours", LEASE)
        with valkey.client() as client:
            assert client.get(NAMES.claim(key())) == b"ours"
        other = await store.claim(key(), "theirs", LEASE)
        assert other.claim is None
        again = await store.claim(key(), "ours", LEASE)
        assert again.claim is not None
        entry = Entry(key(), Label("image", "t", "p"), b"x", 0, store.now(), Instant(store.now() + 10**6))
        assert await store.commit(again.claim, entry)


async def _is_a_miss_and_overwritten(store: RedisStore, of: Key) -> None:
    """Readers and bidders find nothing, each time counted; the next answer is kept."""
    assert (await store.read([of])).slots[0].entry is None
    assert store.refused == 1
    assert await buy(store, of, b"bought again")
    assert store.refused == 2
    assert (await store.read([of])).slots[0].entry.payload == b"bought again"


@pytest.mark.parametrize("at", [0, 4, 24, 60, -40, -1])
async def test_row_17_a_flipped_entry(valkey: Valkey, at: int) -> None:
    """SETRANGE anywhere on a stored entry, from magic to seal: a miss, counted, and overwritten."""
    async with connected(valkey.url) as store:
        await buy(store, key())
        with valkey.client() as client:
            stored = client.get(NAMES.entry(key()))
            client.setrange(NAMES.entry(key()), at % len(stored), bytes([stored[at] ^ 0x10]))
        await _is_a_miss_and_overwritten(store, key())


async def test_row_18_an_entry_of_a_newer_version(valkey: Valkey) -> None:
    """
    A whole entry of version 2 is a miss, and bought again.

    Other than the row says it is then overwritten: a paid answer that is not kept would be paid for again and again.
    That nothing of a newer process is lost in an upgrade follows from the order of releases: a version is read by one
    release before the next one writes it (docs/envelope.md, "What is refused").
    """
    async with connected(valkey.url) as store:
        await buy(store, key())
        name = NAMES.entry(key())
        with valkey.client() as client:
            stored = client.get(name)
            client.set(name, envelopes.resealed(stored[:2] + b"\x02" + stored[3:-32], name), keepttl=True)
        await _is_a_miss_and_overwritten(store, key())


async def test_row_20_payloads_that_lie_about_their_size(valkey: Valkey) -> None:
    """
    Entries with a right checksum whose frame is cut, declares a gigabyte, or lies otherwise: misses, and overwritten.
    That nothing is allocated for them is shown by `core/test_envelope_frames.py::test_lies_take_no_memory`.
    """
    half = frames.HONEST[: len(frames.HONEST) // 2]
    lies = [(stored, length) for stored, length, _ in frames.LIES.values()]
    for stored, length in [(half, 500_000), *lies]:
        async with connected(valkey.url, names=Names("dev")) as store:
            with valkey.client() as client:
                client.set(envelopes.NAME, envelopes.forged(flags=1, stored=stored, length=length), px=600_000)
            await _is_a_miss_and_overwritten(store, envelopes.KEY)


async def test_row_21_an_entry_under_another_key(valkey: Valkey) -> None:
    """COPY to another content, and to another variant (another tenant, provider or question): misses."""
    variant = msgspec.structs.replace(key(1), variant="another")
    for of in (key(2), variant):
        async with connected(valkey.url) as store:
            await buy(store, key(1))
            with valkey.client() as client:
                assert client.copy(NAMES.entry(key(1)), NAMES.entry(of), replace=True)
            await _is_a_miss_and_overwritten(store, of)


async def test_row_22_a_thousand_cancellations_on_a_slow_wire(valkey: Valkey) -> None:
    """
    A thousand verbs cancelled at random moments while their replies are under way: no caller is given another's
    answer, no connection is lost for good, and no more are opened than are allowed.
    """
    chance = random.Random(22)  # noqa: S311 - when to cancel is no secret
    cancelled = 0
    async with FaultProxy(valkey.port) as proxy, connected(proxy.url, connections=4) as store:
        for number in range(8):
            await buy(store, key(number), f"answer {number}".encode())
        proxy.impose(Delay(replies=timedelta(milliseconds=1)))

        async def look(number: int) -> None:
            reading = await store.read([key(number)])
            assert reading.slots[0].entry.payload == f"answer {number}".encode()

        loop = asyncio.get_running_loop()
        while cancelled < 1_000:
            verbs = [asyncio.create_task(look(chance.randrange(8))) for _ in range(16)]
            for verb in verbs[::2]:
                loop.call_later(chance.random() * 0.008, verb.cancel)
            outcomes = await asyncio.gather(*verbs, return_exceptions=True)
            assert [one for one in outcomes if not isinstance(one, asyncio.CancelledError | None)] == []
            cancelled += sum(isinstance(one, asyncio.CancelledError) for one in outcomes)
            assert proxy.tally.open <= 4 + 16
        await asyncio.gather(*(look(number % 8) for number in range(40)))
        await proxy.until(lambda: proxy.tally.open <= 4)
