"""Each fault of the proxy really happens, on a real server's wire, to whom it was imposed on, and stops when lifted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.harness.faults import Delay, DropReply, FlipByte, HalfOpen, Hold, On, Side, Then, Throttle, Truncate
from tests.harness.proxy import FaultProxy, Refusal
from tests.harness.resp import Frames, request
from tests.harness.valkey import Valkey, free_port

AN_HOUR = timedelta(hours=1)
#: How long nothing must arrive to be taken for silence.
SILENCE = 0.2


class Wire:
    """A client that sends and reads exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer
        self._frames = Frames()
        self._ready: list[bytes] = []

    async def send(self, *requests: bytes) -> None:
        """All at once; each is a line of words."""
        self._writer.write(b"".join(request(*one.split()) for one in requests))
        await self._writer.drain()

    async def reply(self) -> bytes:
        """The next one; EOFError at the end of the stream."""
        while not self._ready:
            chunk = await self.reader.read(65536)
            if not chunk:
                raise EOFError
            self._ready = [frame.content for frame in self._frames.feed(chunk)]
        return self._ready.pop(0)

    async def ask(self, line: bytes) -> bytes:
        """Send it and read its reply."""
        await self.send(line)
        return await self.reply()

    async def silent(self) -> bool:
        """Nothing arrives for SILENCE seconds."""
        try:
            async with asyncio.timeout(SILENCE):
                await self.reply()
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        """In order, or as it was ended by the other side."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def wire(port: int) -> Wire:
    """A new connection."""
    return Wire(*await asyncio.open_connection("127.0.0.1", port))


@pytest.fixture
async def proxy(server: Valkey) -> AsyncIterator[FaultProxy]:
    """In front of the server; afterwards nothing of it is left."""
    before = asyncio.all_tasks()
    async with FaultProxy(server.port) as proxy:
        yield proxy
    assert proxy.tally.open == 0
    assert proxy.tally.held == 0
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[Wire]:
    """A connection through the proxy."""
    connection = await wire(proxy.port)
    yield connection
    await connection.close()


@pytest.fixture
async def direct(server: Valkey) -> AsyncIterator[Redis]:
    """The server as it is, past the proxy."""
    # With a socket timeout redis-py sends under asyncio.wait_for, which before Python 3.12 swallows our own deadlines.
    async with Redis(port=server.port, socket_timeout=None) as client:
        yield client


def own(name: str) -> bytes:
    """A key or channel that no other test uses."""
    return f"{name}-{os.urandom(6).hex()}".encode()


async def connected(direct: Redis, name: bytes) -> bool:
    """Whether the server has a connection of this *name*."""
    return any(one["name"] == name.decode() for one in await direct.client_list())


async def gone(direct: Redis, name: bytes, seconds: float = 5) -> None:
    """Wait until the server has no connection of this *name*; each look is a round trip."""
    async with asyncio.timeout(seconds):
        while await connected(direct, name):
            pass


# Passing on, and counting


async def test_without_a_fault_all_passes_unchanged(proxy: FaultProxy) -> None:
    """A megabyte of every byte value and a pipeline of 1,000 come back as they would directly."""
    content = bytes(range(256)) * 4096
    async with Redis(port=proxy.port) as client:
        key = own("big")
        assert await client.set(key, content)
        assert await client.get(key) == content
        pipeline = client.pipeline(transaction=False)
        for number in range(1000):
            pipeline.echo(str(number))
        assert await pipeline.execute() == [str(number).encode() for number in range(1000)]


async def test_the_tally_is_exact(proxy: FaultProxy, client: Wire) -> None:
    """Requests by command, with the second word of families; bytes; replies; connections: what was sent, no more."""
    sent = [b"SET tally 1", b"get tally", b"CLIENT SETNAME x", b"GET tally"]
    await client.send(*sent)
    replies = [await client.reply() for _ in sent]
    tally = proxy.tally
    assert tally.asked == tally.served == {"SET": 1, "GET": 2, "CLIENT|SETNAME": 1}
    assert tally.request_bytes == sum(len(request(*one.split())) for one in sent)
    assert tally.reply_bytes == sum(map(len, replies))
    assert (tally.replies, tally.opened, tally.open) == (4, 1, 1)
    assert tally.times_served(b"GET", b"tally") == 2
    await client.close()
    await proxy.until_open(0)


async def test_waiting_for_what_does_not_come_ends(proxy: FaultProxy, client: Wire) -> None:
    """A condition that never holds raises TimeoutError, and tells what was seen."""
    await client.ask(b"PING")
    with pytest.raises(TimeoutError, match="'PING': 1"):
        await proxy.until_served(b"PUBLISH", within=timedelta(milliseconds=50))


async def test_what_is_no_resp_passes_too() -> None:
    """Bytes of any protocol pass unchanged, and each end as it comes."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()

    content = os.urandom(300_000)
    echoing = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with echoing, FaultProxy(echoing.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(content)
        writer.write_eof()
        assert await reader.read() == content
        writer.close()
        await writer.wait_closed()


# Time


async def test_delayed_requests_come_late(proxy: FaultProxy, client: Wire) -> None:
    """Each direction is delayed for itself, by no less than was said; the reply waits for both."""
    now = asyncio.get_running_loop().time
    proxy.impose(Delay(requests=timedelta(milliseconds=60), replies=timedelta(milliseconds=90)))
    began = now()
    await client.ask(b"PING")
    assert now() - began >= 0.15


async def test_delay_is_latency_and_not_bandwidth(proxy: FaultProxy, client: Wire) -> None:
    """Twenty requests in flight share one delay: they do not wait for each other."""
    now = asyncio.get_running_loop().time
    proxy.impose(Delay(replies=timedelta(milliseconds=200)))
    began = now()
    for number in range(20):
        await client.send(b"ECHO %d" % number)
    assert [await client.reply() for _ in range(20)][-1] == b"$2\r\n19\r\n"
    assert now() - began < 20 * 0.2 / 2


async def test_a_delayed_reply_is_of_a_served_request(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """While the reply is delayed the server has done the work; lifting the delay lets the reply go at once."""
    key = own("delayed")
    delay = Delay(replies=AN_HOUR)
    async with proxy.under(delay):
        await client.send(b"SET %s done" % key)
        async with asyncio.timeout(5):
            while await direct.get(key) != b"done":
                pass
        assert await client.silent()
    assert await client.reply() == b"+OK\r\n"


async def test_throttled_bytes_take_their_time(proxy: FaultProxy, client: Wire) -> None:
    """40,000 bytes at 100,000 a second take some 0.4 seconds; without the throttle they are through."""
    now = asyncio.get_running_loop().time
    key = own("throttled")
    await client.ask(b"SET %s %s" % (key, b"x" * 40_000))
    proxy.impose(Throttle(replies=100_000))
    began = now()
    assert len(await client.ask(b"GET " + key)) > 40_000
    assert now() - began >= 0.35
    proxy.impose(Throttle(replies=1))
    await client.send(b"GET " + key)
    await proxy.until_served(b"GET", key, times=2)
    proxy.heal()
    assert len(await client.reply()) > 40_000


async def test_a_held_reply_waits_for_the_test(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """The reply to the command that was named is held while the server has served it; all others pass."""
    key = own("held")
    proxy.impose(Hold(Side.REPLIES, to=(b"INCR", key)))
    other = await wire(proxy.port)
    await client.send(b"PING", b"INCR %s" % key, b"PING")
    await proxy.until_held()
    assert await client.reply() == b"+PONG\r\n"
    assert await direct.get(key) == b"1"
    assert await other.ask(b"INCR other-%s" % key) == b":1\r\n"
    assert await client.silent()
    proxy.heal()
    assert [await client.reply(), await client.reply()] == [b":1\r\n", b"+PONG\r\n"]
    await other.close()


async def test_a_held_request_has_not_reached_the_server(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """A request that is held was asked and is not served."""
    key = own("held")
    proxy.impose(Hold(Side.REQUESTS, to=(b"INCR",)))
    await client.send(b"INCR " + key)
    await proxy.until_held()
    assert (proxy.tally.asked["INCR"], proxy.tally.served["INCR"]) == (1, 0)
    assert await direct.exists(key) == 0
    proxy.heal()
    assert await client.reply() == b":1\r\n"


# Lost replies


@pytest.mark.parametrize("number", [1, 3, 5])
async def test_exactly_reply_n_is_dropped(proxy: FaultProxy, client: Wire, number: int) -> None:
    """Of five requests in one packet all are served, reply n is missing, and the others come in order."""
    key = own("dropped")
    proxy.impose(DropReply(number))
    await client.send(*[b"INCR " + key] * 5)
    expected = [b":%d\r\n" % one for one in range(1, 6) if one != number]
    assert [await client.reply() for _ in expected] == expected
    assert await client.ask(b"GET " + key) == b"$1\r\n5\r\n"
    assert proxy.tally.dropped == 1


async def test_as_many_replies_are_dropped_as_said(proxy: FaultProxy, client: Wire) -> None:
    """The second and the third reply to one command are dropped, whatever else is asked between; then no more."""
    proxy.impose(DropReply(2, to=(b"echo",), times=2))
    await client.send(b"ECHO a", b"PING", b"ECHO b", b"PING", b"ECHO c", b"ECHO d")
    expected = [b"$1\r\na\r\n", b"+PONG\r\n", b"+PONG\r\n", b"$1\r\nd\r\n"]
    assert [await client.reply() for _ in expected] == expected


async def test_replies_are_counted_over_all_connections(proxy: FaultProxy, client: Wire) -> None:
    """A dropped reply is dropped once, not once a connection."""
    proxy.impose(DropReply(2))
    other = await wire(proxy.port)
    assert await client.ask(b"ECHO a") == b"$1\r\na\r\n"
    await other.send(b"ECHO b", b"ECHO c")
    assert await other.reply() == b"$1\r\nc\r\n"
    assert await client.ask(b"ECHO d") == b"$1\r\nd\r\n"
    await other.close()


async def test_a_lost_reply_to_a_script(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """A script's reply is told from another script's by its digest; the connection then is silent until healed."""
    key = own("script")
    bump, look = [await direct.script_load(f"return redis.call('{verb}', KEYS[1])") for verb in ("INCR", "GET")]
    proxy.impose(DropReply(to=(b"EVALSHA", bump.encode()), then=Then.SILENT))
    assert await client.ask(b"EVALSHA %s 1 %s" % (look.encode(), key)) == b"$-1\r\n"
    await client.send(b"EVALSHA %s 1 %s" % (bump.encode(), key), b"PING")
    assert await client.silent()
    assert await direct.get(key) == b"1"
    proxy.heal()
    assert await client.ask(b"PING") == b"+PONG\r\n"


async def test_a_retry_after_a_lost_reply_meets_itself(proxy: FaultProxy, direct: Redis) -> None:
    """redis-py repeats SET NX when its reply was lost, and is told no, although its own token is stored."""
    key = own("token")
    proxy.impose(DropReply(to=(b"SET",), then=Then.RESET))
    async with Redis(port=proxy.port, retry=Retry(NoBackoff(), 1)) as client:
        assert await client.set(key, "mine", nx=True) is None
    assert await direct.get(key) == b"mine"
    assert (proxy.tally.served["SET"], proxy.tally.opened) == (2, 2)


@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_lost_message_is_no_reply(proxy: FaultProxy, direct: Redis, protocol: int) -> None:
    """One message to a listener is lost, the connection lives; messages are not counted as replies, in RESP2 and 3."""
    channel = own("channel")
    listener = await wire(proxy.port)
    await listener.ask(b"HELLO %d" % protocol)
    await listener.ask(b"SUBSCRIBE " + channel)
    proxy.impose(DropReply(2, to=(b"message", channel)))
    proxy.impose(DropReply(1))
    for text in ("one", "two", "three"):
        await direct.publish(channel, text)
    assert b"one" in await listener.reply()
    assert b"three" in await listener.reply()
    await listener.send(b"PING", b"PING again")
    assert b"again" in await listener.reply()
    assert (proxy.tally.pushes, proxy.tally.dropped) == (2, 2)
    await listener.close()


# Connections that break


async def test_reset_is_a_reset_on_both_sides(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """The client sees ECONNRESET, not an end; the server has the connection no more; a new one works."""
    name = own("name")
    await client.ask(b"CLIENT SETNAME " + name)
    assert await connected(direct, name)
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        await client.reply()
    await gone(direct, name)
    await proxy.until_open(0)
    again = await wire(proxy.port)
    assert await again.ask(b"PING") == b"+PONG\r\n"
    await again.close()


async def test_hanging_up_is_an_end_in_order(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """The client sees the end of the stream, not a reset."""
    name = own("name")
    await client.ask(b"CLIENT SETNAME " + name)
    assert proxy.hang_up() == 1
    with pytest.raises(EOFError):
        await client.reply()
    await gone(direct, name)


async def test_half_open_swallows_both_ways(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """Requests do not reach the server, replies do not come back, and neither learns that the other has left."""
    name, key = own("name"), own("half")
    await client.ask(b"CLIENT SETNAME " + name)
    proxy.impose(HalfOpen())
    await client.send(b"SET %s 1" % key)
    assert await client.silent()
    assert await direct.exists(key) == 0
    assert proxy.tally.swallowed == len(request(b"SET", key, b"1"))
    await client.close()
    with pytest.raises(TimeoutError):
        await gone(direct, name, SILENCE)
    proxy.heal()
    await gone(direct, name)


async def test_half_open_swallows_replies_under_way(proxy: FaultProxy, client: Wire) -> None:
    """What is delayed when the connection becomes half-open is lost; healed, it answers what is asked then."""
    proxy.impose(Delay(replies=AN_HOUR))
    await client.send(b"ECHO lost")
    await proxy.until_served(b"ECHO")
    proxy.impose(HalfOpen())
    await proxy.until(lambda: proxy.tally.swallowed > 0)
    proxy.heal()
    assert await client.ask(b"ECHO found") == b"$5\r\nfound\r\n"


@pytest.mark.parametrize("after", [0, 1, 7, 11])
async def test_replies_are_truncated_to_the_byte(proxy: FaultProxy, client: Wire, after: int) -> None:
    """The client gets so many bytes of the reply and then the end."""
    proxy.impose(Truncate(after))
    await client.send(b"ECHO hello")
    assert await client.reader.read(100) == b"$5\r\nhello\r\n"[:after]
    assert await client.reader.read() == b""


async def test_requests_are_truncated_too(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """A request that is cut off in its last byte is not served."""
    key = own("cut")
    proxy.impose(Truncate(len(request(b"SET", key, b"1")) - 1, Side.REQUESTS))
    await client.send(b"SET %s 1" % key)
    with pytest.raises(EOFError):
        await client.reply()
    assert await direct.exists(key) == 0


@pytest.mark.parametrize("offset", [4, 8, 15, 19])
async def test_one_byte_is_flipped(proxy: FaultProxy, client: Wire, offset: int) -> None:
    """The byte at that offset since the fault was imposed differs in the bits of the mask; no other byte does."""
    await client.ask(b"ECHO before")
    proxy.impose(FlipByte(offset, mask=0x02))
    got = await client.ask(b"ECHO hello") + await client.ask(b"ECHO world")
    expected = bytearray(b"$5\r\nhello\r\n$5\r\nworld\r\n")
    expected[offset] ^= 0x02
    assert got == bytes(expected)


async def test_refused_means_nobody_listens(proxy: FaultProxy, client: Wire) -> None:
    """New connections fail with ECONNREFUSED, those that exist go on; healed, it listens on the same port."""
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await wire(port)
    assert await client.ask(b"PING") == b"+PONG\r\n"
    proxy.heal()
    again = await wire(port)
    assert await again.ask(b"PING") == b"+PONG\r\n"
    await again.close()


async def test_accepted_and_reset(proxy: FaultProxy) -> None:
    """The other refusal: the client is reset, in the moment in which it is connected or soon after."""
    proxy.refuse(Refusal.RESET)
    with pytest.raises(ConnectionResetError):
        await (await wire(proxy.port)).ask(b"PING")
    assert proxy.tally.opened == 0
    await proxy.until(lambda: proxy.tally.refused == 1)


async def test_a_server_that_is_away_resets() -> None:
    """Behind the proxy nobody listens: the client is accepted, and reset."""
    async with FaultProxy(free_port()) as proxy:
        with pytest.raises(ConnectionResetError):
            await (await wire(proxy.port)).ask(b"PING")


# On whom


async def test_a_fault_may_be_for_new_connections_only(proxy: FaultProxy, client: Wire) -> None:
    """Existing connections go on, new ones are silent; and the other way round."""
    proxy.impose(HalfOpen(), On.NEW)
    new = await wire(proxy.port)
    await new.send(b"PING")
    assert await new.silent()
    assert await client.ask(b"PING") == b"+PONG\r\n"
    proxy.heal()
    proxy.impose(HalfOpen(), On.EXISTING)
    await client.send(b"PING")
    assert await client.silent()
    newest = await wire(proxy.port)
    assert await newest.ask(b"PING") == b"+PONG\r\n"
    await new.close()
    await newest.close()


async def test_the_channel_alone_may_be_half_open(proxy: FaultProxy, client: Wire, direct: Redis) -> None:
    """Connections that listen fall silent, also those that subscribe later; commands go on."""
    channel = own("channel")
    listener, later = await wire(proxy.port), await wire(proxy.port)
    await listener.ask(b"SUBSCRIBE " + channel)
    proxy.impose(HalfOpen(), On.SUBSCRIBED)
    assert await later.ask(b"PING") == b"+PONG\r\n"
    await later.send(b"SUBSCRIBE " + channel)
    await proxy.until_served(b"SUBSCRIBE", times=2)
    await direct.publish(channel, "unheard")
    await listener.send(b"PING")
    assert await listener.silent()
    assert await later.silent()
    assert await client.ask(b"PING") == b"+PONG\r\n"
    assert proxy.reset(On.SUBSCRIBED) == 2
    assert await client.ask(b"PING") == b"+PONG\r\n"
    await proxy.until_open(1)


async def test_what_runs_when_the_proxy_ends_is_reset(server: Valkey) -> None:
    """Leaving with connections open, replies delayed and sides half-open leaves no task and no connection."""
    before = asyncio.all_tasks()
    async with FaultProxy(server.port) as proxy:
        clients = [await wire(proxy.port) for _ in range(5)]
        await asyncio.gather(*(one.ask(b"PING") for one in clients))
        proxy.impose(Delay(replies=AN_HOUR))
        await asyncio.gather(*(one.send(b"PING") for one in clients))
        await proxy.until_served(b"PING", times=10)
        proxy.impose(HalfOpen(), On.EXISTING)
        await clients[0].close()
    assert asyncio.all_tasks() == before
    for one in clients[1:]:
        with pytest.raises(ConnectionResetError):
            await one.reply()
