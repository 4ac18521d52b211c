"""Counters go out in batches, survive a ledger that is away, and a line of the log stays one line."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import pytest
import structlog

from hashcache.core.errors import StoreUnavailable
from hashcache.core.money import MicroDollars
from hashcache.telemetry import Telemetry, safe_name
from tests.harness.turns import until


class Books:
    """A ledger in memory that can be away."""

    def __init__(self) -> None:
        self.batches: list[Mapping[str, int]] = []
        self.away = False

    async def add(self, counts: Mapping[str, int]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.batches.append(dict(counts))

    async def totals(self) -> Mapping[str, int]:
        if self.away:
            raise StoreUnavailable("away")
        totals: Counter[str] = Counter()
        for batch in self.batches:
            totals.update(batch)
        return totals


@pytest.fixture
def books() -> Books:
    """An empty ledger."""
    return Books()


async def test_a_batch_holds_everything_since_the_last(books: Books) -> None:
    """Many events, one batch; nothing happens, no batch."""
    one = Telemetry(books, refused=lambda: 0, pause=0.01)
    one.start()
    for _ in range(100):
        one.bought("shop", MicroDollars(10_000), duration=0.1, stored=True)
    await until(lambda: len(books.batches) == 1)
    assert books.batches == [{"calls.shop": 100, "spent.shop": 1_000_000}]
    await one.close()
    assert len(books.batches) == 1


async def test_figures_include_what_is_not_flushed(books: Books) -> None:
    """Whoever looks sees his own requests at once."""
    one = Telemetry(books, refused=lambda: 0)
    one.bought("shop", MicroDollars(10_000), duration=0.1, stored=True)
    assert (await one.figures())["calls.shop"] == 1
    await one.close()
    assert (await one.figures())["calls.shop"] == 1


async def test_a_ledger_that_is_away_loses_nothing(books: Books) -> None:
    """What could not be added goes with a later batch, once."""
    one = Telemetry(books, refused=lambda: 0)
    books.away = True
    one.bought("shop", MicroDollars(10_000), duration=0.1, stored=True)
    await one.close()
    assert (await one.figures())["calls.shop"] == 1
    books.away = False
    one.bought("shop", MicroDollars(10_000), duration=0.1, stored=True)
    await one.close()
    assert books.batches == [{"calls.shop": 2, "spent.shop": 20_000}]


async def test_refused_entries_are_counted_once(books: Books) -> None:
    """The store's own count goes up; only the difference is added."""
    refused = 3
    one = Telemetry(books, refused=lambda: refused)
    await one.close()
    refused = 5
    await one.close()
    await one.close()
    assert books.batches == [{"refused": 3}, {"refused": 2}]


async def test_a_call_that_may_be_billed_is_wasted(books: Books) -> None:
    """Only when the error says so."""
    one = Telemetry(books, refused=lambda: 0)
    safe, unsure = RuntimeError("refused"), RuntimeError("lost")
    unsure.possibly_paid = True  # type: ignore[attr-defined]  # as a ProviderError says it
    for error in (safe, unsure):
        one.lost("shop", duration=0.1, error=error, price=MicroDollars(10_000))
    await one.close()
    assert books.batches == [{"calls.shop": 2, "failed.shop": 2, "wasted.shop": 10_000}]


async def test_a_digest_in_a_path_is_shortened(books: Books) -> None:
    """The log of refusals does not tell which files a tenant has."""
    one = Telemetry(books, refused=lambda: 0)
    with structlog.testing.capture_logs() as lines:
        one.refused("not-found", status=404, method="GET", path="/api/analyses/" + "ab" * 32)
    assert lines[0]["path"] == "/api/analyses/abababababab"
    await one.close()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, None),
        ("photo.jpg", "photo.jpg"),
        ("ünï 写真.png", "ünï 写真.png"),
        ("a\r\nb\x1b[31m", "a\\u000d\\u000ab\\u001b[31m"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_names_are_made_safe(name: str | None, shown: str | None) -> None:
    """Control, format and bidirectional characters are escaped; everything else stays as it is."""
    assert safe_name(name) == shown


def test_long_names_are_cut() -> None:
    """At most 200 characters and an ellipsis, also when escapes make them longer."""
    assert safe_name("x" * 300) == "x" * 200 + "…"
    assert safe_name("\n" * 150) == ("\\u000a" * 150)[:200] + "…"


async def test_closing_twice_is_safe(books: Books) -> None:
    """And so is closing what never started."""
    one = Telemetry(books, refused=lambda: 0)
    await asyncio.gather(one.close(), one.close())
    assert books.batches == []
