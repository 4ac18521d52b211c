"""
Sessions on a Redis or Valkey server: one record each, which ends by itself.

Rule: each verb is one command; looking a session up is what prolongs it (GETEX, Redis 6.2).
"""

from __future__ import annotations

from datetime import timedelta

from hashcache.core.key import Names
from hashcache.ports.sessions import Session
from hashcache.stores.redis.clock import ServerClock
from hashcache.stores.redis.remote import Remote
from hashcache.stores.sessions import decode, encode, until

_MILLISECOND = timedelta(milliseconds=1)


class RedisSessions:
    """
    The sessions of one environment on *server*; each verb may take *patience*. *lasting* is asked for what must not
    be lost when a server is replaced by its replica: that somebody has signed out.
    """

    def __init__(self, server: Remote, lasting: Remote, names: Names, clock: ServerClock, patience: timedelta) -> None:
        self._server = server
        self._lasting = lasting
        self._names = names
        self._clock = clock
        self._patience = patience

    async def begin(self, name: str, session: Session, idle: timedelta) -> None:
        """Keep *session*."""
        now = self._clock.now()
        life = max(1, until(session, now, idle) - now)
        command = ("SET", self._names.session(name), encode(session), "PX", life)
        await self._server.ask(command, within=self._patience)

    async def find(self, name: str, idle: timedelta) -> Session | None:
        """The session. Its record may outlast its end by *idle*; it is not given then."""
        command = ("GETEX", self._names.session(name), "PX", idle // _MILLISECOND)
        (record,) = await self._server.ask(command, within=self._patience, lenient=True)
        return decode(record, self._clock.now())

    async def end(self, name: str) -> bool:
        """Forget the session."""
        (removed,) = await self._lasting.ask(("DEL", self._names.session(name)), within=self._patience)
        return bool(removed)
