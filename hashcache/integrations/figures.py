"""
What a cache did since it was opened, in all and by type.

Rule 1: the counters are those of this process; keys and memory are the store's.
Rule 2: what is not known is None, never a made-up zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hashcache.core.content import Kind
from hashcache.core.outcome import Outcome, Status
from hashcache.integrations.types import Type
from hashcache.ports import StoreHealth


@dataclass(frozen=True, slots=True)
class TypeStats:
    """
    One type. *misses* include *collapsed*: callers who joined a run under way. *stale* are among the hits. *refused*:
    runs of a type that keeps nothing. *keys*: entries in the store. *on_target*: whether *hit_rate* (in percent)
    reaches *target_hit_rate*; None: none is set, or nothing was asked yet. *secrets*: how many were found in answers,
    by rule.
    """

    hits: int
    misses: int
    stale: int
    collapsed: int
    refused: int
    total_requests: int
    hit_rate: float
    keys: int | None
    target_hit_rate: float | None
    on_target: bool | None
    secrets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stats:
    """
    *enabled*: a store is configured. *available*: it answers now. *status*: `connected`, `embedded`, `degraded` or
    `off`. *keys*: entries of the library in the store; *memory_used*, *memory_max*: bytes of the whole store. *errors*:
    what the store did not do. *hit_rate*: hits of a hundred requests. *secrets*: how many were found, by rule.
    """

    enabled: bool
    available: bool
    status: str
    keys: int | None
    memory_used: int | None
    memory_max: int | None
    hits: int
    misses: int
    errors: int
    total_requests: int
    hit_rate: float
    by_type: Mapping[str, TypeStats]
    secrets: Mapping[str, int]


class Tally:
    """Counts."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._secrets: dict[str, Counter[str]] = {}
        self.errors = 0

    def hit(self, kind: str) -> None:
        """A question of the type *kind* was answered by what is kept."""
        self._of(kind)["hits"] += 1

    def answered(self, kind: str, outcome: Outcome) -> None:
        """A question of the type *kind* was answered."""
        counts = self._of(kind)
        if outcome.cached:
            counts["hits"] += 1
            counts["stale"] += outcome.status is Status.STALE
        else:
            counts["misses"] += 1
            counts["collapsed"] += outcome.collapsed

    def looked(self, kind: str, *, found: bool) -> None:
        """Somebody looked without a load."""
        self._of(kind)["hits" if found else "misses"] += 1

    def missed(self, kind: str) -> None:
        """A question was answered by an error of the function."""
        self._of(kind)["misses"] += 1

    def refused(self, kind: str) -> None:
        """A function of a type that keeps nothing ran."""
        self._of(kind)["refused"] += 1

    def leaked(self, kind: str, found: Mapping[str, int]) -> None:
        """An answer of the type *kind* held secrets, so many by which rule."""
        self._of(kind)
        self._secrets.setdefault(kind, Counter()).update(found)

    def stats(self, health: StoreHealth, types: Iterable[Type]) -> Stats:
        """The figures, with what the store tells and what *types* want."""
        targets = {one.name: one.target_hit_rate for one in types}
        keys = None if health.keys is None else {k: n for k, n in health.keys.items() if k not in set(Kind)}
        names = sorted({*self._counts, *(keys or ())})
        by_type = {
            name: _of_type(
                self._counts.get(name, Counter()),
                None if keys is None else keys.get(name, 0),
                targets.get(name),
                dict(self._secrets.get(name, {})),
            )
            for name in names
        }
        hits, misses = (sum(getattr(one, what) for one in by_type.values()) for what in ("hits", "misses"))
        return Stats(
            enabled=health.status != "off",
            available=health.status in {"connected", "embedded"},
            status=health.status,
            keys=None if keys is None else sum(keys.values()),
            memory_used=health.used,
            memory_max=health.most,
            hits=hits,
            misses=misses,
            errors=self.errors,
            total_requests=hits + misses,
            hit_rate=_rate(hits, misses),
            by_type=by_type,
            secrets=dict(sum(self._secrets.values(), Counter())),
        )

    def _of(self, kind: str) -> Counter[str]:
        counts = self._counts.get(kind)
        if counts is None:
            counts = self._counts[kind] = Counter()
        return counts


def _of_type(counts: Counter[str], keys: int | None, target: float | None, secrets: Mapping[str, int]) -> TypeStats:
    hits, misses = counts["hits"], counts["misses"]
    rate = _rate(hits, misses)
    return TypeStats(
        hits=hits,
        misses=misses,
        stale=counts["stale"],
        collapsed=counts["collapsed"],
        refused=counts["refused"],
        total_requests=hits + misses,
        hit_rate=rate,
        keys=keys,
        target_hit_rate=target,
        on_target=None if target is None or not hits + misses else rate >= target,
        secrets=secrets,
    )


def _rate(hits: int, misses: int) -> float:
    return round(100 * hits / (hits + misses), 2) if hits + misses else 0.0
