"""
One end of a channel, whatever carries it: raw messages in, notices of others out, and what is counted.

Rule 1: what is no notice is junk: counted, never applied. A process's own notices do not come back.
Rule 2: in a flood nothing is applied: until it is over the channel is not alive, and then one gap is told. So what
        was passed over is never missed by somebody who trusts the channel.
Rule 3: how messages arrive, and when they are late, is each channel's own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.core.errors import EntryRefused, StoreUnavailable
from hashcache.core.key import Key
from hashcache.core.notice import LONGEST, Notice, decode, encode
from hashcache.ports import Traffic

#: A flood is measured, and over, after so many seconds without a judgement.
_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """
    *window*: for how long one proof lets a channel count as alive. *pulse*: how often a proof is asked for.
    *flood*: with more notices of others than that in one second they are not applied one by one.
    """

    window: timedelta = timedelta(seconds=2)
    pulse: timedelta = timedelta(milliseconds=700)
    flood: int = 1_000


PACE = Pace()


class Hearing:
    """What one process makes of the messages on a channel. *now* is the store's clock; *flood* as in Pace."""

    def __init__(self, now: Callable[[], Instant], flood: int) -> None:
        #: This process's name on the channel.
        self.origin = secrets.token_hex(16)
        self._now = now
        self._flood = flood
        self._heard: Callable[[Notice], None] | None = None
        self._gap: Callable[[], None] | None = None
        self._published = self._received = self._junk = 0
        self._lag: int | None = None
        self._since, self._count = 0.0, 0
        self._ebb: asyncio.TimerHandle | None = None

    def attend(self, heard: Callable[[Notice], None], gap: Callable[[], None]) -> None:
        """From now on tell *heard* and *gap*."""
        self._heard, self._gap = heard, gap

    def leave(self) -> None:
        """Tell nobody any more."""
        self._heard = self._gap = None
        if self._ebb is not None:
            self._ebb.cancel()
            self._ebb = None

    @property
    def deaf(self) -> bool:
        """Whether a flood is being passed over."""
        return self._ebb is not None

    @property
    def traffic(self) -> Traffic:
        """What went over the channel so far."""
        return Traffic(self._published, self._received, self._junk, self._lag)

    def take(self, raw: bytes) -> None:
        """A message came."""
        try:
            notice = decode(raw)
        except EntryRefused:
            self._junk += 1
            return
        if notice.origin == self.origin:
            return
        self._received += 1
        self._lag = max(0, self._now() - notice.timestamp)
        if self._heard is not None and not self._floods():
            self._heard(notice)

    def missed(self) -> None:
        """Notices may have been lost."""
        if self._gap is not None:
            self._gap()

    def sent(self) -> None:
        """A notice of ours went out."""
        self._published += 1

    def done(self, key: Key) -> bytes:
        """The message that a purchase of *key* has ended."""
        return encode(Notice(kind="done", origin=self.origin, timestamp=self._now(), keys=(key.logical,)))

    def _floods(self) -> bool:
        """Whether there are too many notices just now, this one included."""
        if self._ebb is not None:
            return True
        loop = asyncio.get_running_loop()
        if loop.time() - self._since >= _SECOND:
            self._since, self._count = loop.time(), 0
        self._count += 1
        if self._count > self._flood:
            self._ebb = loop.call_later(_SECOND, self._ebbed)
        return self._ebb is not None

    def _ebbed(self) -> None:
        # The gap is told first: whoever is asked in it finds the channel not alive yet.
        self.missed()
        self._ebb, self._count = None, 0


def message(notice: Notice) -> bytes:
    """
    *notice* as it is sent.

    Raises:
        StoreUnavailable: no listener would take one so long (`size`).
    """
    raw = encode(notice)
    if len(raw) > LONGEST:
        raise StoreUnavailable(f"a notice of {len(raw)} bytes is longer than {LONGEST}", reason="size")
    return raw
