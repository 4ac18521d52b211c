"""The store behind real sentinels: it finds the master, follows it when it moves, and believes nobody's word alone."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache import wiring
from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.errors import SettingsError, StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.core.notice import Notice
from hashcache.settings import load
from hashcache.stores.hearing import Pace
from hashcache.stores.redis import RedisStore
from hashcache.stores.redis.watched import Watched
from tests.contracts.ear import Ear, comes
from tests.harness.faults import Hold
from tests.harness.node import free_ports
from tests.harness.proxy import FaultProxy
from tests.harness.sentinel import NAME, Sentinel, ValkeySentinels
from tests.harness.service import until
from tests.harness.tls import Authority, TlsFront
from tests.harness.valkey import Valkey

LEASE = timedelta(seconds=30)
#: As in production: what takes longer is a fault.
PATIENCE = timedelta(seconds=2)
PACE = Pace(window=timedelta(seconds=1), pulse=timedelta(milliseconds=100))
PASSWORD, THEIRS = "pass/word@of:the#servers", "pass&word=of?the+sentinels"
QUOTED, THEIRS_QUOTED = "pass%2Fword%40of%3Athe%23servers", "pass%26word%3Dof%3Fthe%2Bsentinels"


def key(number: int = 1) -> Key:
    """One of many keys."""
    return Key("analysis", f"{number:064x}", "variant")


def made(url: str, names: Names | None = None, ca_file: str | None = None) -> RedisStore:
    """A store on *url*, not open."""
    return RedisStore(
        url,
        names=names or Names(f"test-{secrets.token_hex(4)}"),
        envelope=Envelope(most=1_000_000),
        clock=lambda: time.time_ns() // 1_000_000,
        ca_file=ca_file,
        deadline=PATIENCE,
        patience=PATIENCE,
        pace=PACE,
    )


@asynccontextmanager
async def connected(url: str, *, names: Names | None = None, ca_file: str | None = None) -> AsyncIterator[RedisStore]:
    """A store on *url*, opened and closed; its channel is not open."""
    store = made(url, names, ca_file)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


async def buy(store: RedisStore, of: Key) -> bool:
    """Claim and commit an entry; whether it was kept."""
    bid = await store.claim(of, "token", LEASE)
    assert bid.claim is not None
    entry = Entry(of, Label("image", "default", "p"), b"answer", 0, store.now(), Instant(store.now() + 600_000))
    return await store.commit(bid.claim, entry)


async def holds(store: RedisStore, of: Key) -> bool:
    """Whether an entry lies under *of*."""
    return (await store.read([of])).slots[0].entry is not None


async def writes(store: RedisStore) -> bool:
    """Whether the store takes an entry just now."""
    try:
        return await buy(store, Key("analysis", secrets.token_hex(32), "variant"))
    except StoreUnavailable:
        return False


async def failure(store: RedisStore) -> StoreUnavailable:
    """How reading fails."""
    with pytest.raises(StoreUnavailable) as caught:
        await store.read([key()])
    return caught.value


def cleared(store: RedisStore) -> Notice:
    """A notice of an invalidation."""
    origin, now = store.channel.origin, store.now()
    return Notice(kind="invalidate", origin=origin, timestamp=now, sequence=1, selector=Selector(), reason="test")


async def is_heard(by: Ear, other: RedisStore) -> bool:
    """Whether what *other* says now arrives."""
    by.notices.clear()
    await other.channel.publish(cleared(other))
    await comes(lambda: by.notices)
    return True


class Guard:
    """One sentinel that knows what it is told; it is not asked for a quorum, and fails nobody over."""

    def __init__(self, sentinel: Sentinel) -> None:
        self.sentinel = sentinel
        self.port = sentinel.port

    def names(self, port: int) -> None:
        """From now on the master is the server on *port*."""
        if self.sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME):
            self.sentinel.ask("SENTINEL", "REMOVE", NAME)
        self.sentinel.ask("SENTINEL", "MONITOR", NAME, "127.0.0.1", port, 9)

    @property
    def url(self) -> str:
        """The service's URL."""
        return f"redis+sentinel://127.0.0.1:{self.port}/{NAME}"


@contextmanager
def guards(folder: Path, number: int) -> Iterator[list[Guard]]:
    """So many sentinels that do not know each other."""
    sentinels = [Sentinel(port, folder / f"sentinel-{port}", {}) for port in free_ports(number)]
    try:
        for one in sentinels:
            one.start()
        yield [Guard(one) for one in sentinels]
    finally:
        for one in sentinels:
            one.kill()


@pytest.fixture
def guard(tmp_path: Path, valkey: Valkey) -> Iterator[Guard]:
    """A sentinel that names *valkey*."""
    with guards(tmp_path, 1) as (one,):
        one.names(valkey.port)
        yield one


@pytest.fixture
def watched() -> Iterator[ValkeySentinels]:
    """A master, its replica and three sentinels."""
    with ValkeySentinels() as watched:
        yield watched


# Following the master


@pytest.mark.prove
@pytest.mark.parametrize("why", ["asked for", "killed"])
async def test_a_failover_is_followed_without_a_restart(watched: ValkeySentinels, why: str) -> None:
    """
    After a fail-over entries are read and written on the new master, and both ends of the channel meet there again,
    having told a gap, long before the old one is told (10 s later) that it is none any more.
    """
    names = Names(f"test-{secrets.token_hex(4)}")
    async with connected(watched.url, names=names) as store, connected(watched.url, names=names) as other:
        ear = await Ear.at(store.channel)
        await Ear.at(other.channel)
        assert await buy(store, key())
        assert (await store.health()).where == watched.url
        old = watched.master
        with old.client() as client:
            assert client.wait(1, 5000) == 1
        if why == "killed":
            old.kill()
            await asyncio.to_thread(watched.until_other_master, old)
        else:
            await asyncio.to_thread(watched.failover)
        await comes(lambda: ear.gaps)
        for one in (store, other):
            await until(lambda one=one: writes(one))
        assert await holds(store, key())
        await comes(lambda: store.channel.alive and other.channel.alive)
        assert not ear.alive_in_gap
        assert await is_heard(ear, other)
        new = watched.master
        await comes(lambda: new.ask("PUBSUB", "NUMSUB", store.channel.name)[1] == 2)


async def test_row_09_a_master_that_was_demoted_is_left(guard: Guard, valkey: Valkey) -> None:
    """
    REPLICAOF while connected: the first write is refused as `readonly`, the next goes to the master that the sentinel
    names by then, and nothing is asked of the old one any more. The channel follows.
    """
    names = Names(f"test-{secrets.token_hex(4)}")
    with Valkey() as new:
        async with connected(guard.url, names=names) as store:
            ear = await Ear.at(store.channel)
            await asyncio.gather(*(store.read([key()]) for _ in range(5)))
            with valkey.client() as client:
                client.execute_command("REPLICAOF", "127.0.0.1", new.port)
            await asyncio.to_thread(guard.names, new.port)
            with pytest.raises(StoreUnavailable) as caught:
                await buy(store, key())
            assert caught.value.reason == "readonly"
            assert await buy(store, key())
            with valkey.client() as client:
                client.config_resetstat()
                await asyncio.gather(*(store.read([key()]) for _ in range(20)))
                assert "cmdstat_mget" not in client.info("commandstats")
            await comes(lambda: ear.gaps)
            async with connected(new.url, names=names) as other:
                await comes(lambda: store.channel.alive)
                assert await is_heard(ear, other)


async def test_a_sentinel_is_not_believed_alone(guard: Guard, valkey: Valkey) -> None:
    """A server that is named and is no master (yet) is not used, not even to read; it is, once it is one."""
    with valkey.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", free_ports(1)[0])
        async with connected(guard.url) as store:
            for _ in range(5):
                away = await failure(store)
                assert away.reason == "unreachable"
                assert NAME in str(away)
            assert "cmdstat_mget" not in client.info("commandstats")
            client.execute_command("REPLICAOF", "NO", "ONE")
            await until(lambda: writes(store))


async def test_a_sentinel_that_is_behind_is_not_asked_first_again(tmp_path: Path, valkey: Valkey) -> None:
    """One of two sentinels names a server that is gone: the next connection asks the other one first."""
    with guards(tmp_path, 2) as (behind, right):
        behind.names(free_ports(1)[0])
        right.names(valkey.port)
        async with connected(f"redis+sentinel://127.0.0.1:{behind.port},127.0.0.1:{right.port}/{NAME}") as store:
            assert await buy(store, key())


async def test_settings_lead_there(guard: Guard) -> None:
    """The URL as an operator sets it makes a store that works, and is taken for none of those that bill by command."""
    settings = load({"HASHCACHE_STORE": guard.url.replace("//", "//[::1]:1,")})
    store = wiring.store(settings)
    await store.open()
    try:
        assert (await store.health()).status == "connected"
    finally:
        await store.close()
    assert wiring.quiet(settings) < timedelta(minutes=1)


# Sentinels that are away


@pytest.mark.parametrize("fault", ["dead", "frozen", "ignorant"])
async def test_one_sentinel_is_enough(tmp_path: Path, valkey: Valkey, fault: str) -> None:
    """The first of three is dead, silent, or knows no such master; the next ones are asked well within the patience."""
    with guards(tmp_path, 2) as (first, second):
        second.names(valkey.port)
        if fault == "dead":
            first.sentinel.kill()
        elif fault == "frozen":
            first.sentinel.freeze()
        hosts = f"127.0.0.1:{first.port},127.0.0.1:{free_ports(1)[0]},127.0.0.1:{second.port}"
        async with connected(f"redis+sentinel://{hosts}/{NAME}") as store:
            assert await buy(store, key())


async def test_without_sentinels_the_connections_there_are_serve_on(guard: Guard, valkey: Valkey) -> None:
    """
    With all sentinels dead the store works over what is connected, also when more ask at once than it has connections,
    and without asking in vain for each. Once its connections are lost it is away, says so, and heals with a sentinel.
    """
    async with connected(guard.url) as store:
        assert await buy(store, key())
        guard.sentinel.kill()
        for _ in range(5):
            assert all(await asyncio.gather(*(holds(store, key()) for _ in range(20))))
        valkey.hang_up()
        for _ in range(5):
            away = await failure(store)
            assert away.reason == "unreachable"
            assert NAME in str(away)
        guard.sentinel.start()
        guard.names(valkey.port)
        await until(lambda: writes(store))


async def test_many_who_connect_ask_once(guard: Guard) -> None:
    """Twenty verbs that need a connection each, and the channel, ask the sentinel one question at a time."""
    async with FaultProxy(guard.port) as proxy:
        store = made(guard.url.replace(str(guard.port), str(proxy.port)))
        try:
            async with proxy.under(Hold(to=(b"SENTINEL",))):
                verbs = [asyncio.create_task(store.read([key()])) for _ in range(20)]
                await proxy.until_held()
            await asyncio.gather(*verbs)
        finally:
            await store.close()
        assert proxy.tally.times_asked(b"SENTINEL") == 1


# Names and secrets


async def test_an_unknown_master(guard: Guard) -> None:
    """A name that no sentinel knows is told as that."""
    async with connected(guard.url.replace(NAME, "another")) as store:
        away = await failure(store)
        assert away.reason == "unreachable"
        assert "no sentinel knows a master called another" in str(away)


async def test_a_server_that_is_no_sentinel(valkey: Valkey) -> None:
    """Who writes the servers' addresses where the sentinels' belong reads that."""
    async with connected(f"redis+sentinel://127.0.0.1:{valkey.port}/{NAME}") as store:
        assert "no sentinel" in str(await failure(store))


async def test_passwords_of_servers_and_sentinels(guard: Guard, valkey: Valkey) -> None:
    """Each is used where it belongs; with a wrong or missing one the reason is `auth`, and neither is ever shown."""
    with valkey.client() as client:
        client.config_set("requirepass", PASSWORD)
    guard.sentinel.ask("ACL", "SETUSER", "watcher", "on", f">{THEIRS}", "+@all")
    guard.sentinel.ask("ACL", "SETUSER", "default", "resetpass")
    place = f"127.0.0.1:{guard.port}/{NAME}"
    theirs = f"?sentinel_username=watcher&sentinel_password={THEIRS_QUOTED}"
    async with connected(f"redis+sentinel://:{QUOTED}@{place}/3{theirs}") as store:
        assert await buy(store, key())
        where = (await store.health()).where
        assert where == f"redis+sentinel://127.0.0.1:{guard.port}/{NAME}/3"
    for url in (
        f"redis+sentinel://:{QUOTED}@{place}",
        f"redis+sentinel://:{QUOTED}@{place}{theirs}x",
        f"redis+sentinel://:{QUOTED}x@{place}{theirs}",
        f"redis+sentinel://{place}{theirs}",
    ):
        async with connected(url) as store:
            away = await failure(store)
            assert away.reason == "auth"
            shown = f"{away} {(await store.health()).where} {Watched.parse(url)!r} {Watched.parse(url)}"
            assert not [secret for secret in (PASSWORD, QUOTED, THEIRS, THEIRS_QUOTED, "watcher") if secret in shown]


async def test_a_right_that_is_missing_is_named(guard: Guard, valkey: Valkey) -> None:
    """A user who may not ask for the ROLE is told so: the sentinel's word is not taken instead."""
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "operator", "on", f">{PASSWORD}", "~*", "&*", "+@all", "-role")
    async with connected(guard.url.replace("//", f"//operator:{QUOTED}@")) as store:
        away = await failure(store)
        assert away.reason == "denied"
        assert "role" in str(away)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"redis+sentinel://:{QUOTED}@127.0.0.1:1", "must name the master"),
        (f"redis+sentinel://:{QUOTED}@127.0.0.1:1/", "must name the master"),
        (f"redis+sentinel://:{QUOTED}@127.0.0.1:1/one two/0", "redis+sentinel://user:password@host:port"),
        (f"redis+sentinel://:{QUOTED}@127.0.0.1:1/name/zero", "redis+sentinel://user:password@host:port"),
        (f"redis+sentinel://:{QUOTED}@127.0.0.1:port/name", "redis+sentinel://user:password@host:port"),
        (f"redis+sentinel://:{QUOTED}@127.0.0.1:1,/name", "redis+sentinel://user:password@host:port"),
        (f"redis+sentinel://:{QUOTED}@/name", "redis+sentinel://user:password@host:port"),
        (f"redis+sentinel://:{QUOTED}@127.0.0.1:1/name?ssl_cert_reqs=none", "no options but sentinel_password"),
        (f"redis+sentinel://127.0.0.1:1/name?sentinel_username={QUOTED}", "no options but sentinel_password"),
    ],
)
def test_urls_that_cannot_be_used(url: str, expected: str) -> None:
    """They are refused before anything is opened, without repeating a password, and none weakens TLS."""
    with pytest.raises(SettingsError) as caught:
        RedisStore(url, names=Names("test"), envelope=Envelope(most=1000), clock=lambda: 0)
    assert expected in str(caught.value)
    assert QUOTED not in str(caught.value)


# TLS


@asynccontextmanager
async def fronted(guard: Guard, valkey: Valkey, authority: Authority, sentinel: str, server: str) -> AsyncIterator[str]:
    """TLS before both, with certificates for these names; the URL."""
    async with (
        TlsFront(guard.port, authority.context(sentinel)) as before_sentinel,
        TlsFront(valkey.port, authority.context(server)) as before_server,
    ):
        await asyncio.to_thread(guard.names, before_server.port)
        yield f"rediss+sentinel://:{QUOTED}@127.0.0.1:{before_sentinel.port}/{NAME}"
        if "127.0.0.1" not in (sentinel, server):
            assert before_sentinel.received == 0
        if server != "127.0.0.1":
            assert before_server.received == 0


async def test_verified_connections(tmp_path: Path, guard: Guard, valkey: Valkey) -> None:
    """Over `rediss+sentinel` sentinel and server prove who they are, and everything works."""
    authority = Authority(tmp_path)
    with valkey.client() as client:
        client.config_set("requirepass", PASSWORD)
    front = fronted(guard, valkey, authority, "127.0.0.1", "127.0.0.1")
    async with front as url, connected(url, ca_file=authority.file) as store:
        assert await buy(store, key())
        assert (await store.health()).where.startswith("rediss+sentinel://127.0.0.1:")


@pytest.mark.parametrize(("sentinel", "server"), [("sentinel.example", "sentinel.example"), ("127.0.0.1", "a.example")])
async def test_row_06_unverified_sentinels_and_servers_are_told_nothing(
    tmp_path: Path, guard: Guard, valkey: Valkey, sentinel: str, server: str
) -> None:
    """A wrong name of either is `tls`, however often it is tried, and no byte of a command is sent there."""
    authority = Authority(tmp_path)
    front = fronted(guard, valkey, authority, sentinel, server)
    async with front as url, connected(url, ca_file=authority.file) as store:
        for _ in range(5):
            assert (await failure(store)).reason == "tls"
