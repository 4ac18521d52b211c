"""
The embedded analysis as tests ask for it: in the test's own process (everything but the child and its limits), or
through the provider and its real children.
"""

from __future__ import annotations

from dataclasses import dataclass

import c2pa
import psutil

from hashcache.core.content import Kind, sniff
from hashcache.core.result import Confidence, Evidence, Result, Verdict
from hashcache.ports import Answer
from hashcache.providers.provenance import verdict
from hashcache.providers.provenance.findings import Report
from hashcache.providers.provenance.markers.manifest import Manifests
from hashcache.providers.provenance.provider import ProvenanceProvider
from hashcache.providers.provenance.source import Memory
from hashcache.providers.provenance.survey import Survey
from tests.harness.bodies import Held, described


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of an analysis: the verdict, the confidence, and the report."""

    verdict: Verdict
    confidence: Confidence
    report: Report

    @property
    def signals(self) -> set[str]:
        """All signals of the evidence."""
        return {one.evidence.signal for one in self.report.findings}

    def only(self, signal: str) -> Evidence:
        """The one piece of evidence with this *signal*."""
        (found,) = (one.evidence for one in self.report.findings if one.evidence.signal == signal)
        return found


def judge(content: bytes, *, anchors: str = "", library: bool = True) -> Judged:
    """Analyse *content*, trusting *anchors*; without the C2PA *library* if so asked."""
    kind, media_type = sniff(content) or (Kind.TEXT, "text/plain")
    survey = Survey(Manifests(c2pa if library else None, anchors=anchors))
    report = list(survey.of(Memory(content), kind, media_type))[-1]
    return Judged(*verdict.weigh(report), report)


async def analysed(provider: ProvenanceProvider, content: bytes) -> Result:
    """What *provider* answers about *content*, held in memory."""
    answer = await provider.start(described(content, len(content)), Held(content))
    assert isinstance(answer, Answer)
    return answer.result


def children() -> list[psutil.Process]:
    """The child processes of this one that run the analysis."""
    return [one for one in psutil.Process().children() if "provenance.child" in " ".join(one.cmdline())]
