"""
Between a function and the store: every answer is searched for secrets before it is kept.

Rule 1: whose run it was is given what the function gave, whatever was found in it. Everybody else is given what is
        kept: that is, where a secret was cut out, the answer without it.
Rule 2: what cannot be cut out without the answer being another one is not kept: of bytes that a codec of the user's
        own has made, of a route's answer, of a value that would not be read any more.
Rule 3: what is encrypted, and is not opened by any key of its user, is as good as nothing.
Rule 4: only rules and numbers are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from hashcache.core.key import Key
from hashcache.engine.load import Kept, Loaded
from hashcache.integrations.asked import Asked
from hashcache.integrations.guards.guard import MOST, Verdict
from hashcache.integrations.guards.sealing import UserSealer
from hashcache.integrations.loads import FunctionLoad
from hashcache.integrations.values import OWN, NotRead, Values

#: The keys of a user, the newest first; none: nothing of his is encrypted. Bytes made by chance, 32 or more.
UserKeys = Callable[[str], Sequence[bytes]]
#: The form of a payload that is encrypted; the others are those of `values`.
_SEALED = b"e"
#: From how many bytes on the search is a thread's work: below it holds up the loop for a millisecond or two.
_LONG = 32_768


class Guarding:
    """
    Guards the answers of one cache. *keys*: those of its users, if they have any. *most*: the longest answer that is
    kept, in bytes. *told* hears of each secret: the type, and how many by which rule.
    """

    def __init__(self, keys: UserKeys | None, most: int, told: Callable[[str, Mapping[str, int]], None]) -> None:
        self._keys = keys
        self._most = max(most, MOST)
        self._told = told

    @property
    def encrypts(self) -> bool:
        """Whether users can have keys of their own."""
        return self._keys is not None

    def guarded(self, asked: Asked, load: FunctionLoad, *, instead: bytes | None = None) -> GuardedLoad:
        """*load*, of which is kept what may be; *instead*: what others are given of what is not kept."""
        return GuardedLoad(self, asked, load, instead)

    async def cleared(self, asked: Asked, payload: bytes) -> bytes | None:
        """What may be kept of *payload*, of the form that `values` gave it; None: nothing."""
        guard = asked.kind.guard(self._most)
        if guard is None:
            return payload
        form, raw = payload[:1], payload[1:]
        verdict = guard.judge(raw) if len(raw) <= _LONG else await asyncio.to_thread(guard.judge, raw)
        if not verdict.found:
            return payload
        self._told(asked.kind.name, verdict.found)
        if verdict.payload is None or verdict.encrypt:
            return self._sealed(asked, payload, verdict)
        return None if form == OWN else _readable(asked.values, form + verdict.payload)

    def opened(self, key: Key, user: str | None, payload: bytes) -> bytes:
        """
        *payload* as `values` reads it.

        Raises:
            NotRead: it is encrypted, and no key of *user* opens it.
        """
        if payload[:1] != _SEALED:
            return payload
        sealer = self._sealer(user)
        opened = None if sealer is None else sealer.open(payload[1:], key)
        if opened is None:
            raise NotRead("no key of its user opens it")
        return opened

    def _sealed(self, asked: Asked, payload: bytes, verdict: Verdict) -> bytes | None:
        sealer = self._sealer(asked.user) if verdict.encrypt else None
        return None if sealer is None else _SEALED + sealer.seal(payload, asked.key)

    def _sealer(self, user: str | None) -> UserSealer | None:
        keys = self._keys(user) if self._keys is not None and user is not None else ()
        return UserSealer(user, keys) if user is not None and keys else None


class GuardedLoad:
    """An `engine.load.Load` that keeps of *load* what *guarding* allows."""

    def __init__(self, guarding: Guarding, asked: Asked, load: FunctionLoad, instead: bytes | None) -> None:
        self._guarding = guarding
        self._asked = asked
        self._load = load
        self._instead = instead

    async def __call__(self, token: str) -> Loaded:
        """Run the function, and judge what it gives."""
        loaded = await self._load(token)
        if not loaded.keep:
            return loaded
        kept = await self._guarding.cleared(self._asked, loaded.payload)
        if kept is not None:
            return replace(loaded, payload=kept)
        self._load.secret = True
        return Loaded(loaded.payload if self._instead is None else self._instead, keep=False)

    async def kept(self, how: Kept, *, duplicate: bool) -> None:
        """As the function's."""
        await self._load.kept(how, duplicate=duplicate)

    async def close(self) -> None:
        """As the function's."""
        await self._load.close()


def _readable(values: Values, payload: bytes) -> bytes | None:
    """*payload*, if it still is a value."""
    try:
        values.decode(payload)
    except NotRead:
        return None
    return payload
