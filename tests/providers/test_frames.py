"""What several frames say as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.result import Verdict
from hashcache.providers.frames import Frame, evidence, highest, sampled
from hashcache.providers.reading import judge

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=200)


@given(SCORES, st.floats(0, 1))
def test_the_highest_score_decides_and_the_mean_is_told(scores: list[float], ai_above: float) -> None:
    """A video is AI-generated if and only if a frame of it is; the mean lies among the scores and decides nothing."""
    frames = [Frame(score, f"/frames/{number}") for number, score in enumerate(scores)]
    deciding = highest(frames)
    assert deciding.score == max(scores)
    assert (judge(deciding.score, ai_above)[0] is Verdict.AI_GENERATED) == any(one >= ai_above for one in scores)
    score, *rest = evidence("acme", frames, ai_above)
    assert (score.value, score.where) == (str(deciding.score), deciding.where)
    assert len(rest) == (len(scores) > 1)
    for mean in rest:
        assert mean.signal == "mean_score"
        assert min(scores) - 1e-6 <= float(mean.value) <= max(scores) + 1e-6


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.0, 1), (0.4, 1), (1.0, 2), (9.99, 10), (10.0, 11), (60.0, 61), (None, 61)]
)
def test_a_video_is_estimated_at_a_frame_a_second(seconds: float | None, frames: int) -> None:
    """The first and the last included; one that does not tell its length is taken for the longest."""
    assert sampled(seconds, 60) == frames
