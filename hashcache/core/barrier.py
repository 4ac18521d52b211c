"""
Selectors, and what an invalidation forbids to be served or stored.

Rule 1: an invalidation raises the sequence and leaves its selector here; it deletes nothing. From that moment
        every entry that carries an older sequence and is selected is dead, wherever it lies.
Rule 2: an entry carries the sequence read *before* it was bought, so a purchase that was under way is dead too.
Rule 3: the sweep removes the dead later. A selector stays open until it is swept, and for OPEN_FOR after it was
        raised, because purchases that were under way then are still to come.
Rule 4: a purchase that is older than the youngest selector that was dropped (the *floor*, or that of its space, where
        the selector was confined to one) is refused at its commit: nobody knows any more whether it is forbidden.
Rule 5: a selector that covers an older one takes its place: it is younger, and means no less.
Rule 6: of the selectors that are confined to one space at most MOST are open, and as many of those that are confined to
        none. Beyond, the oldest of them that are swept are dropped early; if that is not enough, those that are most
        alike become the narrowest one that means them all. That loses answers of that space, never correctness:
        however much an application forgets of its own, what was paid for elsewhere is not touched.
Rule 7: a store can lose the barrier, or fall back to an older one (a fail-over, a backup that was restored). Whoever
        remembers the newer one puts it back (`restored`). Until then an entry above the barrier's own sequence is
        dead: it is of a time that the barrier knows nothing of.
Rule 8: a provider's *epoch* is raised under a sequence too: what was bought from that provider before is dead. It is
        never dropped and never swept: what is left of older epochs stays until it expires, to be counted.

    1: read barrier (7), claim, buy ...      2: clear -> sequence 8      1: ... commit, sequence 7
    whoever reads that entry sees 7 < 8 and a matching selector: dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.errors import EntryRefused, PatternError
from hashcache.core.invalidation import MERGED, merged, stands_for, with_newest
from hashcache.core.invalidation import Invalidation as Invalidation  # noqa: PLC0414 - barriers are made of these
from hashcache.core.selector import Selector as Selector  # noqa: PLC0414 - as above

#: How many selectors may be open that are confined to one space, or to none.
MOST = 64
#: How many may be in all, and how many spaces have a floor of their own: all that there are (analysis, text, app, and
#: none) have room. Nobody but an administrator who makes up spaces gets beyond.
_MOST_IN_ALL, _SPACES = 4 * MOST, 8
#: How long a swept selector stays open, in milliseconds: longer than any paid call may take.
OPEN_FOR = 4_200_000
#: Why everything is forbidden when two records of what was cleared contradict each other.
LOST = "the record of what was cleared was lost"


class Epoch(msgspec.Struct, frozen=True):
    """A provider's epoch: its *number*, since which *sequence*, when and why it was raised."""

    number: int
    sequence: int
    at: int = 0
    reason: str = ""


class Barrier(msgspec.Struct, frozen=True):
    """
    The sequence now, the invalidations that still forbid something, oldest first, the last one dropped, and the epochs
    by provider, of those whose epoch was ever raised; *floors*: the last one dropped of those confined to a space.
    Nobody changes *epochs* or *floors*.
    """

    sequence: int = 0
    open: tuple[Invalidation, ...] = ()
    floor: int = 0
    epochs: dict[str, Epoch] = {}
    floors: dict[str, int] = {}

    def forbids(self, entry: Entry | Head) -> bool:
        """
        Whether *entry* is dead: selected by an invalidation younger than itself, of an older epoch of its provider, or
        younger than the barrier.
        """
        if not self.open and not self.epochs:  # as nearly always
            return entry.sequence > self.sequence
        return self.clears(entry) or self.outdates(entry)

    def clears(self, entry: Entry | Head) -> bool:
        """The same, of epochs apart: what is left may be swept, or was never of this barrier's time."""
        if entry.sequence > self.sequence:
            return True
        return bool(self.open) and any(
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
        return entry.sequence < self._floor(entry.key.space) or self.forbids(entry)

    def find(self, sequence: int) -> Invalidation | None:
        """The invalidation with this sequence, while it is open, or the one that has taken its place."""
        exact = (one for one in self.open if one.sequence == sequence)
        return next(exact, next((one for one in self.open if 0 < one.first <= sequence < one.sequence), None))

    def raised(self, selector: Selector, *, now: Instant, reason: str) -> Barrier:
        """This barrier with one more invalidation, the last; those that were swept long ago are dropped."""
        new = Invalidation(self.sequence + 1, selector, int(now), reason)
        kept = [one for one in self.open if not (one.swept and one.at + OPEN_FOR <= now)]
        kept = with_newest(kept, new)
        alike = [one for one in kept if one.selector.space == selector.space]
        early = [one for one in alike if one.swept][: max(0, len(alike) - MOST)]
        kept = [one for one in kept if one not in early]
        if len(alike) - len(early) > MOST:
            kept = merged(kept, [one for one in alike if one not in early])
        if len(kept) > _MOST_IN_ALL:
            kept = with_newest(kept, Invalidation(kept[-1].sequence, Selector(), int(now), MERGED))
        left = {one.sequence for one in kept}
        gone = (one for one in self.open if one.sequence not in left)
        return self._rid([one for one in gone if not any(stands_for(other, one) for other in kept)], kept)

    def begun(self) -> Sequence[Invalidation]:
        """What the last invalidation began: itself, and what had to be merged to make room for it."""
        return [one for one in self.open[-2:-1] if one.first and one.sequence == self.sequence - 1] + [self.open[-1]]

    def _rid(self, dropped: Iterable[Invalidation], kept: Sequence[Invalidation]) -> Barrier:
        """This barrier with *kept* open, and the floors where *dropped* leave them."""
        floor, floors = self.floor, dict(self.floors)
        for one in dropped:
            space = one.selector.space
            if space is None:
                floor = max(floor, one.sequence)
            else:
                floors[space] = max(floors.get(space, 0), one.sequence)
        while len(floors) > _SPACES:
            floor = max(floor, floors.pop(min(floors, key=floors.__getitem__)))
        floors = {space: one for space, one in floors.items() if one > floor}
        return Barrier(kept[-1].sequence, tuple(kept), floor, self.epochs, floors)

    def _floor(self, space: str | None) -> int:
        """Below it nobody knows what was forbidden in *space*; None: in any."""
        return self.floor if space is None else max(self.floor, self.floors.get(space, 0))

    def advanced(self, provider: str, *, now: Instant, reason: str) -> Barrier:
        """This barrier with the epoch of *provider* raised by one."""
        epoch = Epoch(self.epoch(provider) + 1, self.sequence + 1, int(now), reason)
        return msgspec.structs.replace(self, sequence=epoch.sequence, epochs={**self.epochs, provider: epoch})

    def remembers(self, known: Barrier) -> bool:
        """Whether this may be what became of *known*: nothing that it forbade is missing but what was dropped."""
        if self == known:
            return True
        lower = any(self._floor(space) < floor for space, floor in known.floors.items())
        if self.sequence < known.sequence or self.floor < known.floor or lower:
            return False
        return (
            self._stands_for([one for one in known.open if one.sequence > self._floor(one.selector.space)])
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
        highest = max((known.floor, *known.floors.values()))
        if highest <= self.sequence and known._stands_for(self.open) and known.remembers(self):
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

    def _stands_for(self, some: Sequence[Invalidation]) -> bool:
        """Whether each of these is open here, or one that has taken its place."""
        return self._has(some) or all(any(stands_for(mine, one) for mine in self.open) for one in some)

    def since(self, sequence: int) -> tuple[Invalidation, ...] | None:
        """
        What was invalidated since *sequence*, as far as more is not said by younger ones: the open ones, epochs as
        those of their provider, and spaces of which some are not known any more. None when that is everywhere.
        """
        epochs = (
            Invalidation(one.sequence, Selector(provider=name), one.at, one.reason, swept=True)
            for name, one in self.epochs.items()
        )
        spaces = (Invalidation(one, Selector(pattern=f"{space}:*"), 0, "") for space, one in self.floors.items())
        younger = tuple(one for one in (*self.open, *epochs, *spaces) if one.sequence > sequence)
        everything = any(one.selector == Selector() for one in younger)
        # Who has never seen any may have missed some of a record that was lost before this one was begun.
        told = sequence >= self.floor if sequence else len(younger) == self.sequence
        return younger if everything or told else None

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
