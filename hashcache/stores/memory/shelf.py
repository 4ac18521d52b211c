"""
What the ends of one memory store share.

Rule 1: bounded in bytes; the least recently read or written entry is evicted first, and counted.
Rule 2: what is not to be kept any longer is dropped before anything is evicted.
Rule 3: nothing goes through all entries: what is asked in an order, by name or by when it ends, is kept in that order.
Rule 4: claims and tombstones are as few as are alive: each new one drops the oldest that ended.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from sortedcontainers import SortedList

from hashcache.core.barrier import NONE, Barrier
from hashcache.core.key import Key
from hashcache.stores.accounts import MemoryAccounts
from hashcache.stores.ledger import MemoryLedger
from hashcache.stores.memory.channel import Hub
from hashcache.stores.outbox import MemoryOutbox
from hashcache.stores.sessions import MemorySessions

#: What an entry costs beside its bytes and its name: objects and the dictionary's row.
_OVERHEAD = 256
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry as it is kept, the *kind* that it was labelled with, and until when it is kept."""

    raw: bytes
    kind: str
    until: int


class Shelf:
    """Sealed entries under their physical names, *most* bytes in all. *clock* gives milliseconds since 1970."""

    def __init__(self, clock: Callable[[], int], most: int) -> None:
        self.most = most
        self.used = 0
        self.evicted = 0
        #: How many entries of each kind there are, and how many bytes they have.
        self.kinds: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()
        self._clock = clock
        self._entries: OrderedDict[str, Sealed] = OrderedDict()
        self._names: SortedList[str] = SortedList()
        self._ends: SortedList[tuple[int, str]] = SortedList()

    def find(self, name: str) -> Sealed | None:
        """What lies under *name*, unless its time is over."""
        sealed = self._entries.get(name)
        return sealed if sealed is not None and sealed.until > self._clock() else None

    def touch(self, name: str) -> None:
        """Note that what lies under *name* was read."""
        self._entries.move_to_end(name)

    def put(self, name: str, sealed: Sealed) -> bool:
        """Keep *sealed*; False when it is larger than the whole shelf."""
        self.drop(name)
        cost = _cost(name, sealed)
        if cost > self.most:
            return False
        while self.used + cost > self.most:
            if not self.drop_ended(1):
                self.drop(next(iter(self._entries)))
                self.evicted += 1
        self._entries[name] = sealed
        self._names.add(name)
        self._ends.add((sealed.until, name))
        self.kinds[sealed.kind] += 1
        self.sizes[sealed.kind] += len(sealed.raw)
        self.used += cost
        return True

    def drop(self, name: str) -> None:
        """Remove what lies under *name*, if anything does."""
        sealed = self._entries.pop(name, None)
        if sealed is not None:
            self._names.remove(name)
            self._ends.remove((sealed.until, name))
            self.kinds[sealed.kind] -= 1
            self.sizes[sealed.kind] -= len(sealed.raw)
            self.used -= _cost(name, sealed)

    def drop_ended(self, most: int) -> bool:
        """Remove what is not to be kept any longer, *most* entries at most; whether there was any."""
        now, found = self._clock(), False
        while most and self._ends and self._ends[0][0] <= now:
            self.drop(self._ends[0][1])
            most, found = most - 1, True
        return found

    def after(self, name: str, limit: int) -> list[str]:
        """The next names in their order, at most *limit*; of some the time may be over."""
        return list(islice(self._names.irange(name, inclusive=(False, True)), limit))


def _cost(name: str, sealed: Sealed) -> int:
    return len(name) + len(sealed.raw) + _OVERHEAD


@dataclass(frozen=True, slots=True)
class Word:
    """A claim's token or a tombstone's value, and when it ends."""

    text: str
    until: int


class Words:
    """Words that end by themselves, one for a key."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._words: dict[Key, Word] = {}

    def __len__(self) -> int:
        return len(self._words)

    def find(self, key: Key) -> Word | None:
        """The word for *key*, while it lives."""
        word = self._words.get(key)
        return word if word is not None and word.until > self._clock() else None

    def keep(self, key: Key, text: str, life: timedelta) -> None:
        """Keep *text* for *key* from now on for *life*."""
        now = self._clock()
        self._words.pop(key, None)
        self._words[key] = Word(text, now + life // _MILLISECOND)
        while (oldest := next(iter(self._words))) != key and self._words[oldest].until <= now:
            del self._words[oldest]

    def drop(self, key: Key) -> None:
        """Remove the word for *key*, if there is one."""
        self._words.pop(key, None)


class Shared:
    """Everything that the ends of one memory store have in common."""

    def __init__(self, clock: Callable[[], int], most: int) -> None:
        self.shelf = Shelf(clock, most)
        self.claims = Words(clock)
        self.tombstones = Words(clock)
        self.barrier: Barrier = NONE
        self.accounts = MemoryAccounts(clock)
        self.ledger = MemoryLedger(clock, lines=self.accounts.lines)
        self.outbox = MemoryOutbox(clock)
        self.sessions = MemorySessions(clock)
        self.hub = Hub()
