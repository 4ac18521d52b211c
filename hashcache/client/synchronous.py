"""
`Client`: the steps of a call, carried out with blocking sockets.

Rule: a call may be made from several threads at a time; each waits for one of CONNECTIONS connections outside the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ssl import SSLContext
from threading import BoundedSemaphore
from time import sleep
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


class Client:
    """
    A running hashcache service, for blocking code. A context manager; else call `close`.

    *base_url*: such as `https://cache.example.com`. *api_key*: sent with every request, kept nowhere else; `stats`,
    `spend` and `clear` need one of role admin. *timeout*: seconds that each call may take in all, with every retry;
    each call may be given another. *tls*: whom to trust, where that is not the usual list. Redirects are not followed
    and no proxy or key is taken from the environment.

    Raises:
        ValueError: the address or the key cannot be one.
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
        self._places = BoundedSemaphore(CONNECTIONS)
        self._http = httpx.Client(
            headers=dict(self._address.headers),
            verify=trust(tls, secure=self._address.tls),
            trust_env=False,
            limits=limits(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. Safe to call twice."""
        self._http.close()

    def analyze(
        self,
        content: Source | None = None,
        *,
        text: str | None = None,
        refresh: bool = False,
        tags: Sequence[str] = (),
        hash_first: bool = True,
        on_progress: Progress | None = None,
        timeout: float | None = None,
    ) -> Analysis:
        """
        Analyse one content: the path of a file, bytes or a binary file, or a *text*; a str as *content* is a path.

        The service is asked by its SHA-256 first, and only what it does not know is uploaded, streamed from where it
        is. An open file is read from where it stands and not closed. *refresh* buys the answer anew and replaces what
        is cached. What is bought can be invalidated by its *tags*. *hash_first* False spares the question where the
        content is known to be new; the service still answers before the upload when it knows it. *on_progress* is
        called with the bytes sent so far and their total while uploading.

        Raises:
            Problem: the service refuses; the subclass tells whom to blame.
            Unreachable, TimedOut: no answer; `maybe_bought` tells whether the analysis may be bought all the same.
            NotHashcache: somebody else answered.
            ContentChanged, OSError: the file changed meanwhile, or cannot be read.
        """
        call = Call(self._timeout if timeout is None else timeout)
        with self._name(content, text) as named:
            todo = steps.analyze(named, refresh=refresh, tags=tags, hash_first=hash_first)
            return self._carry_out(todo, call, on_progress)

    def lookup(self, contents: Iterable[Source], *, timeout: float | None = None) -> Lookup:
        """
        What is known of many contents, without uploading any, in their order.

        Each is a SHA-256 of 64 hexadecimal digits, or the path, bytes or binary file to be hashed. A text is asked for
        by its digest. Up to a thousand are one request. Raises as `analyze`.
        """
        call = Call(self._timeout if timeout is None else timeout)
        digests = [digest_of(one) or self._digest(one) for one in contents]
        return self._carry_out(steps.lookup(digests), call)

    def get(self, sha256: str, *, kind: Kind | None = None, timeout: float | None = None) -> Analysis | None:
        """
        The analysis of the content with this SHA-256, None when it is unknown *or not yours*. What is being bought is
        waited for. *kind* narrows it to images, videos or texts. Raises as `analyze`, and ValueError for no SHA-256.
        """
        call = Call(self._timeout if timeout is None else timeout)
        return self._carry_out(steps.get(checked(sha256), kind), call)

    def stats(self, *, timeout: float | None = None) -> Stats:
        """The figures of the whole fleet (role admin). Raises as `analyze`."""
        return self._carry_out(steps.stats(), Call(self._timeout if timeout is None else timeout))

    def spend(self, *, days: int = 30, timeout: float | None = None) -> Spend:
        """Where the money of the last *days* went, 1 to 400, today included (role admin). Raises as `analyze`."""
        return self._carry_out(steps.spend(days), Call(self._timeout if timeout is None else timeout))

    def clear(
        self,
        pattern: str = "*",
        *,
        reason: str = "",
        dry_run: bool = False,
        on_progress: Callable[[int], None] | None = None,
        timeout: float | None = None,
    ) -> Clearing:
        """
        Forget the entries whose key matches *pattern* (role admin): `*` is every entry, `analysis:*` images and
        videos, `text:*` texts. *dry_run* only counts. It holds as soon as the service has answered; this returns when
        the entries are removed as well, or at the deadline with `done` False. *on_progress* is called with the
        entries removed so far. Raises as `analyze`.
        """
        call = Call(self._timeout if timeout is None else timeout)
        clearing = self._carry_out(steps.clear(pattern, reason=reason, dry_run=dry_run), call)
        while not clearing.done and clearing.id is not None and call.left > 1:
            if on_progress is not None:
                on_progress(clearing.deleted)
            clearing = self._carry_out(steps.progress(clearing), call)
        return clearing

    def _digest(self, content: Source) -> str:
        with self._name(content, None) as named:
            return named.sha256

    def _name(self, content: Source | None, text: str | None) -> Content:
        reading = naming(content, text)
        while True:
            try:
                next(reading)
            except StopIteration as done:
                named: Content = done.value
                return named

    def _carry_out(self, todo: Steps[_Value], call: Call, on_progress: Progress | None = None) -> _Value:
        outcome: Reply | Lost | bool | None = None
        while True:
            try:
                command = todo.send(outcome)  # type: ignore[arg-type]  # a generator begins with None
            except StopIteration as done:
                value: _Value = done.value
                return value
            outcome = self._wait(command, call) if isinstance(command, Wait) else self._send(command, call, on_progress)

    def _wait(self, pause: Wait, call: Call) -> bool:
        if pause.seconds >= call.left:
            return False
        sleep(pause.seconds)  # as the service asked, or back-off; within the deadline above
        return True

    def _send(self, ask: Ask, call: Call, on_progress: Progress | None) -> Reply | Lost:
        if call.left <= 0 or not self._places.acquire(timeout=call.left):
            return Lost("late", "the deadline has passed")
        try:
            return self._exchange(ask, call, on_progress)
        finally:
            self._places.release()

    def _exchange(self, ask: Ask, call: Call, on_progress: Progress | None) -> Reply | Lost:
        sending = Sending(ask, call, on_progress)
        try:
            with self._http.stream(
                ask.method,
                self._address.url + ask.path,
                headers=dict(ask.headers),
                content=ask.body if ask.content is None else sending.pieces(),
                timeout=max(call.left, 0.001),
            ) as response:
                held = bytearray()
                for piece in response.iter_raw():
                    held += piece
                    call.check()
                    if len(held) > MOST_ANSWER:
                        raise TooLarge
                return Reply(response.status_code, response.headers, bytes(held), call.elapsed)
        except (httpx.HTTPError, httpx.InvalidURL, Late, TooLarge) as error:
            return lost(error, complete=sending.complete)
