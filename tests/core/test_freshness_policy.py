"""How long an answer lives, when it is refreshed or prolonged, and what may be served when it is stale."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hashcache.core.barrier import Barrier, Selector
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.freshness import Cause, Fresh, Missing, Stale, judge, lifetime, prolonged, refresh_is_due
from hashcache.core.key import Key
from hashcache.core.policy import NEVER, Policy

MILLISECOND = timedelta(milliseconds=1)
BOUGHT, EXPIRES = Instant(1_000_000), Instant(1_060_000)
ENTRY = Entry(
    Key("analysis", "x", "v"), Label("image", "acme", "generic"), b"{}", 3, BOUGHT, EXPIRES, kept=Instant(1_120_000)
)
NEGATIVE = structs.replace(ENTRY, error="rejected", failures=1)
#: As it was when the entry was bought: it forbids nothing.
OPEN = Barrier(3)
CLEARED = OPEN.raised(Selector(), now=Instant(0), reason="test")
INSTANTS = st.integers(0, 2**41).map(Instant)
WINDOWS = st.timedeltas(NEVER, timedelta(days=400)).map(lambda length: length // MILLISECOND * MILLISECOND)
CHANCES = st.floats(0, 1, exclude_max=True)
ENTRIES = st.builds(
    lambda created, life, error: structs.replace(ENTRY, created=created, expires=Instant(created + life), error=error),
    INSTANTS,
    st.integers(1, 10**10),
    st.sampled_from(["", "rejected"]),
)


@pytest.mark.parametrize(
    ("entry", "late", "revalidate", "on_error", "expected"),
    [
        pytest.param(ENTRY, -1, 10, 10, Fresh(ENTRY), id="not stale yet"),
        pytest.param(ENTRY, 0, 10, 0, Stale(ENTRY), id="stale at once"),
        pytest.param(ENTRY, 9, 10, 0, Stale(ENTRY), id="the last millisecond of revalidation"),
        pytest.param(ENTRY, 10, 10, 0, Missing(Cause.EXPIRED), id="the first after it"),
        pytest.param(ENTRY, 10, 10, 11, Missing(Cause.EXPIRED, ENTRY), id="kept for errors longer"),
        pytest.param(ENTRY, 11, 10, 11, Missing(Cause.EXPIRED), id="too late for errors as well"),
        pytest.param(ENTRY, 0, 0, 1, Missing(Cause.EXPIRED, ENTRY), id="for errors only"),
        pytest.param(ENTRY, 5, 10, 10, Stale(ENTRY), id="revalidation comes first"),
        pytest.param(NEGATIVE, -1, 10, 10, Fresh(NEGATIVE), id="a negative one while it is fresh"),
        pytest.param(NEGATIVE, 0, 10, 10, Missing(Cause.EXPIRED), id="a negative one is never stale"),
    ],
)
def test_what_may_be_served_stale(
    entry: Entry, late: int, revalidate: int, on_error: int, expected: Fresh | Stale | Missing
) -> None:
    """Within the window of RFC 5861 that is meant, to the millisecond, and never when it says that there is none."""
    windows = {"stale_while_revalidate": revalidate * MILLISECOND, "stale_if_error": on_error * MILLISECOND}
    assert judge(entry, now=Instant(EXPIRES + late), barrier=OPEN, **windows) == expected


def test_who_asks_for_a_new_answer_gets_no_stale_one_but_may_fall_back() -> None:
    """A forced refresh buys; only if that fails does the old answer serve."""
    windows = {"stale_while_revalidate": timedelta(1), "stale_if_error": timedelta(1)}
    verdict = judge(ENTRY, now=EXPIRES, barrier=OPEN, not_before=Instant(BOUGHT + 1), **windows)
    assert verdict == Missing(Cause.EXPIRED, ENTRY)


@given(ENTRIES, INSTANTS, WINDOWS, WINDOWS, INSTANTS)
def test_what_was_cleared_is_never_served(
    entry: Entry, now: Instant, revalidate: timedelta, on_error: timedelta, not_before: Instant
) -> None:
    """Neither fresh, nor stale, nor in place of an error."""
    windows = {"stale_while_revalidate": revalidate, "stale_if_error": on_error}
    assert judge(entry, now=now, barrier=CLEARED, not_before=not_before, **windows) == Missing(Cause.CLEARED)


@given(ENTRIES, INSTANTS, WINDOWS, WINDOWS, INSTANTS)
def test_nothing_is_served_beyond_what_was_promised(
    entry: Entry, now: Instant, revalidate: timedelta, on_error: timedelta, not_before: Instant
) -> None:
    """Fresh before it expires, stale within its window, a fallback within its own; older than asked for: neither."""
    windows = {"stale_while_revalidate": revalidate, "stale_if_error": on_error}
    verdict = judge(entry, now=now, barrier=OPEN, not_before=not_before, **windows)
    late = (now - entry.expires) * MILLISECOND
    if isinstance(verdict, Fresh):
        assert now < entry.expires
    elif isinstance(verdict, Stale):
        assert not entry.error
        assert NEVER <= late < revalidate
    else:
        assert verdict.cause in (Cause.EXPIRED, Cause.REFRESH)
        assert (verdict.fallback is not None) is (not entry.error and NEVER <= late < on_error)
    if isinstance(verdict, Fresh | Stale):
        assert entry.created >= not_before


@given(ENTRIES, INSTANTS)
def test_without_a_policy_nothing_stale_is_served(entry: Entry, now: Instant) -> None:
    """Paid analyses: fresh or bought."""
    verdict = judge(entry, now=now, barrier=OPEN)
    assert verdict == (Fresh(entry) if now < entry.expires else Missing(Cause.EXPIRED))


@given(ENTRIES, INSTANTS, CHANCES)
def test_no_refresh_ahead_unless_it_is_asked_for(entry: Entry, now: Instant, chance: float) -> None:
    """Beta 0 turns it off, even in the last millisecond; a negative entry is never refreshed."""
    assert not refresh_is_due(structs.replace(entry, took=10_000), now=now, beta=0, chance=1 - chance)
    negative = structs.replace(entry, error="rejected", took=10_000)
    assert not refresh_is_due(negative, now=now, beta=1, chance=1 - chance)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("left", [0.1, 1.0, 3.0])
def test_a_refresh_ahead_is_as_likely_as_the_paper_says(beta: float, left: float) -> None:
    """With *left* purchases' time to go, a read refreshes with probability exp(-left / beta): 20,000 seeded draws."""
    entry = structs.replace(ENTRY, took=2_000)
    now = Instant(int(EXPIRES - left * entry.took))
    draw = random.Random(20_261_121)  # noqa: S311 -- a seeded stream is what the test is about
    due = sum(refresh_is_due(entry, now=now, beta=beta, chance=1 - draw.random()) for _ in range(20_000))
    likely = math.exp(-left / beta)
    assert abs(due / 20_000 - likely) < 5 * math.sqrt(likely * (1 - likely) / 20_000)


@given(st.integers(0, 59_999), st.integers(0, 59_999), st.floats(1e-9, 1), st.floats(1e-9, 1), st.floats(0.1, 10))
def test_a_refresh_is_likelier_later_and_for_smaller_chances(
    one: int, other: int, chance: float, another: float, beta: float
) -> None:
    """What is due stays due later on and with less luck."""
    entry = structs.replace(ENTRY, took=5_000)
    early, later = sorted((Instant(BOUGHT + one), Instant(BOUGHT + other)))
    if refresh_is_due(entry, now=early, beta=beta, chance=max(chance, another)):
        assert refresh_is_due(entry, now=later, beta=beta, chance=min(chance, another))


def test_the_unluckiest_draw_refreshes_only_at_the_end() -> None:
    """Chance 1 never refreshes ahead of time; what was free to buy is never refreshed ahead either."""
    assert not refresh_is_due(structs.replace(ENTRY, took=10**6), now=Instant(EXPIRES - 1), beta=1, chance=1)
    assert refresh_is_due(structs.replace(ENTRY, took=10**6), now=EXPIRES, beta=1, chance=1)
    assert not refresh_is_due(structs.replace(ENTRY, took=0), now=Instant(EXPIRES - 1), beta=1, chance=1e-300)


@given(WINDOWS.filter(bool), st.floats(0, 0.99), CHANCES)
def test_jitter_only_ever_shortens_a_life(ttl: timedelta, jitter: float, chance: float) -> None:
    """By its share at most; without jitter the ttl is exact."""
    life = lifetime(Policy(ttl, jitter=jitter), chance=chance, before=None, payload=b"")
    assert ttl * (1 - jitter) - timedelta(microseconds=1) <= life <= ttl
    assert lifetime(Policy(ttl), chance=chance, before=None, payload=b"") == ttl


def test_jitter_spreads_over_its_whole_share() -> None:
    """Chance 0 leaves all, a half takes half of the share."""
    policy = Policy(timedelta(seconds=100), jitter=0.2)
    lives = [lifetime(policy, chance=chance, before=None, payload=b"").total_seconds() for chance in (0, 0.5, 0.999)]
    assert lives == [100, 90, pytest.approx(80.02)]


VOLATILE = Policy(timedelta(seconds=60), shortest=timedelta(seconds=20), longest=timedelta(seconds=150))


@pytest.mark.parametrize(
    ("before", "payload", "seconds"),
    [
        pytest.param(None, b"{}", 60, id="the first answer"),
        pytest.param(ENTRY, b"{}", 120, id="the same again: twice as long"),
        pytest.param(ENTRY, b"[]", 30, id="another: half as long"),
        pytest.param(structs.replace(ENTRY, expires=Instant(BOUGHT + 100_000)), b"{}", 150, id="at most the longest"),
        pytest.param(structs.replace(ENTRY, expires=Instant(BOUGHT + 30_000)), b"[]", 20, id="at least the shortest"),
        pytest.param(NEGATIVE, b"{}", 60, id="after a failure: as the first"),
    ],
)
def test_a_ttl_by_volatility(before: Entry | None, payload: bytes, seconds: int) -> None:
    """It follows how the answers change, between its bounds."""
    assert lifetime(VOLATILE, chance=0, before=before, payload=payload) == timedelta(seconds=seconds)


@given(ENTRIES, st.binary(max_size=3), CHANCES)
def test_a_ttl_by_volatility_stays_within_its_bounds(before: Entry, payload: bytes, chance: float) -> None:
    """Whatever came before; and without bounds nothing that came before counts."""
    life = lifetime(VOLATILE, chance=chance, before=before, payload=payload)
    assert timedelta(seconds=20) <= life <= timedelta(seconds=150)
    assert lifetime(Policy(timedelta(seconds=60)), chance=chance, before=before, payload=payload).seconds == 60


LATE = Policy(timedelta(seconds=60), late=0.5)


@pytest.mark.parametrize(
    ("entry", "now", "policy", "expected"),
    [
        pytest.param(ENTRY, BOUGHT + 29_999, LATE, None, id="in the first half"),
        pytest.param(ENTRY, BOUGHT + 30_000, LATE, BOUGHT + 90_000, id="in the second half"),
        pytest.param(ENTRY, EXPIRES - 1, LATE, EXPIRES - 1 + 60_000, id="in the last millisecond"),
        pytest.param(ENTRY, EXPIRES, LATE, None, id="too late: it is dead, and stays so"),
        pytest.param(ENTRY, EXPIRES - 1, Policy(timedelta(seconds=60)), None, id="not asked for"),
        pytest.param(ENTRY, BOUGHT, replace(LATE, late=1.0), None, id="at once: that gains nothing"),
        pytest.param(ENTRY, BOUGHT + 1, replace(LATE, late=1.0), BOUGHT + 60_001, id="the whole life is late"),
        pytest.param(ENTRY, EXPIRES - 1, Policy(timedelta(milliseconds=1), late=0.5), None, id="a shorter ttl by now"),
        pytest.param(NEGATIVE, EXPIRES - 1, LATE, None, id="a failure"),
    ],
)
def test_what_is_read_late_lives_its_ttl_again(entry: Entry, now: int, policy: Policy, expected: int | None) -> None:
    """From the read on, and only if that is longer than what it has; what is dead is never brought back to life."""
    assert prolonged(entry, now=Instant(now), policy=policy) == expected


def test_what_is_read_all_the_time_is_prolonged_twice_a_ttl_at_most() -> None:
    """Each prolonging is a command to the store that somebody may bill: a read a second for an hour costs 120."""
    entry, count = ENTRY, 0
    for second in range(3_600):
        until = prolonged(entry, now=Instant(BOUGHT + second * 1000), policy=LATE)
        if until is not None:
            entry, count = structs.replace(entry, expires=until), count + 1
    assert count == pytest.approx(120, abs=2)


@given(ENTRIES, INSTANTS, st.floats(0, 1), WINDOWS.filter(bool))
def test_prolonging_only_ever_adds_and_never_revives(entry: Entry, now: Instant, late: float, ttl: timedelta) -> None:
    """Until later than it would have lived, by one ttl from now at most; never for what is expired or failed."""
    until = prolonged(entry, now=now, policy=Policy(ttl, late=late))
    if until is not None:
        assert not entry.error
        assert now < entry.expires < until <= now + ttl // MILLISECOND
