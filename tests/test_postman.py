"""Where a webhook goes, and where it never does: real sockets, and names that resolve as a test says."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from hashcache.core.internet import Address
from hashcache.core.target import Target
from hashcache.ports import Posted
from hashcache.postman import HttpPostman, resolve
from tests.harness.http import NO_TLS
from tests.harness.mailbox import Mailbox
from tests.harness.tls import Authority

PUBLIC = "93.184.216.34"


class Names:
    """Resolves every name to *answers*, one after the other, the last for ever; *asked* for what."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _: int) -> Sequence[Address]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ipaddress.ip_address(one) for one in answer]


def postman(names: Names | None = None, *, tls: ssl.SSLContext = NO_TLS, seconds: float = 5.0) -> HttpPostman:
    """One that trusts nobody, unless a test says whom."""
    return HttpPostman(lambda: tls, resolved=names or resolve, deadline=timedelta(seconds=seconds))


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    """A receiver."""
    async with Mailbox() as box:
        yield box


async def test_it_arrives_as_it_was_sent(box: Mailbox) -> None:
    """In one POST: the path with its query to the character, our headers, the bytes; nothing of a proxy or cookie."""
    path = "/a/%2e%2E//b;c=1/@:!$&'()*+,=~?x=%20&y=[1".replace("[", "%5B")
    posted = await postman().post(Target.parse(box.origin + path), {"webhook-id": "msg_1"}, b'{"a":1}')
    assert (posted, posted.delivered) == (Posted(204), True)
    (message,) = box.messages
    assert message.line == f"POST {path} HTTP/1.1"
    assert message.body == b'{"a":1}'
    assert message.headers == {
        "host": f"127.0.0.1:{box.port}",
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-id": "msg_1",
        "content-length": "7",
    }


@pytest.mark.parametrize("status", [200, 204, 299, 300, 301, 307, 400, 410, 429, 500, 503])
async def test_row_55_the_status_is_told(box: Mailbox, status: int) -> None:
    """Only 2xx is a delivery; a redirect is followed nowhere."""
    box.answer(status, Location=f"{box.origin}/elsewhere", Retry_After="7", Set_Cookie="a=b")
    posted = await postman().post(Target.parse(box.url), {}, b"")
    assert posted == Posted(status, retry_after=7)
    assert posted.delivered is (status < 300)
    assert len(box.messages) == 1


@pytest.mark.parametrize("after", ["-1", "1e9", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 30, ""])
async def test_an_odd_retry_after_is_none(box: Mailbox, after: str) -> None:
    """Seconds are understood; all else is as if it were not there."""
    box.answer(503, Retry_After=after)
    assert await postman().post(Target.parse(box.url), {}, b"") == Posted(503)


PRIVATE = [
    *("127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    "0.0.0.0",  # noqa: S104 - named, bound by nobody
    *("169.254.169.254", "100.64.0.1", "100.127.255.254", "224.0.0.1", "239.1.1.1", "255.255.255.255"),
    *("192.0.2.1", "198.18.0.1", "240.0.0.1", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:93.184.216.34", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
    *("2002:7f00:1::1", "2001:0:1::1", "2001:db8::1", "4000::1", "fec0::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
async def test_row_55_a_name_of_a_private_address_leads_nowhere(box: Mailbox, address: str) -> None:
    """Whatever it is called, alone or beside public ones: no connection is made."""
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        target = Target.parse(f"https://hooks.example.com:{box.port}/")
        assert await postman(Names(answer)).post(target, {}, b"") == Posted(None, "private-address")
    assert box.accepted == 0


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[fd12::1]", "127.1", "2130706433"]
)
async def test_an_address_is_looked_at_as_a_name_is(address: str) -> None:
    """Also in the odd ways that IPv4 addresses can be written, over the machine's own resolver."""
    target = Target.parse(f"https://{address}/")
    told = await postman(seconds=3).post(target, {}, b"")
    assert told.status is None
    assert told.why == ("unreachable" if target.origin.local else "private-address")


@pytest.mark.parametrize("answers", [[PUBLIC], ["10.0.0.1"], ["127.0.0.1", PUBLIC], ["::ffff:127.0.0.1"]])
async def test_this_machine_is_this_machine(box: Mailbox, answers: list[str]) -> None:
    """`localhost`, which an operator has named, leads to loopback alone, whatever it resolves to."""
    target = Target.parse(f"http://localhost:{box.port}/")
    told = await postman(Names(answers)).post(target, {}, b"")
    assert told == Posted(None, "private-address")
    assert box.accepted == 0


async def test_what_was_looked_at_is_where_it_goes() -> None:
    """
    The name is resolved once, and the connection goes to that very address, whatever the name leads to otherwise: at
    the one that this machine's own resolver would find nobody listens.
    """
    names = Names(["127.0.0.2"], [PUBLIC])
    async with Mailbox(host="127.0.0.2") as box:
        assert (await postman(names).post(Target.parse(f"http://localhost:{box.port}/"), {}, b"")).delivered
        assert names.asked == ["localhost"]
        assert box.messages[0].headers["host"] == f"localhost:{box.port}"


async def test_the_next_address_is_tried(box: Mailbox) -> None:
    """Where nobody listens at the first."""
    names = Names(["127.0.0.2", "127.0.0.1"])
    assert (await postman(names).post(Target.parse(f"http://localhost:{box.port}/"), {}, b"")).delivered


@pytest.mark.parametrize(
    ("proves", "trusted", "why"), [("localhost", "us", ""), ("other", "us", "tls"), ("localhost", "others", "tls")]
)
async def test_tls_proves_the_name(tmp_path: Path, proves: str, trusted: str, why: str) -> None:
    """The host that was named must be proved by somebody who is trusted, though an address is connected to."""
    authority = Authority(tmp_path)
    tls = ssl.create_default_context(cafile=authority.file) if trusted == "us" else ssl.create_default_context()
    async with Mailbox(tls=authority.context(proves)) as box:
        told = await postman(Names(["127.0.0.1"]), tls=tls).post(
            Target.parse(f"https://localhost:{box.port}/"), {}, b""
        )
        assert (told.delivered, told.why) == (not why, why)
        assert len(box.messages) == (0 if why else 1)


async def test_row_55_one_deadline_holds_for_all(box: Mailbox) -> None:
    """A receiver that is silent, one that drips its head, and a name that is never resolved."""

    async def never(host: str, port: int) -> Sequence[Address]:
        return await asyncio.get_running_loop().create_future()

    box.then.extend([b"HTTP/1.1 ", b"HTTP/1.1 100 Continue\r\n\r\n"])
    for _ in range(2):
        assert await postman(seconds=0.3).post(Target.parse(box.url), {}, b"") == Posted(None, "timeout")
    lost = HttpPostman(lambda: NO_TLS, resolved=never, deadline=timedelta(seconds=0.1))
    assert await lost.post(Target.parse(box.url), {}, b"") == Posted(None, "timeout")


async def test_a_body_is_never_read(box: Mailbox) -> None:
    """An answer of any length, complete or not, is as good as its status."""
    for body in (b"x" * 5_000_000, b"", b"\x1f\x8b junk"):
        box.then.append(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999999\r\n\r\n" + body)
        assert (await postman().post(Target.parse(box.url), {}, b"")).delivered


async def test_what_goes_wrong_is_a_word(box: Mailbox) -> None:
    """A receiver that hangs up, or speaks no HTTP, or does not listen; a name that nobody knows."""
    target = Target.parse(box.url)
    for answer in (b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: " + b"x" * 200_000):
        box.then.append(answer)
        told = await postman(seconds=2).post(target, {}, b"")
        assert told.status is None
        assert told.why in {"broken", "timeout"}
    await box.stop()
    assert await postman().post(target, {}, b"") == Posted(None, "unreachable")
    assert await postman(Names([])).post(target, {}, b"") == Posted(None, "unresolved")
    nobody = Target.parse("https://nobody.invalid/")
    assert (await postman().post(nobody, {}, b"")).why == "unresolved"


async def test_no_proxy_of_the_environment(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY and its like are for others."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await postman().post(Target.parse(box.url), {}, b"")).delivered
