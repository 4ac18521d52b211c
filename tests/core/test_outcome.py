"""What one request did, in the words of RFC 9211 and in money."""

from __future__ import annotations

import pytest

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.freshness import Cause
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Level, Outcome, Status

NOW = Instant(1_000_000)
ENTRY = Entry(
    Key("analysis", "x", "v"), Label("image", "t", "p"), b"{}", 0, NOW, Instant(NOW + 604_800_000), MicroDollars(10_000)
)


@pytest.mark.parametrize(
    ("outcome", "field", "spent", "saved"),
    [
        pytest.param(
            Outcome(ENTRY, Status.HIT, Level.STORE, NOW),
            "hashcache; hit; ttl=604800; detail=store",
            0,
            10_000,
            id="hit",
        ),
        pytest.param(
            Outcome(ENTRY, Status.HIT, Level.NEAR, Instant(NOW + 1500), store_away=True),
            "hashcache; hit; ttl=604798; detail=store-away",
            0,
            10_000,
            id="hit while the store is away",
        ),
        pytest.param(
            Outcome(ENTRY, Status.MISS, Level.SOURCE, NOW, Cause.NEW),
            "hashcache; fwd=uri-miss; ttl=604800; stored; detail=source",
            10_000,
            0,
            id="miss",
        ),
        pytest.param(
            Outcome(ENTRY, Status.MISS, Level.SOURCE, NOW, Cause.EXPIRED),
            "hashcache; fwd=stale; ttl=604800; stored; detail=source",
            10_000,
            0,
            id="expired",
        ),
        pytest.param(
            Outcome(ENTRY, Status.MISS, Level.SOURCE, NOW, Cause.CLEARED),
            "hashcache; fwd=uri-miss; ttl=604800; stored; detail=source",
            10_000,
            0,
            id="cleared",
        ),
        pytest.param(
            Outcome(ENTRY, Status.MISS, Level.SOURCE, NOW, Cause.REFRESH),
            "hashcache; fwd=request; ttl=604800; stored; detail=source",
            10_000,
            0,
            id="refresh",
        ),
        pytest.param(
            Outcome(ENTRY, Status.MISS, Level.SOURCE, NOW, Cause.NEW, collapsed=True),
            "hashcache; fwd=uri-miss; ttl=604800; collapsed; detail=source",
            0,
            10_000,
            id="joined",
        ),
        pytest.param(
            Outcome(ENTRY, Status.MISS, Level.SOURCE, NOW, Cause.NEW, stored=False, store_away=True),
            "hashcache; fwd=uri-miss; detail=store-away",
            10_000,
            0,
            id="miss while the store is away",
        ),
        pytest.param(
            Outcome(ENTRY, Status.BYPASS, Level.SOURCE, NOW, Cause.NEW, stored=False),
            "hashcache; fwd=uri-miss; detail=source",
            10_000,
            0,
            id="no-store",
        ),
    ],
)
def test_outcomes(outcome: Outcome, field: str, spent: int, saved: int) -> None:
    """The field of the answer, what was spent and what was saved: never both, never neither."""
    assert outcome.cache_status == field
    assert (outcome.spent, outcome.saved) == (spent, saved)
    assert outcome.cached is (outcome.status is Status.HIT)


def test_stale_counts_as_cached() -> None:
    """Served although expired: nothing was bought."""
    outcome = Outcome(ENTRY, Status.STALE, Level.STORE, Instant(ENTRY.expires + 1))
    assert outcome.cached
    assert outcome.cache_status == "hashcache; hit; ttl=0; detail=store"
