"""
One invalidation, and how several become fewer without forbidding less.

Rule 1: a younger one whose selector covers an older one's has *taken its place*: it forbids all that the other did, and
        what was bought in between as well. It is later in time, too, by the clock of whoever raised it: so it is not
        taken for one of another history of the same store.
Rule 2: the newest is the last, whatever has taken whose place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from hashcache.core.selector import Selector, common

#: Why more is forbidden than anybody asked for.
MERGED = "more was cleared at once than there is room to tell apart"


class Invalidation(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One open selector: since which *sequence*, when, why, and how far the sweep is. *first*: the first sequence of those
    whose place it has taken; 0: of none.
    """

    sequence: int
    selector: Selector
    at: int
    reason: str
    deleted: int = 0
    swept: bool = False
    first: int = 0


def stands_for(one: Invalidation, other: Invalidation) -> bool:
    """Whether *one* is *other*, however far their sweeps are, or has taken its place."""
    if one.sequence == other.sequence:
        return (one.at, one.selector) == (other.at, other.selector)
    return one.sequence > other.sequence and one.at > other.at and one.selector.covers(other.selector)


def with_newest(some: Sequence[Invalidation], newest: Invalidation) -> list[Invalidation]:
    """*some* and *newest*, which takes the place of all that it covers."""
    over = [one for one in some if newest.selector.covers(one.selector)]
    first = min((one.first or one.sequence for one in over), default=0)
    at = max((newest.at, *(one.at + 1 for one in over)))
    return [*(one for one in some if one not in over), msgspec.structs.replace(newest, at=at, first=first)]


def merged(some: Sequence[Invalidation], alike: Sequence[Invalidation]) -> list[Invalidation]:
    """
    *some*, of which those become one that are most *alike*: they differ in tag and pattern alone, or else they are all
    of them. Both end with the newest; so does what comes back, unless the one has taken its place.
    """
    *older, newest = some
    groups: defaultdict[object, list[Selector]] = defaultdict(list)
    for one in alike:
        groups[one.selector.kind, one.selector.tenant, one.selector.provider].append(one.selector)
    largest = max(groups.values(), key=len)
    meant = common(largest if len(largest) > 1 else [one.selector for one in alike])
    together = Invalidation(newest.sequence, meant, newest.at, MERGED)
    if meant.covers(newest.selector):
        return with_newest(some, together)
    return [*with_newest(older, together), msgspec.structs.replace(newest, sequence=newest.sequence + 1)]
