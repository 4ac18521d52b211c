"""
The outbox on a Redis or Valkey server.

Rule 1: each verb is one script on one slot. Of what hosts bill, looking in vain takes two,
        putting seven, dropping six.
Rule 2: both keys end when nothing was put for longer than any letter lives.
Rule 3: a reader believes nothing: what is not as it should be is passed over.
"""

from __future__ import annotations

from datetime import timedelta

from hashcache.core.entry import Instant
from hashcache.core.key import Names
from hashcache.ports import Bounds, Full, Sealed, Taken
from hashcache.stores.redis.clock import ServerClock
from hashcache.stores.redis.remote import Remote
from hashcache.stores.redis.scripts import Script

_MILLISECOND = timedelta(milliseconds=1)
#: Longer than any letter lives.
_LIFE = timedelta(days=8)
_PUT = Script.load("letter_put")
_TAKE = Script.load("letter_take")
_DEFER = Script.load("letter_defer")
_DROP = Script.load("letter_drop")


class RedisOutbox:
    """
    The outbox of one environment on *server*; each verb may take *patience*. *lasting* is asked for what must not be
    lost when a server is replaced by its replica: a letter that was promised.
    """

    def __init__(
        self, server: Remote, lasting: Remote, names: Names, clock: ServerClock, *, patience: timedelta
    ) -> None:
        self._server = server
        self._lasting = lasting
        self._keys = (names.outbox, names.due)
        self._clock = clock
        self._patience = patience

    async def put(self, letter: Sealed, holder: str, *, hold: timedelta, bounds: Bounds) -> Full | None:
        """Keep *letter*, if there is room: one command."""
        call = _PUT.call(
            self._keys,
            letter.id,
            letter.tenant,
            f"{holder} {letter.tenant} {letter.expires}",
            letter.sealed,
            self._clock.now() + hold // _MILLISECOND,
            _LIFE // _MILLISECOND,
            bounds.tenant,
            bounds.total,
        )
        (reply,) = await self._lasting.ask(call, within=self._patience)
        return Full(reply.decode()) if reply else None

    async def take(self, holder: str, *, hold: timedelta, most: int) -> Taken:
        """Take what is due: one command."""
        now = self._clock.now()
        call = _TAKE.call(self._keys, now, holder, now + hold // _MILLISECOND, most)
        ((earliest, *found),) = await self._server.ask(call, within=self._patience)
        letters = []
        for name, rest, sealed in zip(found[::3], found[1::3], found[2::3], strict=True):
            tenant, _, expires = rest.decode(errors="replace").partition(" ")
            until = Instant(int(expires)) if expires.isdecimal() else now
            letters.append(Sealed(name.decode(errors="replace"), tenant, sealed, until))
        return Taken(letters, Instant(int(float(earliest))) if earliest else None)

    async def defer(self, letter: Sealed, holder: str, due: Instant) -> bool:
        """Put *letter* back: one command."""
        call = _DEFER.call(self._keys, letter.id, holder, due, letter.sealed)
        (deferred,) = await self._server.ask(call, within=self._patience)
        return bool(deferred)

    async def drop(self, letter: str) -> bool:
        """Forget it: one command."""
        (dropped,) = await self._server.ask(_DROP.call(self._keys, letter), within=self._patience)
        return bool(dropped)
