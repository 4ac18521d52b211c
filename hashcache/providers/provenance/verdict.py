"""
From evidence to verdict. Pure.

Rule 1: the surest finding decides; equally sure ones rank: made by AI, edited with AI.
Rule 2: `captured` is said only when nothing speaks of AI.
Rule 3: without a finding that carries a verdict it is `inconclusive` with confidence `none`: never "human".
"""

from __future__ import annotations

from hashcache.core.result import Confidence, Verdict
from hashcache.providers.provenance.findings import Finding, Report, finding

NOTHING_FOUND = "No AI marker found; absence of a marker is not evidence of human origin."
SOMETHING_FOUND = (
    "Markers are claims by whoever wrote the file. All but a verified signature of somebody trusted are easily forged, "
    "and any is easily removed."
)
UNRESOLVED = (
    "What was found does not settle the origin; the absence of a valid AI marker is not evidence of human origin."
)
_SURENESS = {Confidence.NONE: 0, Confidence.LOW: 1, Confidence.MEDIUM: 2, Confidence.HIGH: 3}
_RANK = {Verdict.CAPTURED: 0, Verdict.AI_EDITED: 1, Verdict.AI_GENERATED: 2}


def weigh(report: Report) -> tuple[Verdict, Confidence]:
    """The verdict that the findings of *report* carry together."""
    carrying = [(one.says, one.confidence) for one in report.findings if one.says in _RANK]
    about_ai = [one for one in carrying if one[0] is not Verdict.CAPTURED]
    ranked = sorted(about_ai or carrying, key=lambda one: (_SURENESS[one[1]], _RANK[one[0] or Verdict.CAPTURED]))
    if not ranked:
        return Verdict.INCONCLUSIVE, Confidence.NONE
    verdict, confidence = ranked[-1]
    return verdict or Verdict.INCONCLUSIVE, confidence


def note(report: Report) -> str:
    """The sentence that goes with the verdict."""
    if any(one.says is not None for one in report.findings):
        return SOMETHING_FOUND
    return UNRESOLVED if any(_is_about_origin(one) for one in report.findings) else NOTHING_FOUND


def _is_about_origin(one: Finding) -> bool:
    return one.evidence.signal.startswith(("c2pa_", "tampered", "digital_source_type"))


def completed(report: Report) -> tuple[Finding, ...]:
    """The findings; when nothing at all was found, one that says so and what it does not mean."""
    if all(one.evidence.signal in ("analyser_error", "not_checked") for one in report.findings):
        return (*report.findings, finding("no_marker", "the whole file", "nothing found", NOTHING_FOUND))
    return report.findings
