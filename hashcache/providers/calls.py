"""
What vendors share over httpx: how a paid call is made, bounded, retried and understood.

Rule 1: a call is tried again only when nothing can have been billed: no connection was made, or the vendor asked us
        to come back at a time that fits into the deadline. After an ambiguous failure never.
Rule 2: one deadline holds for everything, waiting for a free line included; httpx's own are per read and never end.
Rule 3: a line that saw a failure or a cancellation is thrown away. httpx 0.28 loses a connection's place for good
        when a request is cancelled while it is given one (encode/httpcore#1093): so a line has one connection of its
        own, is taken under a semaphore, and nobody ever waits inside httpx.
Rule 4: what comes back is capped in bytes, never decompressed, never followed elsewhere; no cookie is kept and
        nothing is read from the environment.
Rule 5: a message names the provider, and never an address, a header, a key or a body.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

import httpx

from hashcache.core.errors import ProviderFailed, ProviderInvalid, ProviderThrottled, ProviderTimeout
from hashcache.providers.explaining import Explain, explained
from hashcache.providers.formats import NOTHING, Payload
from hashcache.providers.refusals import refusal
from hashcache.providers.retries import RetryBudget
from hashcache.providers.sending import Call
from hashcache.providers.trust import nobody, trusted

#: How often a call is sent at most.
TRIES = 3
#: Longest pause before the second and third try after a refused connection, in seconds.
BACKOFF = (0.25, 1.0)
#: Seconds an unused connection is kept: less than any server that we know keeps it (gunicorn: 2), since a paid call
#: that meets a closing connection cannot be repeated.
IDLE = 1.5


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with a 2xx *status*, complete; to a GET also one with 404."""

    status: int
    body: bytes


class Lines:
    """
    The lines to one vendor: as many calls at once as there are lines; each line is one connection, made when needed.

    *provider* is our adapter's name, *timeout* the total deadline of a call that names none, *most_bytes* the largest
    reply, *random* gives a number within 0 and 1 for the jitter of pauses, *tls* says whom to trust (None: `trusted`).
    """

    def __init__(
        self,
        provider: str,
        *,
        timeout: timedelta,
        concurrency: int,
        random: Callable[[], float],
        connect_timeout: timedelta = timedelta(seconds=10),
        most_bytes: int = 4_000_000,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.provider = provider
        self._timeout = timeout
        self._connect_timeout = connect_timeout.total_seconds()
        self._most_bytes = most_bytes
        self._random = random
        self._room = asyncio.Semaphore(concurrency)
        #: Lines that are not in use, those with TLS apart from those without.
        self._free: dict[bool, list[httpx.AsyncHTTPTransport]] = {True: [], False: []}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._paused_until = 0.0
        self._budget = RetryBudget()
        self._tls = tls

    async def post(
        self,
        url: str,
        payload: Payload,
        headers: Mapping[str, str],
        *,
        timeout: timedelta | None = None,
        explain: Explain | None = None,
    ) -> Reply:
        """
        Send *payload* to *url* and read the whole reply. *explain* may read more from a refusal than its status tells.

        Raises:
            ProviderTimeout: *timeout* passed; possibly paid once a byte was sent.
            ProviderError: another of its kinds, by the status or by what broke on the way (see `refusal`).
        """
        return await self._call(Call("POST", url, payload, headers, explain), timeout)

    async def put(
        self, url: str, payload: Payload, headers: Mapping[str, str], *, timeout: timedelta | None = None
    ) -> Reply:
        """As `post`, and tried again as little: what is put there is what the vendor bills, perhaps each time."""
        return await self._call(Call("PUT", url, payload, headers), timeout)

    async def get(self, url: str, headers: Mapping[str, str], *, timeout: timedelta | None = None) -> Reply:
        """
        Read what is at *url*. It is asked for again after any failure, TRIES times at most; 404 is a reply.

        Raises:
            ProviderError: as for `post`.
        """
        return await self._call(Call("GET", url, NOTHING, headers), timeout)

    async def close(self) -> None:
        """Close every connection that is not in use, and from now on each one after its call. Safe to call twice."""
        self._closed = True
        for free in self._free.values():
            while free:
                await self._drop(free.pop())
        if self._closing:
            await asyncio.wait(self._closing)

    async def _call(self, call: Call, timeout: timedelta | None) -> Reply:
        """Make *call* under one deadline."""
        deadline = _now() + (timeout or self._timeout).total_seconds()
        try:
            async with asyncio.timeout_at(deadline) as total:
                return await self._try(call, deadline)
        except TimeoutError:
            if not total.expired():
                raise  # the body's own
            raise ProviderTimeout(
                self.provider, f"{self.provider} did not answer in time", possibly_paid=call.sent
            ) from None

    async def _try(self, call: Call, deadline: float) -> Reply:
        """Send *call* until it is answered, may not be repeated, or could not be within *deadline* (loop's time)."""
        self._budget = self._budget.called(_now())
        for tried in range(1, TRIES + 1):
            await self._respect_pause(deadline)
            try:
                async with self._room:
                    return await self._send(call)
            except ProviderThrottled as error:
                if error.retry_after is None:
                    raise
                come_back = _now() + error.retry_after
                self._paused_until = max(self._paused_until, come_back)
                if come_back >= deadline or not self._again(tried):
                    raise
            except (ProviderFailed, ProviderInvalid) as error:
                pause = self._random() * BACKOFF[min(tried, len(BACKOFF)) - 1]
                if not call.repeatable(error) or _now() + pause >= deadline or not self._again(tried):
                    raise
                await asyncio.sleep(pause)  # back-off before a try that cannot be billed twice
            call.sent = False
        raise AssertionError("the last try returns or raises")

    def _again(self, tried: int) -> bool:
        """Whether a call that was *tried* so often is tried once more; if so, that is taken from the budget."""
        if tried == TRIES or not self._budget.allows(_now()):
            return False
        self._budget = self._budget.retried(_now())
        return True

    async def _respect_pause(self, deadline: float) -> None:
        """
        Wait until the vendor wants to be called again: what it told one call holds for all.

        Raises:
            ProviderThrottled: that is after *deadline*; nothing was sent.
        """
        pause = self._paused_until - _now()
        if pause <= 0:
            return
        if self._paused_until >= deadline:
            message = f"{self.provider} asked us to come back later"
            raise ProviderThrottled(self.provider, message, retry_after=pause)
        await asyncio.sleep(pause + self._random() * min(pause, 1.0))  # as long as the vendor asked, and jitter

    async def _send(self, call: Call) -> Reply:
        """Send *call* once, over a line of its own."""
        free = self._free[call.secure]
        line = free.pop() if free else self._new_line(secure=call.secure)
        try:
            reply = await self._exchange(line, call)
        except BaseException:
            await self._drop(line)
            raise
        if self._closed:
            await self._drop(line)
        else:
            free.append(line)
        return reply

    def _new_line(self, *, secure: bool) -> httpx.AsyncHTTPTransport:
        """A bare transport: unlike a client it keeps no cookies, follows no redirect and reads no environment."""
        self._tls = tls = (self._tls or trusted()) if secure else self._tls
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE)
        return httpx.AsyncHTTPTransport(verify=tls if secure and tls else nobody(), trust_env=False, limits=limits)

    async def _drop(self, line: httpx.AsyncHTTPTransport) -> None:
        """Close *line*, to the end even when the caller is cancelled meanwhile."""
        closing = asyncio.create_task(line.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await asyncio.shield(closing)

    async def _exchange(self, line: httpx.AsyncHTTPTransport, call: Call) -> Reply:
        """One request and its reply; httpx's errors are translated here and nowhere else."""
        call.sent = call.broken = answered = False
        try:
            async with aclosing(call.payload.chunks()) as chunks:
                response = await line.handle_async_request(call.request(chunks, self._connect_timeout))
            answered = True
            try:
                refused = refusal(self.provider, response.status_code, response.headers)
                if refused is not None and response.status_code not in call.replies:
                    raise await explained(response, refused, call.explain)
                return Reply(response.status_code, await self._read(response))
            finally:
                await response.aclose()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            message = f"the call to {self.provider} could not be written as HTTP: check its URL and headers"
            raise ProviderInvalid(self.provider, message, possibly_paid=call.sent) from None
        except httpx.RemoteProtocolError:
            if not answered:
                raise self._broken(call) from None
            call.broken = True
            message = f"{self.provider} sent an incomplete or malformed reply"
            raise ProviderInvalid(self.provider, message, possibly_paid=True) from None
        except httpx.TransportError:
            raise self._broken(call) from None

    def _broken(self, call: Call) -> ProviderFailed:
        what = "broke the connection" if call.sent else "could not be reached"
        return ProviderFailed(self.provider, f"{self.provider} {what}", possibly_paid=call.sent)

    async def _read(self, response: httpx.Response) -> bytes:
        """The reply's bytes, as they came over the wire."""
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding != "identity":
            message = f"{self.provider} sent a compressed reply, which was not asked for"
            raise ProviderInvalid(self.provider, message, possibly_paid=True)
        body = bytearray()
        async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]  # httpx hides a generator
            async for chunk in chunks:
                body += chunk
                if len(body) > self._most_bytes:
                    message = f"{self.provider} sent more than {self._most_bytes} bytes"
                    raise ProviderInvalid(self.provider, message, possibly_paid=True)
        return bytes(body)


def _now() -> float:
    return asyncio.get_running_loop().time()
