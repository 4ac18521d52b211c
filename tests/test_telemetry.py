"""What happened is counted in its class, and a line of the log stays one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
import structlog

from hashcache.core.content import Kind
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.errors import ProviderFailed
from hashcache.core.key import Key, Question
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.telemetry import Telemetry, safe_name


@dataclass
class Told:
    """A reporter that writes down what it is given."""

    counts: Counter[str] = field(default_factory=Counter)
    hits: list[Key] = field(default_factory=list)
    lines: Counter[str] = field(default_factory=Counter)

    def add(self, counts: Mapping[str, int], lines: Mapping[str, int] | None = None) -> None:
        self.counts.update(counts)
        self.lines.update(lines or {})

    def hit(self, key: Key) -> None:
        self.hits.append(key)


@pytest.fixture
def told() -> Told:
    """Nothing happened yet."""
    return Told()


@pytest.fixture
def telemetry(told: Told) -> Telemetry:
    """One that tells *told*."""
    return Telemetry(told)  # type: ignore[arg-type]  # as much of a reporter as is asked here


def test_what_is_bought_is_counted(telemetry: Telemetry, told: Told) -> None:
    """A call and its price, by provider."""
    telemetry.bought("shop", MicroDollars(10_000), duration=0.1, stored=True)
    assert told.counts == {"calls.shop": 1, "spent.shop": 10_000}


def test_only_hits_are_hits_of_their_key(telemetry: Telemetry, told: Told) -> None:
    """A miss counts for its key only once somebody is served from the cache."""
    key = Key.of("ab" * 32, Question(Kind.IMAGE, "default", "shop", "model"))
    entry = Entry(key, Label("image", "default", "shop"), b"{}", 0, Instant(0), Instant(9_000))
    telemetry.answered(Outcome(entry, Status.MISS, Level.SOURCE, Instant(1)), None, milliseconds=1)
    assert told.hits == []
    with structlog.testing.capture_logs() as lines:
        telemetry.answered(Outcome(entry, Status.HIT, Level.NEAR, Instant(1)), None, milliseconds=1)
    assert told.hits == [key]
    assert (lines[0]["event"], lines[0]["sha256"], lines[0]["ttl"]) == ("cache.hit", "ab" * 6, 8)


def test_a_call_that_may_be_billed_is_wasted(telemetry: Telemetry, told: Told) -> None:
    """Only when the error says so."""
    for error in (ProviderFailed("shop", "refused"), ProviderFailed("shop", "lost", possibly_paid=True)):
        telemetry.lost("shop", duration=0.1, error=error, price=MicroDollars(10_000))
    assert told.counts == {"calls.shop": 2, "failed.shop": 2, "wasted.shop": 10_000}


def test_only_our_own_failures_are_errors(telemetry: Telemetry, told: Told) -> None:
    """A client's mistake is logged, not counted as an error of the service."""
    telemetry.refused("malformed", status=400, method="GET", path="/")
    assert told.counts == {}
    telemetry.refused("internal", status=500, method="GET", path="/")
    assert told.counts == {"errors": 1}


def test_a_digest_in_a_path_is_shortened(telemetry: Telemetry) -> None:
    """The log of refusals does not tell which files a tenant has."""
    with structlog.testing.capture_logs() as lines:
        telemetry.refused("not-found", status=404, method="GET", path="/api/analyses/" + "ab" * 32)
    assert lines[0]["path"] == "/api/analyses/abababababab"


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
