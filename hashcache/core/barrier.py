"""
Selectors, and what an invalidation forbids to be served or stored.

Rule 1: an invalidation raises the sequence and leaves its selector here; it deletes nothing. From that moment
        every entry that carries an older sequence and is selected is dead, wherever it lies.
Rule 2: an entry carries the sequence read *before* it was bought, so a purchase that was under way is dead too.
Rule 3: the sweep removes the dead later; until it is done, and OPEN_FOR longer, the selector stays open.
Rule 4: at most MOST selectors are open; beyond, all collapse into one that selects everything. That loses
        answers, never correctness.

    1: read barrier (7), claim, buy ...      2: clear -> sequence 8      1: ... commit, sequence 7
    whoever reads that entry sees 7 < 8 and a matching selector: dead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from hashcache.core.entry import Entry, Head, Instant, Label
from hashcache.core.errors import EntryRefused, PatternError
from hashcache.core.key import Key, Pattern

MOST = 64
#: How long a swept selector stays open, in milliseconds: longer than any paid call may take.
OPEN_FOR = 3_600_000
FIELDS = ("pattern", "kind", "tenant", "provider", "tag")


class Labelled(Protocol):
    """What a selector looks at."""

    @property
    def key(self) -> Key: ...
    @property
    def label(self) -> Label: ...


class Selector(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which entries are meant: those that match all fields that are set. With none set: every entry."""

    pattern: str | None = None
    kind: str | None = None
    tenant: str | None = None
    provider: str | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None:
            Pattern(self.pattern)
        for name in FIELDS[1:]:
            text = getattr(self, name)
            if text is not None and not 0 < len(text) <= 128:
                raise PatternError(f"a {name} has 1 to 128 characters")

    def matches(self, labelled: Labelled) -> bool:
        """Whether *labelled* (an entry, its head, a flight towards it) is meant."""
        label = labelled.label
        return (
            (self.kind is None or self.kind == label.kind)
            and (self.tenant is None or self.tenant == label.tenant)
            and (self.provider is None or self.provider == label.provider)
            and (self.tag is None or self.tag in label.tags)
            and (self.pattern is None or self.pattern == "*" or Pattern(self.pattern).matches(labelled.key.logical))
        )

    def __str__(self) -> str:
        return " ".join(f"{name}={getattr(self, name)}" for name in FIELDS if getattr(self, name) is not None) or "*"


class Invalidation(msgspec.Struct, frozen=True):
    """One open selector: since which *sequence*, when, why, and how far the sweep is."""

    sequence: int
    selector: Selector
    at: int
    reason: str
    deleted: int = 0
    swept: bool = False


class Barrier(msgspec.Struct, frozen=True):
    """The sequence now, and the invalidations that still forbid something, oldest first."""

    sequence: int = 0
    open: tuple[Invalidation, ...] = ()

    def forbids(self, entry: Entry | Head) -> bool:
        """Whether *entry* is dead: selected by an invalidation younger than itself."""
        return any(one.sequence > entry.sequence and one.selector.matches(entry) for one in self.open)

    def find(self, sequence: int) -> Invalidation | None:
        """The invalidation with this sequence, while it is open."""
        return next((one for one in self.open if one.sequence == sequence), None)

    def raised(self, selector: Selector, *, now: Instant, reason: str) -> Barrier:
        """This barrier with one more invalidation; those swept long ago are dropped."""
        sequence = self.sequence + 1
        kept = [one for one in self.open if not (one.swept and one.at + OPEN_FOR <= now)]
        new = Invalidation(sequence, selector, int(now), reason)
        if len(kept) >= MOST:
            return Barrier(sequence, (replace_selector(new, Selector()),))
        return Barrier(sequence, (*kept, new))

    def progressed(self, sequence: int, *, deleted: int, swept: bool) -> Barrier:
        """This barrier, knowing how far the sweep of *sequence* is; unchanged when that is not open."""
        return Barrier(
            self.sequence,
            tuple(
                msgspec.structs.replace(one, deleted=deleted, swept=swept) if one.sequence == sequence else one
                for one in self.open
            ),
        )

    def unswept(self) -> Iterable[Invalidation]:
        """What still has dead entries lying about."""
        return (one for one in self.open if not one.swept)


def replace_selector(one: Invalidation, selector: Selector) -> Invalidation:
    """*one* with another selector."""
    return msgspec.structs.replace(one, selector=selector)


NONE = Barrier()
_decoder = msgspec.json.Decoder(Barrier)


def encode(barrier: Barrier) -> bytes:
    """*barrier* as JSON, as it lies in a store."""
    return msgspec.json.encode(barrier)


def decode(stored: bytes | None) -> Barrier:
    """
    The barrier that lies in a store; an empty store has none.

    Raises:
        EntryRefused: not a barrier. Nothing may then be served from the store: we cannot know what is forbidden.
    """
    if stored is None:
        return NONE
    try:
        return _decoder.decode(stored)
    except (msgspec.DecodeError, PatternError, RecursionError):  # nested too deep for msgspec
        raise EntryRefused("barrier") from None
