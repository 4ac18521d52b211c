"""
Selectors, and what an invalidation forbids to be served or stored.

Rule 1: an invalidation raises the sequence and leaves its selector here; it deletes nothing. From that moment
        every entry that carries an older sequence and is selected is dead, wherever it lies.
Rule 2: an entry carries the sequence read *before* it was bought, so a purchase that was under way is dead too.
Rule 3: the sweep removes the dead later. A selector stays open until it is swept, and for OPEN_FOR after it was
        raised, because purchases that were under way then are still to come.
Rule 4: a purchase that is older than the youngest selector that was dropped (the *floor*) is refused at its commit:
        nobody knows any more whether it is forbidden.
Rule 5: at most MOST selectors are open. Beyond, the oldest that are swept are dropped early; if that is not enough,
        all collapse into one that selects everything. That loses answers, never correctness.
Rule 6: a store can lose the barrier, or fall back to an older one (a fail-over, a backup that was restored). Whoever
        remembers the newer one puts it back (`restored`). Until then an entry above the barrier's own sequence is
        dead: it is of a time that the barrier knows nothing of.
Rule 7: a provider's *epoch* is raised under a sequence too: what was bought from that provider before is dead. It is
        never dropped and never swept: what is left of older epochs stays until it expires, to be counted.

    1: read barrier (7), claim, buy ...      2: clear -> sequence 8      1: ... commit, sequence 7
    whoever reads that entry sees 7 < 8 and a matching selector: dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from hashcache.core.entry import Entry, Head, Instant, Label
from hashcache.core.errors import EntryRefused, PatternError
from hashcache.core.key import Key, Pattern

MOST = 64
#: How long a swept selector stays open, in milliseconds: longer than any paid call may take.
OPEN_FOR = 4_200_000
#: Why everything is forbidden when two records of what was cleared contradict each other.
LOST = "the record of what was cleared was lost"
FIELDS = ("pattern", "kind", "tenant", "provider", "tag")


class Labelled(Protocol):
    """What a selector looks at."""

    @property
    def key(self) -> Key: ...
    @property
    def label(self) -> Label: ...


Chosen = TypeVar("Chosen", bound=Labelled)


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

    def among(self, some: Iterable[Chosen]) -> list[Chosen]:
        """Those of *some* that `matches`, in their order: one field after the other, which many at a time are worth."""
        left = list(some)
        if self.kind is not None:
            left = [one for one in left if one.label.kind == self.kind]
        if self.tenant is not None:
            left = [one for one in left if one.label.tenant == self.tenant]
        if self.provider is not None:
            left = [one for one in left if one.label.provider == self.provider]
        if self.tag is not None:
            left = [one for one in left if self.tag in one.label.tags]
        if self.pattern is None or self.pattern == "*":
            return left
        means = Pattern(self.pattern).matches
        return [one for one in left if means(one.key.logical)]

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


class Epoch(msgspec.Struct, frozen=True):
    """A provider's epoch: its *number*, since which *sequence*, when and why it was raised."""

    number: int
    sequence: int
    at: int = 0
    reason: str = ""


class Barrier(msgspec.Struct, frozen=True):
    """
    The sequence now, the invalidations that still forbid something, oldest first, the last one dropped, and the epochs
    by provider, of those whose epoch was ever raised. Nobody changes *epochs*.
    """

    sequence: int = 0
    open: tuple[Invalidation, ...] = ()
    floor: int = 0
    epochs: dict[str, Epoch] = {}

    def forbids(self, entry: Entry | Head) -> bool:
        """
        Whether *entry* is dead: selected by an invalidation younger than itself, of an older epoch of its provider, or
        younger than the barrier.
        """
        return self.clears(entry) or self.outdates(entry)

    def clears(self, entry: Entry | Head) -> bool:
        """The same, of epochs apart: what is left may be swept, or was never of this barrier's time."""
        return entry.sequence > self.sequence or any(
            one.sequence > entry.sequence and one.selector.matches(entry) for one in self.open
        )

    def outdates(self, entry: Entry | Head) -> bool:
        """Whether the epoch of its provider was raised since *entry* was bought."""
        epoch = self.epochs.get(entry.label.provider)
        return epoch is not None and epoch.sequence > entry.sequence

    def epoch(self, provider: str) -> int:
        """How often the epoch of *provider* was raised."""
        epoch = self.epochs.get(provider)
        return epoch.number if epoch else 0

    def refuses(self, entry: Entry) -> bool:
        """Whether *entry*, just bought, may not be stored: forbidden, or too old to tell."""
        return entry.sequence < self.floor or self.forbids(entry)

    def find(self, sequence: int) -> Invalidation | None:
        """The invalidation with this sequence, while it is open."""
        return next((one for one in self.open if one.sequence == sequence), None)

    def raised(self, selector: Selector, *, now: Instant, reason: str) -> Barrier:
        """This barrier with one more invalidation; those that were swept long ago are dropped."""
        new = Invalidation(self.sequence + 1, selector, int(now), reason)
        kept = [one for one in self.open if not (one.swept and one.at + OPEN_FOR <= now)]
        surplus = len(kept) + 1 - MOST
        if surplus > 0:
            early = {one.sequence for one in [one for one in kept if one.swept][:surplus]}
            kept = [one for one in kept if one.sequence not in early]
        if len(kept) >= MOST:
            kept, new = [], msgspec.structs.replace(new, selector=Selector())
        left = {one.sequence for one in kept}
        floor = max((one.sequence for one in self.open if one.sequence not in left), default=self.floor)
        return Barrier(new.sequence, (*kept, new), max(floor, self.floor), self.epochs)

    def advanced(self, provider: str, *, now: Instant, reason: str) -> Barrier:
        """This barrier with the epoch of *provider* raised by one."""
        epoch = Epoch(self.epoch(provider) + 1, self.sequence + 1, int(now), reason)
        return msgspec.structs.replace(self, sequence=epoch.sequence, epochs={**self.epochs, provider: epoch})

    def remembers(self, known: Barrier) -> bool:
        """Whether this may be what became of *known*: nothing that it forbade is missing but what was dropped."""
        if self.sequence < known.sequence or self.floor < known.floor:
            return False
        return (
            self._has([one for one in known.open if one.sequence > self.floor])
            and known._has([one for one in self.open if one.sequence <= known.sequence])
            and self._continues(known)
        )

    def restored(self, known: Barrier, *, now: Instant) -> Barrier:
        """
        This barrier, read from a store that once held *known*, and what it has lost of it.

        What *known* forbids or refuses, this does. When that cannot be had by putting *known* back (it has dropped
        what this may never have known, or this has gone on without it), everything is forbidden.
        """
        if self.remembers(known):
            return self
        if known.floor <= self.sequence and known._has(self.open) and known.remembers(self):
            # Not swept any more: what was removed may have come back as well.
            unswept = (msgspec.structs.replace(one, swept=False) for one in known.open)
            return msgspec.structs.replace(known, open=tuple(unswept))
        newest = max(self.sequence, known.sequence)
        anew = Barrier(newest, (), newest, self._highest(known))
        for name, epoch in sorted(anew.epochs.items()):
            # Raised once more, or whoever knew one of the two would take it for lost.
            if not self.epochs.get(name) == known.epochs.get(name) == epoch:
                anew = anew.advanced(name, now=now, reason=LOST)
        return anew.raised(Selector(), now=now, reason=LOST)

    def _continues(self, known: Barrier) -> bool:
        """Whether these epochs may be what became of those of *known*: the same, or raised since."""
        return all(
            self.epochs.get(name) == known.epochs.get(name)
            or (self.epoch(name) > known.epoch(name) and self.epochs[name].sequence > known.sequence)
            for name in {*self.epochs, *known.epochs}
        )

    def _highest(self, known: Barrier) -> dict[str, Epoch]:
        """The epoch of each provider that either knows; of two, the higher number."""
        both = sorted([*self.epochs.items(), *known.epochs.items()], key=lambda one: (one[1].number, one[1].sequence))
        return dict(both)

    def _has(self, some: Sequence[Invalidation]) -> bool:
        """Whether these very ones are open here, however far their sweeps are."""
        mine = {(one.sequence, one.at, one.selector) for one in self.open}
        return all((one.sequence, one.at, one.selector) in mine for one in some)

    def since(self, sequence: int) -> tuple[Invalidation, ...] | None:
        """
        The invalidations younger than *sequence*, epochs as those of their provider; None when some of them are not
        known any more.
        """
        epochs = (
            Invalidation(one.sequence, Selector(provider=name), one.at, one.reason, swept=True)
            for name, one in self.epochs.items()
        )
        younger = tuple(one for one in (*self.open, *epochs) if one.sequence > sequence)
        everything = any(one.selector == Selector() for one in younger)
        return younger if everything or len(younger) == self.sequence - sequence else None

    def progressed(self, sequence: int, *, deleted: int, swept: bool) -> Barrier:
        """This barrier, knowing how far the sweep of *sequence* is; unchanged when that is not open."""
        noted = tuple(
            msgspec.structs.replace(one, deleted=deleted, swept=swept) if one.sequence == sequence else one
            for one in self.open
        )
        return msgspec.structs.replace(self, open=noted)

    def unswept(self) -> Iterable[Invalidation]:
        """What still has dead entries lying about."""
        return (one for one in self.open if not one.swept)


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
