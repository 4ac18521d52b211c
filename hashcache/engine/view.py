"""
What this process believes of the store: the newest barrier, what it keeps near, whether the store is there.

Rule 1: near memory is trusted while the channel proves to be alive, or, under the last barrier seen, while the store
        is away. docs/guarantees.md says what the second means.
Rule 2: what was read before an invalidation was heard is not put into near memory after it: each one starts a new
        *generation*, and a put names the generation in which its read began.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hashcache.core.barrier import NONE, Barrier, Selector
from hashcache.core.entry import Entry
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key
from hashcache.engine.near import Near


class StoreObserver(Protocol):
    """Who wants to know whether the store is there."""

    def store(self, *, available: bool, reason: str) -> None:
        """The store went away (for *reason*) or came back."""
        ...


class View:
    """The beliefs of one process, over its *near* memory. *returned* is called when the store is back."""

    def __init__(self, near: Near, observer: StoreObserver, *, returned: Callable[[], None]) -> None:
        self.near = near
        self.barrier = NONE
        self.generation = 0
        self.store_away = False
        self._observer = observer
        self._returned = returned

    def saw(self, barrier: Barrier) -> None:
        """The store answered, with *barrier* in force: near memory forgets what it forbids, or may have forbidden."""
        if barrier.sequence > self.barrier.sequence:
            younger = barrier.since(self.barrier.sequence)
            self.barrier = barrier
            if younger is None:
                self.gap()
            for one in younger or ():
                self.invalidate(one.selector)
        elif barrier.sequence == self.barrier.sequence:
            self.barrier = barrier
        self._noticed(None)

    def lost(self, away: StoreUnavailable) -> None:
        """The store did not answer."""
        self._noticed(away)

    def keep(self, entry: Entry, generation: int) -> None:
        """Keep *entry* near, unless something was invalidated since *generation*."""
        if generation == self.generation:
            self.near.put(entry)

    def invalidate(self, selector: Selector) -> None:
        """Near memory forgets what *selector* means."""
        self.generation += 1
        self.near.invalidate(selector)

    def forget(self, keys: Sequence[Key]) -> None:
        """Near memory forgets *keys*."""
        self.generation += 1
        for key in keys:
            self.near.drop(key)

    def superseded(self, key: Key) -> None:
        """Another process has bought *key*: what is kept near is not the newest answer any more."""
        if not self.store_away:
            self.near.drop(key)

    def gap(self) -> None:
        """Invalidations may have been missed: near memory forgets everything."""
        self.generation += 1
        self.near.clear()

    def _noticed(self, away: StoreUnavailable | None) -> None:
        if self.store_away is not (away is not None):
            self.store_away = away is not None
            self._observer.store(available=away is None, reason=away.reason if away else "")
            if away is None:
                self._returned()
