"""What `providers.calls` promises, against a vendor that misbehaves on a real socket."""

import asyncio
import hashlib
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from json import loads as parse

import httpx
import pytest

from hashcache.core.errors import (
    ProviderDenied,
    ProviderError,
    ProviderFailed,
    ProviderInvalid,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
)
from hashcache.providers import explaining
from hashcache.providers.calls import TRIES, Lines, Reply
from hashcache.providers.formats import Payload, json
from hashcache.providers.refusals import LONGEST_PAUSE, refusal, retry_after
from tests.harness.vendor import (
    ScriptedVendor,
    after,
    drip,
    endless,
    gate,
    gzip_bomb,
    hang_up_read,
    hang_up_unread,
    ok,
    raw,
    redirect,
    silence,
    status,
    trickle,
)

PATIENT = timedelta(seconds=20)
PAYLOAD = json({"text": "what is asked"})
SECRET = "canary-7f3a"


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor


def lines(*, timeout: timedelta = PATIENT, concurrency: int = 5, most_bytes: int = 100_000) -> Lines:
    return Lines("acme", timeout=timeout, concurrency=concurrency, random=lambda: 0.0, most_bytes=most_bytes)


@pytest.fixture
async def acme() -> AsyncIterator[Lines]:
    acme = lines()
    yield acme
    await acme.close()


@pytest.fixture
async def hasty() -> AsyncIterator[Lines]:
    hasty = lines(timeout=timedelta(seconds=0.3))
    yield hasty
    await hasty.close()


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_reply_is_given_whole_and_its_line_is_used_again(vendor: ScriptedVendor, acme: Lines) -> None:
    """Two calls in a row use one connection."""
    for _ in range(2):
        reply = await acme.post(vendor.url, PAYLOAD, {})
        assert reply.status == 200
        assert b"0.98" in reply.body
    assert vendor.ledger.calls == 2
    assert vendor.accepted == 1


async def test_headers_tell_no_more_than_needed(vendor: ScriptedVendor, acme: Lines) -> None:
    """Identity encoding is demanded whatever the settings say, and no cookie that was set is sent back."""
    vendor.then(status(200, headers={"Set-Cookie": "session=1"}))
    for _ in range(2):
        await acme.post(vendor.url, PAYLOAD, {"Authorization": f"Bearer {SECRET}", "Accept-Encoding": "gzip"})
    for request in vendor.ledger.requests:
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["authorization"] == f"Bearer {SECRET}"
        assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("code", "headers", "error", "paid"),
    [
        (301, {}, ProviderInvalid, False),
        (400, {}, ProviderRejected, False),
        (401, {}, ProviderDenied, False),
        (402, {}, ProviderDenied, False),
        (403, {}, ProviderDenied, False),
        (404, {}, ProviderInvalid, False),
        (405, {}, ProviderInvalid, False),
        (408, {}, ProviderFailed, False),
        (409, {}, ProviderInvalid, False),
        (410, {}, ProviderInvalid, False),
        (413, {}, ProviderRejected, False),
        (415, {}, ProviderRejected, False),
        (422, {}, ProviderRejected, False),
        (425, {}, ProviderFailed, False),
        (429, {}, ProviderThrottled, False),
        (500, {}, ProviderFailed, False),
        (502, {}, ProviderFailed, True),
        (503, {}, ProviderFailed, False),
        (503, {"Retry-After": "3600"}, ProviderThrottled, False),
        (504, {}, ProviderFailed, True),
    ],
)
async def test_each_status_has_one_meaning_and_is_not_tried_again(
    vendor: ScriptedVendor, acme: Lines, code: int, headers: dict[str, str], error: type[ProviderError], *, paid: bool
) -> None:
    """Rows 29, 30 and 37: a status becomes its error after one call, and the connection is freed."""
    vendor.default = status(code, headers=headers)
    with pytest.raises(ProviderError) as raised:
        await acme.post(f"{vendor.url}?key={SECRET}", PAYLOAD, {"X-Api-Key": SECRET})
    assert type(raised.value) is error
    assert raised.value.possibly_paid is paid
    assert raised.value.provider == "acme"
    assert "acme" in str(raised.value)
    assert SECRET not in str(raised.value)
    assert vendor.ledger.calls == 1
    await vendor.idle()


def denied(code: int, body: bytes) -> ProviderError | None:
    """An adapter's reading of a refusal: only this body means the account."""
    return ProviderDenied("acme", f"denied under {code}") if body == b'{"error": "key"}' else None


async def test_an_explanation_makes_a_refusal_more_exact(vendor: ScriptedVendor, acme: Lines) -> None:
    """A vendor that answers 400 to a wrong key is understood by its body; another body leaves it to the status."""
    vendor.then(status(400, body=b'{"error": "key"}'), status(400, body=b'{"error": "size"}'))
    with pytest.raises(ProviderDenied, match="denied under 400"):
        await acme.post(vendor.url, PAYLOAD, {}, explain=denied)
    with pytest.raises(ProviderRejected):
        await acme.post(vendor.url, PAYLOAD, {}, explain=denied)
    assert vendor.ledger.calls == 2
    await vendor.idle()


@pytest.mark.parametrize(
    "script",
    [
        status(503, body=b""),
        raw(b"HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\n{"),
        raw(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
        raw(b"HTTP/1.1 503 Busy\r\n\r\n" + b" " * (explaining.LONGEST + 1)),
        status(503, body=b'{"error": "key"}', headers={"Content-Encoding": "gzip"}),
        status(503, body=b'{"error": "key"}', headers={"Retry-After": "90"}),
    ],
    ids=["empty", "cut off", "malformed", "too long", "compressed", "with a time to come back"],
)
async def test_without_an_explanation_the_status_decides(vendor: ScriptedVendor, acme: Lines, script: object) -> None:
    """Nothing that follows a status makes it worse, and a vendor that names a time is taken at its word."""
    vendor.then(script)  # type: ignore[arg-type]  # parametrized
    read: list[bytes] = []

    def explain(_code: int, body: bytes) -> ProviderError | None:
        read.append(body)
        return ProviderDenied("acme", "never")

    with pytest.raises((ProviderFailed, ProviderThrottled)) as raised:
        await acme.post(vendor.url, PAYLOAD, {}, explain=explain)
    assert not raised.value.possibly_paid
    assert read == []
    await vendor.idle()


async def test_an_explanation_is_not_waited_for(vendor: ScriptedVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal whose body drips is understood by its status, long before the deadline of the call."""
    monkeypatch.setattr(explaining, "PATIENCE", 0.2)
    patient = lines()
    vendor.then(trickle(429, pause=0.05))
    with pytest.raises(ProviderThrottled):
        await patient.post(vendor.url, PAYLOAD, {}, explain=denied)
    await patient.close()
    await vendor.idle()


async def test_a_redirect_is_not_explained(vendor: ScriptedVendor, acme: Lines) -> None:
    """What is no refusal of the vendor's own is not read."""
    vendor.then(status(302, body=b'{"error": "key"}', headers={"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(ProviderInvalid, match="redirects"):
        await acme.post(vendor.url, PAYLOAD, {}, explain=denied)


async def test_what_is_throttled_with_a_pause_that_fits_is_sent_again(vendor: ScriptedVendor, acme: Lines) -> None:
    """429 and 503 with `Retry-After` were not billed: the third try is answered."""
    vendor.then(status(429, headers={"Retry-After": "0"}), status(503, headers={"Retry-After": "0"}))
    assert (await acme.post(vendor.url, PAYLOAD, {})).status == 200
    assert vendor.ledger.calls == 3


async def test_it_is_sent_three_times_at_most(vendor: ScriptedVendor, acme: Lines) -> None:
    """A vendor that goes on throttling is asked TRIES times."""
    vendor.default = status(429, headers={"Retry-After": "0"})
    with pytest.raises(ProviderThrottled):
        await acme.post(vendor.url, PAYLOAD, {})
    assert vendor.ledger.calls == TRIES


async def test_a_pause_that_does_not_fit_holds_for_all_and_is_passed_on(vendor: ScriptedVendor, acme: Lines) -> None:
    """Row 30: one shared pause: after `Retry-After: 60` nobody calls, and each is told how long it still lasts."""
    vendor.then(status(429, headers={"Retry-After": "60"}))
    for _ in range(3):
        with pytest.raises(ProviderThrottled) as raised:
            await acme.post(vendor.url, PAYLOAD, {})
        assert raised.value.retry_after is not None
        assert 50 < raised.value.retry_after <= 60
    assert vendor.ledger.calls == 1


async def test_a_pause_that_fits_is_waited_for_by_all(vendor: ScriptedVendor, acme: Lines) -> None:
    """A second caller, too, calls only after the second that the vendor asked for."""
    vendor.then(status(429, headers={"Retry-After": "1"}))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.gather(acme.post(vendor.url, PAYLOAD, {}), acme.post(vendor.url, PAYLOAD, {}))
    await acme.post(vendor.url, PAYLOAD, {})
    assert loop.time() - begun >= 1
    assert vendor.ledger.calls == 4


async def test_a_refused_connection_is_tried_again() -> None:
    """Row 31: nothing was sent, so nothing is billed; a vendor that comes back within the pauses is reached."""
    port = closed_port()
    vendor = ScriptedVendor()
    pausing = asyncio.Event()

    def random() -> float:
        pausing.set()
        return 1.0

    async def come_back() -> None:
        await pausing.wait()
        await vendor.start(port)

    patient = Lines("acme", timeout=PATIENT, concurrency=1, random=random)
    reply, _ = await asyncio.gather(patient.post(f"http://127.0.0.1:{port}/", PAYLOAD, {}), come_back())
    assert reply.status == 200
    await patient.close()
    await vendor.stop()


async def test_a_vendor_that_cannot_be_reached_is_not_paid(acme: Lines) -> None:
    """Row 31: after all tries a failure that says so."""
    with pytest.raises(ProviderFailed, match="could not be reached") as raised:
        await acme.post(f"http://127.0.0.1:{closed_port()}/?key={SECRET}", PAYLOAD, {})
    assert not raised.value.possibly_paid
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("script", [hang_up_unread, hang_up_read])
async def test_after_a_broken_connection_nothing_is_repeated(
    vendor: ScriptedVendor, acme: Lines, script: object
) -> None:
    """The request was under way: possibly paid, and sent once."""
    vendor.default = script  # type: ignore[assignment]  # parametrized
    with pytest.raises(ProviderFailed, match="broke the connection") as raised:
        await acme.post(vendor.url, PAYLOAD, {})
    assert raised.value.possibly_paid
    assert vendor.accepted == 1


@pytest.mark.parametrize("script", [silence, drip(0.05), gate(asyncio.Event(), ok())])
async def test_the_deadline_is_total(vendor: ScriptedVendor, hasty: Lines, script: object) -> None:
    """Rows 32 and 33: silence and one byte at a time end at the deadline; sent once, possibly paid, line freed."""
    vendor.default = script  # type: ignore[assignment]  # parametrized
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(ProviderTimeout) as raised:
        await hasty.post(vendor.url, PAYLOAD, {})
    assert loop.time() - begun < 3
    assert raised.value.possibly_paid
    assert vendor.ledger.calls == 1
    await vendor.stop()
    assert vendor.connections == 0


async def test_waiting_for_a_line_counts(vendor: ScriptedVendor) -> None:
    """With one line taken, the second caller's deadline passes before anything is sent: not paid."""
    opened = asyncio.Event()
    vendor.default = gate(opened, ok())
    one = lines(concurrency=1)
    first = asyncio.create_task(one.post(vendor.url, PAYLOAD, {}))
    await vendor.called(1)
    with pytest.raises(ProviderTimeout) as raised:
        await one.post(vendor.url, PAYLOAD, {}, timeout=timedelta(seconds=0.2))
    assert not raised.value.possibly_paid
    opened.set()
    assert (await first).status == 200
    assert vendor.ledger.calls == 1
    await one.close()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (endless(), "more than 100000 bytes"),
        (status(200, body=b" " * 100_001), "more than 100000 bytes"),
        (gzip_bomb(1_000_000), "compressed"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"), "incomplete"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"), "incomplete or malformed"),
        (redirect("http://127.0.0.1:1/admin"), "redirects are not followed"),
    ],
)
async def test_what_is_no_reply_is_refused(vendor: ScriptedVendor, acme: Lines, script: object, said: str) -> None:
    """Rows 34, 35 and 38: cut at the cap, not decompressed, not followed; one call, and the connection is freed."""
    vendor.then(script)  # type: ignore[arg-type]  # parametrized
    with pytest.raises(ProviderInvalid, match=said):
        await acme.post(vendor.url, PAYLOAD, {})
    assert vendor.accepted == 1
    await vendor.idle()
    assert (await acme.post(vendor.url, PAYLOAD, {})).status == 200


async def test_an_address_that_is_none_is_an_error_of_ours(acme: Lines) -> None:
    """What cannot be written as HTTP is an invalid provider, never an exception of httpx."""
    for url in ("ftp://127.0.0.1/", "http://127.0.0.1:99999/", "nonsense"):
        with pytest.raises(ProviderInvalid, match="check its URL"):
            await acme.post(url, PAYLOAD, {})


async def test_a_header_that_is_none_is_an_error_of_ours(vendor: ScriptedVendor, acme: Lines) -> None:
    """Nothing is sent, so nothing is paid, on a line that was used before as well."""
    await acme.post(vendor.url, PAYLOAD, {})
    for value in ("b\u00fccher", "two\nlines"):
        with pytest.raises(ProviderInvalid, match="headers") as raised:
            await acme.post(vendor.url, PAYLOAD, {"X-Odd": value})
        assert not raised.value.possibly_paid
    assert vendor.ledger.calls == 1


async def test_a_payload_is_closed_when_the_deadline_passes(vendor: ScriptedVendor, hasty: Lines) -> None:
    """A source that stalls in the middle is cut at the deadline, and its generator is closed."""
    closed = []

    async def chunks() -> AsyncGenerator[bytes, None]:
        try:
            yield b"half"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    with pytest.raises(ProviderTimeout):
        await hasty.post(vendor.url, Payload({"Content-Length": "8"}, chunks), {})
    assert closed == [True]
    assert vendor.ledger.calls == 0
    await vendor.idle()


async def test_no_more_lines_than_allowed(vendor: ScriptedVendor) -> None:
    """Fifty calls over three lines: never more than three connections."""
    vendor.default = after(0.005, ok())
    three = lines(concurrency=3)
    await asyncio.gather(*(three.post(vendor.url, PAYLOAD, {}) for _ in range(50)))
    assert vendor.ledger.calls == 50
    assert vendor.most == 3
    await three.close()
    await vendor.idle()


@pytest.mark.parametrize("verb", ["POST", "GET"])
async def test_the_lines_survive_cancellations_under_contention(vendor: ScriptedVendor, verb: str) -> None:
    """
    Callers are cancelled at every step of a call, thousands of times, with all lines taken; five calls then succeed
    at once, and no connection is left behind.
    """
    vendor.default = after(0.002, ok())
    five = lines(concurrency=5)
    loop = asyncio.get_running_loop()

    async def call() -> Reply:
        return await (five.post(vendor.url, PAYLOAD, {}) if verb == "POST" else five.get(vendor.url, {}))

    cancelled = 0
    for turn in range(100):
        callers = [asyncio.create_task(call()) for _ in range(20)]
        for step, caller in enumerate(callers):
            # each a little later than the one before: from "not begun" over "connecting" to "reading the reply"
            loop.call_later(step * 0.0007 + turn * 0.0001, caller.cancel)
        ended = await asyncio.gather(*callers, return_exceptions=True)
        cancelled += sum(isinstance(one, asyncio.CancelledError) for one in ended)
        assert not [one for one in ended if isinstance(one, Exception)]
    assert cancelled > 1000
    assert vendor.accepted > 100
    replies = await asyncio.gather(*(call() for _ in range(5)))
    assert [reply.status for reply in replies] == [200] * 5
    await five.close()
    await vendor.idle()


async def test_a_vendor_in_another_process_tells_its_ledger(acme: Lines) -> None:
    """The harness itself: as a process it answers, counts calls and contents, and ends with 0 when asked to."""
    command = (sys.executable, "-m", "tests.harness.vendor", "--score", "0.25")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    told = parse(await process.stdout.readline())
    for text in ("one", "two", "one"):
        assert b"0.25" in (await acme.post(told["url"], json({"text": text}), {})).body
    async with httpx.AsyncClient(trust_env=False) as reader:
        ledger = (await reader.get(told["ledger"])).json()
    assert (ledger["calls"], ledger["contents"], ledger["bytes"]) == (3, 2, 9)
    assert ledger["by_digest"][hashlib.sha256(b"one").hexdigest()] == 2
    process.terminate()
    assert await process.wait() == 0


async def test_closing_closes_each_connection(vendor: ScriptedVendor) -> None:
    """Those unused at once, those in use after their call; and twice does no harm."""
    opened = asyncio.Event()
    vendor.then(ok(), gate(opened, ok()))
    two = lines(concurrency=2)
    await two.post(vendor.url, PAYLOAD, {})
    late = asyncio.create_task(two.post(vendor.url, PAYLOAD, {}))
    await vendor.called(2)
    await two.close()
    opened.set()
    assert (await late).status == 200
    await vendor.idle()
    await two.close()


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("0", "", 0.0),
        ("120", "", 120.0),
        ("999999999", "", LONGEST_PAUSE),
        ("-1", "", None),
        ("1.5", "", None),
        ("soon", "", None),
        ("", "", None),
        ("٣", "", None),  # a digit, but not one of RFC 9110
        ("Fri, 20 Nov 2026 10:00:30 GMT", "Fri, 20 Nov 2026 10:00:00 GMT", 30.0),
        ("Fri, 20 Nov 2026 09:00:00 GMT", "Fri, 20 Nov 2026 10:00:00 GMT", 0.0),
        ("Fri, 20 Nov 2036 10:00:00 GMT", "Fri, 20 Nov 2026 10:00:00 GMT", LONGEST_PAUSE),
        ("Fri, 20 Nov 2026 10:00:30 GMT", "", None),
        ("Fri, 20 Nov 2026 10:00:30 GMT", "Fri, 20 Nov 2026 10:00:00", None),
    ],
)
def test_retry_after_is_read_strictly(text: str, date: str, seconds: float | None) -> None:
    """Seconds, or a date against the reply's own `Date`; never negative, never unbounded, and nonsense is nothing."""
    assert retry_after({"retry-after": text, "date": date}) == seconds


def test_every_status_but_success_is_refused() -> None:
    """No status outside 2xx becomes an answer."""
    for code in range(100, 600):
        assert (refusal("acme", code, {}) is None) == (200 <= code < 300)
