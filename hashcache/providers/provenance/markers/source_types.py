"""
Digital source types: how a work came to be, in the controlled vocabulary of IPTC (NewsCodes) and of C2PA.

`algorithmicMedia` is *not* AI: no trained model took part. A capture is not proof of a human hand either.
"""

from __future__ import annotations

from collections.abc import Mapping

from hashcache.core.result import Verdict

#: Types that speak of a trained model, and what they make of the whole file.
AI: Mapping[str, Verdict] = {
    "trainedAlgorithmicMedia": Verdict.AI_GENERATED,
    "trainedAlgorithmicData": Verdict.AI_GENERATED,
    "compositeWithTrainedAlgorithmicMedia": Verdict.AI_EDITED,
    "compositeSynthetic": Verdict.AI_EDITED,
}
#: "Synthetic" parts may be drawn by other means than a trained model.
DOUBTFUL = frozenset({"compositeSynthetic"})
CAPTURE = frozenset({"digitalCapture", "computationalCapture"})
#: What else is known, and says nothing about a trained model.
OTHER = frozenset(
    {
        "algorithmicMedia",
        "algorithmicallyEnhanced",
        "composite",
        "compositeCapture",
        "dataDrivenMedia",
        "digitalArt",
        "digitalCreation",
        "empty",
        "humanEdits",
        "minorHumanEdits",
        "multiFrameComputationalCapture",
        "negativeFilm",
        "positiveFilm",
        "print",
        "screenCapture",
        "virtualRecording",
    }
)
_BY_LOWER = {name.lower(): name for name in (*AI, *CAPTURE, *OTHER)}


def name(uri: str) -> str | None:
    """The name of the type that *uri* means (`http` or `https`, or the bare name), None when it is none."""
    return _BY_LOWER.get(uri.strip().rstrip("/").rpartition("/")[2].rpartition(":")[2].lower())
