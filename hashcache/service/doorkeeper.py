"""
Signing in with an admin's key, and who a browser's session belongs to from then on.

Rule 1: the browser gets a random secret; stores know a digest of it, so that who reads one can use no session.
Rule 2: a session is proven by the key that began it (HMAC over its name and its bounds): who can write to a store can
        neither make nor lengthen one, and a key that is not known any more takes its sessions with it.
Rule 3: what only reads believes for TRUSTED seconds what this process has seen; what changes something asks the store.
        So does everything after a sign-out in this process. While the store is away, who was seen here within the
        time of idleness may go on reading: that is when the dashboard is needed most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from cachetools import LRUCache

from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.ports import Session, Sessions
from hashcache.service.callers import Caller, Callers, Role

#: For how long, in seconds, a session that was seen is not looked up again by who only reads.
TRUSTED = 10.0
_MOST_SEEN = 1_000
_MILLISECOND = timedelta(milliseconds=1)

log: structlog.stdlib.BoundLogger = structlog.get_logger("hashcache")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """*caller* has signed in, until the instant *ends* at most."""

    caller: Caller
    ends: Instant


@dataclass(frozen=True, slots=True)
class Life:
    """How long a session may be *idle*, and how *long* it lasts at most."""

    idle: timedelta
    long: timedelta


class Doorkeeper:
    """
    Lets *callers* of role admin in, and remembers them in *sessions* for their *life*. *now* is the store's clock,
    *monotonic* gives seconds, *secret* a new text of 256 random bits.
    """

    def __init__(
        self,
        sessions: Sessions,
        callers: Callers,
        life: Life,
        *,
        now: Callable[[], Instant],
        monotonic: Callable[[], float],
        secret: Callable[[], str],
    ) -> None:
        self._sessions = sessions
        self._callers = callers
        self.life = life
        self._now = now
        self._monotonic = monotonic
        self._secret = secret
        self._seen: LRUCache[str, tuple[SignedIn, float]] = LRUCache(_MOST_SEEN)
        #: Those signed out here: whoever looked one up before that must not believe what he found.
        self._ended: LRUCache[str, bool] = LRUCache(_MOST_SEEN)

    async def sign_in(self, key: str) -> tuple[str, SignedIn] | None:
        """
        The secret of a new session, and whose it is; None: *key* is no admin's.

        Raises:
            StoreUnavailable: the store is away, so that nobody could be remembered.
        """
        secret, began = self._secret(), self._now()
        name, ends = _name(secret), Instant(began + self.life.long // _MILLISECOND)
        proven = self._callers.prove(key, _words(name, began, ends))
        if proven is None or proven[0].role is not Role.ADMIN:
            return None
        caller, proof = proven
        await self._sessions.begin(name, Session(proof, began, ends), self.life.idle)
        signed = SignedIn(caller, ends)
        self._seen[name] = (signed, self._monotonic())
        log.info("admin.signed_in", who=caller.name)
        return secret, signed

    async def recognise(self, secret: str, *, changes: bool) -> SignedIn | None:
        """
        Who has the session of this *secret*; None: nobody, any more. *changes*: he wants to change something.

        Raises:
            StoreUnavailable: the store is away, and this process does not know.
        """
        name, now = _name(secret), self._monotonic()
        signed, at = self._seen.get(name) or (None, 0.0)
        if signed is not None and signed.ends <= self._now():
            signed = None
        if signed is not None and not changes and now - at < TRUSTED:
            return signed
        try:
            session = await self._sessions.find(name, self.life.idle)
        except StoreUnavailable:
            if signed is not None and not changes and now - at < self.life.idle.total_seconds():
                return signed
            raise
        found = None if name in self._ended else self._owner(name, session)
        if found is None:
            self._seen.pop(name, None)
        else:
            self._seen[name] = (found, now)
        return found

    async def sign_out(self, secret: str) -> None:
        """
        End the session of this *secret*, if there is one: everywhere at once for changes, and within TRUSTED for
        reading in other processes.

        Raises:
            StoreUnavailable: the store is away; only this process has forgotten it.
        """
        name = _name(secret)
        self._ended[name] = True
        self._seen.pop(name, None)
        if await self._sessions.end(name):
            log.info("admin.signed_out")

    def _owner(self, name: str, session: Session | None) -> SignedIn | None:
        if session is None or session.ends <= self._now():
            return None
        caller = self._callers.proven(_words(name, session.began, session.ends), session.proof)
        if caller is None or caller.role is not Role.ADMIN:
            return None
        return SignedIn(caller, session.ends)


def _name(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _words(name: str, began: Instant, ends: Instant) -> bytes:
    return f"{name} {began} {ends}".encode()
