"""How many calls may be repeated: a tenth of them, and a few."""

from hypothesis import given
from hypothesis import strategies as st

from hashcache.providers.retries import STEPS, RetryBudget


def spent(budget: RetryBudget, now: float) -> tuple[RetryBudget, int]:
    """All that it allows at *now*, and how much that was."""
    times = 0
    while budget.allows(now):
        budget, times = budget.retried(now), times + 1
    return budget, times


def called(times: int, now: float, budget: RetryBudget | None = None) -> RetryBudget:
    budget = budget or RetryBudget(share=0.1, floor=3, window=60.0)
    for _ in range(times):
        budget = budget.called(now)
    return budget


def test_without_calls_there_is_the_floor() -> None:
    """A quiet service may repeat a few."""
    assert spent(called(0, 5.0), 5.0)[1] == 3


def test_a_tenth_of_the_calls_is_added() -> None:
    """Of 99 calls nine, of 100 ten."""
    assert spent(called(99, 5.0), 5.0)[1] == 12
    assert spent(called(100, 5.0), 5.0)[1] == 13


def test_the_window_moves() -> None:
    """What was repeated counts for as long as the window lasts, then there is room again; so does what was called."""
    budget, _ = spent(called(100, 5.0), 5.0)
    assert not budget.allows(59.9)
    assert spent(budget, 60.1)[1] == 3
    assert spent(called(100, 5.0), 59.9)[1] == 13


def test_steps_add_up() -> None:
    """Calls of all steps within the window count, each once."""
    budget = called(0, 0.0)
    for second in range(60):
        budget = called(1, float(second), budget)
    assert len(budget.counted) == STEPS
    assert spent(budget, 59.0)[1] == 9


ACTS = st.lists(st.tuples(st.booleans(), st.floats(0, 20, allow_subnormal=False)), max_size=200)


@given(ACTS)
def test_repeated_is_never_more_than_allowed(acts: list[tuple[bool, float]]) -> None:
    """At each retry, in the window behind it, whatever came when; and what is kept is bounded by the steps."""
    budget, now = called(0, 0.0), 0.0
    calls: list[float] = []
    retries: list[float] = []
    for is_call, later in acts:
        now += later
        if is_call:
            budget = budget.called(now)
            calls.append(now)
        elif budget.allows(now):
            budget = budget.retried(now)
            retries.append(now)
            inner, outer = now - 60.0 * (STEPS - 1) / STEPS, now - 60.0
            assert sum(at > inner for at in retries) <= 3 + 0.1 * sum(at > outer for at in calls)
        assert len(budget.counted) <= STEPS


@given(st.floats(0, 1e9), st.floats(0, 100))
def test_a_clock_that_stands_or_steps_back_does_no_harm(now: float, back: float) -> None:
    """Monotonic clocks do not step back; if one did, nothing would be forgotten."""
    budget = called(20, now)
    assert spent(budget, now)[1] == 5
    assert len(budget.called(now - back).counted) == 1
