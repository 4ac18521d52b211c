"""
What the service answers, as frozen objects in the words of docs/api.md.

Rule 1: members that this version does not know are passed over, so a newer service can be asked.
Rule 2: amounts are Decimals of US dollars; instants are aware datetimes in UTC; what is not known is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from hashcache.core.content import Kind
from hashcache.core.result import Confidence, Verdict


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """
    One finding: which *signal*, *where* in the file, its *value*; *strength* is `strong`, `medium`, `weak` or `none`;
    *verified*: cryptography vouches for it; *explanation* is a sentence for people.
    """

    signal: str
    where: str
    value: str
    strength: str
    verified: bool
    explanation: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was found. *score_ai* is within 0 and 1, None where nothing gives a probability. *answer* is what the vendor
    said, as JSON: moderation and OCR come this way. `no_ai_found` never says that a human made it.
    """

    verdict: Verdict
    score_ai: float | None
    confidence: Confidence
    evidence: tuple[Evidence, ...]
    provider: str
    model: str
    model_version: str | None
    analysed_at: datetime
    answer: Any


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one request spent on a purchase, and what it saved because there was none."""

    spent_usd: Decimal
    saved_usd: Decimal


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """
    The answer about one content.

    *cached*: it came from the cache; *uploaded*: as many bytes of the content were sent for it (0: its hash was
    enough). *key* is its name in the cache; *age* and *ttl*: seconds since it was bought, and until it expires.
    """

    sha256: str
    kind: Kind
    cached: bool
    result: Result
    cost: Cost
    uploaded: int = 0
    key: str | None = None
    age: int | None = None
    ttl: int | None = None

    @property
    def verdict(self) -> Verdict:
        """`ai_generated`, `ai_edited`, `captured`, `no_ai_found` or `inconclusive`; compares equal to these strings."""
        return self.result.verdict

    @property
    def score_ai(self) -> float | None:
        """From 0 to 1; None where nothing gives a probability."""
        return self.result.score_ai

    @property
    def confidence(self) -> Confidence:
        """`high`, `medium`, `low` or `none`."""
        return self.result.confidence

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the verdict rests on."""
        return self.result.evidence

    @property
    def provider(self) -> str:
        """Who said it."""
        return self.result.provider


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is known of one content. *problem* is the type of how analysing it failed. Only what is `known` has a
    *result*, and what that saved as its *cost*.
    """

    sha256: str
    status: Literal["known", "pending", "failed", "unknown"]
    kind: Kind | None
    result: Result | None
    problem: str | None
    cost: Cost | None = None


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """*found* has one element for each content that was asked for, in the order in which they were named."""

    found: tuple[Found, ...]
    cost: Cost

    @property
    def known(self) -> int:
        """How many different contents are known."""
        return len({one.sha256 for one in self.found if one.status == "known"})


class CacheFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The cache, over all processes since the store was first used; *hit_rate* in percent. See docs/api.md."""

    enabled: bool
    available: bool
    status: str
    hits: int
    misses: int
    stale: int
    collapsed: int
    stored: int
    invalidations: int
    errors: int
    refused_entries: int
    duplicates: int
    total_requests: int
    hit_rate: float
    by_kind: Mapping[str, Mapping[str, int]]
    misses_by_cause: Mapping[str, int]
    levels: Mapping[str, int]
    memory: Mapping[str, Any]
    commands: Mapping[str, Any] | None
    latency_ms: Mapping[str, Any]


class MoneyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The money in all, since the store was first used."""

    spent_usd: Decimal
    saved_usd: Decimal
    wasted_usd: Decimal
    calls: int
    by_provider: Mapping[str, Mapping[str, Any]]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """*processes*: those that live, None while the store is away."""

    cache: CacheFigures
    money: MoneyFigures
    processes: tuple[Mapping[str, Any], ...] | None


class SpendFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Money and calls of some part of the books; *calls* by what became of them, *units* as the vendors bill."""

    spent_usd: Decimal
    saved_usd: Decimal
    wasted_usd: Decimal
    hits: int
    collapsed: int
    calls: Mapping[str, int]
    units: Mapping[str, int]


class Spend(SpendFigures, frozen=True, kw_only=True):
    """Where the money went from *since* to *until* (days of UTC, both included)."""

    since: str
    until: str
    by_provider: Mapping[str, SpendFigures]
    by_kind: Mapping[str, SpendFigures]
    by_tenant: Mapping[str, SpendFigures]
    by_day: tuple[Mapping[str, Any], ...]
    all_time: SpendFigures
    budgets: tuple[Mapping[str, Any], ...]
    open_attempts: tuple[Mapping[str, Any], ...]
    breakers: tuple[Mapping[str, Any], ...]
    projection: Mapping[str, Any] | None


class Clearing(msgspec.Struct, frozen=True, kw_only=True):
    """
    An invalidation. It holds from the moment of the answer; *deleted* entries are removed so far (of a *dry_run*:
    would be), *done* when all are.
    """

    deleted: int
    done: bool
    id: str | None
    pattern: str | None = None
    dry_run: bool = False
