"""
Entries in this process, bounded in bytes (L1).

Rule 1: it decides nothing: what it gives is judged like any other entry, under the last barrier that was seen.
Rule 2: without a channel that proves to be alive it cannot know what was invalidated elsewhere. So it answers only
        while the store is away; docs/guarantees.md says what that means.
"""

from __future__ import annotations

from cachetools import LRUCache

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry
from hashcache.core.key import Key

#: What an entry costs beside its payload, in bytes: objects, strings, its place in the table.
OVERHEAD = 1200


class Near:
    """At most *most* bytes of entries, the least recently used leave first. 0 turns it off."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: LRUCache[Key, Entry] = LRUCache(most, getsizeof=_size)

    def get(self, key: Key) -> Entry | None:
        """The entry of *key*, fresh or not."""
        return self._entries.get(key)

    def put(self, entry: Entry) -> None:
        """Keep *entry*, if it fits at all and is not older than what is kept."""
        known = self._entries.get(entry.key)
        if _size(entry) <= self._most and (known is None or known.created <= entry.created):
            self._entries[entry.key] = entry

    def drop(self, key: Key) -> None:
        """Forget *key*."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def invalidate(self, selector: Selector) -> None:
        """Forget everything that *selector* means."""
        for key in [key for key, entry in self._entries.items() if selector.matches(entry)]:
            del self._entries[key]

    @property
    def used(self) -> int:
        """Bytes held."""
        return int(self._entries.currsize)

    def __len__(self) -> int:
        return len(self._entries)


def _size(entry: Entry) -> int:
    return len(entry.payload) + OVERHEAD
