"""
What lies on the server: to browse, to sweep, to count.

Rule 1: only names with our prefix are asked for, and what they name is filtered here: no caller's glob reaches Redis.
Rule 2: KEYS and FLUSHDB are never used; SCAN and UNLINK, in batches.
Rule 3: commands cost money: heads of one page come in one round trip, and what kind of entry a name means is asked
        once (it never changes: the kind is part of the name's variant).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hashcache.core.content import Kind
from hashcache.core.entry import Head
from hashcache.core.envelope import LONGEST_HEAD
from hashcache.core.key import Names
from hashcache.ports import Page
from hashcache.stores.redis.remote import Remote
from hashcache.stores.redis.scripts import Call, Command, Script
from hashcache.stores.sealing import MARK_FROM, MARK_TO, Sealing, mark

#: First bytes that hold the head of nearly every entry; the rare longer ones are asked for again.
_HEAD = 512
#: Entries that one run of a script removes: a script stops the whole server while it runs.
_BATCH = 200
#: Up to so many entries are counted by kind, with so many steps of SCAN, so many names each.
_COUNTED, _STEPS, _STEP = 2_000, 8, 1_000
#: How long a count by kind is good enough, in seconds.
_COUNT_AGE = 30.0
_REMOVE = Script.load("remove")
_GLOB = re.compile(r"([*?\[\]\\^-])")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries there are of each kind (*keys*), and how many bytes they had when they were first seen."""

    keys: dict[str, int]
    sizes: dict[str, int]


class Catalogue:
    """The entries of one environment on *server*; each verb may take *patience* for each round trip."""

    def __init__(
        self, server: Remote, names: Names, sealing: Sealing, patience: timedelta, monotonic: Callable[[], float]
    ) -> None:
        self._server = server
        self._names = names
        self._sealing = sealing
        self._patience = patience
        self._monotonic = monotonic
        self._ours = _GLOB.sub(r"\\\1", names.prefix) + "*"
        self._kinds: dict[str, tuple[str, int]] = {}
        self._counts: Counts | None = None
        self._counted: float | None = None

    async def scan(self, cursor: str | None, limit: int) -> Page:
        """About *limit* heads from *cursor* on; a cursor that is none of ours finds nothing."""
        if cursor is not None and not re.fullmatch("[0-9]{1,20}", cursor):
            return Page((), None)
        following, names = await self._names_from(cursor or "0", limit)
        heads = await self._heads(names)
        return Page(tuple(heads), None if following == "0" else following)

    async def remove(self, heads: Sequence[Head]) -> int:
        """Remove the entries that are still the ones that *heads* describe."""
        removed = 0
        for at in range(0, len(heads), _BATCH):
            (count,) = await self._server.ask(self._removal(heads[at : at + _BATCH]), within=self._patience)
            removed += count
        return removed

    def _removal(self, heads: Sequence[Head]) -> Call:
        """One run of the script on *heads*."""
        keys = [self._names.entry(head.key) for head in heads]
        return _REMOVE.call(keys, MARK_FROM, MARK_TO - 1, *(mark(head) for head in heads))

    async def count(self) -> Counts | None:
        """What there is of each kind, as of the last half minute; None: too many to count cheaply."""
        now = self._monotonic()
        if self._counted is None or now - self._counted >= _COUNT_AGE:
            self._counts, self._counted = await self._count(), now
        return self._counts

    async def _count(self) -> Counts | None:
        names: set[str] = set()
        cursor = "0"
        for _ in range(_STEPS):
            cursor, found = await self._names_from(cursor, _STEP)
            names.update(found)
            if cursor == "0":
                break
        if cursor != "0" or len(names) > _COUNTED:
            return None
        unknown = names - self._kinds.keys()
        self._kinds = {name: known for name, known in self._kinds.items() if name in names}
        for head in await self._heads(unknown):
            self._kinds[self._names.entry(head.key)] = (head.label.kind, head.size)
        counts = Counts(dict.fromkeys(Kind, 0), dict.fromkeys(Kind, 0))
        for kind, size in self._kinds.values():
            counts.keys[kind] = counts.keys.get(kind, 0) + 1
            counts.sizes[kind] = counts.sizes.get(kind, 0) + size
        return counts

    async def _names_from(self, cursor: str, count: int) -> tuple[str, list[str]]:
        """One step of SCAN: the next cursor ("0": the end) and the names of entries that it found."""
        (reply,) = await self._server.ask(self._step(cursor, count), within=self._patience)
        return self._entries(reply)

    def _step(self, cursor: str, count: int) -> Command:
        return ("SCAN", cursor, "MATCH", self._ours, "COUNT", max(1, count))

    def _entries(self, reply: Any) -> tuple[str, list[str]]:
        """The next cursor and the names of entries in a *reply* to SCAN."""
        following, found = reply
        names = (name.decode(errors="replace") for name in found)
        return following.decode(), [name for name in names if self._names.parse(name) is not None]

    async def _heads(self, names: Iterable[str]) -> list[Head]:
        """The heads of those *names* that hold an entry: two commands each, in one round trip."""
        found = await self._starts(list(names), _HEAD)
        cut = [
            name for name, start, size in found if len(start) < size and self._sealing.head(name, start, size) is None
        ]
        if cut:
            longer = {name: (name, start, size) for name, start, size in await self._starts(cut, LONGEST_HEAD)}
            found = [longer.get(one[0], one) for one in found]
        heads = (self._sealing.head(name, start, size) for name, start, size in found)
        return [head for head in heads if head is not None]

    async def _starts(self, names: Sequence[str], length: int) -> list[tuple[str, bytes, int]]:
        """Name, first *length* bytes and size of what lies under *names*, without what is absent or no string."""
        if not names:
            return []
        commands = [command for name in names for command in (("GETRANGE", name, 0, length - 1), ("STRLEN", name))]
        replies = await self._server.ask(*commands, within=self._patience, lenient=True)
        return [
            (name, start, size)
            for name, start, size in zip(names, replies[::2], replies[1::2], strict=True)
            if start and size
        ]
