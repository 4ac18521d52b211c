"""
Entries in this process, bounded in bytes (L1).

Rule 1: it decides nothing: what it gives is judged like any other entry, under the last barrier that was seen.
Rule 2: without a channel that proves to be alive it cannot know what was invalidated elsewhere. So it answers only
        while the store is away; docs/guarantees.md says what that means.
Rule 3: what is forgotten is forgotten at once: nobody is given it. But a table of ten thousands is looked through, and
        let go, by and by: a slice, and then others have their turn. Until its slice comes, an entry is a *suspect*, and
        looked at when somebody asks for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry
from hashcache.core.key import Key

#: What an entry costs beside its payload, in bytes: objects, strings, its place in the table.
OVERHEAD = 1200
#: So many entries are looked through in one turn: that takes a few milliseconds.
SLICE = 2_000
#: When so many tables wait to be looked through, the next invalidation forgets everything: that costs less.
MOST_TABLES = 8

Table = OrderedDict[Key, Entry]  # the least recently used one first


class Near:
    """
    At most *most* bytes of entries, the least recently used leave first. 0 turns it off. *at_once*: so many entries are
    looked through before others have their turn.
    """

    def __init__(self, most: int, *, at_once: int = SLICE) -> None:
        self._most = most
        self._at_once = at_once
        self._used = 0
        self._entries: Table = OrderedDict()
        #: What was here when something was invalidated, and what that was; the oldest table last.
        self._suspects: list[tuple[Table, list[Selector]]] = []
        #: What nobody is given any more, but takes its memory still.
        self._doomed: list[Table] = []
        self._sweeping: asyncio.AbstractEventLoop | None = None

    def get(self, key: Key) -> Entry | None:
        """The entry of *key*, fresh or not."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        elif self._suspects:
            entry = self._acquitted(key)
        return entry

    def put(self, entry: Entry) -> None:
        """Keep *entry*, if it fits at all and is not older than what is kept."""
        known, size = self.get(entry.key), _size(entry)
        if size > self._most or (known is not None and known.created > entry.created):
            return
        self.drop(entry.key)
        self._entries[entry.key] = entry
        self._used += size
        while self._used > self._most:
            self._evict()

    def drop(self, key: Key) -> None:
        """Forget *key*."""
        entry = self._entries.pop(key, None)
        if entry is None and self._suspects:
            entry = self._taken(key)[0]
        if entry is not None:
            self._used -= _size(entry)

    def clear(self) -> None:
        """Forget everything."""
        self._doomed += [table for table in (self._entries, *(table for table, _ in self._suspects)) if table]
        self._entries = OrderedDict()
        self._suspects = []
        self._sweep_on()

    def invalidate(self, selector: Selector) -> None:
        """Forget everything that *selector* means."""
        if selector == Selector() or len(self._suspects) == MOST_TABLES:
            self.clear()
            return
        for _, selectors in self._suspects:
            if selector not in selectors:
                selectors.append(selector)
        if self._entries:
            self._suspects.insert(0, (self._entries, [selector]))
            self._entries = OrderedDict()
        self._sweep_on()

    @property
    def used(self) -> int:
        """Bytes held."""
        return self._used

    def __len__(self) -> int:
        return len(self._entries) + sum(len(table) for table, _ in self._suspects)

    def _taken(self, key: Key) -> tuple[Entry | None, list[Selector]]:
        """The suspect with this *key*, which is none any longer, and what it is suspected of."""
        for table, selectors in self._suspects:
            entry = table.pop(key, None)
            if entry is not None:
                return entry, selectors
        return None, []

    def _acquitted(self, key: Key) -> Entry | None:
        """The suspect with this *key*, kept as any other from now on; None when it is meant, and forgotten."""
        entry, selectors = self._taken(key)
        if entry is None:
            return None
        if any(selector.matches(entry) for selector in selectors):
            self._used -= _size(entry)
            return None
        self._entries[key] = entry
        return entry

    def _evict(self) -> None:
        """Let go of what is missed least."""
        tables = (*self._doomed, *(table for table, _ in reversed(self._suspects)), self._entries)
        _, entry = next(table for table in tables if table).popitem(last=False)
        self._used -= _size(entry)

    def _sweep_on(self) -> None:
        """Look through a slice now, and through the others in later turns of the event loop that runs."""
        self._sweep()
        if not (self._suspects or self._doomed):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # nobody waits for a turn
            while self._suspects or self._doomed:
                self._sweep()
            return
        if self._sweeping is not loop:
            self._sweeping = loop
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        """A slice, and the next in the next turn."""
        self._sweep()
        if self._suspects or self._doomed:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._sweeping = None

    def _sweep(self) -> None:
        """A slice of what was forgotten, or else of what is suspect, those that were used last first."""
        left = self._at_once
        while self._doomed and left:
            table = self._doomed[-1]
            left -= self._let_go(table, left)
            if not table:
                self._doomed.pop()
        while self._suspects and left:
            table, selectors = self._suspects[0]
            left -= self._look_through(table, selectors, left)
            if not table:
                self._suspects.pop(0)

    def _let_go(self, table: Table, most: int) -> int:
        """Let go of so many of *table*; how many there were."""
        count = min(most, len(table))
        for _ in range(count):
            self._used -= _size(table.popitem()[1])
        return count

    def _look_through(self, table: Table, selectors: list[Selector], most: int) -> int:
        """Forget, of so many of *table*, those that are meant, and keep the others; how many there were."""
        some = [table.popitem()[1] for _ in range(min(most, len(table)))]
        meant = {entry.key for selector in selectors for entry in selector.among(some)}
        for entry in some:
            if entry.key in meant:
                self._used -= _size(entry)
            else:  # it was used less lately than whatever came or was asked for since
                self._entries[entry.key] = entry
                self._entries.move_to_end(entry.key, last=False)
        return len(some)


def _size(entry: Entry) -> int:
    return len(entry.payload) + OVERHEAD
