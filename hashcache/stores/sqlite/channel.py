"""
The channel between the processes that share a SQLite file: they look, often and cheaply, whether it has changed.

Rule 1: looking is one PRAGMA (data_version, sqlite.org/pragma.html) that reads no page while nothing has changed;
        as long as nobody else listens and nothing changes, it is rare.
Rule 2: a listener writes itself down twice in a window. Whoever publishes counts those written down within it, and
        whoever could not write is not alive once it has passed: so nobody trusts the channel who is not counted.
Rule 3: only the moment in which an attempt began proves anything; after a freeze of this process an old one does not.
Rule 4: whoever was late by a window or more, or is not listed any more, has a gap and goes on with the newest.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.core.notice import Notice
from hashcache.ports import Traffic
from hashcache.stores.hearing import Hearing, Pace, message
from hashcache.stores.sqlite.notices import MOST, News, Notices
from hashcache.stores.sqlite.transactions import Transactions

#: How long writing ourselves down may wait for another process that writes: our own verbs wait behind it.
_BUSY = timedelta(milliseconds=100)
#: Seconds until it is tried again when it could not be done.
_RETRY = 0.25
#: How many times rarer whoever is alone looks.
_ALONE = 10


class SqliteChannel:
    """
    This process's Channel over *file*. *now* is the store's clock, *monotonic* gives seconds, one for all processes.
    *poll*: how often it looks.
    """

    def __init__(
        self,
        file: Transactions,
        names: Names,
        *,
        now: Callable[[], Instant],
        monotonic: Callable[[], float],
        poll: timedelta,
        pace: Pace,
    ) -> None:
        self._file = file
        self._monotonic = monotonic
        self._poll = poll.total_seconds()
        self._window = pace.window.total_seconds()
        self._hearing = Hearing(now, pace.flood)
        window = pace.window // timedelta(milliseconds=1)
        self._notices = Notices(f"{names.prefix}channel", self.origin, window=window, most=pace.flood + 1)
        self._looking: asyncio.Task[None] | None = None
        self._last = 0
        self._version: int | None = None
        self._alone = False
        #: When we wrote ourselves down, as of the beginning of it.
        self._written: float | None = None
        self._next = 0.0
        self._opened = False

    @property
    def origin(self) -> str:
        """This process's name on the channel."""
        return self._hearing.origin

    @property
    def alive(self) -> bool:
        """Whether we have heard all until less than a window ago, and no flood is being passed over."""
        written = self._written
        return written is not None and self._monotonic() - written < self._window and not self._hearing.deaf

    @property
    def traffic(self) -> Traffic:
        """What went over it so far."""
        return self._hearing.traffic

    async def open(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """Listen. While the file does not answer it is tried again for ever."""
        await self.close()
        self._hearing.attend(heard, gap)
        with suppress(StoreUnavailable):
            await self._look()
        self._opened = True
        self._looking = asyncio.create_task(self._keep_looking(), name="listen to the file")

    async def close(self) -> None:
        """Stop listening."""
        self._hearing.leave()
        if self._looking is None:
            return
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        self._looking, self._written, self._next = None, None, 0.0
        with suppress(StoreUnavailable):  # then it is found out in a window
            await self._file.write(self._notices.go)

    async def publish(self, notice: Notice) -> int:
        """Leave *notice* for the others; how many listen."""
        raw = message(notice)
        others = await self._file.write(lambda file: self.leave(file, raw))
        self.sent()
        return others

    def done(self, key: Key) -> bytes:
        """The message that a purchase of *key* has ended, to be left in the transaction that ends it."""
        return self._hearing.done(key)

    def leave(self, file: sqlite3.Connection, raw: bytes) -> int:
        """Leave the message *raw* for the others, inside a transaction that writes; how many listen."""
        return self._notices.leave(file, raw, int(self._monotonic() * 1000))

    def sent(self) -> None:
        """A message of ours was left."""
        self._hearing.sent()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._poll * (_ALONE if self._alone else 1))  # a file wakes nobody: it is polled
            with suppress(StoreUnavailable):
                await self._look()

    async def _look(self) -> None:
        began = self._monotonic()
        if began >= self._next:
            self._next = began + _RETRY
            await self._write(began)
            self._next = began + self._window / 2
        elif self._written is not None:
            self._take(await self._file.look(self._changes))

    async def _write(self, began: float) -> None:
        """Write ourselves down and hear the news, at one moment."""

        def work(file: sqlite3.Connection) -> tuple[bool, News]:
            # Now that we may write, nobody publishes: whoever did before counted us, if this is still in time.
            in_time = self._written is not None and self._monotonic() - self._written < self._window
            listed = self._notices.listen(file, int(began * 1000))
            self._alone = not self._notices.others(file, int(began * 1000))
            return in_time and listed, self._notices.news(file, self._last)

        counted, news = await self._file.write(work, patience=_BUSY)
        if counted:
            self._take(news)
        else:
            self._last = news.newest
            if self._opened:
                self._hearing.missed()
        self._written = began

    def _changes(self, file: sqlite3.Connection) -> News | None:
        """The news, if anything has changed since the last time."""
        (version,) = file.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return None
        news = self._notices.news(file, self._last)
        self._alone = self._alone and self._version is None  # the first look finds nothing new, only a first version
        self._version = version
        return news

    def _take(self, news: News | None) -> None:
        """Hear *news*; a gap when so much was said that some of it is not kept any more."""
        if news is None:
            return
        behind, self._last = news.newest - self._last > MOST, news.newest
        if behind:
            self._hearing.missed()
            return
        for body in news.bodies:
            self._hearing.take(body)
