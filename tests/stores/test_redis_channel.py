"""How the channel on a real Valkey server notices that it is cut off, comes back, and what it costs."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import pytest
from msgspec import structs

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.core.notice import Notice, decode
from hashcache.stores.hearing import Pace
from hashcache.stores.redis import RedisStore
from tests.contracts.ear import Ear, comes
from tests.harness.clock import HandClock
from tests.harness.tls import Authority, TlsFront
from tests.harness.valkey import Valkey

NAMES = Names("test")
KEY = Key("analysis", "a" * 64, "variant")
LEASE = timedelta(seconds=30)
PATIENT = timedelta(seconds=20)
#: How much later than it is due something may come on a busy machine, in seconds.
MARGIN = 1.0
#: Shortened, so that tests are; still far longer than a healthy server needs.
PACE = Pace(window=timedelta(seconds=1), pulse=timedelta(milliseconds=100))


@asynccontextmanager
async def connected(
    url: str, *, pace: Pace = PACE, patience: timedelta = PATIENT, **more: Any
) -> AsyncIterator[RedisStore]:
    """A store on *url*, opened and closed; its channel is not open."""
    envelope = Envelope(most=1_000_000)
    more = {"deadline": PATIENT, "patience": patience, "chance": lambda: 0.0, **more}
    store = RedisStore(url, names=NAMES, envelope=envelope, clock=HandClock(), pace=pace, **more)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


def cleared(store: RedisStore, reason: str = "test") -> Notice:
    """A notice of an invalidation."""
    origin, now = store.channel.origin, store.now()
    return Notice(kind="invalidate", origin=origin, timestamp=now, sequence=1, selector=Selector(), reason=reason)


async def hears_again(store: RedisStore, other: RedisStore, ear: Ear) -> None:
    """What *other* says now reaches *store*."""
    ear.notices.clear()
    assert await other.channel.publish(cleared(other)) >= 1
    assert len(await ear.hears(1)) == 1
    assert store.channel.alive


def kill_subscribers(valkey: Valkey) -> None:
    """CLIENT KILL TYPE pubsub."""
    with valkey.client() as client:
        client.client_kill_filter(_type="pubsub")


# Cut off


async def test_row_23_a_subscription_that_was_killed(valkey: Valkey) -> None:
    """After CLIENT KILL TYPE pubsub it is not alive until it is subscribed again and has told a gap."""
    async with connected(valkey.url) as store, connected(valkey.url) as other:
        ear = await Ear.at(store.channel)
        for round_ in range(1, 4):
            kill_subscribers(valkey)
            await comes(lambda: not store.channel.alive)
            await comes(lambda: store.channel.alive)
            assert ear.gaps >= round_
            assert not ear.alive_in_gap
            await hears_again(store, other, ear)


async def test_a_restarted_server(valkey: Valkey) -> None:
    """A server that was killed is not alive; when it is back the gap is told and notices come."""
    async with connected(valkey.url) as store, connected(valkey.url) as other:
        ear = await Ear.at(store.channel)
        valkey.kill()
        await comes(lambda: not store.channel.alive)
        assert store.channel.reason == "unreachable"
        valkey.start()
        await comes(lambda: store.channel.alive)
        assert (ear.gaps > 0, ear.alive_in_gap, store.channel.reason) == (True, False, None)
        await other.barrier()
        await hears_again(store, other, ear)


async def test_a_frozen_server_is_not_trusted_after_the_window(valkey: Valkey) -> None:
    """A server that stops answering is not alive any more once the window is over; when it thaws there is a gap."""
    async with connected(valkey.url) as store, connected(valkey.url) as other:
        ear = await Ear.at(store.channel)
        valkey.freeze()
        began = time.monotonic()
        await comes(lambda: not store.channel.alive)
        assert time.monotonic() - began < PACE.window.total_seconds() + MARGIN
        assert ear.gaps == 0
        await comes(lambda: store.channel.reason == "timeout")
        valkey.thaw()
        await comes(lambda: store.channel.alive)
        assert ear.gaps >= 1
        assert not ear.alive_in_gap
        await hears_again(store, other, ear)


class Relay:
    """
    Passes on between clients and *port* of 127.0.0.1. While *swallowing* it takes bytes and passes on none; while
    *hiding_ends* a client is not told that the server has closed its connection.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._over = asyncio.Event()
        self.swallowing = False
        self.hiding_ends = False
        self.accepted = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._over.set()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, target_writer}
        onward = asyncio.create_task(self._pass_on(reader, target_writer))
        await self._pass_on(target_reader, writer)
        if self.hiding_ends:
            await self._over.wait()
        onward.cancel()
        await asyncio.wait([onward])
        for one in (writer, target_writer):
            self._writers.discard(one)
            one.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(65536):
                if not self.swallowing:
                    sink.write(chunk)
                    await sink.drain()


async def test_row_24_a_half_open_connection(valkey: Valkey) -> None:
    """A connection on which nothing arrives any more, without an error, is found out within the window and replaced."""
    async with (
        Relay(valkey.port) as relay,
        connected(relay.url, patience=PACE.window) as store,
        connected(valkey.url) as other,
    ):
        ear = await Ear.at(store.channel)
        relay.swallowing = True
        began = time.monotonic()
        await other.channel.publish(cleared(other, "lost"))
        await comes(lambda: not store.channel.alive)
        assert time.monotonic() - began < PACE.window.total_seconds() + MARGIN
        await comes(lambda: relay.accepted > 3)
        relay.swallowing = False
        await comes(lambda: store.channel.alive)
        assert ear.gaps >= 1
        assert (ear.alive_in_gap, ear.notices) == (False, [])
        await hears_again(store, other, ear)


_LISTENER = """
import asyncio, sys, time
from datetime import timedelta
from hashcache.core.envelope import Envelope
from hashcache.core.key import Names
from hashcache.stores.hearing import Pace
from hashcache.stores.redis import RedisStore

async def main(url):
    pace = Pace(window=timedelta(seconds=1), pulse=timedelta(milliseconds=100))
    store = RedisStore(url, names=Names("test"), envelope=Envelope(most=1000), clock=lambda: 0, pace=pace)
    await store.open()
    await store.channel.open(lambda notice: say("heard " + notice.reason), lambda: say("gap"))
    say("open")
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.005)
        now, alive = time.monotonic(), store.channel.alive
        if now - last > 1:
            say("thawed alive" if alive else "thawed not alive")
        last = now

def say(words):
    print(words, flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_frozen_process_does_not_trust_what_it_heard_before(valkey: Valkey) -> None:
    """A process that was stopped for longer than the window is not alive when it goes on, and then has a gap."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LISTENER, valkey.url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None

    async def line() -> str:
        async with asyncio.timeout(10):
            return (await process.stdout.readline()).decode().strip()

    try:
        async with connected(valkey.url) as other:
            assert await line() == "open"
            assert await other.channel.publish(cleared(other, "before")) == 1
            assert await line() == "heard before"
            process.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            await comes(lambda: time.monotonic() - began > 2.0)
            assert await other.channel.publish(cleared(other, "meanwhile")) == 1
            process.send_signal(signal.SIGCONT)
            said = [await line()]
            while said[-1] != "gap":
                said.append(await line())
            assert "thawed alive" not in said
            assert "thawed not alive" in said
    finally:
        process.kill()
        await process.wait()


async def test_only_the_moment_of_asking_proves(valkey: Valkey) -> None:
    """An answer that took a window proves nothing any more: not alive, but a new connection and a gap."""
    clock = HandClock()
    pace = Pace(window=timedelta(seconds=20), pulse=timedelta(milliseconds=50))
    async with connected(valkey.url, monotonic=clock.seconds, pace=pace) as store:
        ear = await Ear.at(store.channel)
        valkey.freeze()
        asked = len(store.channel._asked)  # the only sign that a PING went out
        await comes(lambda: len(store.channel._asked) > asked)
        clock.advance(pace.window)
        assert not store.channel.alive
        valkey.thaw()
        await comes(lambda: store.channel.alive)
        assert (ear.gaps, ear.alive_in_gap) == (1, False)


# Connecting


async def test_without_a_server_it_opens_and_comes_by_itself() -> None:
    """Opening raises nothing and soon returns; later it is alive, and since much may have happened a gap is told."""
    server = Valkey()
    async with connected(server.url) as store:
        ear = Ear(store.channel)
        await ear.listen()
        assert not store.channel.alive
        with pytest.raises(StoreUnavailable):
            await store.channel.publish(cleared(store))
        with server:
            await comes(lambda: store.channel.alive)
            assert (ear.gaps, ear.alive_in_gap) == (1, False)


async def test_opening_does_not_wait_for_a_silent_server(valkey: Valkey) -> None:
    """A server that accepts and never answers delays the start by the patience at most."""
    valkey.freeze()
    async with connected(valkey.url, patience=timedelta(milliseconds=200)) as store:
        began = time.monotonic()
        ear = Ear(store.channel)
        await ear.listen()
        assert time.monotonic() - began < 1.0
        valkey.thaw()
        await comes(lambda: store.channel.alive)
        assert ear.gaps == 1


async def test_no_storm_of_connections(valkey: Valkey) -> None:
    """A server that hangs up on every subscriber is tried with growing pauses, and every process has its own."""
    pauses: list[float] = []
    chances = itertools.cycle([0.0, 1.0])

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pauses.append(time.monotonic())
        await reader.read(100)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    store = RedisStore(
        url, names=NAMES, envelope=Envelope(most=1000), clock=HandClock(), pace=PACE, chance=lambda: next(chances)
    )
    await Ear(store.channel).listen()
    await comes(lambda: len(pauses) == 6)
    between = [later - earlier for earlier, later in itertools.pairwise(pauses)]
    # Half a pause by chance 0, a whole one by chance 1: 0.1, 0.2, 0.4, 0.8, 1.6 seconds.
    for least, took in zip([0.05, 0.2, 0.2, 0.8, 0.8], between, strict=True):
        assert least <= took < least + MARGIN
    await store.close()
    server.close()
    await server.wait_closed()


async def test_one_connection_outside_the_pool(valkey: Valkey) -> None:
    """The channel adds one connection to the pool's, named by its subscription, and closing leaves none."""
    async with connected(valkey.url, connections=1) as store:
        await Ear.at(store.channel)
        await asyncio.gather(*(store.read([KEY]) for _ in range(20)))
        with valkey.client() as client:
            assert client.info("clients")["connected_clients"] == 2 + 1
            assert client.pubsub_channels() == [b"hashcache:test:channel"]
            await store.close()
            await comes(lambda: client.info("clients")["connected_clients"] == 1)


async def test_it_works_over_tls_with_a_password(valkey: Valkey, tmp_path: Any) -> None:
    """The subscription is verified and authenticated like every other connection."""
    with valkey.client() as client:
        client.config_set("requirepass", "secret")
    authority = Authority(tmp_path)
    async with TlsFront(valkey.port, authority.context("127.0.0.1")) as front:
        url = f"rediss://:secret@127.0.0.1:{front.port}"
        async with connected(url, ca_file=authority.file) as store, connected(url, ca_file=authority.file) as other:
            ear = await Ear.at(store.channel)
            await hears_again(store, other, ear)


async def test_without_the_right_to_the_channel(valkey: Valkey) -> None:
    """A user who may not subscribe or publish still buys, keeps and gives back; the channel tells why it is silent."""
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "operator", "on", ">pw", "resetchannels", "~hashcache:*", "+@all")
    async with connected(f"redis://operator:pw@127.0.0.1:{valkey.port}") as store:
        await Ear(store.channel).listen()
        assert (store.channel.alive, store.channel.reason) == (False, "denied")
        bid = await store.claim(KEY, "token", LEASE)
        assert await store.commit(bid.claim, an_entry(store))
        bid = await store.claim(KEY, "token", LEASE)
        await store.release(bid.claim)
        reading = await store.read([KEY])
        assert (reading.slots[0].entry is not None, reading.slots[0].claimed) == (True, False)
        with pytest.raises(StoreUnavailable) as caught:
            await store.channel.publish(cleared(store))
        assert caught.value.reason == "denied"


# Counting


async def test_a_subscription_that_the_server_dropped_hides_nobody(valkey: Valkey) -> None:
    """When the server has closed our own subscription, and we do not know yet, the other listener is still counted."""
    pace = Pace(window=timedelta(seconds=20))
    async with (
        Relay(valkey.port) as relay,
        connected(relay.url, pace=pace) as store,
        connected(valkey.url) as other,
    ):
        await Ear.at(store.channel)
        with valkey.client() as client:
            (ours,) = client.client_list(_type="pubsub")
        await Ear.at(other.channel)
        assert await store.channel.publish(cleared(store)) == 1
        relay.hiding_ends = True
        with valkey.client() as client:
            client.client_kill_filter(_id=ours["id"])
        assert await store.channel.publish(cleared(store)) == 1
        assert store.channel.alive


async def test_other_languages_hear_and_are_not_counted(valkey: Valkey) -> None:
    """Invalidations and forgotten keys are JSON on a channel of their own; its listeners are not waited for."""
    async with connected(valkey.url) as store:
        with valkey.client() as client, client.pubsub() as stranger:
            stranger.subscribe("hashcache:test:invalidations")
            assert stranger.get_message(timeout=5)["type"] == "subscribe"
            said = [cleared(store)]
            said += [
                Notice(kind=kind, origin=store.channel.origin, timestamp=store.now(), keys=(KEY.logical,))
                for kind in ("done", "acknowledge", "forget")
            ]
            for notice in said:
                assert await store.channel.publish(notice) == 0
            await bought(store)
            heard = [decode(stranger.get_message(timeout=5)["data"]) for _ in range(2)]
            assert heard == [said[0], said[3]]
            assert stranger.get_message(timeout=0.05) is None


# What it costs


def an_entry(store: RedisStore) -> Entry:
    """An entry bought now."""
    return Entry(KEY, Label("image", "default", "p"), b"x", 0, store.now(), Instant(store.now() + 600_000))


async def bought(store: RedisStore) -> None:
    """A whole miss: look, claim, commit."""
    await store.read([KEY])
    bid = await store.claim(KEY, "token", LEASE)
    assert bid.claim is not None
    assert await store.commit(bid.claim, an_entry(store))


async def test_a_miss_is_four_commands_and_a_hit_one(valkey: Valkey) -> None:
    """The notice travels in the script; who counts the commands in scripts too, as Upstash does, counts fourteen."""
    quiet = Pace(pulse=timedelta(hours=1), window=timedelta(hours=2))
    async with connected(valkey.url, pace=quiet) as store, connected(valkey.url, pace=quiet) as other:
        ear = await Ear.at(other.channel)
        await bought(store)
        await ear.hears(1)
        with valkey.client() as client:
            client.config_resetstat()
            before = store.commands
            await bought(store)
            assert store.commands - before == 4
            calls = {name.removeprefix("cmdstat_"): one["calls"] for name, one in client.info("commandstats").items()}
            for ours in ("config|resetstat", "info"):
                calls.pop(ours, None)
            assert calls == {"mget": 1, "evalsha": 2, "get": 7, "set": 2, "del": 1, "publish": 1}
        before = store.commands
        await store.read([KEY])
        assert store.commands - before == 1
        assert len(await ear.hears(2)) == 2


async def test_other_verbs_cost_one_command(valkey: Valkey) -> None:
    """Giving back, prolonging, and remembering a failure are one command each; a notice to everybody is two."""
    async with connected(valkey.url) as store:
        await bought(store)
        old = (await store.read([KEY])).slots[0].entry
        await store.prolong(old, Instant(old.expires + 1))
        await store.release((await store.claim(KEY, "token", LEASE)).claim)

        async def cost(verb: Any, *arguments: Any) -> int:
            before = store.commands
            await verb(*arguments)
            return store.commands - before

        bid = await store.claim(KEY, "token", LEASE)
        assert await cost(store.release, bid.claim) == 1
        assert await cost(store.prolong, old, Instant(old.expires + 10)) == 1
        await store.forget([KEY])
        bid = await store.claim(KEY, "token", LEASE)
        assert await cost(store.commit, bid.claim, structs.replace(an_entry(store), error="refused")) == 1
        bid = await store.claim(KEY, "token", LEASE)
        assert await cost(store.commit, bid.claim, structs.replace(an_entry(store), error="refused", failures=2)) == 1
        await bought(store)
        bid = await store.claim(KEY, "token", LEASE)
        # Looked at by the script, judged here, and the claim given back.
        assert await cost(store.commit, bid.claim, structs.replace(an_entry(store), error="refused")) == 2
        assert await cost(store.channel.publish, cleared(store)) == 2
