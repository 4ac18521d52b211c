"""
What vendors share: how a paid call is made over HTTP, bounded, retried and understood.

Rule 1: a call is tried again only when nothing can have been billed: no connection was made, or the vendor asked us
        to come back at a time that fits into the deadline. After an ambiguous failure never.
Rule 2: one deadline holds for everything, waiting for a free line included.
Rule 3: a line that saw a failure or a cancellation is thrown away. A line is taken under a semaphore: nobody waits
        for a connection that is another's.
Rule 4: what comes back is capped in bytes, never decompressed, never followed elsewhere; no cookie is kept and
        nothing is read from the environment.
Rule 5: a message names the provider, and never an address, a header, a key or a body.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import aclosing
from datetime import timedelta

import h11
import httpx
import msgspec

from hashcache.core.errors import ProviderFailed, ProviderInvalid, ProviderThrottled, ProviderTimeout
from hashcache.providers.explaining import Explain, explained
from hashcache.providers.formats import NOTHING, Payload
from hashcache.providers.line import Line, fields, is_coded
from hashcache.providers.network import Disconnected, Origin
from hashcache.providers.refusals import refusal
from hashcache.providers.retries import RetryBudget
from hashcache.providers.sending import Address, Call, address
from hashcache.providers.trust import trusted

#: How often a call is sent at most.
TRIES = 3
#: Longest pause before the second and third try after a refused connection, in seconds.
BACKOFF = (0.25, 1.0)


class Reply(msgspec.Struct, frozen=True):
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
        self._most_lines = concurrency
        self._room = asyncio.Semaphore(concurrency)
        #: Lines that are not in use, the one that was used last at the end; and how many are in use.
        self._free: list[Line] = []
        self._lent = 0
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
        while self._free:
            self._free.pop().close()
        await asyncio.sleep(0)  # the event loop closes what was given up in its next turn

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
        try:
            to = address(call.url)
        except httpx.InvalidURL:
            raise self._unwritable(call) from None
        if to.origin.secure and self._tls is None:
            self._tls = await asyncio.to_thread(trusted)
        self._lent += 1
        line = self._line(to.origin)
        try:
            reply = await self._exchange(line, call, to)
        except BaseException:
            line.close()
            raise
        finally:
            self._lent -= 1
        if self._closed:
            line.close()
        else:
            self._free.append(line)
        return reply

    def _line(self, origin: Origin) -> Line:
        """A line to *origin*: the one that was used last, or a new one in place of the oldest."""
        for at in reversed(range(len(self._free))):
            if self._free[at].origin == origin:
                line = self._free.pop(at)
                if line.usable:
                    return line
                line.close()
        while len(self._free) + self._lent > self._most_lines:
            self._free.pop(0).close()
        return Line(origin, self._tls if origin.secure else None, patience=self._connect_timeout)

    async def _exchange(self, line: Line, call: Call, to: Address) -> Reply:
        """One request and its reply; errors of the wire are translated here and nowhere else."""
        call.sent = call.broken = answered = False
        try:
            request = call.request(to)
            async with aclosing(call.payload.chunks()) as chunks:
                try:
                    response = await line.ask(request, chunks)
                finally:
                    call.sent = line.wrote
            answered = True
            status, headers = response.status_code, fields(response)
            refused = refusal(self.provider, status, headers)
            if refused is not None and status not in call.replies:
                raise await explained(line, status, headers, refused, call.explain)
            return Reply(status, await self._read(line, headers))
        except (h11.LocalProtocolError, UnicodeEncodeError):
            raise self._unwritable(call) from None
        except h11.RemoteProtocolError:
            if not answered:
                raise self._broken(call) from None
            call.broken = True
            message = f"{self.provider} sent an incomplete or malformed reply"
            raise ProviderInvalid(self.provider, message, possibly_paid=True) from None
        except Disconnected:
            raise self._broken(call) from None

    def _unwritable(self, call: Call) -> ProviderInvalid:
        message = f"the call to {self.provider} could not be written as HTTP: check its URL and headers"
        return ProviderInvalid(self.provider, message, possibly_paid=call.sent)

    def _broken(self, call: Call) -> ProviderFailed:
        what = "broke the connection" if call.sent else "could not be reached"
        return ProviderFailed(self.provider, f"{self.provider} {what}", possibly_paid=call.sent)

    async def _read(self, line: Line, headers: Mapping[str, str]) -> bytes:
        """The reply's bytes, as they came over the wire."""
        if is_coded(headers):
            message = f"{self.provider} sent a compressed reply, which was not asked for"
            raise ProviderInvalid(self.provider, message, possibly_paid=True)
        body = await line.read(self._most_bytes)
        if body is None:
            message = f"{self.provider} sent more than {self._most_bytes} bytes"
            raise ProviderInvalid(self.provider, message, possibly_paid=True)
        return body


def _now() -> float:
    return asyncio.get_running_loop().time()
