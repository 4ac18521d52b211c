"""
What a vendor's new model would cost: the answers of older epochs that are still kept, or those of the present one,
which raising it now would make old; counted and priced.

Rule 1: an answer is of an older epoch when it was bought before that was raised, or lies where nobody looks any more
        because the question is another one now (the epoch was set, the model or a parameter changed).
Rule 2: nothing is bought here, and nothing can be: uploads are not kept. Each content is bought when it comes again.
Rule 3: pages are small, what was seen is bounded, and there is a deadline; then the figures are the least it can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from hashcache.core.barrier import Barrier
from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Head
from hashcache.engine.cache import Cache
from hashcache.ports import Provider
from hashcache.service.routing import Routing

#: How many keys of verdicts near the threshold are named.
MOST_KEYS = 100
#: How many entries of older epochs are looked at.
MOST_SEEN = 200_000
#: How long a scan may take.
DEADLINE = timedelta(seconds=20)
_PAGE = 500
#: How many entries are read at once, and about how many bytes.
_MOST_READ, _MOST_BYTES = 50, 1_000_000
#: 0.8 is nearer to 0.7 than 0.1 to whoever writes decimals, not in binary.
_ROUNDING = 1e-9


class _Scored(msgspec.Struct):
    """What is looked at of a result."""

    score_ai: float | None = None


_decoder = msgspec.json.Decoder(_Scored)


@dataclass(slots=True)
class Counted:
    """
    Entries of some epochs: how many by *kind*, what they cost in micro-dollars, how many had a score near the
    threshold (*doubtful*) and the *nearest* of those, each with its distance and score. *scanned* entries were looked
    at, of any provider; *complete*: those were all.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    cost: int = 0
    doubtful: int = 0
    nearest: list[tuple[float, str, float]] = field(default_factory=list)
    scanned: int = 0
    complete: bool = False

    def add(self, entry: Entry, threshold: float | None, near: float) -> None:
        """One more."""
        self.kinds[entry.label.kind] += 1
        self.cost += entry.price
        score = _score(entry)
        if score is None or threshold is None or abs(score - threshold) > near + _ROUNDING:
            return
        self.doubtful += 1
        self.nearest.append((abs(score - threshold), entry.key.logical, score))
        if len(self.nearest) > 2 * MOST_KEYS:
            self.cut()

    def cut(self) -> None:
        """Keep the nearest in order."""
        self.nearest = sorted(self.nearest)[:MOST_KEYS]


class Reanalysis:
    """Looks for entries of older epochs in the store of *cache*. *monotonic* gives seconds."""

    def __init__(self, cache: Cache, routing: Routing, *, monotonic: Callable[[], float]) -> None:
        self._cache = cache
        self._store = cache.store
        self._routing = routing
        self._monotonic = monotonic

    async def count(
        self, provider: Provider, *, near: float, present: bool = False, within: timedelta = DEADLINE
    ) -> Counted:
        """
        What is kept of older epochs of *provider*, or of the *present* one, and which scores were at most *near* from
        its threshold.

        Raises:
            StoreUnavailable: the store is away.
        """
        ends = self._monotonic() + within.total_seconds()
        barrier = await self._cache.witness.learn()
        counted, seen = Counted(), set[bytes]()
        cursor: str | None = None
        while self._monotonic() < ends and len(seen) < MOST_SEEN:
            page = await self._store.scan(cursor, _PAGE)
            counted.scanned += len(page.heads)
            meant = [
                head
                for head in page.heads
                if head.key.short not in seen
                and self._kept(provider, head, barrier)
                and self._is_older(provider, head, barrier) is not present
            ]
            seen.update(head.key.short for head in meant)
            for heads in _portions(list({head.key: head for head in meant}.values())):
                for entry in await self._entries(heads):
                    counted.add(entry, provider.terms.ai_above, near)
            cursor = page.cursor
            if cursor is None:
                counted.complete = True
                break
        counted.cut()
        return counted

    def _kept(self, provider: Provider, head: Head, barrier: Barrier) -> bool:
        """Whether *head* is of *provider*, and neither expired nor cleared."""
        return head.label.provider == provider.name and head.expires > self._store.now() and not barrier.clears(head)

    def _is_older(self, provider: Provider, head: Head, barrier: Barrier) -> bool:
        """Whether *head*, of *provider*, is of an older epoch than the present one."""
        if barrier.outdates(head):
            return True
        label = head.label
        kind = next((kind for kind in provider.kinds if kind == label.kind), None)
        return kind is not None and head.key.variant != self._variant(provider, kind, label.tenant)

    def _variant(self, provider: Provider, kind: Kind, tenant: str) -> str:
        return self._routing.question(provider, kind, tenant).variant

    async def _entries(self, heads: Sequence[Head]) -> list[Entry]:
        """The answers that *heads* describe; the memory of a failure is none, and cost nothing that counts here."""
        reading = await self._store.read([head.key for head in heads])
        pairs = zip(heads, (slot.entry for slot in reading.slots), strict=True)
        return [
            entry
            for head, entry in pairs
            if entry is not None
            and not entry.error
            and (entry.sequence, entry.created) == (head.sequence, head.created)
        ]


def _portions(heads: Sequence[Head]) -> Iterator[list[Head]]:
    """*heads*, as many at once as may be read."""
    portion: list[Head] = []
    size = 0
    for head in heads:
        if portion and (len(portion) == _MOST_READ or size + head.size > _MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(head)
        size += head.size
    if portion:
        yield portion


def _score(entry: Entry) -> float | None:
    try:
        return _decoder.decode(entry.payload).score_ai
    except (msgspec.DecodeError, RecursionError):
        return None
