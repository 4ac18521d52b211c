"""
What a vendor says of several frames, as one: the highest score decides.

Rule 1: one generated scene makes a video generated in part, so the frame with the highest score speaks for the video;
        the mean is told as evidence and decides nothing.
Rule 2: a generator is named where the vendor gives it ATTRIBUTED or more. What is odd about generators is skipped: it
        decides nothing, and the answer is paid.
Rule 3: an estimate is never lower than the bill: a frame a second, the first and the last included, and a video that
        does not tell how long it lasts is taken for the longest that may be sent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hashcache.core.errors import ProviderError
from hashcache.core.result import Evidence
from hashcache.providers.reading import evidence_of, score_of

ATTRIBUTED = 0.5
#: The longest name of a generator that is believed.
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture, or one of a video: its *score*, *where* that lay in the answer, what is said of *generators*."""

    score: float
    where: str
    generators: Mapping[str, Any] = field(default_factory=dict)


def highest(frames: Sequence[Frame]) -> Frame:
    """The frame that decides: the first with the highest score. There is at least one."""
    return max(frames, key=lambda frame: frame.score)


def evidence(provider: str, frames: Sequence[Frame], ai_above: float) -> tuple[Evidence, ...]:
    """The deciding score under the threshold *ai_above*, the mean where there are several, the generator if any."""
    deciding = highest(frames)
    found = [evidence_of(deciding.score, ai_above, deciding.where)]
    if len(frames) > 1:
        found.append(_mean(frames))
    found.extend(_attributed(provider, deciding))
    return tuple(found)


def sampled(seconds: float | None, most_seconds: int) -> int:
    """The most frames that are billed of a video of *seconds* (None: it does not tell)."""
    return math.floor(most_seconds if seconds is None else seconds) + 1


def _mean(frames: Sequence[Frame]) -> Evidence:
    mean = round(math.fsum(frame.score for frame in frames) / len(frames), 6)
    return Evidence(
        signal="mean_score",
        where="",
        value=str(mean),
        strength="none",
        verified=False,
        explanation=f"The mean of the scores of {len(frames)} frames is {mean}; the highest one decides.",
    )


def _attributed(provider: str, frame: Frame) -> list[Evidence]:
    """The generator with the highest score in *frame*, if it is high enough."""
    scores: dict[str, float] = {}
    for name, found in frame.generators.items():
        try:
            score = score_of(provider, found, name)
        except ProviderError:
            continue
        if score >= ATTRIBUTED and 0 < len(name) <= _LONGEST_NAME:
            scores[name] = score
    if not scores:
        return []
    name = max(scores, key=scores.__getitem__)
    return [
        Evidence(
            signal="generator",
            where=frame.where,
            value=name,
            strength="medium",
            verified=False,
            explanation=f"The provider attributes it to {name}, with a score of {scores[name]}.",
        )
    ]
