"""
Entries in this process, bounded in bytes (L1).

Rule 1: it decides nothing: what it gives is judged like any other entry, under the last barrier that was seen.
Rule 2: without a channel that proves to be alive it cannot know what was invalidated elsewhere. So it answers only
        while the store is away; docs/guarantees.md says what that means.
Rule 3: what is done to all of it at once happens on the event loop: it costs well below a microsecond an entry.
"""

from __future__ import annotations

from collections import OrderedDict

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry
from hashcache.core.key import Key

#: What an entry costs beside its payload, in bytes: objects, strings, its place in the table.
OVERHEAD = 1200


class Near:
    """At most *most* bytes of entries, the least recently used leave first. 0 turns it off."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._entries: OrderedDict[Key, Entry] = OrderedDict()  # the least recently used one first

    def get(self, key: Key) -> Entry | None:
        """The entry of *key*, fresh or not."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, entry: Entry) -> None:
        """Keep *entry*, if it fits at all and is not older than what is kept."""
        known, size = self._entries.get(entry.key), _size(entry)
        if size > self._most or (known is not None and known.created > entry.created):
            return
        self.drop(entry.key)
        self._entries[entry.key] = entry
        self._used += size
        while self._used > self._most:
            _, oldest = self._entries.popitem(last=False)
            self._used -= _size(oldest)

    def drop(self, key: Key) -> None:
        """Forget *key*."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used -= _size(entry)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._used = 0

    def invalidate(self, selector: Selector) -> None:
        """Forget everything that *selector* means."""
        if selector == Selector():
            self.clear()
            return
        for entry in selector.among(self._entries.values()):
            self.drop(entry.key)

    @property
    def used(self) -> int:
        """Bytes held."""
        return self._used

    def __len__(self) -> int:
        return len(self._entries)


def _size(entry: Entry) -> int:
    return len(entry.payload) + OVERHEAD
