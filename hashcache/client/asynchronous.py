"""
`AsyncClient`: the steps of a call, carried out on asyncio's event loop.

Rule 1: files are read and hashed in threads, a piece at a time, so neither the loop nor a cancelled call waits long.
Rule 2: a call may be cancelled at any moment: its connection is closed, and the client can be used on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from ssl import SSLContext
from typing import Self, TypeVar

import httpx

from hashcache import __version__
from hashcache.client import steps
from hashcache.client.answers import Analysis, Clearing, Lookup, Spend, Stats
from hashcache.client.contents import Content, Source, naming
from hashcache.client.transport import (
    CONNECTIONS,
    Call,
    Late,
    Progress,
    Sending,
    TooLarge,
    checked,
    digest_of,
    limits,
    lost,
    trust,
)
from hashcache.client.wire import MOST_ANSWER, Ask, Lost, Reply, Steps, Wait, address
from hashcache.core.content import Kind

_Value = TypeVar("_Value")


class AsyncClient:
    """
    A running hashcache service, for asyncio. An asynchronous context manager; else call `aclose`.

    Everything is as `Client` has it, but to be awaited. Any number of calls may run at a time; they share a bounded
    number of connections. `on_progress` is called on a thread, never two at a time.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: float = 300.0,
        tls: SSLContext | None = None,
    ) -> None:
        self._address = address(base_url, api_key, __version__)
        self._timeout = timeout
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._http = httpx.AsyncClient(
            headers=dict(self._address.headers),
            verify=trust(tls, secure=self._address.tls),
            trust_env=False,
            limits=limits(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection. Safe to call twice."""
        await self._http.aclose()

    async def analyze(
        self,
        content: Source | Content | None = None,
        *,
        text: str | None = None,
        refresh: bool = False,
        tags: Sequence[str] = (),
        hash_first: bool = True,
        on_progress: Progress | None = None,
        timeout: float | None = None,
    ) -> Analysis:
        """Analyse one content, uploaded only if it is not known: see `Client.analyze`."""
        call = self._call(timeout)
        with await _named(content, text) as one:
            todo = steps.analyze(one, refresh=refresh, tags=tags, hash_first=hash_first)
            return await self._carry_out(todo, call, on_progress)

    async def lookup(self, contents: Iterable[Source], *, timeout: float | None = None) -> Lookup:
        """What is known of many contents, without uploading any, in their order: see `Client.lookup`."""
        call = self._call(timeout)
        digests = [digest_of(one) or await _digest(one) for one in contents]
        return await self._carry_out(steps.lookup(digests), call)

    async def get(self, sha256: str, *, kind: Kind | None = None, timeout: float | None = None) -> Analysis | None:
        """The analysis of the content with this SHA-256, None when it is unknown: see `Client.get`."""
        return await self._carry_out(steps.get(checked(sha256), kind), self._call(timeout))

    async def stats(self, *, timeout: float | None = None) -> Stats:
        """The figures of the whole fleet (role admin). Raises as `Client.analyze`."""
        return await self._carry_out(steps.stats(), self._call(timeout))

    async def spend(self, *, days: int = 30, timeout: float | None = None) -> Spend:
        """Where the money of the last *days* went (role admin). Raises as `Client.analyze`."""
        return await self._carry_out(steps.spend(days), self._call(timeout))

    async def clear(
        self,
        pattern: str = "*",
        *,
        reason: str = "",
        dry_run: bool = False,
        on_progress: Callable[[int], None] | None = None,
        timeout: float | None = None,
    ) -> Clearing:
        """Forget the entries whose key matches *pattern* (role admin): see `Client.clear`."""
        call = self._call(timeout)
        clearing = await self._carry_out(steps.clear(pattern, reason=reason, dry_run=dry_run), call)
        while not clearing.done and clearing.id is not None and call.left > 1:
            if on_progress is not None:
                on_progress(clearing.deleted)
            clearing = await self._carry_out(steps.progress(clearing), call)
        return clearing

    def _call(self, timeout: float | None) -> Call:
        return Call(self._timeout if timeout is None else timeout)

    async def _carry_out(self, todo: Steps[_Value], call: Call, on_progress: Progress | None = None) -> _Value:
        outcome: Reply | Lost | bool | None = None
        while True:
            try:
                command = todo.send(outcome)  # type: ignore[arg-type]  # a generator begins with None
            except StopIteration as done:
                value: _Value = done.value
                return value
            if isinstance(command, Wait):
                outcome = await self._wait(command, call)
            else:
                outcome = await self._send(command, call, on_progress)

    async def _wait(self, pause: Wait, call: Call) -> bool:
        if pause.seconds >= call.left:
            return False
        await asyncio.sleep(pause.seconds)  # as the service asked, or back-off; within the deadline above
        return True

    async def _send(self, ask: Ask, call: Call, on_progress: Progress | None) -> Reply | Lost:
        sending = Sending(ask, call, on_progress)
        try:
            async with asyncio.timeout(max(call.left, 0)), self._places:
                return await self._exchange(ask, call, sending)
        except (httpx.HTTPError, httpx.InvalidURL, Late, TooLarge, TimeoutError) as error:
            return lost(error, complete=sending.complete)

    async def _exchange(self, ask: Ask, call: Call, sending: Sending) -> Reply:
        async with self._http.stream(
            ask.method,
            self._address.url + ask.path,
            headers=dict(ask.headers),
            content=ask.body if ask.content is None else _in_threads(sending),
            timeout=None,  # asyncio.timeout bounds all of it
        ) as response:
            held = bytearray()
            async for piece in response.aiter_raw():
                held += piece
                if len(held) > MOST_ANSWER:
                    raise TooLarge
            return Reply(response.status_code, response.headers, bytes(held), call.elapsed)


async def _in_threads(sending: Sending) -> AsyncIterator[bytes]:
    """The pieces that go out, each read in a thread."""
    pieces = sending.pieces()
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


async def named(source: Source | Content) -> Content:
    """
    *source* with its name, which the caller closes; a content that has one already is returned as it is.

    It is hashed in threads, a piece at a time, so that to cancel it takes one piece at most. Raises as `naming`.
    """
    return source if isinstance(source, Content) else await _named(source, None)


async def _named(source: Source | Content | None, text: str | None) -> Content:
    if isinstance(source, Content) and text is None:
        return source
    found: list[Content] = []

    def read() -> bool:
        try:
            next(reading)
        except StopIteration as done:
            found.append(done.value)
        return not found

    reading = naming(source, text)  # type: ignore[arg-type]  # a Content beside a text is refused there
    while await asyncio.to_thread(read):
        pass
    return found[0]


async def _digest(content: Source) -> str:
    with await named(content) as one:
        return one.sha256
