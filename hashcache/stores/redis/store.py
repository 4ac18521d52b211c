"""
The store on a Redis or Valkey server that all processes and machines share.

Rule 1: each verb is one atomic act: one command, or one script whose keys lie in one slot.
Rule 2: looking up costs exactly one command, whatever is asked for: hosts bill by the command.
Rule 3: every record but the books has a time to live.
Rule 4: the server may be absent at the start or go away later: verbs then raise StoreUnavailable, soon or at once,
        and work again by themselves when it is back.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from hashcache.core.barrier import Barrier, Selector
from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.ports import OLDEST, TOMBSTONE, Bid, Claim, Page, Reading, Slot, StoreFacts, StoreHealth
from hashcache.stores.hearing import PACE, Pace
from hashcache.stores.redis.accounts import RedisAccounts
from hashcache.stores.redis.books import Books, decode
from hashcache.stores.redis.checkup import examine
from hashcache.stores.redis.clock import ServerClock
from hashcache.stores.redis.ledger import RedisLedger
from hashcache.stores.redis.outbox import RedisOutbox
from hashcache.stores.redis.reach import Reach, Terms, reach_server
from hashcache.stores.redis.scripts import Call, Script
from hashcache.stores.redis.server import Server
from hashcache.stores.redis.sessions import RedisSessions
from hashcache.stores.redis.vitals import figures, p95
from hashcache.stores.sealing import MARK_FROM, MARK_TO, Sealing, mark, prolonged

_MILLISECOND = timedelta(milliseconds=1)
#: How often a commit is judged anew because something was cleared or kept meanwhile.
_ATTEMPTS = 8
_CLAIM = Script.load("claim")
_RENEW = Script.load("renew")
_RELEASE = Script.load("release")
_COMMIT = Script.load("commit")
_PROLONG = Script.load("prolong")
_FORGET = Script.load("forget")


class RedisStore:
    """
    Store on the server that *url* names (`redis://`, or `rediss://` with verified certificates), or on the master that
    sentinels name (`redis+sentinel://`, `rediss+sentinel://`), with its Channel, Ledger, Accounts, Outbox and Sessions
    as *channel*, *ledger*, *accounts*, *outbox* and *sessions*.

    *connections*: the most that this process opens, beside the channel's one. *deadline*: how long a verb of a
    request may take, in all; *patience*: opening a connection, and the verbs of administration. *ca_file*: the
    certificates that may vouch for the server (PEM), instead of the system's. *most*: its memory in bytes, where it
    does not tell. *clock* gives milliseconds since 1970 until the server has told its own; *monotonic* gives seconds.
    *pace* is the channel's; *chance*, from 0 to 1, keeps processes that lost the server from coming back all at once.

    Raises SettingsError for a URL or *ca_file* that cannot be used. Nothing is opened before `open`.
    """

    def __init__(  # noqa: PLR0913 - what an operator may set, by keyword
        self,
        url: str,
        *,
        names: Names,
        envelope: Envelope,
        clock: Callable[[], int],
        connections: int = 20,
        deadline: timedelta = timedelta(milliseconds=250),
        patience: timedelta = timedelta(seconds=2),
        ca_file: str | None = None,
        most: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        pace: Pace = PACE,
    ) -> None:
        self._names = names
        self._sealing = Sealing(names, envelope)
        self._deadline = deadline
        self._patience = patience
        self._most = most
        self._clock = ServerClock(clock, monotonic)
        terms = Terms(names, self._sealing, connections, patience, self._clock, monotonic, chance, pace)
        reach = self._reach(url, ca_file, terms)
        self._server, self._lasting = reach.server, reach.lasting
        self.channel = reach.channel
        self._catalogue = reach.catalogue
        self._books = Books(self._server, self._lasting, names, patience)
        self.ledger = RedisLedger(self._server, names, self._clock, patience)
        self.accounts = RedisAccounts(self._server, names, self._clock, deadline=deadline, patience=patience)
        self.outbox = RedisOutbox(self._server, self._lasting, names, self._clock, patience=patience)
        self.sessions = RedisSessions(self._server, self._lasting, names, self._clock, patience)

    def _reach(self, url: str, ca_file: str | None, terms: Terms) -> Reach:
        """What *url* leads to."""
        return reach_server(url, ca_file, terms)

    @property
    def keeps(self) -> bool:
        """On the server."""
        return True

    def now(self) -> Instant:
        """The server's time, or this machine's as long as the server was never reached."""
        return self._clock.now()

    async def open(self) -> None:
        """Connect, if the server answers now; takes *patience* at most."""
        await self._server.open()

    async def close(self) -> None:
        """Close all connections, the channel's too."""
        await self.channel.close()
        await self._server.close()

    @property
    def commands(self) -> int:
        """How many commands this process has sent, those inside scripts not counted."""
        return self._server.commands

    async def read(self, keys: Sequence[Key]) -> Reading:
        """What lies under *keys*, in one command. A value of another type is absent."""
        records = [record for key in keys for record in (self._names.entry(key), self._names.claim(key))]
        ((*found, barrier),) = await self._server.ask(("MGET", *records, self._names.barrier), within=self._deadline)
        slots = (
            Slot(self._sealing.open(key, sealed), token is not None)
            for key, sealed, token in zip(keys, found[::2], found[1::2], strict=True)
        )
        return Reading(tuple(slots), decode(barrier))

    async def claim(self, key: Key, token: str, lease: timedelta) -> Bid:
        """Claim *key* unless somebody else holds it; the barrier is read after the entry."""
        # Our own idea of its clock, from before it reads the tombstone, saves a command: hosts bill those in scripts.
        asked = self.now() if self._clock.known else 0
        call = _CLAIM.call(self._records(key), token, lease // _MILLISECOND, asked)
        (granted, held, tombstone, sealed), barrier = await self._with_barrier(call)
        claim = Claim(key, token, (tombstone or b"").decode(errors="replace"), Instant(granted)) if granted else None
        return Bid(claim, held * _MILLISECOND, self._opened(key, sealed, barrier), barrier)

    async def renew(self, claim: Claim, lease: timedelta) -> bool:
        """Hold *claim* for *lease* from now."""
        call = _RENEW.call([self._names.claim(claim.key)], claim.token, lease // _MILLISECOND)
        (renewed,) = await self._server.ask(call, within=self._deadline)
        return bool(renewed)

    async def release(self, claim: Claim) -> None:
        """Give *claim* back if it is still ours."""
        done = (self.channel.name, self.channel.done(claim.key))
        call = _RELEASE.call([self._names.claim(claim.key)], claim.token, *done)
        (released,) = await self._server.ask(call, within=self._deadline)
        if released:
            self.channel.sent()

    async def commit(self, claim: Claim, entry: Entry) -> bool:
        """
        Keep *entry*; False as well when its time is over already or it cannot be sealed. A foreign value is replaced.

        One command, unless something was cleared since the claim, or a positive entry lies where a negative one should
        go: then that is judged, here, and asked again.
        """
        sealed = self._sealed(entry)
        left = entry.kept - self.now()
        if left <= 0 or sealed is None:
            await self.release(claim)
            return False
        records = self._judged_records(entry.key)
        done = (self.channel.name, self.channel.done(entry.key))
        age = (claim.granted, OLDEST // _MILLISECOND)
        judged, dead = entry.sequence, b""
        for _ in range(_ATTEMPTS):
            call = _COMMIT.call(records, claim.token, claim.tombstone, sealed, left, judged, dead, *done, *age)
            (reply,) = await self._server.ask(call, within=self._deadline)
            if isinstance(reply, int):
                self.channel.sent()
                return bool(reply)
            there, barrier = await self._judged_by(reply)
            if barrier.refuses(entry) or self._sealing.lives(entry.key, there, now=self.now(), barrier=barrier):
                await self.release(claim)
                return False
            judged, dead = barrier.sequence, there[MARK_FROM:MARK_TO] if there else dead
        raise StoreUnavailable("what lies there is being changed all the time", reason="timeout")

    async def prolong(self, entry: Entry, until: Instant) -> bool:
        """Let *entry*, if it still lies there, live until *until*: one command."""
        longer = prolonged(entry, until)
        sealed = self._sealing.seal(longer)
        if until <= self.now() or sealed is None:
            return False
        there = (MARK_FROM, MARK_TO - 1, mark(entry))
        call = _PROLONG.call([self._names.entry(entry.key)], *there, sealed, longer.kept - self.now())
        (lives,) = await self._server.ask(call, within=self._deadline)
        return bool(lives)

    async def forget(self, keys: Sequence[Key]) -> int:
        """Remove the entries under *keys* and refuse the purchases under way: one act for each key."""
        life = TOMBSTONE // _MILLISECOND
        calls = [_FORGET.call(self._records(key), secrets.token_hex(8), life) for key in keys]
        return sum(await self._lasting.ask(*calls, within=self._patience)) if calls else 0

    async def barrier(self) -> Barrier:
        """The barrier in force."""
        (record,) = await self._server.ask(("GET", self._names.barrier), within=self._deadline)
        return decode(record)

    async def forbid(self, selector: Selector, reason: str) -> Barrier:
        """Raise the barrier."""
        return await self._books.forbid(selector, now=self.now(), reason=reason)

    async def advance(self, provider: str, reason: str) -> Barrier:
        """Raise the epoch of *provider*."""
        return await self._books.advance(provider, now=self.now(), reason=reason)

    async def restore(self, known: Barrier) -> Barrier:
        """Put back what was lost of *known*."""
        return await self._books.restore(known, now=self.now())

    async def progress(self, sequence: int, *, deleted: int, swept: bool) -> None:
        """Note how far a sweep is."""
        await self._books.progress(sequence, deleted=deleted, swept=swept)

    async def scan(self, cursor: str | None, limit: int) -> Page:
        """About *limit* heads; the cursor is SCAN's."""
        return await self._catalogue.scan(cursor, limit)

    async def remove(self, heads: Sequence[Head]) -> int:
        """Remove the entries that are still the ones that *heads* describe."""
        return await self._catalogue.remove(heads)

    async def health(self) -> StoreHealth:
        """Whether the server answers, and what it tells of itself: every figure of INFO is optional."""
        try:
            (text,) = await self._server.ask(("INFO",), within=self._patience)
            counts = await self._catalogue.count()
        except StoreUnavailable as away:
            return StoreHealth("degraded", self._server.where, most=self._most, reason=away.reason)
        told = figures(text)
        return StoreHealth(
            "connected",
            self._server.where,
            used=told.get("used_memory"),
            most=told.get("maxmemory") or self._most,
            keys=counts.keys if counts else None,
            sizes=counts.sizes if counts else None,
            evicted=told.get("evicted_keys"),
            found=told.get("keyspace_hits"),
            missed=told.get("keyspace_misses"),
            p95=p95(self._server.took),
            connections=told.get("connected_clients"),
            most_connections=told.get("maxclients"),
        )

    async def examine(self) -> StoreFacts | None:
        """What the server tells an operator; None for a cluster, which is many. Raises StoreUnavailable."""
        if not isinstance(self._server, Server):
            return None
        return await examine(self._server, self._names, within=self._patience)

    @property
    def refused(self) -> int:
        """How many stored entries were refused."""
        return self._sealing.refused

    # What a cluster does otherwise, because the barrier lies in another slot there

    async def _with_barrier(self, call: Call) -> tuple[Any, Barrier]:
        """The reply to *call*, and the barrier, read after it."""
        reply, barrier = await self._server.ask(call, ("GET", self._names.barrier), within=self._deadline)
        return reply, decode(barrier)

    async def _judged_by(self, reply: Any) -> tuple[bytes | None, Barrier]:
        """The positive entry that a commit found, if it did, and the barrier by which to judge."""
        there, record = reply if isinstance(reply, list) else (None, reply)
        return there, decode(record)

    def _judged_records(self, key: Key) -> Sequence[str]:
        """What a commit looks at."""
        return *self._records(key), self._names.barrier

    def _sealed(self, entry: Entry) -> bytes | None:
        """*entry* as a commit leaves it."""
        return self._sealing.seal(entry)

    def _opened(self, key: Key, sealed: bytes | None, barrier: Barrier) -> Entry | None:  # noqa: ARG002 - see above
        """The entry in what was found under *key*, if it may be believed."""
        return self._sealing.open(key, sealed)

    def _records(self, key: Key) -> tuple[str, str, str]:
        return self._names.entry(key), self._names.claim(key), self._names.tombstone(key)
