"""What a line to a vendor does on the network, on asyncio's own event loop and on uvloop's, over real sockets."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from hashcache.core.errors import ProviderFailed, ProviderRejected
from hashcache.providers.calls import TRIES, Lines
from hashcache.providers.formats import Payload, json
from hashcache.providers.network import Disconnected, Origin, Stream, connect
from hashcache.providers.trust import trusted
from loadtests.vendor.received import Request
from loadtests.vendor.server import Exchange
from tests.harness.tls import Authority, TlsFront
from tests.harness.vendor import ScriptedVendor, after, ok

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

PAYLOAD = json({"text": "what is asked"})
LARGE = 16 * 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run[Any]:
    """Run a coroutine to its end on a loop of its own."""

    def runs(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(asyncio.wait_for(coroutine, 30))

    return runs


def lines(*, concurrency: int = 2, authority: Authority | None = None, connect_timeout: float = 10) -> Lines:
    tls = None if authority is None else trusted()
    if tls is not None and authority is not None:
        tls.load_verify_locations(authority.file)
    return Lines(
        "acme",
        timeout=timedelta(seconds=20),
        concurrency=concurrency,
        random=lambda: 0.0,
        connect_timeout=timedelta(seconds=connect_timeout),
        tls=tls,
    )


def large(size: int = LARGE) -> Payload:
    """*size* bytes in pieces of 64 KB."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        for _ in range(size // 65536):
            yield bytes(65536)

    return Payload({"Content-Type": "image/png", "Content-Length": str(size)}, chunks)


async def connected(port: int) -> Stream:
    return await connect(Origin("127.0.0.1", port, secure=False), None, within=5)


async def endless(stream: Stream) -> None:
    while True:
        await stream.write(bytes(65536))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls_is_spoken_and_its_line_used_again(run: Run[Any], tmp_path: Path, host: str) -> None:
    """A large content and a small one go over one handshake, and come whole; a line without TLS stays without."""

    async def scenario() -> None:
        authority, acme_large = Authority(tmp_path), large()
        async with ScriptedVendor() as vendor:
            behind = int(vendor.origin.rpartition(":")[2])
            async with TlsFront(behind, authority.context(host)) as front:
                acme, url = lines(authority=authority), f"https://{host}:{front.port}/analyse"
                for payload in (acme_large, PAYLOAD, acme_large):
                    assert (await acme.post(url, payload, {})).status == 200
                assert (front.accepted, vendor.ledger.calls) == (1, 3)
                assert front.received > 2 * LARGE
                assert (await acme.post(vendor.url, PAYLOAD, {})).status == 200
                await acme.close()

    run(scenario())


@pytest.mark.parametrize("name", ["elsewhere.example", "stranger"])
def test_who_does_not_prove_who_he_is_gets_nothing(run: Run[Any], tmp_path: Path, name: str) -> None:
    """Another name, or an authority that we do not know: not one byte of the request, so nothing is paid."""

    async def scenario() -> None:
        authority = Authority(tmp_path)
        stranger = Authority(tmp_path, "stranger") if name == "stranger" else authority
        async with ScriptedVendor() as vendor:
            behind = int(vendor.origin.rpartition(":")[2])
            shown = "localhost" if name == "stranger" else name
            async with TlsFront(behind, stranger.context(shown)) as front:
                acme = lines(authority=authority)
                with pytest.raises(ProviderFailed, match="could not be reached") as raised:
                    await acme.post(f"https://localhost:{front.port}/analyse", PAYLOAD, {})
                assert not raised.value.possibly_paid
                assert (front.received, vendor.accepted) == (0, 0)
                await acme.close()

    run(scenario())


def test_a_server_that_never_shakes_hands_is_given_up(run: Run[Any]) -> None:
    """It is connected to, and stays silent: it is given up as one that cannot be reached, and each try is closed."""

    async def scenario() -> None:
        left: asyncio.Queue[None] = asyncio.Queue()

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(65536):
                pass
            writer.close()
            left.put_nowait(None)

        async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
            hasty = lines(connect_timeout=0.1)
            with pytest.raises(ProviderFailed, match="could not be reached") as raised:
                await hasty.post(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", PAYLOAD, {})
            assert not raised.value.possibly_paid
            for _ in range(TRIES):
                await left.get()
            await hasty.close()

    run(scenario())


def test_a_name_with_several_addresses_is_reached_at_the_one_that_serves(run: Run[Any]) -> None:
    """The first address refuses, the second takes the call."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        known = loop.getaddrinfo

        async def both(host: str, port: int, **named: Any) -> list[Any]:
            """As a resolver may tell two addresses of one name."""
            hosts = ("127.0.0.2", "127.0.0.1") if host == "vendor.test" else (host,)
            return [found for one in hosts for found in await known(one, port, **named)]

        loop.getaddrinfo = both  # type: ignore[method-assign, assignment]  # this loop is the test's own
        async with ScriptedVendor() as vendor:
            acme = lines()
            port = vendor.origin.rpartition(":")[2]
            assert (await acme.post(f"http://vendor.test:{port}/analyse", PAYLOAD, {})).status == 200
            assert vendor.ledger.calls == 1
            await acme.close()

    run(scenario())


@pytest.mark.parametrize("farewell", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_a_line_that_the_vendor_has_ended_is_not_written_to(run: Run[Any], farewell: bytes, *, told: bool) -> None:
    """
    The vendor answers, says farewell or not, and hangs up, and our event loop was told or not: the next call opens
    another line, is not sent into the ended one, and does not take the farewell for its reply.
    """
    go_on, ended, asked = threading.Event(), threading.Event(), []

    def serve(listener: socket.socket) -> None:
        for last in (False, True):
            taken, _address = listener.accept()
            while not (said := taken.recv(65536)).endswith(b"}"):
                assert said
            asked.append(said)
            taken.sendall(OK)
            go_on.wait(20)
            taken.sendall(b"" if last else farewell)
            if last or not farewell:
                taken.close()
            else:
                kept.append(taken)
            ended.set()

    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        async def scenario() -> None:
            acme = lines()
            assert (await acme.post(url, PAYLOAD, {})).status == 200
            go_on.set()
            if told:
                await asyncio.to_thread(ended.wait, 20)
                for _ in range(5):
                    await asyncio.sleep(0)  # a turn of the loop
            else:
                assert ended.wait(20)  # blocking: no turn of the loop in between
            assert (await acme.post(url, PAYLOAD, {})).status == 200
            await acme.close()

        run(scenario())
        server.join(20)
    for one in kept:
        one.close()
    assert len(asked) == 2


def test_a_vendor_that_reads_slowly_makes_us_wait(run: Run[Any]) -> None:
    """Of 16 MB only what sockets hold is taken from the source while the vendor does not read."""

    async def scenario() -> None:
        reading, taken = asyncio.Event(), 0

        async def chunks() -> AsyncGenerator[bytes, None]:
            nonlocal taken
            for _ in range(LARGE // 65536):
                taken += 65536
                yield bytes(65536)

        async def slow(exchange: Exchange, head: Request) -> None:
            await reading.wait()
            await ok()(exchange, head)

        async with ScriptedVendor(slow) as vendor:
            acme = lines()
            call = asyncio.create_task(acme.post(vendor.url, Payload({"Content-Length": str(LARGE)}, chunks), {}))
            before = -1
            while before != taken or not taken:  # until nothing more is taken in a while
                before = taken
                await asyncio.sleep(0.1)  # how long "a while" is
            assert taken < LARGE - 1024 * 1024
            reading.set()
            assert (await call).status == 200
            assert taken == LARGE
            await acme.close()

    run(scenario())


def test_a_reply_that_nobody_reads_makes_the_vendor_wait(run: Run[Any]) -> None:
    """Of 16 MB a stream takes what may wait, and gives all of it in order when it is read."""
    sent = bytes(range(256)) * (LARGE // 256)

    async def scenario() -> None:
        written = 0

        async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal written
            for at in range(0, LARGE, 65536):
                writer.write(sent[at : at + 65536])
                await writer.drain()
                written += 65536
            writer.close()

        async with await asyncio.start_server(pour, "127.0.0.1", 0) as server:
            stream = await connected(server.sockets[0].getsockname()[1])
            before = -1
            while before != written or not written:
                before = written
                await asyncio.sleep(0.1)  # until nothing more is sent in a while
            assert written < LARGE - 1024 * 1024
            got = bytearray()
            while chunk := await stream.read(65536):
                assert len(chunk) <= 65536
                got += chunk
            assert bytes(got) == sent
            assert stream.ends
            stream.close()

    run(scenario())


@pytest.mark.parametrize("status", [200, 413])
def test_a_reply_is_read_though_the_vendor_takes_no_more(run: Run[Any], status: int) -> None:
    """It answers in the middle of the body and hangs up: what it said counts, not that the line broke."""

    async def scenario() -> None:
        left = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 %d Early\r\nContent-Length: 2\r\n\r\n{}" % status)
            writer.write_eof()
            while await reader.read(65536):  # what was under way, so that it is no reset that ends it
                pass
            writer.close()
            left.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            acme = lines()
            told = acme.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", large(), {})
            if status == 200:
                assert (await told).body == b"{}"
            else:
                with pytest.raises(ProviderRejected, match="413"):
                    await told
            await acme.close()
            await left.wait()

    run(scenario())


def test_what_was_written_is_noted(run: Run[Any]) -> None:
    """Not by connecting; by the first byte; and not by what cannot be sent any more."""

    async def scenario() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            stream = await connected(server.sockets[0].getsockname()[1])
            noted = [stream.wrote]
            await stream.write(b"a")
            noted.append(stream.wrote)
            assert await stream.read(10) == b""
            stream.wrote = False
            with pytest.raises(Disconnected):
                await stream.write(b"b")
            assert [*noted, stream.wrote] == [False, True, False]
            stream.close()

    run(scenario())


def test_what_came_before_a_reset_is_read_first(run: Run[Any]) -> None:
    """Nine bytes wait to be read when the connection is reset: they are read, and then the error."""

    async def scenario() -> None:
        reset = asyncio.Event()

        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"0123456789")
            await reset.wait()
            writer.transport.abort()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            stream = await connected(server.sockets[0].getsockname()[1])
            assert await stream.read(1) == b"0"
            reset.set()
            with pytest.raises(Disconnected):
                await endless(stream)
            assert await stream.read(65536) == b"123456789"
            with pytest.raises(Disconnected):
                await stream.read(65536)
            stream.close()

    run(scenario())


def test_there_are_never_more_lines_than_allowed_to_several_origins(run: Run[Any]) -> None:
    """Two lines, three vendors in turn: an unused line to one gives way to a new one to another."""

    async def scenario() -> None:
        async with ScriptedVendor(after(0.01, ok())) as one, ScriptedVendor() as two, ScriptedVendor() as three:
            acme = lines(concurrency=2)
            for _ in range(3):
                for vendor in (one, two, three):
                    await acme.post(vendor.url, PAYLOAD, {})
                    assert one.connections + two.connections + three.connections <= 3  # one may be closing just now
            await asyncio.gather(*(acme.post(one.url, PAYLOAD, {}) for _ in range(4)))
            assert one.most == 2
            await two.idle()
            await three.idle()
            await acme.close()
            await one.idle()

    run(scenario())
