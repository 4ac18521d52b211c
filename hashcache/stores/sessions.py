"""
Sessions in the memory of one process, for the stores that live there or nowhere; and how one is written down.

Rule: bounded: whoever signs in drops those that have ended, and beyond MOST the one that was used longest ago.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from hashcache.core.entry import Instant
from hashcache.ports.sessions import Session

MOST = 10_000
_MILLISECOND = timedelta(milliseconds=1)


class MemorySessions:
    """*clock* gives milliseconds since 1970; *most*: how many sessions there may be."""

    def __init__(self, clock: Callable[[], int], most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._kept: dict[str, tuple[Session, int]] = {}

    async def begin(self, name: str, session: Session, idle: timedelta) -> None:
        """Keep *session*."""
        now = self._clock()
        self._kept = {one: kept for one, kept in self._kept.items() if kept[1] > now}
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[name] = (session, until(session, now, idle))

    async def find(self, name: str, idle: timedelta) -> Session | None:
        """The session, kept for *idle* from now on."""
        now = self._clock()
        session, end = self._kept.pop(name, (None, 0))
        if session is None or end <= now:
            return None
        self._kept[name] = (session, until(session, now, idle))
        return session

    async def end(self, name: str) -> bool:
        """Forget the session."""
        _, end = self._kept.pop(name, (None, 0))
        return end > self._clock()


def until(session: Session, now: int, idle: timedelta) -> int:
    """When *session*, used *now*, ends if it is not used again."""
    return min(session.ends, now + idle // _MILLISECOND)


def encode(session: Session) -> bytes:
    """*session* as JSON."""
    return msgspec.json.encode(session)


def decode(record: bytes | None, now: Instant) -> Session | None:
    """The session that *record* holds, if it holds one that has not ended *now*."""
    if record is None:
        return None
    try:
        session = msgspec.json.decode(record, type=Session)
    except (msgspec.DecodeError, RecursionError):
        return None
    return session if session.ends > now else None
