"""
The embedded provider: a genuine analysis of what a file says about its own origin, here and free of charge.

Rule 1: `score_ai` is always None: metadata gives no probability.
Rule 2: ANALYSER_VERSION is raised with every change that may change an answer; it is part of the key.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from hashcache.core.content import Content, Kind
from hashcache.core.errors import ProviderFailed, ProviderInvalid
from hashcache.core.key import Question
from hashcache.core.money import FREE
from hashcache.core.result import Result
from hashcache.ports import Answer, Body, Estimate, Pending, Terms
from hashcache.providers.provenance import verdict, wire
from hashcache.providers.provenance.findings import Report
from hashcache.providers.provenance.pool import NAME, Limits, Pool

ANALYSER_VERSION = 1


class ProvenanceProvider:
    """
    Implements `ports.Provider`.

    *clock*: the instant now, in milliseconds since 1970 (such as `Store.now`). *anchors*: certificates in PEM whose
    C2PA signatures are trusted; without any, no signature makes more than a `medium` confidence. No child process is
    started before the first analysis; `close` ends them.
    """

    def __init__(self, *, clock: Callable[[], int], limits: Limits | None = None, anchors: str = "") -> None:
        self._clock = clock
        self._limits = limits or Limits()
        self._anchors = anchors
        self._pool = Pool(self._limits, anchors=anchors)

    @property
    def name(self) -> str:
        """`provenance`."""
        return NAME

    @property
    def kinds(self) -> frozenset[Kind]:
        """All."""
        return frozenset(Kind)

    def question(self, kind: Kind, tenant: str) -> Question:
        """As `Provider.question`; the trusted certificates are a parameter when there are any."""
        trust = {"anchors": hashlib.sha256(self._anchors.encode()).hexdigest()} if self._anchors else {}
        return Question(kind, tenant, NAME, model=NAME, adapter=ANALYSER_VERSION, parameters=trust)

    @property
    def terms(self) -> Terms:
        """Nothing is billed; what is too large for a part of the analysis is said in the evidence."""
        return Terms("analysis", FREE, embedded=True)

    async def estimate(self, _content: Content, _body: Body) -> Estimate:
        """Nothing."""
        return Estimate(FREE)

    async def start(self, content: Content, body: Body) -> Answer | Pending:
        """
        Analyse *body*, which is read by position and not closed. Nothing in it fails the analysis.

        Raises:
            ProviderTimeout, ProviderFailed, ProviderInvalid: as `Pool.analyse`.
        """
        task = wire.Task(content.kind, content.media_type, body.size, self._limits.deadline.total_seconds())
        async with _file(body) as descriptor:
            report = await self._pool.analyse(descriptor, task)
        return Answer(self._result(report), FREE)

    async def resume(self, _receipt: str) -> Answer | Pending:
        """
        Never of use here: `start` answers.

        Raises:
            ProviderInvalid: always.
        """
        raise ProviderInvalid(NAME, "the local analysis gives no receipts")

    async def close(self) -> None:
        """End the child processes and wait for them. Safe to call twice."""
        await self._pool.close()

    def _result(self, report: Report) -> Result:
        says, confidence = verdict.weigh(report)
        instant = datetime.fromtimestamp(self._clock() / 1000, UTC)
        return Result(
            verdict=says,
            score_ai=None,
            confidence=confidence,
            evidence=tuple(finding.evidence for finding in verdict.completed(report)),
            provider=NAME,
            model=NAME,
            model_version=str(ANALYSER_VERSION),
            analysed_at=f"{instant:%Y-%m-%dT%H:%M:%SZ}",
            answer={
                "checked": list(report.checked),
                "not_checked": list(report.not_checked),
                "note": verdict.note(report),
            },
        )


@asynccontextmanager
async def _file(body: Body) -> AsyncIterator[int]:
    """
    A descriptor of *body*'s bytes: its own, or that of an unnamed file which is gone at the end.

    Raises:
        ProviderFailed: there is no room for such a file.
    """
    own = body.descriptor()
    if own is not None:
        yield own
        return
    try:
        descriptor = _unnamed()
    except OSError as error:
        raise ProviderFailed(NAME, "no room for the file of the local analysis") from error
    try:
        await _fill(descriptor, body)
        yield descriptor
    finally:
        os.close(descriptor)


def _unnamed() -> int:
    """An empty file without a name: in memory where the system has such files, else in the temporary folder."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("hashcache")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


async def _fill(descriptor: int, body: Body) -> None:
    try:
        async for chunk in body.chunks():
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        raise ProviderFailed(NAME, "no room for the file of the local analysis") from error
