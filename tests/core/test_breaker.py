"""When to stop asking something that does not answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.breaker import Breaker

CLOSED = Breaker(threshold=3, pause=1.0)
OPEN = CLOSED.failed(10.0).failed(10.1).failed(10.2)


def test_it_opens_after_failures_in_a_row() -> None:
    """Two failures are weather; the third in a row opens it. A success in between starts the count again."""
    assert CLOSED.failed(1.0).failed(2.0).allows(2.0)
    assert not CLOSED.failed(1.0).failed(2.0).failed(3.0).allows(3.0)
    assert CLOSED.failed(1.0).failed(2.0).succeeded().failed(3.0).failed(4.0).allows(4.0)


def test_open_it_allows_a_probe_after_the_pause() -> None:
    """Not a moment sooner."""
    assert not OPEN.allows(11.19)
    assert OPEN.allows(11.21)


def test_one_probe_at_a_time() -> None:
    """While one is under way nobody else asks; one that never comes back frees the way after another pause."""
    probing = OPEN.probe(11.5)
    assert not probing.allows(12.0)
    assert probing.allows(12.5)


def test_a_probe_decides() -> None:
    """Its success closes; its failure opens for another pause, counted from then."""
    probing = OPEN.probe(11.5)
    assert probing.succeeded() == CLOSED
    failed = probing.failed(11.9)
    assert not failed.allows(12.8)
    assert failed.allows(13.0)


def test_closed_there_is_nothing_to_probe() -> None:
    """Announcing a probe of a closed one changes nothing, and success neither."""
    assert CLOSED.probe(1.0) is CLOSED
    assert CLOSED.succeeded() is CLOSED


@given(st.lists(st.tuples(st.sampled_from(["failed", "succeeded", "probe"]), st.floats(0, 2)), max_size=30))
def test_it_never_stays_shut(acts: list[tuple[str, float]]) -> None:
    """Whatever happened, a pause after the last act somebody may ask again; after a success at once."""
    breaker, now = CLOSED, 0.0
    for act, later in acts:
        now += later
        breaker = breaker.succeeded() if act == "succeeded" else getattr(breaker, act)(now)
        if act == "succeeded":
            assert breaker.allows(now)
    assert breaker.allows(now + 1.001)
